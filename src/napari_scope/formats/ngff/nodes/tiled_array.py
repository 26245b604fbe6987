"""Arrays of an image that is a grid of tiles: each chunk in y and x is one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.formats.ngff.nodes.failures import ArgumentError, TileRangeError
from napari_scope.formats.ngff.nodes.image_array import ImageArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["TiledImageArray"]

Index = int | slice


class TiledImageArray(ImageArray):
    """An array of which each chunk in y and x is a tile."""

    @property
    def rows(self) -> int:
        """Number of rows of tiles."""
        return -(-self.shape[-2] // self.chunks[-2])

    @property
    def columns(self) -> int:
        """Number of columns of tiles."""
        return -(-self.shape[-1] // self.chunks[-1])

    @property
    def tiles(self) -> tuple[int, int]:
        """Number of rows and columns of tiles."""
        return self.rows, self.columns

    @property
    def tile_shape(self) -> tuple[int, ...]:
        """Shape of a tile: that of a chunk."""
        chunks: tuple[int, ...] = self.chunks
        return chunks

    def get_tile(
        self, row: int, column: int, pre_dims: Sequence[Index | None] | None = None
    ) -> npt.NDArray[Any]:
        """Read a tile.

        Parameters
        ----------
        row, column : int
            Place of the tile.
        pre_dims : sequence of int or slice, optional
            Which of the dimensions before y and x, as (t, c, z); all by default. The
            dimension of an index has the length 1.

        Raises
        ------
        TileRangeError
            If there is no such tile or index.
        """
        return np.asarray(self[self.get_tile_slice(row, column, pre_dims=pre_dims)])

    def write_tile(
        self,
        data: npt.ArrayLike,
        row: int,
        column: int,
        pre_dims: Sequence[Index | None] | None = None,
    ) -> None:
        """Write a tile.

        Parameters
        ----------
        data : ArrayLike
            Its pixels, or what numpy repeats to their shape: one plane for all
            channels and z, one value for all of them.
        row, column : int
            Place of the tile.
        pre_dims : sequence of int or slice, optional
            As for `get_tile`.

        Raises
        ------
        ArgumentError
            If the pixels have another shape than the tile.
        """
        place = self.get_tile_slice(row, column, pre_dims=pre_dims)
        shape = tuple(
            len(range(*part.indices(length)))
            for part, length in zip(place, self.shape, strict=True)
        )
        pixels = np.asarray(data)
        try:
            repeated = np.broadcast_to(pixels, shape)
        except ValueError as error:
            raise ArgumentError(
                f"pixels of shape {pixels.shape} for a tile of {shape}", path=self.path
            ) from error
        self[place] = repeated

    def get_tile_slice(
        self, row: int, column: int, pre_dims: Sequence[Index | None] | None = None
    ) -> tuple[slice, ...]:
        """Return where a tile is in the array: a slice for each dimension.

        Parameters
        ----------
        row, column : int
            Place of the tile.
        pre_dims : sequence of int or slice, optional
            As for `get_tile`.
        """
        height, width = self.chunks[-2:]
        place = []
        for name, index, count, size in (
            ("row", row, self.rows, height),
            ("column", column, self.columns, width),
        ):
            if isinstance(index, bool) or not isinstance(index, int | np.integer):
                raise TypeError(f"the {name} of a tile is an integer, not {index!r}")
            if not 0 <= index < count:
                raise TileRangeError(
                    f"there is no {name} {index}; there are {count}", path=self.path
                )
            place.append(slice(int(index) * size, (int(index) + 1) * size))
        lengths = self.shape[:-2]
        if pre_dims is None:
            before = [slice(None)] * len(lengths)
        else:
            if isinstance(pre_dims, str) or not hasattr(pre_dims, "__len__"):
                raise TypeError(
                    "pre_dims is a sequence of indices and slices, not "
                    f"{type(pre_dims).__name__}"
                )
            if len(pre_dims) != len(lengths):
                raise TileRangeError(
                    f"pre_dims has {len(pre_dims)} entries for {len(lengths)} "
                    "dimensions before rows and columns",
                    path=self.path,
                )
            before = [
                _as_slice(index, length, self.path)
                for index, length in zip(pre_dims, lengths, strict=True)
            ]
        return (*before, *place)


def _as_slice(index: Index | None, length: int, path: str) -> slice:
    if index is None:
        return slice(None)
    if isinstance(index, slice):
        return index
    if isinstance(index, bool) or not isinstance(index, int | np.integer):
        raise TypeError(f"pre_dims holds indices and slices, not {index!r}")
    if not -length <= index < length:
        raise TileRangeError(
            f"the index {index} is outside of a dimension of {length}", path=path
        )
    start = int(index) % length
    return slice(start, start + 1)
