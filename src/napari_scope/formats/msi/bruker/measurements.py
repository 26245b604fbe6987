"""The measurements of spots: ``1/1SLin``, repeats and other modes of the instrument.

A tree of files is not walked: what lies below the spots is looked up in some of them,
and each other spot is asked whether it has the same. Calibrations are not known here.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_scope.formats.msi.bruker.names import repeats_of
from napari_scope.formats.msi.bruker.spot_list import few
from napari_scope.formats.msi.bruker.spots import NoSpotsError
from napari_scope.formats.msi.natural import natural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.formats.msi.bruker.spots import Spot, Spots

__all__ = ["Measurement", "measurements"]

_LOOKED_INTO: Final = 16  # spots that are looked into, about


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement of some spots, ``1/1SLin`` for example.

    Parameters
    ----------
    name : str
        Where it lies below each spot; empty for files in the folder of the spot.
    spots : list of Spot
        The spots that have it.
    sizes, times_ns : list of int
        Bytes of each ``fid`` file, and when it was changed.
    """

    name: str
    spots: list[Spot]
    sizes: list[int]
    times_ns: list[int]

    def folders_in(self, folder: str | os.PathLike[str]) -> list[str]:
        """Return the folder of the files of each spot."""
        below = [part for part in self.name.split("/") if part]
        return [os.path.join(folder, spot.name, *below) for spot in self.spots]


def measurements(found: Spots) -> list[Measurement]:
    """Return the measurements of spots, those of the first numbers first.

    Problems are added to those of the spots.

    Raises
    ------
    NoSpotsError
        If no spot has a ``fid`` file.
    """
    root = str(found.folder)
    known = list(found.only) or _known(root, found.spots)
    numbers = {name.partition("/")[0] for name in known}
    each: dict[str, Measurement] = {}
    empty = []
    for spot in found.spots:
        below = os.path.join(root, spot.name)
        stats = _stats(below, known)
        if not found.only and (len(stats) < len(known) or _numbers_in(below) - numbers):
            stats = _stats(below, repeats_of(below))
        if not stats:
            empty.append(spot.name)
        for name, said in stats.items():
            one = each.setdefault(name, Measurement(name, [], [], []))
            one.spots.append(spot)
            one.sizes.append(said.st_size)
            one.times_ns.append(said.st_mtime_ns)
    if not each:
        raise NoSpotsError("no spot has a file 'fid'", path=found.folder)
    if empty:
        found.problems.append(
            f"spots without a file 'fid': {len(empty)} ({few(empty)})"
        )
    return [each[name] for name in sorted(each, key=natural)]


def _known(root: str, spots: Sequence[Spot]) -> list[str]:
    """Return what lies below the first spot with anything, and some others."""
    step = max(1, len(spots) // _LOOKED_INTO)
    names: set[str] = set()
    for spot in spots[::step]:
        names.update(repeats_of(os.path.join(root, spot.name)))
    return sorted(names, key=natural)


def _stats(below: str, names: list[str]) -> dict[str, os.stat_result]:
    found = {}
    for name in names:
        try:
            one = os.stat(f"{below}/{name}/fid")
        except OSError:
            continue
        if stat.S_ISREG(one.st_mode):
            found[name] = one
    return found


def _numbers_in(below: str) -> set[str]:
    try:
        return {name for name in os.listdir(below) if name.isdecimal()}
    except OSError:
        return set()
