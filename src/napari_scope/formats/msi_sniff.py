"""Whether a path may hold mass-spectrometry images, from names alone.

napari asks for every folder, and for files whose suffix many programs use (``.img``,
``.hdr``, ``.h5``, ``.txt``). Most of them are foreign: they are told apart here without
the readers, which take their time to be imported, and without numpy. What passes is
asked for by each reader, which looks into the files (`napari_scope.formats.msi`).

Examples
--------
>>> may_be_msi("/data/holiday.jpg")
False
"""

from __future__ import annotations

import os
import re
import stat
import sys
from functools import cache
from itertools import islice
from typing import Final

__all__ = ["is_msi", "may_be_msi"]

_SUFFIXES: Final = (
    ".imzml", ".ibd", ".mzml", ".mzml.gz", ".hdr", ".img", ".t2m", ".h5", ".hdf5",
    ".omsi",
)  # fmt: skip
_SPOT_LIST: Final = "spot list.txt"
_IN_FOLDERS: Final = (".imzml", ".mzml", ".t2m", ".omsi", _SPOT_LIST)
_RAW_FILES: Final = ("fid", "acqu", "acqus")
# Spots of Bruker's flex instruments: of images, and of target plates, whose rows may go
# on with AA. More digits than a stage has pixels are no spot.
_IMAGED: Final = r"(?:\d{1,6}_)?R\d{1,6}X\d{1,6}Y\d{1,6}(?:Z\d{1,6})?"
_ON_PLATE: Final = re.compile(r"(?:\d{1,6}_)?[A-Z]{1,2}\d{1,3}", re.IGNORECASE)
# Also the folder of a spectrum of theirs (1SLin, 1SRef, 1Ref), and what is in it.
_SIGN: Final = re.compile(
    rf"{_IMAGED}|\d{{1,4}}S?(?:Lin|Ref)\w{{0,40}}|{'|'.join(_RAW_FILES)}", re.I
)
_MOST_NAMES: Final = 2000  # of a folder that are looked at
_MOST_INSIDE: Final = 64  # names of a folder in it
_MOST_FOLDERS: Final = 8  # folders in it that are looked into


def may_be_msi(path: str | os.PathLike[str]) -> bool:
    """Return whether the name of a file, or what a folder holds, looks like it."""
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
    name = _name_of(path)
    if not is_folder:
        return name.endswith((*_SUFFIXES, _SPOT_LIST)) or name in _RAW_FILES
    some = _entries(path, _MOST_NAMES)
    names = [entry.name for entry in some]
    if any(name.lower().endswith(_IN_FOLDERS) for name in names):
        return True
    # None of the others has a dot, names of foreign files nearly always do.
    if any("." not in name and _SIGN.fullmatch(name) for name in names):
        return True
    if _has_plate_spots(some, _MOST_FOLDERS):
        return True
    # Spots lie in a folder of their own, and their spectra in folders with a number.
    inside = islice((one for one in some if _is_folder(one)), _MOST_FOLDERS)
    return any(map(_holds_spots, inside))


def is_msi(path: str | os.PathLike[str]) -> bool:
    """Return whether one of the readers knows a path.

    What the formats of other packages are called is not known: where there are some,
    they are asked about every path.
    """
    if not may_be_msi(path) and not _others_bring_formats():
        return False
    from napari_scope.formats.msi.opening import format_of

    return format_of(path) is not None


def _others_bring_formats() -> bool:
    registry = sys.modules.get("napari_scope.formats.msi.registry")
    return _installed_formats() or (registry is not None and registry.has_foreign())


@cache
def _installed_formats() -> bool:
    from importlib.metadata import entry_points

    return bool(entry_points(group="napari_scope.msi_formats"))


def _name_of(path: str | os.PathLike[str]) -> str:
    return os.path.basename(os.fspath(path).rstrip("/\\")).lower()


def _entries(folder: str | os.PathLike[str], most: int) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(islice(entries, most))
    except (OSError, ValueError):
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _holds_spots(folder: os.DirEntry[str]) -> bool:
    some = _entries(folder.path, _MOST_INSIDE)
    return any(
        _SIGN.fullmatch(one.name) or one.name.lower().endswith(_SPOT_LIST)
        for one in some
    ) or _has_plate_spots(some, 1)


def _has_plate_spots(some: list[os.DirEntry[str]], most: int) -> bool:
    """Return whether a folder that is called like a well has a numbered spectrum."""
    wells = (
        one
        for one in some
        if len(one.name) < 16 and _ON_PLATE.fullmatch(one.name) and _is_folder(one)
    )
    return any(
        inner.name.isdecimal()
        for one in islice(wells, most)
        for inner in _entries(one.path, _MOST_INSIDE)
    )
