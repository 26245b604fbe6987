"""Which format a path holds, from file names and a few bytes.

napari offers every reader for every folder, so most paths that come here are foreign:
the answer takes a handful of system calls and imports no reader. `detect` never
raises for what is on disk; a store that is ours but damaged is still ours, and its
reader says what is wrong. No server is asked: of an address the text has to do.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import zlib
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

from napari_scope.formats.addresses import (
    OWN_DOCUMENTS,
    is_address,
    looks_like_zarr,
    split_archive,
)
from napari_scope.formats.tiff_sniff import (
    COMPANION,
    TIFF_SUFFIXES,
    is_ome_tiff,
    ome_tiff_folder,
)

__all__ = ["Format", "detect"]

Format: TypeAlias = Literal["ome-zarr", "ndtiff", "ome-tiff"]

_OME_KEYS = (
    "multiscales", "plate", "well", "bioformats2raw.layout", "labels", "image-label",
    "scene",
)  # fmt: skip
_NDTIFF_INDEX = "NDTiff.index"
_NDTIFF_FOLDER = "Full resolution"  # of tiled NDTiff and of versions 1 and 2
_NDTIFF_MARK = 483729  # at byte 8 of the files of versions 2 and 3
_NDTIFF_1_MARK = 54773648  # of version 1, and of Micro-Manager's plain image stacks
_MOST_NAMES = 1000  # of a folder that are looked at for NDTiff files
_MOST_FILES = 8  # of these that are looked into

_TOLD_BY = ("zarr.json", ".zattrs")
_ZIP_END = 22 + 0xFFFF  # bytes: the last record of a zip file with its comment
_MOST_OF_DIRECTORY = 1 << 22  # bytes of the directory of a zip file, 50,000 members

_HEAD = 1 << 18
"""Bytes of a metadata document that are looked at; complete for nearly all."""


def detect(path: str | os.PathLike[str]) -> Format | None:
    """Return the format of a file or folder, or None if it is none of ours.

    Parameters
    ----------
    path : str or PathLike
        A folder (an OME-Zarr store or a group in it, an NDTiff data set, a set of
        OME-TIFF files), or the file that describes it: ``zarr.json``, ``.zattrs``,
        ``.zgroup``, ``NDTiff.index``; an OME-TIFF file; a zip file of OME-Zarr or a
        path within one; or the address of an OME-Zarr store.
    """
    if is_address(path):
        return "ome-zarr" if looks_like_zarr(str(path)) else None
    place = Path(path)
    archive = split_archive(str(path))
    try:
        if archive is not None and os.path.isfile(archive[0]):
            return "ome-zarr" if _is_zipped_ome_zarr(archive[0]) else None
        is_folder = stat.S_ISDIR(place.stat().st_mode)
    except (OSError, ValueError):
        return None
    if not is_folder:
        if place.name == _NDTIFF_INDEX:
            return "ndtiff" if _is_ndtiff_index(place) else None
        if place.name in OWN_DOCUMENTS:
            return "ome-zarr" if _is_ome_zarr(place.parent) else None
        if place.name.lower().endswith((*TIFF_SUFFIXES, COMPANION)):
            return "ome-tiff" if is_ome_tiff(place) else None
        return None
    if _is_ome_zarr(place):
        return "ome-zarr"
    folders = (place, place / _NDTIFF_FOLDER)
    if any(_is_ndtiff_index(folder / _NDTIFF_INDEX) for folder in folders):
        return "ndtiff"
    # Version 1 has no index, and an index may be lost.
    if any(_has_ndtiff_files(folder) for folder in folders):
        return "ndtiff"
    return "ome-tiff" if ome_tiff_folder(place) else None


def _is_ndtiff_index(path: Path) -> bool:
    """Return whether a file starts like an index: a length and a JSON object.

    An acquisition that has not saved a frame yet has an empty index, or one that is
    all zeros (the Java writer reserves its room).
    """
    head = _head(path, 5)
    return head is not None and (head[4:5] == b"{" or not head.strip(b"\0"))


def _has_ndtiff_files(folder: Path) -> bool:
    """Return whether a folder holds TIFF files with the mark of NDTiff."""
    marks = [_NDTIFF_MARK]
    if folder.name == _NDTIFF_FOLDER:  # all stores of version 1 have it
        marks.append(_NDTIFF_1_MARK)
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _MOST_NAMES)]
    except (OSError, ValueError):
        return False
    tifs = sorted(name for name in names if name.endswith(".tif"))
    for name in tifs[:_MOST_FILES]:
        head = _head(folder / name, 12) or b""
        order: Literal["little", "big"] = "big" if head[:2] == b"MM" else "little"
        if head[:2] in (b"II", b"MM") and (int.from_bytes(head[8:], order) in marks):
            return True
    return False


def _is_ome_zarr(folder: Path) -> bool:
    head = _head(folder / "zarr.json", _HEAD)
    if head is None:
        head = _head(folder / ".zattrs", _HEAD)
        if head is None:
            return _is_locked_zarr(folder)
        return _has_ome_keys(head, version=2)
    return _has_ome_keys(head, version=3)


def _is_locked_zarr(folder: Path) -> bool:
    """Return whether it is a folder with the name of a store that may not be read."""
    if not folder.name.lower().endswith(".zarr"):
        return False
    for name in _TOLD_BY:
        try:
            with open(folder / name, "rb", opener=_without_waiting):
                pass
        except PermissionError:
            return True  # the reader is to say so
        except OSError:
            continue
    return False


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_zipped_ome_zarr(file: str) -> bool:
    """Return whether a zip file holds an OME-Zarr store.

    The names of its members are at its end. Those of a very long list are not looked
    at; then the comment of the file has to tell, as RFC-9 recommends.
    """
    try:
        with open(file, "rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _ZIP_END))
            end = stream.read()
            place = end.rfind(b"PK\5\6")
            if place < 0:
                # The end is lost, perhaps of a copy that was not completed.
                stream.seek(0)
                return file.lower().endswith(".ozx") and stream.read(2) == b"PK"
            if b'"ome"' in end[place + 22 :]:
                return True
            length, start = struct.unpack_from("<II", end, place + 12)
            if length > _MOST_OF_DIRECTORY or start > size:
                return file.lower().endswith(".ozx")
    except (OSError, struct.error):
        return False
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                head, _, document = name.rpartition("/")
                if document in _TOLD_BY and "/" not in head:
                    with archive.open(name) as member:
                        version: Literal[2, 3] = 3 if document == "zarr.json" else 2
                        if _has_ome_keys(member.read(_HEAD), version=version):
                            return True
    except (OSError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile):
        return file.lower().endswith(".ozx")
    return False


def _has_ome_keys(head: bytes, *, version: Literal[2, 3]) -> bool:
    if len(head) < _HEAD:
        try:
            attributes = json.loads(head)
        except (ValueError, RecursionError):
            return _mentions_ome_keys(head)
        if version == 3 and isinstance(attributes, dict):
            attributes = attributes.get("attributes")
        if not isinstance(attributes, dict):
            return False
        block = attributes.get("ome", attributes)
        return isinstance(block, dict) and any(key in block for key in _OME_KEYS)
    return _mentions_ome_keys(head)


def _mentions_ome_keys(head: bytes) -> bool:
    """Return whether text that cannot be parsed speaks of OME-Zarr.

    It is cut off (attributes come before the long consolidated metadata) or damaged:
    then the reader is to explain the damage.
    """
    return any(f'"{key}"'.encode() in head for key in _OME_KEYS)


def _head(path: Path, size: int) -> bytes | None:
    """Return the first bytes of a regular file, or None."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None  # a pipe would block
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return None
