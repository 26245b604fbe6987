"""What an array of a data set shows: which axes and values, of frames of one kind.

Axes and values come as a script names them, and are checked here once. Frames of
different sizes or types fit in no array: the error says how to slice them apart.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.dataset_order import listed
from napari_scope.formats.ndtiff.kinds import frame_kinds
from napari_scope.formats.ndtiff.mosaic import GRID_AXES
from napari_scope.formats.ndtiff.record import PIXEL_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from dask.array import Array

    from napari_scope.arrays import LazyArray
    from napari_scope.formats.ndtiff.catalog import Catalog
    from napari_scope.formats.ndtiff.dataset_axes import FrameAddresses
    from napari_scope.formats.ndtiff.frames import FrameGrid
    from napari_scope.formats.ndtiff.record import PixelType

__all__ = ["Choice", "choose", "frames_of_one_kind", "readable_rows"]

# Scripts pass on all the documented axes, and None for those that a store has not.
_DOCUMENTED = ("row", "column", "position", "time", "channel", "z")

_MOST_PLACES = 1 << 28  # in a mask, a byte each

_log = logging.getLogger(__name__)

_Rows: TypeAlias = "npt.NDArray[np.int32]"


@dataclass(frozen=True)
class Choice:
    """Axes of an array, and what is seen of each.

    Parameters
    ----------
    addresses : FrameAddresses
        The frames.
    lead : dict of str to (int, list of int or None)
        The axes before y and x, in order; of each the place of a value (the axis is
        dropped), of some values, or None for all.
    """

    addresses: FrameAddresses
    lead: dict[str, int | list[int] | None]

    def rows(self) -> _Rows:
        """Return the readable rows that are seen."""
        table = self.addresses.catalog.table
        rows = readable_rows(self.addresses.catalog)
        seen = np.ones(len(rows), bool)
        for name, chosen in self.lead.items():
            if chosen is not None:
                order = self.addresses.order[name]
                # One more entry: where the axis is lacking, the first place.
                places = np.zeros(len(order) + 1, np.int64)
                places[order] = np.arange(len(order))
                codes = table.codes[rows, table.names.index(name)]
                seen &= np.isin(places[codes], chosen)
        return rows[seen]

    @property
    def left(self) -> dict[str, list[int] | None]:
        """The axes that the array has."""
        return {n: c for n, c in self.lead.items() if not isinstance(c, int)}

    def view(self, array: LazyArray) -> LazyArray:
        """Return an array over all values with the axes of one value dropped."""
        return array[tuple(_drop(chosen) for chosen in self.lead.values())]

    def take(self, array: Array) -> Array:
        """Return some values of the axes of a dask array that `view` left."""
        for axis, chosen in enumerate(self.left.values()):
            if chosen is not None:
                array = array[(slice(None),) * axis + (chosen,)]
        return array

    def mask(self, grid: FrameGrid) -> npt.NDArray[np.bool_]:
        """Return which of the places that are seen have a frame.

        Raises
        ------
        FormatError
            They are too many: a few frames may lie far apart on several axes.
        """
        places: list[Sequence[int]] = [range(length) for length in grid.shape]
        for axis, chosen in enumerate(self.lead.values()):
            if chosen is not None:
                places[axis] = [chosen] if isinstance(chosen, int) else chosen
        shape = tuple(map(len, places))
        if math.prod(shape) > _MOST_PLACES:
            raise self._too_many(shape)
        mask = grid.mask(places)
        return np.asarray(mask[tuple(_first(c) for c in self.lead.values())])

    def _too_many(self, shape: Sequence[int]) -> FormatError:
        parts = dict(zip([*self.lead, *GRID_AXES], shape, strict=False))
        longest = max(self.left, key=lambda name: parts[name], default=None)
        if longest is None or parts[longest] < 2:
            hint = "use stitched=False"
        else:
            example = self.addresses.values[longest][0]
            hint = f"choose by slices, {longest}={example!r} for instance"
        return FormatError(
            f"the mask would take {math.prod(shape)} bytes: "
            + " x ".join(f"{length} {name}" for name, length in parts.items()),
            path=self.addresses.folder,
            hint=hint,
        )


def _drop(chosen: int | list[int] | None) -> int | slice:
    return chosen if isinstance(chosen, int) else slice(None)


def _first(chosen: int | list[int] | None) -> int | slice:
    return 0 if isinstance(chosen, int) else slice(None)


def choose(
    addresses: FrameAddresses,
    axes: Sequence[str] | None,
    slices: Mapping[str, object],
    *,
    stitched: bool = False,
) -> Choice:
    """Return what an array is made of.

    Parameters
    ----------
    addresses : FrameAddresses
        The frames.
    axes : sequence of str, optional
        Names of axes in the order of the array; all that are not sliced by default.
    slices : mapping
        For an axis one value, which drops it, or several.
    stitched : bool
        Leave out the axes of tiles.

    Raises
    ------
    MissingImageError
        An axis or a value is not there, or an axis of several values is left out. An
        axis that is documented need not be there with None.
    ValueError
        An axis is named twice, or is dropped and named; a value is given twice.
    """
    if not len(addresses.catalog.table):
        raise addresses.missing("the data set has no image yet")
    hidden = GRID_AXES if stitched else ()
    chosen: dict[str, int | list[int] | None] = {}
    for name, value in slices.items():
        if value is None:
            if name not in _DOCUMENTED:
                addresses.check_axis(name)
            continue
        if name in hidden:
            raise ValueError(f"stitched tiles cannot be sliced along {name!r}")
        chosen[name] = _chosen(addresses, name, value)
    single = {name for name, places in chosen.items() if isinstance(places, int)}
    if axes is None:
        order = [name for name in addresses.names if name not in single]
    else:
        order = list(axes)
        for name in order:
            addresses.check_axis(name)
            if name in single:
                raise ValueError(f"axis {name!r} is sliced at one value, so it is none")
        if len(set(order)) < len(order):
            raise ValueError(f"an axis is named twice: {order}")
    for name in addresses.names:
        # One value can be left out, several would be mixed up.
        several = len(addresses.values[name]) > 1 or name in chosen
        if name not in order and name not in single and name not in hidden and several:
            raise addresses.missing(
                f"axis {name!r} is left out, but it has "
                f"{listed(addresses.values[name])}",
                f"name it in axes, or slice it: {name}=...",
            )
    lead = {name: chosen.get(name) for name in order if name not in hidden}
    # Axes that are dropped may stand anywhere; in front they do not part the others.
    dropped = {name: chosen[name] for name in chosen if name in single}
    return Choice(addresses, {**dropped, **lead})


def _chosen(addresses: FrameAddresses, name: str, value: object) -> int | list[int]:
    if isinstance(value, slice):
        raise ValueError(
            f"{name}={value} is ambiguous, values or places? Give values, "
            "range(2, 5) for instance, or slice the array"
        )
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    if not isinstance(value, (list, tuple, range, set, frozenset)):
        return addresses.place(name, value)
    addresses.check_axis(name)
    places = [addresses.place(name, item) for item in value]
    if isinstance(value, (set, frozenset)):
        places.sort()
    if len(set(places)) < len(places):
        raise ValueError(f"a value of {name!r} is given twice: {value}")
    return places


def readable_rows(catalog: Catalog) -> _Rows:
    """Return the rows that count and can be read."""
    rows = catalog.rows()
    return rows[catalog.readable[rows]]


def frames_of_one_kind(choice: Choice) -> tuple[_Rows, PixelType, tuple[int, int]]:
    """Return all frames like those that are seen.

    Returns
    -------
    rows : ndarray of int
        Rows of the index.
    kind : PixelType
        Their type.
    shape : (int, int)
        Their height and width.

    Raises
    ------
    FormatError
        Those that are seen differ in size or type, or none of them can be read.
    """
    addresses = choice.addresses
    catalog = addresses.catalog
    every = readable_rows(catalog)
    if not len(every):
        catalog.read_row(int(catalog.rows()[0]))  # says what is wrong with them
        raise FormatError(
            "the files have changed since they were opened", path=addresses.folder
        )
    lost = len(catalog) - len(every)
    if lost:
        _log.warning(
            "%s: %d images cannot be read and are zeros", addresses.folder, lost
        )
    kinds = frame_kinds(catalog.table, every)
    seen = choice.rows()
    if not len(seen):
        if len(np.unique(kinds, axis=0)) > 1:
            raise addresses.missing("the slices fit no image, so their size is unknown")
        seen = every
    found = np.unique(frame_kinds(catalog.table, seen), axis=0)
    if len(found) > 1:
        raise _mixed(choice, seen, found)
    height, width, code = found[0].tolist()
    same = every[(kinds == found[0]).all(axis=1)]
    return same, PIXEL_TYPES[code], (height, width)


def _mixed(choice: Choice, rows: _Rows, found: npt.NDArray[np.int64]) -> FormatError:
    """Return an error that names the sizes, and slices that tell them apart."""
    addresses = choice.addresses
    table = addresses.catalog.table
    kinds = frame_kinds(table, rows)
    members = [rows[(kinds == kind).all(axis=1)] for kind in found]
    apart = None
    for name in addresses.names:
        column = table.names.index(name)
        values = [set(np.unique(table.codes[group, column])) for group in members]
        together = set.union(*values)
        if sum(map(len, values)) == len(together) and -1 not in together:
            apart = name
            break
    groups = []
    for (height, width, code), group in zip(found.tolist(), members, strict=True):
        kind = PIXEL_TYPES[code]
        text = f"{height} x {width} {kind.dtype}" + (" RGB" if kind.samples > 1 else "")
        if apart is not None:
            codes = np.unique(table.codes[group, table.names.index(apart)])
            values_there = [table.values[apart][c] for c in codes.tolist() if c >= 0]
            text += f" ({apart} {listed(values_there)})"
        groups.append(f"{text}: {len(group)} images")
    hint = "slice the axis in which they differ"
    if apart is not None:
        example = table.axes(int(members[0][0]))[apart]
        hint = f"choose one by slices, {apart}={example!r} for instance"
    return FormatError(
        f"the images are of {len(found)} sizes or types, which no array holds: "
        + "; ".join(groups),
        path=addresses.folder,
        hint=hint,
    )
