"""Whether a folder or a zip file is OME-Zarr, from its first document.

Nothing is raised for what is on disk. A store that is ours but damaged is still ours:
its reader is to say what is wrong.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import zlib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["head_of", "is_ome_zarr", "is_zipped_ome_zarr"]

_OME_KEYS = (
    "multiscales", "plate", "well", "bioformats2raw.layout", "labels", "image-label",
    "scene",
)  # fmt: skip
_TOLD_BY = ("zarr.json", ".zattrs")
_ZIP_END = 22 + 0xFFFF  # bytes: the last record of a zip file with its comment
_MOST_OF_DIRECTORY = 1 << 22  # bytes of the directory of a zip file, 50,000 members

_HEAD = 1 << 18
"""Bytes of a metadata document that are looked at; complete for nearly all."""


def is_ome_zarr(folder: Path) -> bool:
    """Return whether a folder is OME-Zarr of any version."""
    head = head_of(folder / "zarr.json", _HEAD)
    if head is None:
        head = head_of(folder / ".zattrs", _HEAD)
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


def is_zipped_ome_zarr(file: str) -> bool:
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


def head_of(path: Path, size: int) -> bytes | None:
    """Return the first bytes of a regular file, or None."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None  # a pipe would block
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return None
