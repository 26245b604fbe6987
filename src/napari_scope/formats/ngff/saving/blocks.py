"""How an array that is saved is cut: into chunks, files and the blocks that are read.

- A chunk is what a viewer reads at a time: up to 1024 x 1024 of one plane. Where
  planes are small a chunk has several of them along z and t, so that it is worth a file
  access.
- Zarr v3 keeps many chunks in one file (a shard): the whole plane and as many planes
  along z and t as 64 MiB hold. So a time-lapse of small frames is a few files, and a
  mosaic of 100,000 pixels a side is not one file that has to be written at once. Zarr
  v2 has no shards; there each chunk is a file.
- A block is what is read from the source at a time: a shard, or a few where the source
  is itself made of larger pieces, which would otherwise be computed several times.
  Blocks never share a file, and their size bounds the memory.

Examples
--------
>>> cut = cut_array((10, 2, 50, 2048, 2048), "tczyx", 2)
>>> cut.chunk, cut.shard
((1, 1, 1, 1024, 1024), (1, 1, 8, 2048, 2048))
>>> len(list(blocks((10, 2, 50, 2048, 2048), cut.shard)))
140
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Shape = tuple[int, ...]
    Block = tuple[slice, ...]

__all__ = ["Cut", "block_shape", "blocks", "count_blocks", "cut_array"]

_SIDE = 1024
_MOST_CHUNKS = 8  # of a file along y and x: files of large mosaics stay squarish
_SHARD_BYTES = 64 * 2**20
_BLOCK_BYTES = 128 * 2**20
_LEAST_CHUNK = {True: 2**16, False: 2**19}  # with shards, and where a chunk is a file


@dataclass(frozen=True, slots=True)
class Cut:
    """How an array is cut.

    Parameters
    ----------
    chunk : tuple of int
        Shape of a chunk.
    shard : tuple of int
        Shape of a file: chunks without a remainder; the chunk itself if it is alone.
    """

    chunk: Shape
    shard: Shape


def cut_array(
    shape: Sequence[int],
    names: Sequence[str],
    itemsize: int,
    *,
    shards: bool = True,
    pieces: Sequence[int] | None = None,
) -> Cut:
    """Return how an array is cut.

    Parameters
    ----------
    shape : sequence of int
        Length of each axis.
    names : sequence of str
        Name of each axis; y and x make the planes, z and t may share chunks and files.
    itemsize : int
        Bytes of a pixel.
    shards : bool
        Whether a file may hold many chunks.
    pieces : sequence of int, optional
        Shape of what the source is made of. Cuts go along these as far as they may, so
        that no piece has to be computed twice.
    """
    pieces = pieces or shape
    # From the axis that is nearest in memory and in use to the one that is farthest.
    order = [i for name in "xyzt" for i, n in enumerate(names) if n == name]
    planes = [i for i in order if names[i] in "zt"]
    chunk = [
        _side(n, piece) if name in "yx" else 1
        for name, n, piece in zip(names, shape, pieces, strict=True)
    ]
    for axis in planes:
        while (
            2 * chunk[axis] <= shape[axis]
            and 2 * math.prod(chunk) * itemsize <= _LEAST_CHUNK[shards]
        ):
            chunk[axis] *= 2
    shard = list(chunk)
    if shards:
        for axis in order:
            size = math.prod(shard) * itemsize
            most = max(1, _SHARD_BYTES // max(1, size))
            if names[axis] in "yx":
                most = min(most, _MOST_CHUNKS)
            needed = -(-shape[axis] // chunk[axis])
            if most < needed:
                needed = _along(pieces[axis], chunk[axis], most)
            shard[axis] = chunk[axis] * needed
    return Cut(tuple(chunk), tuple(shard))


def _side(length: int, piece: int) -> int:
    """Return the side of a chunk: that of the source if it is a good one."""
    usual = min(length, _SIDE)
    return piece if _SIDE // 4 <= piece <= _SIDE * 3 // 2 and piece < length else usual


def _along(piece: int, chunk: int, most: int) -> int:
    """Return the chunks of a file: a part or a multiple of a piece, up to ``most``."""
    if piece % chunk:
        return most
    count = piece // chunk
    if count <= most:
        return most // count * count
    return next((n for n in range(most, most // 4, -1) if count % n == 0), most)


def block_shape(
    shape: Sequence[int],
    shard: Sequence[int],
    pieces: Sequence[int] | None,
    itemsize: int,
) -> Shape:
    """Return the shape of the blocks that are read from a source.

    Parameters
    ----------
    shape : sequence of int
        Length of each axis.
    shard : sequence of int
        Shape of a file of the target; a block consists of whole ones.
    pieces : sequence of int, optional
        Shape of what the source is made of, where it says.
    itemsize : int
        Bytes of a pixel.
    """
    block = list(shard)
    for axis in reversed(range(len(shape))) if pieces is not None else ():
        assert pieces is not None
        wide = -(-min(pieces[axis], shape[axis]) // shard[axis]) * shard[axis]
        inside = [min(b, n) for b, n in zip(block, shape, strict=True)]
        inside[axis] = min(wide, shape[axis])
        if math.prod(inside) * itemsize <= _BLOCK_BYTES:
            block[axis] = wide
    return tuple(block)


def blocks(shape: Sequence[int], block: Sequence[int]) -> Iterator[Block]:
    """Return the blocks that cover an array, in the order of its pixels."""
    parts = (
        [slice(start, min(start + step, n)) for start in range(0, n, step)]
        for n, step in zip(shape, block, strict=True)
    )
    yield from itertools.product(*parts)


def count_blocks(shape: Sequence[int], block: Sequence[int]) -> int:
    """Return how many blocks cover an array."""
    return math.prod(-(-n // step) for n, step in zip(shape, block, strict=True))
