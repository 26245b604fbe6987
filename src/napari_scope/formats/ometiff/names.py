"""The names of OME-TIFF files: their suffixes, companions, and images as file names.

Examples
--------
>>> stem_of("data/cells.ome.tiff")
'cells'
>>> companion_of("data/run").as_posix()
'data/run/run.companion.ome'
>>> free_name("A1/f0", {"a1_f0.ome.tiff"})
'A1_f0_1.ome.tiff'
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container
    from os import PathLike

__all__ = [
    "COMPANION_SUFFIX",
    "SUFFIXES",
    "companion_of",
    "free_name",
    "stem_of",
    "tiff_files",
]

SUFFIXES = (".ome.tiff", ".ome.tif", ".tiff", ".tif")
COMPANION_SUFFIX = ".companion.ome"

_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]')  # what some system has no name for


def stem_of(path: str | PathLike[str]) -> str:
    """Return the name of a file or folder without a suffix of OME-TIFF."""
    name = Path(path).name
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def companion_of(folder: str | PathLike[str]) -> Path:
    """Return the file that describes the files of a folder."""
    return Path(folder) / f"{stem_of(folder)}{COMPANION_SUFFIX}"


def free_name(image: str, taken: Container[str]) -> str:
    """Return a name for the file of an image.

    Parameters
    ----------
    image : str
        Name of the image.
    taken : container of str
        The names that are taken, in small letters: systems may not tell them apart.
    """
    stem = _UNSAFE.sub("_", image).strip(". ")[:100] or "image"
    name, number = f"{stem}.ome.tiff", 0
    while name.lower() in taken:
        number += 1
        name = f"{stem}_{number}.ome.tiff"
    return name


def tiff_files(folder: Path) -> list[Path]:
    """Return the TIFF files of a folder, by name; raises OSError."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if entry.name.lower().endswith(SUFFIXES) and entry.is_file()
    )
