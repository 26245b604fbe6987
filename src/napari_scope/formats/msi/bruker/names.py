"""Names of spots, and which folders have spots.

A spot of an image is called by chip, region, x and y, ``0_R00X012Y006``, with any
number of digits; a Z may follow. Spots of a target plate are called by row and column,
``0_A1``: they are no image. Each has its spectra in folders below it,
``1/1SLin/fid``. No file is opened here.

Examples
--------
>>> parse_spot("0_R01X012Y006")
SpotName(region=1, x=12, y=6, z=0, chip=0)
>>> parse_spot("0_A1") is None, is_plate_spot("0_A1")
(True, True)
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from napari_scope.formats.msi.natural import natural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "LIST_SUFFIX",
    "SpotName",
    "has_spots",
    "is_plate_spot",
    "lists_in",
    "parse_spot",
    "repeats_of",
    "samples_in",
    "spot_folders",
    "spot_names",
]

LIST_SUFFIX: Final = " spot list.txt"
"""How the names of spot lists end, in small letters."""

# More digits than a stage has pixels are no spot.
_IMAGED = re.compile(
    r"(?:(\d{1,6})_)?R(\d{1,6})X(\d{1,6})Y(\d{1,6})(?:Z(\d{1,6}))?", re.I
)
_ON_PLATE = re.compile(r"(?:\d{1,6}_)?[A-Z]{1,2}\d{1,3}", re.IGNORECASE)
_MOST_FOLDERS: Final = 64  # folders that are looked into for spots
_MOST_ENTRIES: Final = 256  # of a folder that are looked at for a spot or spectrum
_MOST_IN_SAMPLE: Final = 8  # folders of a sample that are looked into
_MOST_SPOTS: Final = 32  # spots that are looked into for a first spectrum


@dataclass(frozen=True, slots=True)
class SpotName:
    """What the name of a spot of an image says; all numbers from 0.

    Parameters
    ----------
    region, x, y, z : int
        Its region and place.
    chip : int
        Number of the target, 0 without one.
    """

    region: int
    x: int
    y: int
    z: int = 0
    chip: int = 0

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Region, x, y and z."""
        return self.region, self.x, self.y, self.z

    @property
    def order(self) -> tuple[int, int, int, int, int]:
        """What spots are sorted by: region, then row by row, then chip."""
        return self.region, self.z, self.y, self.x, self.chip


def parse_spot(name: str) -> SpotName | None:
    """Return what the name of a spot says, None if it is none of an image."""
    match = _IMAGED.fullmatch(name)
    if match is None:
        return None
    chip, region, x, y, z = (int(text or 0) for text in match.groups())
    return SpotName(region, x, y, z, chip)


def is_plate_spot(name: str) -> bool:
    """Return whether a name is that of a spot of a target plate."""
    return _ON_PLATE.fullmatch(name) is not None


def spot_names(folder: Path) -> tuple[list[tuple[str, SpotName]], list[str]]:
    """Return the spots of an image, and those of a plate, in a folder.

    Raises
    ------
    OSError
        If it cannot be listed.
    """
    imaged, plate = [], []
    for name in os.listdir(folder):
        spot = parse_spot(name)
        if spot is not None:
            imaged.append((name, spot))
        elif is_plate_spot(name):
            plate.append(name)
    imaged.sort(key=lambda one: (one[1].order, one[0]))
    return imaged, sorted(plate, key=natural)


def repeats_of(spot: str) -> list[str]:
    """Return the measurements below a spot as ``1/1SLin``, those with a ``fid``."""
    found = []
    for number in _folders_in(spot, _MOST_ENTRIES):
        if number.isdecimal():
            found += [
                f"{number}/{kind}"
                for kind in _folders_in(os.path.join(spot, number), _MOST_ENTRIES)
                if os.path.isfile(os.path.join(spot, number, kind, "fid"))
            ]
    return sorted(found, key=natural)


def spot_folders(path: Path, most: int = _MOST_FOLDERS) -> list[Path]:
    """Return the folders with spots that a folder stands for: itself, or those in it.

    Parameters
    ----------
    path : Path
        The folder.
    most : int
        How many of the folders in it are looked at, the first ones by name of those
        among its first ``100 * most`` entries.
    """
    if has_spots(path):
        return [path]
    return [folder for folder in _some_folders(path, most) if has_spots(folder)]


def samples_in(path: Path, most: int = _MOST_FOLDERS) -> list[Path]:
    """Return the folders in a folder that have a spot list and spots.

    Parameters
    ----------
    path : Path
        The folder.
    most : int
        As that of `spot_folders`.
    """
    return [
        folder
        for folder in _some_folders(path, most)
        if lists_in(folder, _MOST_ENTRIES) and spot_folders(folder, _MOST_IN_SAMPLE)
    ]


def _some_folders(path: Path, most: int) -> list[Path]:
    inside = _folders_in(str(path), 100 * most)
    # The key takes longer than anything else here.
    inside = sorted(inside, key=natural if len(inside) <= 1000 else None)[:most]
    return [path / name for name in inside]


def lists_in(folder: Path, most: int | None = None) -> list[Path]:
    """Return the spot lists in a folder, or among its first entries."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, most)]
    except OSError:
        return []
    lists = [name for name in names if name.lower().endswith(LIST_SUFFIX)]
    return [folder / name for name in sorted(lists, key=natural)]


def has_spots(folder: Path) -> bool:
    """Return whether one of the first entries of a folder is a spot with a ``fid``."""
    for name in _first_spots(folder):
        if repeats_of(str(folder / name)):
            return True
    return False


def _first_spots(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            names = (one.name for one in islice(entries, _MOST_ENTRIES))
            spots = (n for n in names if parse_spot(n) or is_plate_spot(n))
            yield from islice(spots, _MOST_SPOTS)
    except OSError:
        return


def _folders_in(path: str, most: int) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [one.name for one in islice(entries, most) if one.is_dir()]
    except OSError:
        return []
