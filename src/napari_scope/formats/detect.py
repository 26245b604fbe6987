"""Which format a path holds, from file names and a few bytes.

napari offers every reader for every folder, so most paths that come here are foreign:
the answer takes a handful of system calls and imports no reader, but for files that
are named like mass spectra. `detect` never
raises for what is on disk; a store that is ours but damaged is still ours, and its
reader says what is wrong. No server is asked: of an address the text has to do.
"""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

from napari_scope.formats.addresses import (
    OWN_DOCUMENTS,
    is_address,
    looks_like_zarr,
    split_archive,
)
from napari_scope.formats.msi_entries import is_acquisition
from napari_scope.formats.tiff_sniff import (
    COMPANION,
    TIFF_SUFFIXES,
    is_ome_tiff,
    ome_tiff_folder,
)
from napari_scope.formats.zarr_sniff import head_of, is_ome_zarr, is_zipped_ome_zarr

__all__ = ["Format", "detect"]

Format: TypeAlias = Literal["ome-zarr", "ndtiff", "ome-tiff", "msi"]

_NDTIFF_INDEX = "NDTiff.index"
_NDTIFF_FOLDER = "Full resolution"  # of tiled NDTiff and of versions 1 and 2
_NDTIFF_MARK = 483729  # at byte 8 of the files of versions 2 and 3
_NDTIFF_1_MARK = 54773648  # of version 1, and of Micro-Manager's plain image stacks
_MOST_NAMES = 1000  # of a folder that are looked at for NDTiff files
_MOST_FILES = 8  # of these that are looked into


def detect(path: str | os.PathLike[str]) -> Format | None:
    """Return the format of a file or folder, or None if it is none of ours.

    Parameters
    ----------
    path : str or PathLike
        A folder (an OME-Zarr store or a group in it, an NDTiff data set, a set of
        OME-TIFF files), or the file that describes it: ``zarr.json``, ``.zattrs``,
        ``.zgroup``, ``NDTiff.index``; an OME-TIFF file; a zip file of OME-Zarr or a
        path within one; or the address of an OME-Zarr store. Or one acquisition of
        mass-spectrometry images (``"msi"``): any of its files, or a folder of Bruker
        spots, not a folder with such files.
    """
    if is_address(path):
        return "ome-zarr" if looks_like_zarr(str(path)) else None
    place = Path(path)
    archive = split_archive(str(path))
    try:
        if archive is not None and os.path.isfile(archive[0]):
            return "ome-zarr" if is_zipped_ome_zarr(archive[0]) else None
        is_folder = stat.S_ISDIR(place.stat().st_mode)
    except (OSError, ValueError):
        return None
    if not is_folder:
        if place.name == _NDTIFF_INDEX:
            return "ndtiff" if _is_ndtiff_index(place) else None
        if place.name in OWN_DOCUMENTS:
            return "ome-zarr" if is_ome_zarr(place.parent) else None
        if place.name.lower().endswith((*TIFF_SUFFIXES, COMPANION)):
            return "ome-tiff" if is_ome_tiff(place) else None
        return "msi" if is_acquisition(place) else None
    if is_ome_zarr(place):
        return "ome-zarr"
    folders = (place, place / _NDTIFF_FOLDER)
    if any(_is_ndtiff_index(folder / _NDTIFF_INDEX) for folder in folders):
        return "ndtiff"
    # Version 1 has no index, and an index may be lost.
    if any(_has_ndtiff_files(folder) for folder in folders):
        return "ndtiff"
    if ome_tiff_folder(place):
        return "ome-tiff"
    return "msi" if is_acquisition(place) else None


def _is_ndtiff_index(path: Path) -> bool:
    """Return whether a file starts like an index: a length and a JSON object.

    An acquisition that has not saved a frame yet has an empty index, or one that is
    all zeros (the Java writer reserves its room).
    """
    head = head_of(path, 5)
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
        head = head_of(folder / name, 12) or b""
        order: Literal["little", "big"] = "big" if head[:2] == b"MM" else "little"
        if head[:2] in (b"II", b"MM") and (int.from_bytes(head[8:], order) in marks):
            return True
    return False
