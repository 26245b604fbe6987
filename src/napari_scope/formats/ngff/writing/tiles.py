"""Uncompressed chunks of any shape: tiles of frames, several frames deep.

As with whole frames, the place of each chunk is known before any exists, and within a
chunk the place of each frame. So a frame is stored by a few positional writes, in its
final place, complete for every reader; chunks of several frames wait for nothing.

The same holds for Zarr v2, where each chunk is a file: that is a shard of one chunk
without an index.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.ngff.writing.shards import ChunkStore, ShardGrid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ngff.writing.chunks import ChunkPlan, TileGroup
    from napari_scope.formats.ngff.writing.shards import Piece

__all__ = ["TileWriter"]


class TileWriter(ChunkStore):
    """The files of an uncompressed array; frames in any order, from any thread.

    Parameters
    ----------
    folder : Path
        Folder of the array.
    plan : ChunkPlan
        How it is cut.
    dtype : numpy.dtype
        Type of the pixels; written little endian.
    indexed : bool
        Whether files have an index (Zarr v3 shards); otherwise each is one chunk.
    """

    def __init__(
        self,
        folder: Path,
        plan: ChunkPlan,
        dtype: npt.DTypeLike,
        *,
        indexed: bool = True,
    ) -> None:
        super().__init__(folder, prefix=("c",) if indexed else ())
        self._plan = plan
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._indexed = indexed
        self._groups = plan.groups()
        self._tile_bytes = math.prod(plan.tile) * self._dtype.itemsize
        self._chunk_bytes = self._tile_bytes * plan.frames_in_chunk
        self._grid = ShardGrid(
            plan.blocks + plan.tiles, plan.span + plan.tile_span, self._chunk_bytes
        )

    def write(self, index: tuple[int, ...], frame: npt.NDArray[np.generic]) -> None:
        """Write one frame; on return it survives a killed process."""
        pixels = np.asarray(frame, self._dtype)
        for group in self._groups:
            tiles = [self._plan.cut(pixels, tile) for tile in group]
            shard, places = self._places(index, group)
            with self._file(shard, create=True) as file:
                for offset, first, count in places:
                    file.write_at(offset, *tiles[first : first + count])
            self._changed(shard)

    def read(self, index: tuple[int, ...]) -> npt.NDArray[np.generic] | None:
        """Read one frame back, or None where none of its files exists."""
        frame = np.zeros(self._plan.frame, self._dtype)
        found = False
        for group in self._groups:
            shard, places = self._places(index, group)
            if not self._exists(shard):
                continue
            found = True
            count = math.prod(group.shape)
            pixels = np.empty((count, *self._plan.tile), self._dtype)
            with self._file(shard, create=False) as file:
                for offset, first, number in places:
                    file.read_into(offset, pixels[first : first + number].data)
            for number, tile in enumerate(group):
                self._plan.paste(frame, tile, pixels[number])
        return frame if found else None

    def _places(
        self, index: tuple[int, ...], group: TileGroup
    ) -> tuple[tuple[int, ...], Iterator[tuple[int, int, int]]]:
        """Return the file of a group, and offset, first tile and number of each run.

        The chunks of a block lie one after the other, so tiles of chunks that are one
        frame deep are a single run.
        """
        block, place = self._plan.locate(index)
        first = (*block, group.rows.start, group.columns.start)
        shard, offset = self._grid.locate(first)
        count = math.prod(group.shape)
        if self._tile_bytes == self._chunk_bytes:
            return shard, iter([(offset, 0, count)])
        offset += place * self._tile_bytes
        runs = ((offset + n * self._chunk_bytes, n, 1) for n in range(count))
        return shard, runs

    def _initial(self, shard: tuple[int, ...]) -> tuple[int, Sequence[Piece]]:
        size = self._grid.data_bytes(shard)
        if not self._indexed:
            return size, []
        index = self._grid.index(shard)
        return size + len(index), [(size, index)]
