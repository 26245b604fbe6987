"""Mosaics: planes made of tiles laid edge to edge, read tile by tile.

A plane is a grid of tiles of one size, without gaps and without overlap (whoever reads
a tile leaves the overlap out). Only the tiles that a block touches are read, each once,
and of each only the part that the block shows. A tile that was never taken is black.

The mosaic does not know where tiles come from, and keeps none.

Examples
--------
>>> import numpy as np
>>> from napari_scope.arrays import LazyArray
>>> def read_tile(index, row, column, part):
...     return None if row == 1 else np.full((2, 3), 10 * index[0] + column)[part]
>>> mosaic = MosaicSource((5,), (2, 2), (2, 3), "u1", read_tile)
>>> mosaic.shape
(5, 4, 6)
>>> np.asarray(LazyArray(mosaic)[4, 1:3, 2:5]).tolist()
[[40, 41, 41], [0, 0, 0]]
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from napari_scope.arrays.sources import check_portable
from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from napari_scope.arrays.sources import Block

__all__ = ["MosaicSource", "TileReader"]


class TileReader(Protocol):
    """What reads tiles; called from any thread."""

    def __call__(
        self,
        index: tuple[int, ...],
        row: int,
        column: int,
        part: tuple[slice, slice],
        /,
    ) -> npt.NDArray[np.generic] | None:
        """Read a part of one tile.

        Parameters
        ----------
        index : tuple of int
            Place on the leading axes.
        row, column : int
            Place in the grid of the whole plane, with or without a window.
        part : (slice, slice)
            Rows and columns of the tile, 0 <= start < stop <= size, step at least 1.

        Returns
        -------
        ndarray or None
            Pixels in the shape of the part, with all samples where the mosaic has
            samples; a view will do, it is copied. None where there is no such tile.
        """


class MosaicSource:
    """A `napari_scope.arrays.BlockSource` over planes that are made of tiles.

    Parameters
    ----------
    lead : tuple of int
        Length of the axes before the plane.
    tiles : (int, int)
        Rows and columns of the grid.
    tile_shape : (int, int)
        Height and width of a tile in pixels.
    dtype : numpy.dtype
        Type of the pixels; tiles of another type are converted.
    read_tile : TileReader
        Reads a part of a tile.
    samples : int
        Length of one more axis behind the plane (3 for RGB); 0 for none.
    window : (slice, slice), optional
        The rows and columns of the plane that are shown: from a start to a stop inside
        of the plane, without step.

    Raises
    ------
    ValueError
        The window does not lie in the plane.
    FormatError
        When reading: a tile gave another shape than the part that was asked for.
    """

    fresh = True

    def __init__(
        self,
        lead: tuple[int, ...],
        tiles: tuple[int, int],
        tile_shape: tuple[int, int],
        dtype: npt.DTypeLike,
        read_tile: TileReader,
        *,
        samples: int = 0,
        window: tuple[slice, slice] | None = None,
    ) -> None:
        self.dtype: np.dtype[np.generic] = np.dtype(dtype)
        self._lead = lead
        self._tile_shape = tile_shape
        self._read_tile = read_tile
        self._samples = (samples,) if samples else ()
        height, width = (n * size for n, size in zip(tiles, tile_shape, strict=True))
        rows, columns = window or (slice(None), slice(None))
        self._window = (
            _inside(rows, height, "rows"),
            _inside(columns, width, "columns"),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis: leading axes, height, width, samples."""
        rows, columns = self._window
        return (*self._lead, len(rows), len(columns), *self._samples)

    @property
    def chunks(self) -> tuple[int, ...]:
        """One tile, as far as the window shows it."""
        sizes = zip(self._tile_shape, self._window, strict=True)
        tile = (max(1, min(size, len(seen))) for size, seen in sizes)
        return ((1,) * len(self._lead)) + (*tile, *self._samples)

    @property
    def frame_ndim(self) -> int:
        """Number of axes of a plane."""
        return 2 + len(self._samples)

    def frame(self, index: tuple[int, ...]) -> npt.NDArray[np.generic]:
        """Return one whole plane as a new array."""
        rows, columns = self._window
        out = np.zeros((len(rows), len(columns), *self._samples), self.dtype)
        self._fill(out, index, list(self._pieces(rows, columns)), ())
        return out

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        """Read the tiles that a block touches, each once for each leading index."""
        ranges = [range(s.start, s.stop, s.step or 1) for s in block]
        out = np.zeros(tuple(len(r) for r in ranges), self.dtype)
        if out.size == 0:
            return out
        lead = len(self._lead)
        rows, columns = (
            seen[s] for seen, s in zip(self._window, block[lead:], strict=False)
        )
        # The same for every plane of the block.
        pieces = list(self._pieces(rows, columns))
        planes = out.reshape(-1, *out.shape[lead:])
        indices = itertools.product(*ranges[:lead])
        for plane, index in zip(planes, indices, strict=True):
            self._fill(plane, index, pieces, block[lead + 2 :])
        return out

    def _pieces(self, rows: range, columns: range) -> Iterator[_Piece]:
        """Yield what some rows and columns of the uncropped plane need of each tile."""
        height, width = self._tile_shape
        across = list(_cuts(columns, width))
        for row, rows_out, rows_in in _cuts(rows, height):
            for column, columns_out, columns_in in across:
                yield _Piece(
                    row, column, (rows_out, columns_out), (rows_in, columns_in)
                )

    def _fill(
        self,
        out: npt.NDArray[np.generic],
        index: tuple[int, ...],
        pieces: list[_Piece],
        samples: Block,
    ) -> None:
        """Read pieces into a plane of zeros."""
        for row, column, place, part in pieces:
            pixels = self._read_tile(index, row, column, part)
            if pixels is None:
                continue
            target = out[place]
            expected = target.shape[:2] + self._samples
            if pixels.shape != expected:
                raise FormatError(
                    f"a part of tile ({row}, {column}) at {index} has shape "
                    f"{pixels.shape}, expected {expected}"
                )
            target[...] = pixels[:, :, *samples]

    def __getstate__(self) -> dict[str, object]:
        """Return what is pickled; a function that cannot be is named."""
        check_portable(
            f"a MosaicSource of {self.shape} pixels", read_tile=self._read_tile
        )
        return self.__dict__


class _Piece(NamedTuple):
    """A part of a tile, and its place in the pixels that are read."""

    row: int
    column: int
    place: tuple[slice, slice]
    part: tuple[slice, slice]


def _inside(window: slice, size: int, what: str) -> range:
    start = 0 if window.start is None else window.start
    stop = size if window.stop is None else window.stop
    if not (0 <= start <= stop <= size and window.step in (None, 1)):
        raise ValueError(
            f"the window shows {what} {window.start} to {window.stop} (step "
            f"{window.step}) of a plane with {size} {what}"
        )
    return range(start, stop)


def _cuts(wanted: range, size: int) -> Iterator[tuple[int, slice, slice]]:
    """Cut pixels of a plane at the borders of tiles.

    Yields (number of the tile, places in the range, places in the tile), and only tiles
    that show a pixel.

    Examples
    --------
    >>> list(_cuts(range(3, 9, 2), 4))
    [(0, slice(0, 1, None), slice(3, 4, 2)), (1, slice(1, 3, None), slice(1, 4, 2))]
    """
    start = 0
    while start < len(wanted):
        tile, first = divmod(wanted[start], size)
        count = min(len(wanted) - start, (size - 1 - first) // wanted.step + 1)
        last = first + (count - 1) * wanted.step
        yield (
            tile,
            slice(start, start + count),
            slice(first, last + 1, wanted.step),
        )
        start += count
