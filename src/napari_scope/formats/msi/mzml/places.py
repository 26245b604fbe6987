"""Where the spectra of an mzML file lie: five ways in which programs write it.

===========  ====================================================================
``imaging``  terms of imzML in the scan (IMS:1000050, IMS:1000051), from 1 on, or
             user parameters ``position x`` and ``position y``
``thermo``   the attribute ``spotID``; what follows its last comma is the place of
             the stage, ``4242x4242``
``bruker``   the folder of the spot in the id, ``0_R00X012Y006``, escaped: ``/`` is
             ``_x002f_``
``xmass``    the source file of each spectrum, ``..._12x_34y_...``, from 0 on
``unknown``  nowhere: the file is no image
===========  ====================================================================

The way that tells most places is taken. Places of a stage are made into pixels by
the largest step that all of them have in common, so that empty rows stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.formats.msi.mzml.scans import numbers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi.mzml.scans import Scans
    from napari_scope.formats.msi.xml_nodes import Node

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

__all__ = ["FLAVOURS", "Places", "find_places", "stage_pixels"]

FLAVOURS: Final = {
    name: name for name in ("thermo", "bruker", "xmass", "imaging", "unknown")
}
"""Ways of writing places; ``unknown`` stands for none."""

_SPOT: Final = re.compile(r"(?:^|[^A-Za-z0-9])R(\d+)X(\d+)Y(\d+)(?![A-Za-z0-9])")
_STAGE: Final = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*[xX]\s*(-?\d+(?:\.\d+)?)\s*")
_SOURCE: Final = re.compile(r"_(\d+)x_(\d+)y(?![A-Za-z0-9])", re.I)
_ESCAPED: Final = re.compile(r"_x([0-9a-fA-F]{4})_")
# Stage positions are told to this part of a step at the finest.
_FINEST: Final = 10_000
_MOST_EMPTY: Final = 25
_MOST: Final = 1 << 40

_Place = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Places:
    """Where the scans lie.

    Parameters
    ----------
    flavour : str
        One of `FLAVOURS`.
    x, y, z, region : ndarray of int64, (scans,)
        Place and region of each one; of a file that is no image, zeros.
    known : ndarray of bool, (scans,)
        Which of them have a place.
    problems : tuple of str
        What was wrong, in words.
    """

    flavour: str
    x: Integers
    y: Integers
    z: Integers
    region: Integers
    known: npt.NDArray[np.bool_]
    problems: tuple[str, ...] = ()


def find_places(scans: Scans, number: Integers, root: Node) -> Places:
    """Return where the scans lie.

    Parameters
    ----------
    scans : Scans
        The scans.
    number : ndarray of int64, (scans,)
        Which kind each of them is.
    root : Node
        The document, for its source files.
    """
    ways: dict[str, Callable[[], list[_Place | None]]] = {
        "imaging": lambda: _of_terms(scans),
        "bruker": lambda: _of_spots(scans),
        "thermo": lambda: [_stage_place(text) for text in scans.texts["spot"]],
        "xmass": lambda: _of_sources(scans, root),
    }
    n = len(scans)
    best: tuple[int, str, list[_Place | None]] = (0, "unknown", [None] * n)
    for name, way in ways.items():
        places = way()
        count = sum(place is not None for place in places)
        if count > best[0]:
            best = (count, name, places)
        if count == n:
            break
    count, flavour, places = best
    if 2 * count <= n:
        said = f"{count} of its {n} spectra" if count else "none of its spectra"
        zeros = np.zeros(n, np.int64)
        return Places(
            "unknown", zeros, zeros, zeros, zeros, np.ones(n, np.bool_),
            (f"the file is no image: {said} have a place; they are "
             "shown in a row",),
        )  # fmt: skip
    known = np.array([place is not None for place in places])
    table = np.array([place or (0.0, 0.0, 0.0, 0.0) for place in places])
    problems = []
    if not known.all():
        problems.append(f"{n - count} of {n} spectra have no place and are left out")
    columns = np.zeros((n, 4), np.int64)
    if flavour == "thermo":
        for axis in (0, 1):
            pixels, doubt = stage_pixels(table[known, axis], number[known])
            columns[known, axis] = pixels
            problems += [f"{'xy'[axis]}: {doubt}"] if doubt else []
    else:
        columns[:] = table
    x, y, z, region = columns.T.copy()
    return Places(flavour, x, y, z, region, known, tuple(problems))


def _of_terms(scans: Scans) -> list[_Place | None]:
    if not any(scans.texts["x"]):
        return [None] * len(scans)
    x, y, z = (numbers_of(scans.texts[name]) - 1 for name in "xyz")
    good = np.isfinite(x) & np.isfinite(y) & (np.abs(x) < _MOST) & (np.abs(y) < _MOST)
    # Without a z all lie in one plane.
    z[~(np.abs(z) < _MOST)] = 0
    return [
        (one[0], one[1], one[2], 0.0) if fine else None
        for fine, *one in zip(
            good.tolist(), x.tolist(), y.tolist(), z.tolist(), strict=True
        )
    ]


def _of_spots(scans: Scans) -> list[_Place | None]:
    found = []
    for name, spot in zip(scans.texts["id"], scans.texts["spot"], strict=True):
        match = _SPOT.search(_unescaped(name)) or _SPOT.search(_unescaped(spot))
        found.append(_spot_place(match))
    return found


def _spot_place(match: re.Match[str] | None) -> _Place | None:
    if match is None or max(len(part) for part in match.groups()) > 9:
        return None
    region, x, y = (float(part) for part in match.groups())
    return x, y, 0.0, region


def _unescaped(text: str) -> str:
    """Return a text whose odd letters were written as numbers.

    Examples
    --------
    >>> _unescaped("scan_x003d_1_x002f_0_R00X012Y006")
    'scan=1/0_R00X012Y006'
    """
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _stage_place(text: str) -> _Place | None:
    """Return where a spot lies.

    Examples
    --------
    >>> _stage_place("A1,42x42,4242x4242")
    (4242.0, 4242.0, 0.0, 0.0)
    """
    match = _STAGE.fullmatch(text.rpartition(",")[2])
    if match is None or max(len(part) for part in match.groups()) > 12:
        return None
    return float(match[1]), float(match[2]), 0.0, 0.0


def _of_sources(scans: Scans, root: Node) -> list[_Place | None]:
    files: dict[str, _Place | None] = {}
    for node in root.all("sourceFile"):
        match = _SOURCE.search(node.get("location")) or _SOURCE.search(node.get("name"))
        fits = match is not None and max(len(part) for part in match.groups()) <= 9
        files[node.get("id")] = (
            (float(match[1]), float(match[2]), 0.0, 0.0) if match and fits else None
        )
    named = [files.get(source) for source in scans.texts["source"]]
    if any(named):
        return named
    # Without references, one file for each spectrum, in their order.
    in_order = [place for place in files.values() if place is not None]
    return list(in_order) if len(in_order) == len(scans) else [None] * len(scans)


def stage_pixels(positions: Floats, kinds: Integers) -> tuple[Integers, str]:
    """Make positions of a stage into numbers of pixels, from 0 on.

    Parameters
    ----------
    positions : ndarray of float64, (scans,)
        In any unit.
    kinds : ndarray of int64, (scans,)
        Which kind each scan is: those of one kind may be shifted against others by a
        part of a step.

    Returns
    -------
    ndarray of int64, (scans,)
        The numbers.
    str
        What was wrong, in words; empty if nothing was.

    Examples
    --------
    >>> stage_pixels(np.array([100.0, 150.0, 300.0]), np.zeros(3, int))[0].tolist()
    [0, 1, 4]
    """
    fine = np.rint(positions * _FINEST).astype(np.int64)
    low = int(fine.min())
    step = 0
    unique: Sequence[Integers] = [np.unique(fine[kinds == k]) for k in np.unique(kinds)]
    for values in unique:
        step = int(np.gcd.reduce(np.diff(values), initial=step))
    if not step:  # one place each
        step = int(np.gcd.reduce(np.diff(np.unique(fine)), initial=0)) or 1
    most = max(len(values) for values in unique)
    if (int(fine.max()) - low) // step + 1 <= _MOST_EMPTY * most:
        return (fine - low) // step, ""
    return _rounded(fine)


def _rounded(fine: Integers) -> tuple[Integers, str]:
    """Make positions of a stage that does not stop exactly into numbers of pixels.

    Gaps between positions are of two sizes, those within a pixel and those between
    pixels; what is between the two is where sorted gaps grow most.
    """
    values, which = np.unique(fine, return_inverse=True)
    gaps = np.diff(values)
    ordered = np.sort(gaps).astype(float)
    jump = int(np.argmax(ordered[1:] / ordered[:-1])) if len(ordered) > 1 else -1
    is_new = gaps >= ordered[jump + 1]
    cluster = np.concatenate([[0], np.cumsum(is_new)])
    middles = np.bincount(cluster, values - values[0]) / np.bincount(cluster)
    steps = np.diff(middles)
    pitch = float(np.median(steps))
    pixel = np.concatenate([[0], np.cumsum(np.maximum(np.rint(steps / pitch), 1))])
    doubt = (
        "the positions of the stage are not evenly spaced; they were rounded to steps "
        f"of {pitch / _FINEST:.4g}"
    )
    return pixel.astype(np.int64)[cluster[which]], doubt
