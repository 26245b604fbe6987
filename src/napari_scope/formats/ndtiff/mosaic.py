"""Tiles of a store as one plane for each resolution.

Micro-Manager lays tiles out in rows and columns. At full resolution a tile is the whole
camera image, of which half the overlap is cut off at each side; coarser levels are
stored without overlap, the tile (row, column) of level n holding the mean of 2^n x 2^n
tiles. A coarser tile that is missing is calculated from the finer ones.

The plane of a level starts where that of full resolution does, rounded down, so all
levels show the same area.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays import LazyArray, halve
from napari_scope.arrays.mosaic import MosaicSource
from napari_scope.formats.ndtiff.frames import FrameGrid
from napari_scope.formats.ndtiff.kinds import frame_kinds, same_in_memory
from napari_scope.formats.ndtiff.record import PIXEL_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.catalog import Catalog
    from napari_scope.formats.ndtiff.columns import IndexTable
    from napari_scope.formats.ndtiff.record import PixelType
    from napari_scope.model import Axes

__all__ = [
    "GRID_AXES",
    "MOST_TILES",
    "LevelTiles",
    "Mosaic",
    "TileReader",
    "TileTable",
    "build_mosaic",
    "tile_place",
]

GRID_AXES = ("row", "column")
"""The axes of tiles, as the index names them."""

MOST_TILES = 1 << 20
"""Tiles along one side; what is longer is damage, or no mosaic."""

_SMALLEST = 16  # pixels of the shorter side below which a level says nothing


@dataclass(frozen=True)
class LevelTiles:
    """The tiles of one level.

    Parameters
    ----------
    catalog : Catalog
        The folder of the level.
    grid : FrameGrid
        Axes of the image, then rows and columns from ``first`` on.
    first : (int, int)
        Row and column at place 0 of the grid.
    """

    catalog: Catalog
    grid: FrameGrid
    first: tuple[int, int]

    @property
    def count(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.grid.shape[-2], self.grid.shape[-1]

    def row_of(self, lead: Sequence[int], row: int, column: int) -> int | None:
        """Return the row of the index that holds a tile, or None."""
        place = self._place(row, column)
        return None if place is None else self.grid.row((*lead, *place))

    def saved_row(self, lead: Sequence[int], row: int, column: int) -> int | None:
        """Return the same, also of a tile whose pixels are lost."""
        place = self._place(row, column)
        return None if place is None else self.grid.saved_row((*lead, *place))

    def _place(self, row: int, column: int) -> tuple[int, int] | None:
        y, x = row - self.first[0], column - self.first[1]
        rows, columns = self.count
        return (y, x) if 0 <= y < rows and 0 <= x < columns else None


@dataclass(frozen=True)
class TileReader:
    """Reads parts of tiles of one level; the ``read_tile`` of a `MosaicSource`.

    Parameters
    ----------
    levels : tuple of LevelTiles
        The levels from full resolution on.
    level : int
        The one that is read.
    tile_shape : (int, int)
        Height and width of a tile without overlap.
    overlap : (int, int)
        Pixels by which neighbours overlap at full resolution, along y and x.
    """

    levels: tuple[LevelTiles, ...]
    level: int
    tile_shape: tuple[int, int]
    overlap: tuple[int, int]

    def __call__(
        self,
        lead: tuple[int, ...],
        row: int,
        column: int,
        part: tuple[slice, slice],
    ) -> npt.NDArray[np.generic] | None:
        """Return a part of a tile, or None where there is none.

        ``row`` and ``column`` count from the first tile of the level.
        """
        first = self.levels[self.level].first
        return self._read(self.level, lead, row + first[0], column + first[1], part)

    def _read(
        self,
        level: int,
        lead: tuple[int, ...],
        row: int,
        column: int,
        part: tuple[slice, slice],
    ) -> npt.NDArray[np.generic] | None:
        tiles = self.levels[level]
        found = tiles.row_of(lead, row, column)
        if found is None:
            if level == 0:
                return None
            whole = self._calculate(level, lead, row, column)
            return None if whole is None else whole[part]
        top, left = (n // 2 for n in self.overlap) if level == 0 else (0, 0)
        y, x = part
        lines = tiles.catalog.read_row(found, top + y.start, top + y.stop)
        return lines[:: y.step or 1, left + x.start : left + x.stop : x.step or 1]

    def _calculate(
        self, level: int, lead: tuple[int, ...], row: int, column: int
    ) -> npt.NDArray[np.generic] | None:
        """Return the mean of the four finer tiles, missing ones being black."""
        height, width = self.tile_shape
        whole = slice(0, height), slice(0, width)
        big: npt.NDArray[np.generic] | None = None
        for down in (0, 1):
            for right in (0, 1):
                finer = self._read(
                    level - 1, lead, 2 * row + down, 2 * column + right, whole
                )
                if finer is None:
                    continue
                if big is None:
                    shape = (2 * height, 2 * width, *finer.shape[2:])
                    big = np.zeros(shape, finer.dtype)
                y, x = down * height, right * width
                big[y : y + height, x : x + width] = finer
        if big is None:
            return None
        # Cut, not rounded, as stored levels are.
        return halve(big, cut=True)


class TileTable:
    """What is known of the frames of a mosaic; a `model.FrameTable`.

    Parameters
    ----------
    tiles : LevelTiles
        Full resolution.
    names : sequence of str
        Short names of the axes before rows and columns.
    tile_shape : (int, int)
        Height and width of a tile without overlap.
    """

    def __init__(
        self, tiles: LevelTiles, names: Sequence[str], tile_shape: tuple[int, int]
    ) -> None:
        self._tiles = tiles
        self._names = tuple(names)
        self._tile_shape = tile_shape

    def _row(self, index: Mapping[str, int], *, lost: bool = True) -> int | None:
        lead = [index.get(name, 0) for name in self._names]
        shape = self._tiles.grid.shape
        if any(not 0 <= i < n for i, n in zip(lead, shape, strict=False)):
            return None
        if "y" in index and "x" in index:
            place = (
                index["y"] // self._tile_shape[0],
                index["x"] // self._tile_shape[1],
            )
            row, column = (a + b for a, b in zip(place, self._tiles.first, strict=True))
            find = self._tiles.saved_row if lost else self._tiles.row_of
            return find(lead, row, column)
        every = [[i] for i in lead] + [range(n) for n in self._tiles.count]
        rows = self._tiles.grid.rows(every).reshape(-1)
        there = rows[rows >= 0]
        return int(there[0]) if len(there) else None

    def exists(self, index: Mapping[str, int]) -> bool:
        """Return whether the tile is there, or any tile where none is named."""
        return self._row(index, lost=False) is not None

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        """Return the metadata of a tile (the first one where none is named), or None.

        Raises
        ------
        FormatError
            They are missing or damaged.
        """
        row = self._row(index)
        return None if row is None else self._tiles.catalog.metadata_of_row(row)

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        """Return the axes of a tile as the index has them, or None."""
        row = self._row(index)
        return None if row is None else self._tiles.catalog.table.axes(row)


@dataclass(frozen=True)
class Mosaic:
    """A plane of tiles at all resolutions.

    Parameters
    ----------
    levels : tuple of LazyArray
        Axes of the image, y, x (and rgb), finest first.
    tiles : LevelTiles
        The tiles of full resolution.
    tile_shape : (int, int)
        Height and width of a tile without overlap.
    """

    levels: tuple[LazyArray, ...]
    tiles: LevelTiles
    tile_shape: tuple[int, int]


def build_mosaic(
    catalogs: Sequence[Catalog],
    rows: npt.NDArray[np.int32],
    axes: Mapping[str, Sequence[int | str]],
    fixed: Mapping[str, int | str],
    overlap: tuple[int, int],
) -> Mosaic:
    """Return the mosaic of some tiles.

    Parameters
    ----------
    catalogs : sequence of Catalog
        Full resolution and, in order, the coarser levels.
    rows : ndarray of int
        The tiles of full resolution. All that can be read are of one shape and type;
        the others keep their places.
    axes : mapping of str to (sequence of values)
        The axes of the image as the index names them, and their values in order.
    fixed : mapping
        Axes that have one value in this image, where the store has more of them.
    overlap : (int, int)
        Pixels by which tiles overlap along y and x.
    """
    table = catalogs[0].table
    location = table.location(int(rows[catalogs[0].readable[rows]][0]))
    kind = PIXEL_TYPES[location.pixel_type]
    tile = location.height - overlap[0], location.width - overlap[1]
    extent = [
        (int(values.min()), int(values.max()) + 1)
        for values in (_numbers(table, rows, name) for name in GRID_AXES)
    ]
    levels: list[LevelTiles] = []
    windows: list[tuple[slice, slice]] = []
    for number, catalog in enumerate(catalogs):
        # Rounded down at both ends, as the reference library cuts its levels.
        spans = [
            ((low * size) >> number, (high * size) >> number)
            for (low, high), size in zip(extent, tile, strict=True)
        ]
        if number and min(stop - start for start, stop in spans) < _SMALLEST:
            break
        top, left = (span[0] // size for span, size in zip(spans, tile, strict=True))
        count = (
            -(-spans[0][1] // tile[0]) - top,
            -(-spans[1][1] // tile[1]) - left,
        )
        if number:
            rows = _rows_like(catalog, tile, kind, fixed)
        grid = _grid(catalog, rows, axes, (top, left), count)
        levels.append(LevelTiles(catalog, grid, (top, left)))
        windows.append(
            (
                slice(spans[0][0] - top * tile[0], spans[0][1] - top * tile[0]),
                slice(spans[1][0] - left * tile[1], spans[1][1] - left * tile[1]),
            )
        )
    arrays = [
        LazyArray(
            MosaicSource(
                tuple(len(values) for values in axes.values()),
                tiles.count,
                tile,
                kind.dtype,
                TileReader(tuple(levels), number, tile, overlap),
                samples=kind.samples if kind.samples > 1 else 0,
                window=windows[number],
            )
        )
        for number, tiles in enumerate(levels)
    ]
    return Mosaic(tuple(arrays), levels[0], tile)


def tile_place(axes: Axes) -> tuple[int, int]:
    """Return row and column of a tile."""
    row, column = (int(axes[name]) for name in GRID_AXES)
    return row, column


def _numbers(
    table: IndexTable, rows: npt.NDArray[np.int32], name: str
) -> npt.NDArray[np.int64]:
    """Return the values of an axis of whole numbers."""
    values = np.array(table.values[name], np.int64)
    return np.asarray(values[table.codes[rows, table.names.index(name)]])


def _rows_like(
    catalog: Catalog,
    tile: tuple[int, int],
    kind: PixelType,
    fixed: Mapping[str, int | str],
) -> npt.NDArray[np.int32]:
    """Return the tiles of a coarser level that can belong to an image."""
    table = catalog.table
    rows = catalog.rows()
    kinds = frame_kinds(table, rows)
    good = (kinds == (*tile, same_in_memory(kind.code))).all(axis=1)
    # What is lost keeps its place, and is calculated.
    good |= ~catalog.readable[rows]
    for name in GRID_AXES:
        good &= _whole(table, rows, name)
    for name, value in fixed.items():
        if name in table.names and value in table.values[name]:
            code = table.values[name].index(value)
            good &= table.codes[rows, table.names.index(name)] == code
        else:
            good[:] = False
    return np.asarray(rows[good])


def _whole(
    table: IndexTable, rows: npt.NDArray[np.int32], name: str
) -> npt.NDArray[np.bool_]:
    """Return which rows have a whole number on an axis."""
    if name not in table.names:
        return np.zeros(len(rows), bool)
    is_number = np.array([*(type(v) is int for v in table.values[name]), False])
    return np.asarray(is_number[table.codes[rows, table.names.index(name)]])


def _grid(
    catalog: Catalog,
    rows: npt.NDArray[np.int32],
    axes: Mapping[str, Sequence[int | str]],
    first: tuple[int, int],
    count: tuple[int, int],
) -> FrameGrid:
    """Return the grid of tiles, for the values that full resolution has."""
    table = catalog.table
    columns = []
    lacking = np.zeros(len(rows), np.int64)
    for name, values in axes.items():
        if name not in table.names:
            columns.append(np.zeros(len(rows), np.int64))
            continue
        place = {value: i for i, value in enumerate(values)}
        # One more entry: a row without the axis stands at its first value.
        places = np.array([*(place.get(v, -1) for v in table.values[name]), 0])
        codes = table.codes[rows, table.names.index(name)]
        columns.append(places[codes])
        lacking += codes < 0
    for name, start in zip(GRID_AXES, first, strict=True):
        columns.append(
            _numbers(table, rows, name) - start if len(rows) else np.zeros(0, np.int64)
        )
    shape = (*(len(values) for values in axes.values()), *count)
    table_of_places = np.stack(columns, axis=1)
    inside = ((table_of_places >= 0) & (table_of_places < shape)).all(axis=1)
    order = np.argsort(-lacking[inside], kind="stable")
    rows, table_of_places = rows[inside][order], table_of_places[inside][order]
    readable = catalog.readable[rows]
    return FrameGrid(rows, table_of_places.astype(np.int32), shape, readable)
