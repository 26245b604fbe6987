"""A field of view whose image is a grid of tiles, each in a chunk of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from napari_scope.formats.ngff.nodes.creation import default_chunks
from napari_scope.formats.ngff.nodes.failures import ArgumentError
from napari_scope.formats.ngff.nodes.position import Position
from napari_scope.formats.ngff.nodes.tiled_array import TiledImageArray

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.ngff.nodes.image_array import ImageArray
    from napari_scope.formats.ngff.nodes.meta import TransformationMeta

__all__ = ["TiledPosition"]


class TiledPosition(Position):
    """A `Position` whose arrays are grids of tiles (`TiledImageArray`)."""

    _array_class: ClassVar[type[ImageArray]] = TiledImageArray

    def make_tiles(
        self,
        name: str,
        grid_shape: tuple[int, int],
        tile_shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        transform: list[TransformationMeta] | None = None,
        chunk_dims: int = 2,
    ) -> TiledImageArray:
        """Make an array of zeros for a grid of tiles, a chunk for the plane of each.

        Parameters
        ----------
        name : str
            Name of the array.
        grid_shape : tuple[int, int]
            Rows and columns of tiles.
        tile_shape : tuple[int, ...]
            Shape of a tile, with all axes of the image.
        dtype : DTypeLike
            Type of the pixels.
        transform : list[TransformationMeta], optional
            Where its pixels are.
        chunk_dims : int, optional
            How many of the last axes a chunk holds whole: 2 for planes, 3 for stacks.

        Raises
        ------
        ArgumentError
            If the grid or the tiles have no pixels.
        """
        grid, tile = tuple(grid_shape), tuple(tile_shape)
        if len(grid) != 2 or min(grid) < 1:
            raise ArgumentError(f"a grid of {grid}", hint="give rows and columns")
        if len(tile) < 2 or min(tile) < 1 or chunk_dims < 2:
            raise ArgumentError(
                f"tiles of {tile} in chunks of {chunk_dims} dimensions",
                hint="a tile has two dimensions or more, and so has a chunk",
            )
        plane = (grid[0] * tile[-2], grid[1] * tile[-1])
        made = self.create_zeros(
            name,
            shape=tile[:-2] + plane,
            dtype=dtype,
            chunks=default_chunks(tile, chunk_dims),
            transform=transform,
        )
        assert isinstance(made, TiledImageArray)
        return made
