"""All frames of a store as one array: axes in any order, slices, stitched tiles.

Arrays are made over all values of all axes, so that slices of one store have equal
shapes, whatever is missing in each; slices are views of that. A frame that lacks an
axis stands at its first value, unless another frame stands there by right. What is
missing reads as zeros, and the mask says what is there. A frame that cannot be read is
missing, and keeps its place: none without the axis is shown in its stead.

This module knows nothing of files; it puts `FrameGrid`, `build_mosaic` and `to_dask`
together.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_scope.arrays import LazyArray
from napari_scope.errors import FormatError
from napari_scope.formats.analysis import to_dask
from napari_scope.formats.ndtiff.columns import HEIGHT, PIXEL_TYPE, WIDTH
from napari_scope.formats.ndtiff.dataset_order import listed
from napari_scope.formats.ndtiff.frames import FrameGrid, GridSource
from napari_scope.formats.ndtiff.mosaic import GRID_AXES, build_mosaic
from napari_scope.formats.ndtiff.record import PIXEL_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from dask.array import Array

    from napari_scope.formats.ndtiff.catalog import Catalog
    from napari_scope.formats.ndtiff.dataset_axes import FrameAddresses
    from napari_scope.formats.ndtiff.mosaic import Mosaic
    from napari_scope.formats.ndtiff.record import PixelType

__all__ = ["Choice", "choose", "frame_array", "frame_mask", "tile_arrays", "tile_mask"]

# Scripts pass on all the documented axes, and None for those that a store has not.
_DOCUMENTED = ("row", "column", "position", "time", "channel", "z")

_MOST_TILES = 1 << 20  # along one side of a mosaic

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
        rows = _readable(self.addresses.catalog)
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


def frame_array(choice: Choice, name: str | None) -> Array:
    """Return frames as a dask array (axes, y, x) or (axes, y, x, 3).

    Parameters
    ----------
    choice : Choice
        What the array is made of.
    name : str, optional
        What the pixels are, see `to_dask`.

    Raises
    ------
    FormatError
        The frames differ in size or type, or none of them can be read.
    """
    rows, kind, shape = _alike(choice)
    catalog = choice.addresses.catalog
    grid = _grid(choice, rows)
    lead = tuple(choice.lead)
    frame_shape = (*shape, kind.samples) if kind.samples > 1 else shape
    source = GridSource(catalog, grid, lead, frame_shape, kind.dtype)
    view = choice.view(LazyArray(source))
    label = name and f"{name} {lead} {frame_shape} {kind.dtype}"
    return choice.take(to_dask(view, name=label))


def frame_mask(choice: Choice) -> npt.NDArray[np.bool_]:
    """Return which frames of such an array are there, whatever their size."""
    return choice.mask(_grid(choice, _readable(choice.addresses.catalog)))


def _grid(choice: Choice, rows: _Rows) -> FrameGrid:
    catalog = choice.addresses.catalog
    table = catalog.table
    order = choice.addresses.order
    lead = [(table.names.index(name), order[name]) for name in choice.lead]
    rows = _exact_last(catalog, _with_lost(catalog, rows))
    return FrameGrid.over(table.codes, rows, lead, catalog.readable)


def _with_lost(catalog: Catalog, rows: _Rows) -> _Rows:
    """Return rows and those that cannot be read, which keep their places."""
    every = catalog.rows()
    lost = every[~catalog.readable[every]]
    return np.sort(np.append(rows, lost)) if len(lost) else rows


def _exact_last(catalog: Catalog, rows: _Rows) -> _Rows:
    """Return rows with most axes last: of those in one place the last one counts."""
    lacking = (catalog.table.codes[rows] < 0).sum(axis=1)
    return rows[np.argsort(-lacking, kind="stable")] if lacking.any() else rows


def tile_arrays(
    choice: Choice,
    catalogs: Sequence[Catalog],
    overlap: tuple[int, int],
    name: str | None,
) -> list[Array]:
    """Return stitched tiles as dask arrays (axes, y, x) or (axes, y, x, 3), by level.

    Parameters
    ----------
    choice : Choice
        What the arrays are made of.
    catalogs : sequence of Catalog
        That of the choice, and coarser levels of it, which are cut to the same area.
    overlap : (int, int)
        Pixels by which tiles overlap along y and x.
    name : str, optional
        What the pixels are, see `to_dask`.

    Raises
    ------
    FormatError
        There are no tiles, or they differ in size or type, or none can be read.
    """
    mosaic = _mosaic(choice, catalogs, overlap)
    label = name and f"{name} {tuple(choice.lead)} {mosaic.tile_shape} by {overlap}"
    return [
        choice.take(to_dask(choice.view(level), name=label and f"{label} {number}"))
        for number, level in enumerate(mosaic.levels)
    ]


def tile_mask(choice: Choice, overlap: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return which tiles are there: the axes of the choice, then rows and columns."""
    mosaic = _mosaic(choice, [choice.addresses.catalog], overlap)
    return choice.mask(mosaic.tiles.grid)


def _mosaic(
    choice: Choice, catalogs: Sequence[Catalog], overlap: tuple[int, int]
) -> Mosaic:
    addresses = choice.addresses
    rows, _, (height, width) = _alike(choice)
    _check_tiles(addresses, rows, (height - overlap[0], width - overlap[1]), overlap)
    rows = _exact_last(addresses.catalog, _with_lost(addresses.catalog, rows))
    rows = rows[_has_tile(addresses, rows)]
    axes = {name: addresses.values[name] for name in choice.lead}
    return build_mosaic(catalogs, rows, axes, {}, overlap)


def _check_tiles(
    addresses: FrameAddresses,
    rows: _Rows,
    tile: tuple[int, int],
    overlap: tuple[int, int],
) -> None:
    table = addresses.catalog.table
    reason = None
    for name in GRID_AXES:
        if not table.values.get(name):
            reason = f"there is no axis {name!r}"
            break
        if not _has_number(addresses, rows, name).all():
            reason = f"some images have no number on axis {name!r}"
            break
        codes = table.codes[rows, table.names.index(name)]
        first, last = (int(table.values[name][i]) for i in (codes.min(), codes.max()))
        if last - first >= _MOST_TILES:
            reason = f"{name!r} goes from {first} to {last}"
    if reason is None and (min(overlap) < 0 or min(tile) < 1):
        reason = f"tiles cannot overlap by {overlap} pixels"
    if reason is not None:
        raise FormatError(
            f"the images cannot be stitched: {reason}",
            path=addresses.folder,
            hint="use stitched=False",
        )


def _has_tile(addresses: FrameAddresses, rows: _Rows) -> npt.NDArray[np.bool_]:
    """Return which rows have a place in the grid of tiles.

    Numbers of frames that cannot be read may be anything, so those far off have none.
    """
    table = addresses.catalog.table
    readable = addresses.catalog.readable[rows]
    inside = np.ones(len(rows), bool)
    for name in GRID_AXES:
        inside &= _has_number(addresses, rows, name)
        numbers = [v if isinstance(v, int) else 0 for v in table.values[name]]
        places = np.array(numbers, np.int64)[table.codes[rows, table.names.index(name)]]
        first, last = places[readable].min(), places[readable].max()
        inside &= (places > last - _MOST_TILES) & (places < first + _MOST_TILES)
    return inside


def _has_number(
    addresses: FrameAddresses, rows: _Rows, name: str
) -> npt.NDArray[np.bool_]:
    """Return which rows have a whole number on an axis."""
    table = addresses.catalog.table
    numbers = np.array([*(type(v) is int for v in table.values[name]), False])
    return np.asarray(numbers[table.codes[rows, table.names.index(name)]])


# ---------------------------------------------------------------- sizes and types


def _readable(catalog: Catalog) -> _Rows:
    rows = catalog.rows()
    return rows[catalog.readable[rows]]


def _alike(choice: Choice) -> tuple[_Rows, PixelType, tuple[int, int]]:
    """Return all rows of the size and type of those that are seen, and both."""
    addresses = choice.addresses
    catalog = addresses.catalog
    every = _readable(catalog)
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
    kinds = _kinds(catalog, every)
    seen = choice.rows()
    if not len(seen):
        if len(np.unique(kinds, axis=0)) > 1:
            raise addresses.missing("the slices fit no image, so their size is unknown")
        seen = every
    found = np.unique(_kinds(catalog, seen), axis=0)
    if len(found) > 1:
        raise _mixed(choice, seen, found)
    height, width, code = found[0].tolist()
    same = every[(kinds == found[0]).all(axis=1)]
    return same, PIXEL_TYPES[code], (height, width)


def _kinds(catalog: Catalog, rows: _Rows) -> npt.NDArray[np.int64]:
    """Return height, width and code of the type of some rows, one line for each."""
    fields = catalog.table.fields[rows].astype(np.int64)
    # Depths of 10 to 16 bits are all the same type in memory.
    same = {(k.dtype, k.samples): k.code for k in reversed(PIXEL_TYPES.values())}
    codes = np.zeros(max(PIXEL_TYPES) + 1, np.int64)
    for kind in PIXEL_TYPES.values():
        codes[kind.code] = same[kind.dtype, kind.samples]
    return np.stack(
        [fields[:, HEIGHT], fields[:, WIDTH], codes[fields[:, PIXEL_TYPE]]], axis=1
    )


def _mixed(choice: Choice, rows: _Rows, found: npt.NDArray[np.int64]) -> FormatError:
    """Return an error that names the sizes, and slices that tell them apart."""
    addresses = choice.addresses
    table = addresses.catalog.table
    kinds = _kinds(addresses.catalog, rows)
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
