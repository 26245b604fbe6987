"""Small blocks of pixels read straight from the files of their chunks.

To open an array with a library takes longer than to read a chunk of it: a plate has
thousands of arrays of which one or two chunks are wanted. `ChunkReader` reads those of
arrays of the plain kind (`napari_scope.formats.ngff.chunk_layout`) in folders of this
machine. Whatever is not exactly as it should be, it does not read: it answers None, and
a library reads instead, or says what is wrong.

Nothing is kept between reads, as chunks may be written meanwhile.
"""

from __future__ import annotations

import itertools
import os
import stat
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.chunk_layout import checked, chunk_layout

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.ngff.chunk_layout import ChunkLayout, ShardIndex
    from napari_scope.formats.ngff.store import ArrayInfo

    Block = tuple[slice, ...]
    Pixels = npt.NDArray[np.generic]

__all__ = ["ChunkReader"]

_MOST_CHUNKS = 8
_MOST_BYTES = 4 * 2**20  # of several chunks: a library decodes more in many threads
_MOST_OF_ONE = 8 * 2**20  # of one: larger ones need new memory, twice
_LONG_DOCUMENT = 2**16
_ABSENT = (2**64 - 1, 2**64 - 1)  # offset and length of a chunk that is not stored

# A named pipe in place of a chunk would block for ever; the rest is of Windows.
_HOW = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOINHERIT", 0)
)

# What damaged files raise, and what the system does.
_ODD = (ValueError, OSError, RuntimeError, MemoryError, struct.error, zlib.error)


class ChunkReader:
    """Small blocks of one array.

    Parameters
    ----------
    layout : ChunkLayout
        How it is stored.
    folder : str
        Where, as an absolute path.
    """

    def __init__(self, layout: ChunkLayout, folder: str) -> None:
        self._layout = layout
        self._folder = folder
        self._dtype = layout.dtype.newbyteorder("=")

    @classmethod
    def of(cls, info: ArrayInfo) -> ChunkReader | None:
        """Return the reader of an array, None if it is not of the plain kind.

        Its document is read now, not when the data set was opened.
        """
        if not info.place.local:
            return None
        try:
            name = "zarr.json" if info.zarr_format == 3 else ".zarray"
            document = info.place.read(name, _LONG_DOCUMENT)
        except FormatError:
            return None
        if document is None:
            return None
        layout = chunk_layout(document, info.zarr_format)
        if layout is None or layout.dtype.newbyteorder("=") != info.dtype:
            return None
        return cls(layout, os.path.abspath(info.name))

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._layout.shape

    def read(self, block: Block) -> Pixels | None:
        """Return the pixels of a block, or None if a library has to read it.

        Parameters
        ----------
        block : tuple of slice
            From a start to a stop on each axis, none of them empty.
        """
        chunks = self._chunks_of(block)
        if chunks is None:
            return None
        layout = self._layout
        out = np.empty([part.stop - part.start for part in block], self._dtype)
        try:
            for place in itertools.product(*chunks):
                found = self._chunk(place)
                part, to = _overlap(block, place, layout.chunk)
                out[to] = layout.fill if found is None else found[part]
        except _ODD:
            return None
        return out[tuple([slice(None, None, part.step) for part in block])]

    def _chunks_of(self, block: Block) -> list[range] | None:
        """Return the chunks of a block on each axis, None if it is not a small one."""
        layout = self._layout
        if len(block) != len(layout.shape):
            return None
        count = 1
        chunks = []
        for part, length, chunk in zip(block, layout.shape, layout.chunk, strict=True):
            if not 0 <= part.start < part.stop <= length or (part.step or 1) < 1:
                return None
            chunks.append(range(part.start // chunk, (part.stop - 1) // chunk + 1))
            count *= len(chunks[-1])
        most = _MOST_OF_ONE if count == 1 else _MOST_BYTES
        if count > _MOST_CHUNKS or count * layout.coding.size > most:
            return None
        return chunks

    def _chunk(self, place: tuple[int, ...]) -> Pixels | None:
        """Return the pixels of one chunk, None if it is not stored."""
        layout, index = self._layout, self._layout.index
        number = 0
        if index is not None:
            for at, count in zip(place, index.counts, strict=True):
                number = number * count + at % count
            place = tuple(
                [at // count for at, count in zip(place, index.counts, strict=True)]
            )
        path = f"{self._folder}{os.sep}{layout.name(place)}"
        try:
            file = os.open(path, _HOW)
        except FileNotFoundError:
            return None
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("not a regular file")
            offset, length = 0, status.st_size
            if index is not None:
                offset, length = _found(file, length, index, number)
                if (offset, length) == _ABSENT:
                    return None
            if length > layout.coding.most:
                raise ValueError(f"a chunk of {length} bytes")
            data = layout.coding.decode(_read_at(file, offset, length))
        finally:
            os.close(file)
        return np.frombuffer(data, layout.dtype).reshape(layout.chunk)


def _found(file: int, size: int, index: ShardIndex, number: int) -> tuple[int, int]:
    """Return offset and length of a chunk in a shard of some bytes."""
    if size < index.size:
        raise ValueError("a shard without its index")
    table = _read_at(file, size - index.size if index.at_end else 0, index.size)
    if index.checked:
        table = checked(table)
    offset, length = struct.unpack_from("<2Q", table, 16 * number)
    if (offset, length) != _ABSENT and offset + length > size:
        raise ValueError("a chunk that lies beyond the end of its shard")
    return offset, length


def _read_at(file: int, offset: int, length: int) -> bytes:
    os.lseek(file, offset, os.SEEK_SET)
    data = os.read(file, length)
    if len(data) != length:
        raise ValueError("the file is shorter than it was")
    return data


def _overlap(
    block: Block, place: tuple[int, ...], size: tuple[int, ...]
) -> tuple[Block, Block]:
    """Return what a chunk has of a block: its place in the chunk and in the block.

    Examples
    --------
    >>> _overlap((slice(3, 9),), (1,), (4,))
    ((slice(0, 4, None),), (slice(1, 5, None),))
    """
    part, to = [], []
    for wanted, at, length in zip(block, place, size, strict=True):
        start = at * length
        low = start if start > wanted.start else wanted.start
        high = start + length
        high = high if high < wanted.stop else wanted.stop
        part.append(slice(low - start, high - start))
        to.append(slice(low - wanted.start, high - wanted.start))
    return tuple(part), tuple(to)
