"""One data set of an OpenMSI file: its layout checked, its spectra made.

The group of a data set says its layout in ``format``:

===================  ================================================================
full_cube            ``data_0`` (x, y, m/z), and copies ``data_1``, ... cut otherwise
partial_cube         ``data_0`` (spectra, m/z); ``xyindex`` (x, y) has the row or -1,
                     ``inv_xy_index`` (spectra, 2) the place
partial_spectra      ``data_0`` and ``mz_index`` one after the other; ``xyindex`` and
                     ``xyindexend`` (x, y) say from where to where
===================  ================================================================

A volume has one more axis of places, z, after y.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.openmsi.cube import CubeSpectra
from napari_scope.formats.msi.openmsi.describing import (
    NAME,
    ORIGIN,
    PROFILE,
    REGION,
    REGION_NAMES,
    metadata_of,
    pixel_size_of,
)
from napari_scope.formats.msi.openmsi.h5 import (
    MOST_VALUES,
    child,
    children,
    group_in,
    numbers_in,
    refusal,
    small_value,
)
from napari_scope.formats.msi.openmsi.sparse import SparseSpectra
from napari_scope.formats.msi.pixels import PixelTable

if TYPE_CHECKING:
    from napari_scope.formats.msi.blocks import Numbers, Values
    from napari_scope.formats.msi.openmsi.h5 import H5File
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["LAYOUTS", "spectra_of"]

_BOOLS = (True, False)
_MOST_SPECTRA = 1 << 24
_FARTHEST = 1 << 40  # pixels from zero that the first one may lie
LAYOUTS = ("full_cube", "partial_cube", "partial_spectra")


def spectra_of(
    group: Any, file: H5File, fallback: str, identity: str, problems: list[str]
) -> Spectra:
    """Return the spectra of a data set.

    Parameters
    ----------
    group : h5py.Group
        The group ``data_<j>`` of an experiment.
    file : H5File
        Its file.
    fallback : str
        Name of the data set if the file has none.
    identity : str
        See `Spectra`.
    problems : list of str
        What was wrong and could be passed over is added to it.

    Raises
    ------
    FormatError
        If it cannot be used.
    """
    layout = _layout(group, file.path)
    mz = numbers_in(group, "mz", 1, problems, "iuf")
    if mz is None:
        raise _useless(group, "it has no m/z axis", file.path, problems)
    arrays = _arrays(group, problems)
    metadata = metadata_of(group_in(group, "metadata", problems), problems)
    name = metadata.pop(NAME, None)
    profile = metadata.pop(PROFILE, None)
    known: dict[str, Any] = {
        "is_profile": profile.value if profile and profile.value in _BOOLS else None,
        "pixel_size": pixel_size_of(metadata),
        "identity": identity,
    }
    title = fallback if name is None or not name.value else str(name.value)
    facts = _Facts(group, file, metadata, problems)
    found: SparseSpectra | CubeSpectra
    if layout == "partial_spectra":
        found = _sparse(facts, title, mz, arrays, known)
    else:
        found = _cube(facts, title, mz, arrays, known, partial=layout == "partial_cube")
    found.metadata = metadata
    return found


class _Facts:
    """What all layouts need of a group."""

    def __init__(
        self, group: Any, file: H5File, metadata: dict[str, Any], problems: list[str]
    ) -> None:
        self.group = group
        self.file = file
        self.problems = problems
        origin = metadata.pop(ORIGIN, None)
        corner = origin.value if origin is not None else []
        self._origin = _origin_of(corner)
        if origin is not None and self._origin is None:
            problems.append(f"{group.name}: the place of the first pixel is not used")
        names = metadata.pop(REGION_NAMES, None)
        is_list = names is not None and isinstance(names.value, list)
        self._names = [str(n) for n in names.value] if is_list and names else []

    def useless(self, why: str) -> FormatError:
        return _useless(self.group, why, self.file.path, self.problems)

    def pixels(self, places: tuple[Numbers, ...]) -> PixelTable:
        """Return the table of spectra at some places, with their regions."""
        n = len(places[0])
        region = numbers_in(self.group, REGION, 1, self.problems)
        if region is not None and (len(region) != n or (n and region.min() < 0)):
            self.problems.append(
                f"{self.group.name}: the regions do not fit, none used"
            )
            region = None
        origin = self._origin or [0, 0, 0]
        columns = [c + o for c, o in zip(places, origin, strict=False)]
        z = columns[2] if len(columns) > 2 else np.full(n, origin[2])
        return PixelTable.of(columns[0], columns[1], z, region, self._names)

    def index(self, name: str) -> Numbers | None:
        """Return an array over the places, (x, y) or (x, y, z)."""
        found = numbers_in(self.group, name, None, self.problems)
        if found is not None and found.ndim not in (2, 3):
            raise self.useless(f"{name} has {found.ndim} axes")
        return None if found is None else found.astype(np.int64)


def _origin_of(corner: Any) -> list[int] | None:
    """Return x, y and z of the first pixel; None if these are no such numbers.

    Examples
    --------
    >>> _origin_of([3, -4, 0]), _origin_of([1 << 60, 0, 0]), _origin_of(["a", 0, 0])
    ([3, -4, 0], None, None)
    """
    if not isinstance(corner, list) or len(corner) != 3:
        return None
    good = all(isinstance(n, int) and abs(n) <= _FARTHEST for n in corner)
    return list(corner) if good else None


def _useless(group: Any, why: str, path: str, problems: list[str]) -> FormatError:
    near = [text for text in problems if text.startswith(group.name)]
    return FormatError("; ".join([f"{group.name}: {why}", *near]), path=path)


def _layout(group: Any, path: str) -> str:
    dataset = child(group, "format", [])
    try:
        text = small_value(dataset) if dataset is not None else ""
    except FormatError as error:
        raise FormatError(error.message, path=path) from error
    if text not in LAYOUTS:
        raise FormatError(
            f"{group.name}: the layout is none of {', '.join(LAYOUTS)}, but {text!r}",
            path=path,
        )
    return str(text)


def _arrays(group: Any, problems: list[str]) -> list[Any]:
    """Return the arrays of intensities that can be read."""
    found = []
    for name in children(group, "data_"):
        dataset = child(group, name, problems)
        if dataset is None:
            continue
        why = refusal(dataset)
        if not why and dataset.dtype.kind not in "iuf":
            why = f"has values of type {dataset.dtype}"
        if why:
            problems.append(f"{group.name}/{name} {why}")
        else:
            found.append(dataset)
    return found


def _cube(
    facts: _Facts,
    title: str,
    mz: Values,
    arrays: list[Any],
    known: dict[str, Any],
    *,
    partial: bool,
) -> CubeSpectra:
    problems, group = facts.problems, facts.group
    axes = (2,) if partial else (3, 4)
    copies = [one for one in arrays if one.ndim in axes]
    if not copies:
        raise facts.useless("there are no intensities")
    first = copies[0]
    for one in copies[1:]:
        if one.shape != first.shape or one.dtype != first.dtype:
            problems.append(f"{one.name} is no copy of {first.name} and is not used")
    copies = [
        one for one in copies if (one.shape, one.dtype) == (first.shape, first.dtype)
    ]
    bins = min(len(mz), first.shape[-1])
    if len(mz) != first.shape[-1]:
        problems.append(
            f"{group.name}: {len(mz)} m/z values, {first.shape[-1]} bins; the first "
            f"{bins} are used"
        )
    count = math.prod(first.shape[:-1])
    if count > _MOST_SPECTRA:
        raise facts.useless(f"{count:,} spectra are too many")
    if partial:
        places = _places_of_rows(facts, count)
    else:
        flat = np.unravel_index(np.arange(count), first.shape[:-1])
        places = tuple(np.asarray(column) for column in flat)
    pixels = facts.pixels(places)
    return CubeSpectra(title, pixels, mz[:bins], facts.file, copies, **known)


def _places_of_rows(facts: _Facts, count: int) -> tuple[Numbers, ...]:
    """Return the place of each row of a partial cube."""
    index = facts.index("xyindex")
    listed = numbers_in(facts.group, "inv_xy_index", 2, facts.problems)
    if listed is not None and (
        len(listed) != count
        or listed.shape[1] not in (2, 3)
        or listed.min(initial=0) < 0
    ):
        facts.problems.append(f"{facts.group.name}: inv_xy_index does not fit")
        listed = None
    if index is not None and (
        index.max(initial=-1) >= count or index.min(initial=0) < -1
    ):
        facts.problems.append(f"{facts.group.name}: xyindex points beyond the spectra")
        index = None
    if listed is None:
        if index is None:
            raise facts.useless("it does not say where the spectra lie")
        filled = np.nonzero(index >= 0)
        rows = index[filled]
        if len(rows) != count or len(np.unique(rows)) != count:
            raise facts.useless(f"xyindex places {len(rows)} of {count} spectra")
        order = np.argsort(rows)
        return tuple(column[order] for column in filled)
    places = tuple(listed.T.astype(np.int64))
    if index is not None:
        _compare(facts, index, places)
    return places


def _compare(facts: _Facts, index: Numbers, places: tuple[Numbers, ...]) -> None:
    """Tell where the two tables of places contradict each other."""
    told = np.full(index.shape, -1, np.int64)
    fits = len(places) == index.ndim and all(
        column.max(initial=0) < n for column, n in zip(places, index.shape, strict=True)
    )
    if fits:
        told[places] = np.arange(len(places[0]))
    wrong = int((told != index).sum())
    if wrong:
        facts.problems.append(
            f"{facts.group.name}: xyindex and inv_xy_index contradict each other at "
            f"{wrong} places; inv_xy_index is used"
        )


def _sparse(
    facts: _Facts, title: str, mz: Values, arrays: list[Any], known: dict[str, Any]
) -> SparseSpectra:
    data = next((one for one in arrays if one.ndim == 1), None)
    number = child(facts.group, "mz_index", facts.problems)
    why = "is missing" if number is None else refusal(number)
    if data is None or why:
        raise facts.useless(f"mz_index {why}" if why else "there are no intensities")
    if number.ndim != 1 or number.dtype.kind not in "iu":
        raise facts.useless(f"mz_index has the type {number.dtype}")
    begins, ends = facts.index("xyindex"), facts.index("xyindexend")
    if begins is None or ends is None or begins.shape != ends.shape:
        raise facts.useless("it does not say where the spectra begin and end")
    length = min(len(data), len(number))
    if len(data) != len(number):
        facts.problems.append(
            f"{facts.group.name}: {len(data)} intensities, {len(number)} m/z values"
        )
    filled = np.nonzero(begins >= 0)
    start, end = begins[filled], ends[filled]
    wrong = (end < start) | (end > length) | (end - start > MOST_VALUES)
    if wrong.any():
        place = tuple(int(column[wrong][0]) for column in filled)
        facts.problems.append(
            f"{facts.group.name}: {int(wrong.sum())} spectra lie beyond the {length:,} "
            f"values and are empty, the first at {place}"
        )
        start, end = np.where(wrong, 0, start), np.where(wrong, 0, end)
    order = np.lexsort((end, start))
    start, end = start[order], end[order]
    lost = np.flatnonzero(wrong[order]).tolist()
    places = tuple(column[order] for column in filled)
    pixels = facts.pixels(places)
    spectra = SparseSpectra(
        title, pixels, mz, facts.file, data, number, start, end, **known
    )
    spectra.lost = frozenset(lost)
    return spectra
