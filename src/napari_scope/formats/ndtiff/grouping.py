"""Which frames of a store form an image, and whether they are tiles of one grid.

Frames are grouped by their position axes (position, grid, row, column) and by size and
type. A frame that cannot be read belongs to the images of its position: what the index
says of its size and type may be the damage. This module knows columns of the index; it
reads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.ndtiff.columns import HEIGHT, WIDTH
from napari_scope.formats.ndtiff.kinds import frame_kinds
from napari_scope.formats.ndtiff.mosaic import GRID_AXES, MOST_TILES
from napari_scope.model import axis_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.catalog import Catalog
    from napari_scope.formats.ndtiff.columns import IndexTable

    _Rows = npt.NDArray[np.int32]

__all__ = ["are_tiles", "images_of"]


def are_tiles(
    table: IndexTable, rows: _Rows, overlap: tuple[float, float] | None
) -> bool:
    """Return whether all frames are tiles that lie on one grid.

    Parameters
    ----------
    table : IndexTable
        The index.
    rows : ndarray of int
        The frames that can be read; one or more.
    overlap : (float, float) or None
        Pixels by which tiles overlap along x and y; None of a store without tiles.
    """
    if overlap is None or any(name not in table.names for name in GRID_AXES):
        return False
    if any(
        isinstance(value, str) for name in GRID_AXES for value in table.values[name]
    ):
        return False
    columns = [table.names.index(name) for name in GRID_AXES]
    sizes = table.fields[rows][:, [HEIGHT, WIDTH]]
    # An absurd grid, or an overlap that leaves nothing, is shown frame by frame.
    extent = [
        max(table.values[name]) - min(table.values[name])  # type: ignore[operator]
        for name in GRID_AXES
    ]
    x, y = overlap
    return bool(
        (table.codes[rows][:, columns] >= 0).all()
        and max(extent) < MOST_TILES
        and 0 <= y < sizes[:, 0].min()
        and 0 <= x < sizes[:, 1].min()
    )


def images_of(catalog: Catalog, rows: _Rows, *, tiled: bool) -> tuple[list[_Rows], int]:
    """Return the rows of each image, with those that cannot be read.

    Parameters
    ----------
    catalog : Catalog
        The store.
    rows : ndarray of int
        Its frames; at least one can be read.
    tiled : bool
        Whether tiles form one image.

    Returns
    -------
    list of ndarray of int
        Rows of each image, in the order of the index.
    int
        How many frames are in no image: nothing of their position can be read, or it
        has images of several sizes.
    """
    table = catalog.table
    if tiled:
        columns = [table.names.index(name) for name in GRID_AXES]
        rows = rows[(table.codes[rows][:, columns] >= 0).all(axis=1)]
    readable = catalog.readable[rows]
    kinds = _group(list(frame_kinds(table, rows).T))
    n_kinds = int(kinds.max()) + 1
    places = _group(
        [
            np.zeros(len(rows), np.int64),
            *(
                table.codes[rows, i]
                for i, name in enumerate(table.names)
                if axis_kind(name) == "position" and not (tiled and name in GRID_AXES)
            ),
        ]
    )
    groups = places * n_kinds + kinds
    images = np.unique(groups[readable])
    astray = ~np.isin(groups, images)
    if astray.any():
        own, first, count = np.unique(
            images // n_kinds, return_index=True, return_counts=True
        )
        only_image = np.full(int(places.max()) + 1, -1)
        only_image[own] = np.where(count == 1, images[first], -1)
        groups[astray] = only_image[places[astray]]
    by_group = np.argsort(groups, kind="stable")
    by_group = by_group[groups[by_group] >= 0]
    borders = np.flatnonzero(np.diff(groups[by_group])) + 1
    return np.split(rows[by_group], borders), int((groups < 0).sum())


def _group(columns: Sequence[npt.NDArray[np.integer]]) -> npt.NDArray[np.int64]:
    """Return one number for each different row of some columns, in sort order."""
    groups = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values, codes = np.unique(column, return_inverse=True)
        _, groups = np.unique(groups * len(values) + codes, return_inverse=True)
    return groups
