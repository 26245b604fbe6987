"""How an array is cut: into chunks of frames and tiles, and these into shards.

An array has index axes (time, channel, z) and the two axes of its frames. A chunk
spans `depth` frames on each index axis and one tile of each of them; a *block* is the
chunks that share the same frames, one for each tile. All of this is arithmetic on
sizes; nothing here reads or writes.

Examples
--------
>>> plan = plan_chunks(
...     ("time", "z"), (0, 20), (100, 100), 2, chunks={"z": 8, "y": 64, "x": 64}
... )
>>> plan.chunk, plan.tiles, plan.blocks
((1, 8, 64, 64), (2, 2), (0, 3))
>>> plan.locate((5, 17))
((5, 2), 1)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import SettingsError
from napari_scope.formats.ngff.writing.codecs import MAX_CHUNK_BYTES
from napari_scope.formats.ngff.writing.shards import (
    DEFAULT_SHARD_BYTES,
    MAX_CHUNKS,
    choose_shard,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt

__all__ = ["ChunkPlan", "TileGroup", "plan_chunks"]

_GROWING_SHARD_BYTES = 1 << 28  # files of a growing axis: few, but quick to copy
_MOST_CHUNKS_ASKED = 1 << 20  # an index of 16 MiB


@dataclass(frozen=True, slots=True)
class TileGroup:
    """The tiles of a frame that lie in one shard.

    Parameters
    ----------
    shard : (int, int)
        Coordinates of the shard on y and x.
    rows, columns : slice
        The tiles, on y and x.
    """

    shard: tuple[int, int]
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Number of tiles on y and x."""
        return (
            self.rows.stop - self.rows.start,
            self.columns.stop - self.columns.start,
        )

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Return the tiles, row by row."""
        for row in range(self.rows.start, self.rows.stop):
            for column in range(self.columns.start, self.columns.stop):
                yield row, column


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """The cut of one array.

    Parameters
    ----------
    shape : tuple of int
        Number of frames on each index axis; 0 for an axis that grows.
    frame : (int, int)
        Height and width of a frame.
    depth : tuple of int
        Frames of a chunk on each index axis.
    tile : (int, int)
        Height and width of a chunk.
    span : tuple of int
        Blocks of a shard on each index axis.
    tile_span : (int, int)
        Tiles of a shard on y and x.
    """

    shape: tuple[int, ...]
    frame: tuple[int, int]
    depth: tuple[int, ...]
    tile: tuple[int, int]
    span: tuple[int, ...]
    tile_span: tuple[int, int]

    @property
    def chunk(self) -> tuple[int, ...]:
        """Shape of a chunk in pixels."""
        return self.depth + self.tile

    @property
    def shard(self) -> tuple[int, ...]:
        """Shape of a shard in pixels."""
        counts = self.span + self.tile_span
        return tuple(c * n for c, n in zip(self.chunk, counts, strict=True))

    @property
    def blocks(self) -> tuple[int, ...]:
        """Number of blocks on each index axis; 0 for an axis that grows."""
        return tuple(-(-n // d) for n, d in zip(self.shape, self.depth, strict=True))

    @property
    def tiles(self) -> tuple[int, int]:
        """Number of tiles of a frame on y and x."""
        (rows, columns), (height, width) = self.frame, self.tile
        return -(-rows // height), -(-columns // width)

    @property
    def frames_in_chunk(self) -> int:
        """Number of frames of a complete chunk."""
        return math.prod(self.depth)

    @property
    def whole_frames(self) -> bool:
        """Whether a chunk is exactly one frame."""
        return self.frames_in_chunk == 1 and self.tiles == (1, 1)

    def locate(self, index: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
        """Return the block of a frame and the number of the frame in its chunks."""
        place = 0
        for i, depth in zip(index, self.depth, strict=True):
            place = place * depth + i % depth
        return tuple(i // d for i, d in zip(index, self.depth, strict=True)), place

    def frames_of(self, block: tuple[int, ...]) -> int:
        """Return how many frames of a block lie inside the array."""
        count = 1
        for b, depth, size in zip(block, self.depth, self.shape, strict=True):
            count *= depth if size == 0 else min(depth, size - b * depth)
        return count

    def groups(self) -> list[TileGroup]:
        """Return the tiles of a frame, by shards."""
        (rows, columns), (high, wide) = self.tiles, self.tile_span
        return [
            TileGroup(
                (top // high, left // wide),
                slice(top, min(top + high, rows)),
                slice(left, min(left + wide, columns)),
            )
            for top in range(0, rows, high)
            for left in range(0, columns, wide)
        ]

    def cut(
        self,
        frame: npt.NDArray[np.generic],
        tile: tuple[int, int],
        scratch: Callable[[int], memoryview] | None = None,
    ) -> npt.NDArray[np.generic]:
        """Return a tile of a frame; beyond the edge of the frame it is 0.

        ``scratch`` gives memory for it, if it has to be copied.
        """
        (height, width), (row, column) = self.tile, tile
        part = frame[
            row * height : (row + 1) * height, column * width : (column + 1) * width
        ]
        if part.shape == self.tile and part.flags.c_contiguous:
            return part
        if scratch is None:
            whole = np.empty(self.tile, frame.dtype)
        else:
            memory = scratch(math.prod(self.tile) * frame.dtype.itemsize)
            whole = np.frombuffer(memory, frame.dtype).reshape(self.tile)
        self.cut_into(frame, tile, whole)
        return whole

    def cut_into(
        self,
        frame: npt.NDArray[np.generic],
        tile: tuple[int, int],
        target: npt.NDArray[np.generic],
    ) -> None:
        """Copy a tile of a frame; beyond the edge of the frame it is 0."""
        (height, width), (row, column) = self.tile, tile
        part = frame[
            row * height : (row + 1) * height, column * width : (column + 1) * width
        ]
        if part.shape != self.tile:
            target[...] = 0
        target[: part.shape[0], : part.shape[1]] = part

    def paste(
        self,
        frame: npt.NDArray[np.generic],
        tile: tuple[int, int],
        pixels: npt.NDArray[np.generic],
    ) -> None:
        """Put a tile into a frame; what is beyond the edge is left out."""
        (height, width), (row, column) = self.tile, tile
        part = frame[
            row * height : (row + 1) * height, column * width : (column + 1) * width
        ]
        part[...] = pixels[: part.shape[0], : part.shape[1]]


def plan_chunks(
    names: tuple[str, ...],
    shape: tuple[int, ...],
    frame: tuple[int, int],
    itemsize: int,
    *,
    chunks: Mapping[str, int] | None = None,
    shards: Mapping[str, int] | None = None,
    sharded: bool = True,
) -> ChunkPlan:
    """Return the cut of an array.

    Parameters
    ----------
    names : tuple of str
        Canonical names of the index axes.
    shape : tuple of int
        Number of frames on each; 0 for an axis that grows.
    frame : (int, int)
        Height and width of a frame.
    itemsize : int
        Bytes of a pixel.
    chunks : mapping, optional
        Samples of a chunk by axis; what is not named is one frame, whole.
    shards : mapping, optional
        Chunks of a shard by axis; what is not named is chosen: all tiles of a frame,
        and as many frames as make a file that is quick to copy.
    sharded : bool
        False for one file for each chunk.

    Raises
    ------
    SettingsError
        If a chunk or a shard is larger than the format or its readers can bear.
    """
    chunks, shards = dict(chunks or {}), dict(shards or {})
    depth = tuple(
        min(chunks.get(name, 1), size) if size else chunks.get(name, 1)
        for name, size in zip(names, shape, strict=True)
    )
    tile = (
        min(chunks.get("y", frame[0]), frame[0]),
        min(chunks.get("x", frame[1]), frame[1]),
    )
    chunk_bytes = math.prod(depth) * math.prod(tile) * itemsize
    if chunk_bytes > MAX_CHUNK_BYTES:
        sizes = dict(zip((*names, "y", "x"), depth + tile, strict=True))
        raise SettingsError(
            f"a chunk of {_list(sizes)} takes {chunk_bytes / 1e6:,.0f} MB, which is "
            f"more than {MAX_CHUNK_BYTES / 1e6:,.0f} MB",
            hint="choose smaller chunks",
        )
    ones = (1,) * len(shape)
    plan = ChunkPlan(shape, frame, depth, tile, ones, (1, 1))
    if not sharded:
        return plan
    rows, columns = plan.tiles
    high = min(shards.get("y", rows), rows)
    wide = min(shards.get("x", columns), columns)
    tiles = high * wide
    span = _span(plan, names, shards, tiles * chunk_bytes, MAX_CHUNKS // tiles)
    count = math.prod(span) * tiles
    if count > _MOST_CHUNKS_ASKED:
        raise SettingsError(
            f"a shard would hold {count:,} chunks, more than {_MOST_CHUNKS_ASKED:,}",
            hint="choose smaller shards or larger chunks",
        )
    return ChunkPlan(shape, frame, depth, tile, span, (high, wide))


def _span(
    plan: ChunkPlan,
    names: tuple[str, ...],
    shards: Mapping[str, int],
    block_bytes: int,
    most: int,
) -> tuple[int, ...]:
    """Return the blocks in a shard; what grows in several ways gets a file a block.

    Only along a single growing axis is it known how files fill up. Along several, a
    file would be mostly hole.
    """
    blocks = plan.blocks
    given = [
        min(shards[name], size) if size and name in shards else shards.get(name)
        for name, size in zip(names, blocks, strict=True)
    ]
    if blocks.count(0) > 1:
        return tuple(span or 1 for span in given)
    limit = _GROWING_SHARD_BYTES if 0 in blocks else DEFAULT_SHARD_BYTES
    return choose_shard(
        blocks, block_bytes, limit=limit, most=max(1, most), given=given
    )


def _list(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items())
