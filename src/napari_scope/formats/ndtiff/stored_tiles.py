"""What is in a tiled store that a writer goes on with: its tiles and its overlap.

The grid that is written must be the one that is there: the same overlap, the same shape
and type of the tiles. How many levels are wanted follows from all tiles, so the grid is
told of those that are there.

This module reads; the files are those of `resume`.

Examples
--------
>>> import tempfile, numpy as np
>>> from napari_scope.formats.ndtiff import TiledNDTiffWriter
>>> from napari_scope.formats.ndtiff.tile_grid import TileGrid
>>> folder = tempfile.mkdtemp()
>>> with TiledNDTiffWriter(folder, tile_overlap=2) as writer:
...     for column in range(2):
...         _ = writer.put({"row": 0, "column": column}, np.zeros((10, 8), "u2"))
>>> grid = TileGrid(2, path=folder)
>>> stored_tiles(folder, grid).names
('NDTiffStack.tif',)
>>> grid.tile_shape, grid.wanted_levels
((8, 6), 1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import FormatError, SettingsError
from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.layout import find_store
from napari_scope.formats.ndtiff.record import PIXEL_TYPES
from napari_scope.formats.ndtiff.resume import stored_folder

if TYPE_CHECKING:
    from os import PathLike

    from napari_scope.formats.ndtiff.resume import StoredFolder
    from napari_scope.formats.ndtiff.tile_grid import TileGrid

__all__ = ["stored_tiles"]


def stored_tiles(folder: str | PathLike[str], grid: TileGrid) -> StoredFolder:
    """Look at a tiled store that goes on, and tell a grid of its tiles.

    Returns
    -------
    StoredFolder
        Its full resolution.

    Raises
    ------
    FormatError
        If it is no tiled store of version 3 whose index is whole.
    SettingsError
        If its tiles overlap otherwise.
    """
    layout = find_store(folder)
    stored = stored_folder(layout.levels[0])
    overlap = facts.tile_overlap(stored.facts())
    if not layout.has_level_folders or overlap is None:
        raise FormatError("it is no tiled store", path=folder)
    x, y = map(int, overlap)
    if (y, x) != grid.overlap:
        raise SettingsError(
            f"the tiles overlap by {x} pixels in x and {y} in y there, by "
            f"{grid.overlap[1]} and {grid.overlap[0]} here",
            path=folder,
            hint="give the overlap that the mosaic was begun with",
        )
    table = stored.table
    if len(table):
        first = table.location(0)
        kind = PIXEL_TYPES[first.pixel_type]
        shape = (first.height, first.width) + (3,) * (kind.samples > 1)
        grid.add((shape, kind.dtype), (table.axes(n) for n in range(len(table))))
    return stored
