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
from itertools import islice
from typing import Final

__all__ = ["is_msi", "may_be_msi"]

_SUFFIXES: Final = (
    ".imzml", ".ibd", ".mzml", ".hdr", ".img", ".t2m", ".h5", ".hdf5", ".omsi",
)  # fmt: skip
_IN_FOLDERS: Final = (".imzml", ".mzml", ".t2m", ".omsi")
_SPOT_LIST: Final = "spot list.txt"
_RAW_FILES: Final = ("fid", "acqu", "acqus")
# Spot folders of Bruker's flex instruments: of images, and of targets by hand.
_SPOT: Final = re.compile(r"(?:\d+_)?(?:R\d+X\d+Y\d+|[A-P]\d{1,2})\Z")
_MOST_NAMES: Final = 1000  # of a folder that are looked at


def may_be_msi(path: str | os.PathLike[str]) -> bool:
    """Return whether the name of a file, or what a folder holds, looks like it."""
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
    name = os.path.basename(os.fspath(path).rstrip("/\\")).lower()
    if not is_folder:
        return name.endswith((*_SUFFIXES, _SPOT_LIST)) or name in _RAW_FILES
    try:
        with os.scandir(path) as entries:
            names = [entry.name for entry in islice(entries, _MOST_NAMES)]
    except OSError:
        return False
    return any(map(_is_sign, names))


def is_msi(path: str | os.PathLike[str]) -> bool:
    """Return whether one of the readers knows a path."""
    if not may_be_msi(path):
        return False
    from napari_scope.formats.msi.opening import format_of

    return format_of(path) is not None


def _is_sign(name: str) -> bool:
    lower = name.lower()
    return (
        lower.endswith((*_IN_FOLDERS, _SPOT_LIST))
        or lower in _RAW_FILES
        or _SPOT.match(name) is not None
    )
