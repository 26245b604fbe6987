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

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_scope.arrays import LazyArray
from napari_scope.errors import FormatError
from napari_scope.formats.analysis import to_dask
from napari_scope.formats.ndtiff.dataset_choice import (
    frames_of_one_kind,
    readable_rows,
)
from napari_scope.formats.ndtiff.frames import FrameGrid, GridSource
from napari_scope.formats.ndtiff.mosaic import GRID_AXES, MOST_TILES, build_mosaic

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from dask.array import Array

    from napari_scope.formats.ndtiff.catalog import Catalog
    from napari_scope.formats.ndtiff.dataset_axes import FrameAddresses
    from napari_scope.formats.ndtiff.dataset_choice import Choice
    from napari_scope.formats.ndtiff.mosaic import Mosaic

__all__ = ["frame_array", "frame_mask", "tile_arrays", "tile_mask"]

_Rows: TypeAlias = "npt.NDArray[np.int32]"


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
    from napari_scope.formats.ndtiff.whole_array import WholeArray

    rows, kind, shape = frames_of_one_kind(choice)
    catalog = choice.addresses.catalog
    grid = _grid(choice, rows)
    lead = tuple(choice.lead)
    frame_shape = (*shape, kind.samples) if kind.samples > 1 else shape
    source = GridSource(catalog, grid, lead, frame_shape, kind.dtype)
    view = choice.view(LazyArray(source))
    label = name and f"{name} {lead} {frame_shape} {kind.dtype}"
    return choice.take(WholeArray.over(to_dask(view, name=label), view))


def frame_mask(choice: Choice) -> npt.NDArray[np.bool_]:
    """Return which frames of such an array are there, whatever their size."""
    return choice.mask(_grid(choice, readable_rows(choice.addresses.catalog)))


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
    rows, _, (height, width) = frames_of_one_kind(choice)
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
        if last - first >= MOST_TILES:
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
        inside &= (places > last - MOST_TILES) & (places < first + MOST_TILES)
    return inside


def _has_number(
    addresses: FrameAddresses, rows: _Rows, name: str
) -> npt.NDArray[np.bool_]:
    """Return which rows have a whole number on an axis."""
    table = addresses.catalog.table
    numbers = np.array([*(type(v) is int for v in table.values[name]), False])
    return np.asarray(numbers[table.codes[rows, table.names.index(name)]])
