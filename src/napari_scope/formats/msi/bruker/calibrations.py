"""The calibration of each spot of a measurement, and what else they all tell.

Every spot has parameters of its own, which are nearly always the same. Parsing them
takes ten times as long as finding out whether the ones that matter are: those are
looked up as bytes, and only what is new is parsed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.bruker.acqu import parse_acqu, read_small
from napari_scope.formats.msi.bruker.calibration import Calibration
from napari_scope.formats.msi.bruker.spot_list import few

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["Calibrations", "acqu_of", "read_calibrations"]

_NEEDED: Final = (
    b"TD",
    b"DELAY",
    b"DW",
    b"ML1",
    b"ML2",
    b"ML3",
    b"BYTORDA",
    b"HPClUse",
)
# Long ones are looked up in every file, too, but may be missing.
_OPTIONAL: Final = (b"HPClBLo", b"HPClBHi", b"HPClOrd", b"HPCStr")
_STAGE: Final = b"\n##$MOTPOS="
_CTOF2: Final = b"V1.0CTOF2CalibrationConstants"
_POSITION = re.compile(rb"<\(\s*([-+.\d]{1,32})\s*,\s*([-+.\d]{1,32})\s*\)>")


@dataclass(frozen=True)
class Calibrations:
    """What the parameters of the spots say.

    Parameters
    ----------
    different : list of Calibration
        Each calibration once.
    of_spot : ndarray of int64, (spots,)
        Which one each spot has; -1 if it has none.
    big_endian : list of bool
        Whether the counts of each spot are stored so (BYTORDA).
    stage_um : ndarray of float64, (spots, 2)
        Where the stage was, NaN where that is not told.
    first : dict
        All parameters of the first spot that has a calibration.
    problems : list of str
        What was wrong, in words.
    """

    different: list[Calibration]
    of_spot: npt.NDArray[np.int64]
    big_endian: list[bool]
    stage_um: npt.NDArray[np.float64]
    first: dict[str, Any]
    problems: list[str]


def acqu_of(folder: str) -> tuple[str, bytes]:
    """Return path and bytes of the parameters of a spot.

    Raises
    ------
    FormatError
        If neither ``acqu`` nor ``acqus`` can be read.
    """
    path = os.path.join(folder, "acqu")
    try:
        return path, read_small(path)
    except FormatError:
        path = os.path.join(folder, "acqus")
        return path, read_small(path)


def read_calibrations(
    folders: Sequence[str], points: Sequence[int], names: Sequence[str]
) -> Calibrations:
    """Return the calibrations of spots.

    Parameters
    ----------
    folders : sequence of str
        The folder with the files of each spot.
    points : sequence of int
        How many values the ``fid`` file of each has.
    names : sequence of str
        What each spot is called.
    """
    known: dict[tuple[bytes, ...], tuple[int, bool, str]] = {}
    index: dict[Calibration, int] = {}
    of_spot = np.full(len(folders), -1, np.int64)
    big_endian = [False] * len(folders)
    stage = np.full((len(folders), 2), np.nan)
    first: dict[str, Any] = {}
    doubts: Counter[str] = Counter()
    damaged: list[str] = []
    reason = ""
    for k, folder in enumerate(folders):
        try:
            _, data = acqu_of(folder)
            stage[k] = _stage(data)
            fields = _fields(data)
            if fields is not None and fields in known:
                of_spot[k], big_endian[k], doubt = known[fields]
            else:
                acqu = parse_acqu(data)
                one = Calibration.of(acqu, points[k])
                of_spot[k] = index.setdefault(one, len(index))
                big_endian[k] = str(acqu.get("BYTORDA", 0)) == "1"
                first, doubt = first or acqu, one.doubt
                if fields is not None:
                    known[fields] = int(of_spot[k]), big_endian[k], doubt
        except FormatError as error:
            damaged.append(names[k])
            reason = reason or error.message
        else:
            doubts[doubt] += 1
    problems = [f"{text} (spots: {count})" for text, count in doubts.items() if text]
    if damaged:
        problems.append(
            f"spots without a calibration, left out: {len(damaged)} "
            f"({few(damaged)}): {reason}"
        )
    return Calibrations(list(index), of_spot, big_endian, stage, first, problems)


def _fields(data: bytes) -> tuple[bytes, ...] | None:
    """Return the bytes that decide on the calibration; None if they are not plain."""
    found = []
    for keys, needed in ((_NEEDED, True), (_OPTIONAL, False)):
        for key in keys:
            at = data.find(b"\n##$" + key + b"=")
            if at < 0:
                if needed:
                    return None
                found.append(b"")
                continue
            end = data.find(b"\n##", at + 3)
            found.append(data[at : end if end >= 0 else None])
    found.append(b"2" if _CTOF2 in data else b"")
    return tuple(found)


def _stage(data: bytes) -> tuple[float, float]:
    at = data.find(_STAGE)
    match = _POSITION.search(data[at : at + 200]) if at >= 0 else None
    if match is None:
        return np.nan, np.nan
    try:
        return float(match.group(1)), float(match.group(2))
    except ValueError:
        return np.nan, np.nan
