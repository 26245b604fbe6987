"""Arrays of OME-Zarr written block by block: functions for threads and other processes.

A block is a whole shard (Zarr v3) or some whole chunks (v2), so that no two tasks ever
touch one file. A task is small: where the pixels come from, where they go, and which
block. Its functions belong to this module and all its arguments can be pickled, which
is what a cluster of processes needs.

Chunks that are all zero are not stored, they read as zeros.

Examples
--------
>>> shape = (10, 2048, 2048)
>>> block_shape(shape, (1, 2048, 2048), 2)
(8, 2048, 2048)
>>> blocks(shape, (8, 2048, 2048))
[((0, 8), (0, 2048), (0, 2048)), ((8, 10), (0, 2048), (0, 2048))]
"""

from __future__ import annotations

import itertools
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from crc32c import crc32c

from napari_scope.errors import DiskSpaceError, ScopeError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.formats.ngff.metadata import (
    array_metadata,
    array_metadata_v2,
    encode,
)
from napari_scope.formats.ngff.writing.codecs import make_codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_scope.model import LevelArray

    Pixels = npt.NDArray[np.generic]

__all__ = [
    "BlockTarget",
    "Bounds",
    "block_shape",
    "blocks",
    "compare_block",
    "copy_block",
    "create_array",
]

_BLOCK_BYTES = 64 * 2**20
_ABSENT = 2**64 - 1  # offset and length of a chunk that is not stored

Bounds = tuple[tuple[int, int], ...]
"""First and one behind the last sample of a block on each axis."""

Unread = list[tuple[tuple[int, ...], str]]
"""Planes that could not be read: their index on all axes but y and x, and why."""


@dataclass(frozen=True, slots=True)
class BlockTarget:
    """An array that is written.

    Parameters
    ----------
    folder : str
        Its folder, absolute.
    shape, chunk, block : tuple of int
        Sizes of the array, a chunk and a block, in pixels.
    dtype : str
        Type of the pixels.
    compression : str, optional
        Name of the codec.
    zarr_version : int
        2 or 3.
    """

    folder: str
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    block: tuple[int, ...]
    dtype: str
    compression: str | None = None
    zarr_version: int = 3


def block_shape(
    shape: Sequence[int], chunk: Sequence[int], itemsize: int
) -> tuple[int, ...]:
    """Return the size of a block: whole chunks, along the last axes first."""
    block = list(chunk)
    for axis in reversed(range(len(block))):
        count = -(-shape[axis] // chunk[axis])
        room = max(1, _BLOCK_BYTES // (math.prod(block) * itemsize))
        block[axis] *= min(count, room)
        if count > room:
            break
    return tuple(block)


def blocks(shape: Sequence[int], block: Sequence[int]) -> list[Bounds]:
    """Return the bounds of all blocks of an array."""
    ranges = [
        [(start, min(start + step, length)) for start in range(0, length, step)]
        for length, step in zip(shape, block, strict=True)
    ]
    return list(itertools.product(*ranges))


def create_array(target: BlockTarget, names: Sequence[str]) -> None:
    """Make the folder of an array with its metadata.

    Raises
    ------
    OSError
        The system refused.
    """
    folder = Path(target.folder)
    folder.mkdir(parents=True)
    dtype = np.dtype(target.dtype)
    codec = make_codec(target.compression, dtype.itemsize)
    if target.zarr_version == 2:
        name, document = (
            ".zarray",
            array_metadata_v2(
                target.shape,
                dtype.newbyteorder("<").str,
                chunk=target.chunk,
                compressor=None if codec is None else codec.v2(),
            ),
        )
    else:
        name, document = (
            "zarr.json",
            array_metadata(
                target.shape,
                dtype.name,
                chunk=target.chunk,
                shard=target.block,
                names=names,
                codecs=() if codec is None else (codec.v3(),),
            ),
        )
    (folder / name).write_bytes(encode(document))


def copy_block(
    source: LevelArray, target: BlockTarget, bounds: Bounds, skip: bool = False
) -> Unread:
    """Read a block of an array and write it.

    Parameters
    ----------
    source : LevelArray
        The array.
    target : BlockTarget
        Where it goes.
    bounds : Bounds
        The block.
    skip : bool
        Leave planes that cannot be read black, and write the others.

    Returns
    -------
    list of (index, reason)
        Planes that could not be read. Without ``skip`` it is the first one of the
        block, and nothing is written.

    Raises
    ------
    StreamError
        If it cannot be written.
    """
    pixels, unread = _read(source, bounds, np.dtype(target.dtype), planes=skip)
    if unread and not skip:
        return unread
    pixels = np.asarray(pixels, np.dtype(target.dtype).newbyteorder("<"))
    try:
        if target.zarr_version == 2:
            _write_chunks(pixels, target, bounds)
        else:
            _write_shard(pixels, target, bounds)
    except OSError as error:
        kind = DiskSpaceError if error.errno == 28 else StreamError
        raise kind(
            f"the target cannot be written, {error.strerror or error}",
            path=target.folder,
        ) from error
    return unread


def compare_block(source: LevelArray, target: BlockTarget, bounds: Bounds) -> bool:
    """Return whether a block that was written is as in the source.

    Planes that cannot be read there are to be black.
    """
    from napari_scope.formats.ngff.pixels import ZarrSource
    from napari_scope.formats.ngff.store import Store

    written = ZarrSource(Store(target.folder).array(""))
    expected, _ = _read(source, bounds, np.dtype(target.dtype), planes=True)
    try:
        found = written.read(tuple(slice(*pair, 1) for pair in bounds))
    except (ScopeError, OSError):
        return False
    return bool(np.array_equal(expected, found, equal_nan=expected.dtype.kind == "f"))


def _read(
    source: LevelArray, bounds: Bounds, dtype: np.dtype[np.generic], *, planes: bool
) -> tuple[Pixels, Unread]:
    """Read a block; plane by plane, if that is wanted and it cannot be read at once."""
    try:
        return np.asarray(source[_key(bounds)]), []
    except (ScopeError, OSError) as error:
        first = tuple(start for start, _ in bounds[:-2])
        unread = [(first, str(error))]
    pixels = np.zeros([stop - start for start, stop in bounds], dtype)
    lead = [range(start, stop) for start, stop in bounds[:-2]]
    if not planes or math.prod(map(len, lead)) == 1:
        return pixels, unread
    unread = []
    for index in itertools.product(*lead):
        place = tuple(i - start for i, start in zip(index, first, strict=True))
        try:
            pixels[place] = source[(*index, *_key(bounds[-2:]))]
        except (ScopeError, OSError) as error:
            unread.append((index, str(error)))
    return pixels, unread


def _key(bounds: Bounds) -> tuple[slice, ...]:
    return tuple(slice(start, stop) for start, stop in bounds)


def _chunks(
    pixels: Pixels, target: BlockTarget
) -> list[tuple[tuple[int, ...], Pixels | None]]:
    """Return place in the block and pixels of each chunk; None for one of zeros."""
    found: list[tuple[tuple[int, ...], Pixels | None]] = []
    counts = [b // c for b, c in zip(target.block, target.chunk, strict=True)]
    for place in np.ndindex(*counts):
        key = tuple(
            slice(p * c, (p + 1) * c) for p, c in zip(place, target.chunk, strict=True)
        )
        part = pixels[key]
        if part.size == 0 or not part.any():
            found.append((place, None))
            continue
        if part.shape != target.chunk:
            whole = np.zeros(target.chunk, part.dtype)
            whole[tuple(slice(n) for n in part.shape)] = part
            part = whole
        found.append((place, np.ascontiguousarray(part)))
    return found


def _write_shard(pixels: Pixels, target: BlockTarget, bounds: Bounds) -> None:
    codec = make_codec(target.compression, pixels.dtype.itemsize)
    index: list[int] = []
    data: list[memoryview | bytes] = []
    offset = 0
    for _, chunk in _chunks(pixels, target):
        if chunk is None:
            index += (_ABSENT, _ABSENT)
            continue
        piece = _bytes_of(chunk) if codec is None else codec.encode(chunk)
        size = len(piece)
        index += (offset, size)
        data.append(piece)
        offset += size
    if not data:
        return  # a shard that is not there reads as zeros
    table = struct.pack(f"<{len(index)}Q", *index)
    table += struct.pack("<I", crc32c(table))
    key = (start // size for (start, _), size in zip(bounds, target.block, strict=True))
    path = Path(target.folder, "c", *map(str, key))
    _write_file(path, [*data, table])


def _write_chunks(pixels: Pixels, target: BlockTarget, bounds: Bounds) -> None:
    codec = make_codec(target.compression, pixels.dtype.itemsize)
    first = [
        start // size for (start, _), size in zip(bounds, target.chunk, strict=True)
    ]
    for place, chunk in _chunks(pixels, target):
        if chunk is not None:
            key = (str(f + p) for f, p in zip(first, place, strict=True))
            piece = _bytes_of(chunk) if codec is None else codec.encode(chunk)
            _write_file(Path(target.folder, *key), [piece])


def _bytes_of(pixels: Pixels) -> memoryview:
    return pixels.reshape(-1).view(np.uint8).data


def _write_file(path: Path, pieces: Sequence[memoryview | bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A worker of a cluster that died may have left a part of it. One that only seemed
    # to be dead writes to a file that has no name any more.
    path.unlink(missing_ok=True)
    with DataFile.create(path) as file:
        file.write_at(0, *pieces)
