"""Compressed Zarr v3 shards that every reader can open while they grow.

The length of a compressed chunk is known only when it is made, so chunks are appended
and the index is at the start of the file, all of it "missing" at first:

    index | chunk | chunk | chunk | ...               while the array grows
    index | chunk | chunk | chunk | ... | index | CRC   once it is finished

A chunk is written before its entry in the index. The index that grows has no checksum
(Zarr lets an array choose how its index is coded), so one entry is one write of 16
bytes that no kill can tear, whatever the size of the index, in any order of frames.
Web readers expect the index, with a checksum, at the end; `finish` appends it, and the
caller then changes the metadata of the array to say so. Offsets count from the start
of the file, so the old index stays right for a reader that knows the old metadata, and
a finished array can grow again: its metadata say so, then chunks follow behind the last
one, over the index at the end.

Chunks of several frames have a module of their own: `deep`.

Source: Zarr v3 ``sharding_indexed`` codec.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from crc32c import crc32c

from napari_scope.fileio import DataFile
from napari_scope.formats.ngff.writing.encoding import FrameEncoder
from napari_scope.formats.ngff.writing.shard_files import (
    ENTRY,
    MISSING,
    end_index,
    rewrite,
)
from napari_scope.formats.ngff.writing.shards import ChunkStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ngff.writing.chunks import ChunkPlan, TileGroup
    from napari_scope.formats.ngff.writing.codecs import Buffer, ChunkCodec, Helpers
    from napari_scope.formats.ngff.writing.shards import Piece

    # Chunks of a block in one file: where their entries are, which they are.
    Part: TypeAlias = tuple[int, TileGroup, Sequence[Sequence["Buffer"]]]

__all__ = ["PackedShard", "PackedWriter", "seal"]

_AT_ONCE_BYTES = 16 * 1024 * 1024  # of pixels that are compressed before a write

Index = tuple[int, ...]


@dataclass(slots=True)
class PackedShard:
    """What the writer knows of a file.

    Parameters
    ----------
    tail : int
        Where the last chunk ends.
    base : int
        Where the room ends that compressed chunks can take.
    open : dict
        Where blocks are stored that are not compressed yet.
    stored : int
        Length of all that is stored.
    synced : bool
        Whether something of that was made safe against loss of power.
    """

    tail: int
    base: int
    open: dict[Index, int] = field(default_factory=dict)
    stored: int = 0
    synced: bool = False


class PackedWriter(ChunkStore):
    """The shard files of one compressed array; frames in any order.

    Frames and news of skipped ones may come from two threads; each frame comes once.

    Parameters
    ----------
    folder : Path
        Folder of the array.
    plan : ChunkPlan
        How it is cut.
    dtype : numpy.dtype
        Type of the pixels; written little endian.
    codec : ChunkCodec
        How chunks are compressed.
    helpers : Helpers
        Who helps with it.
    """

    def __init__(
        self,
        folder: Path,
        plan: ChunkPlan,
        dtype: npt.DTypeLike,
        codec: ChunkCodec,
        helpers: Helpers,
    ) -> None:
        super().__init__(folder)
        self._plan = plan
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._codec = codec
        self._helpers = helpers
        self._groups = plan.groups()
        self._frame_bytes = math.prod(plan.frame) * self._dtype.itemsize
        self._tile_bytes = math.prod(plan.tile) * self._dtype.itemsize
        self._chunk_bytes = self._tile_bytes * plan.frames_in_chunk
        self._in_block = math.prod(plan.tile_span)
        self._entries = math.prod(plan.span) * self._in_block
        self._base = self._entries * (ENTRY + codec.bound(self._chunk_bytes))
        self._shards: dict[Index, PackedShard] = {}
        self._encoder = FrameEncoder(plan, self._dtype, codec, helpers)
        self._writing = threading.RLock()

    @property
    def at_once(self) -> bool:
        """Whether a frame is written in little time, each like any other."""
        return not self.ahead or self._encoder.shared

    @property
    def ahead(self) -> int:
        """Bytes of frames that are worth preparing at a time; 0 for none."""
        return self._encoder.ahead

    # ------------------------------------------------------------- ahead of writing

    def prepare(
        self,
        index: Index,
        frame: npt.NDArray[np.generic],
        also: Callable[[], object],
    ) -> None:
        """Begin to compress a frame; used by the thread that writes frames."""
        self._encoder.begin(index, frame, also)

    def prepared(self, index: Index, *, wait: bool) -> bool:
        """Return whether a frame is compressed, or nobody has begun to."""
        return self._encoder.ready(index, wait=wait)

    # ------------------------------------------------------------- writing

    def write(self, index: Index, frame: npt.NDArray[np.generic]) -> None:
        """Write one frame; on return it survives a killed process."""
        self.write_all([(index, frame)])

    def write_all(
        self, frames: Sequence[tuple[Index, npt.NDArray[np.generic]]]
    ) -> None:
        """Write frames; they are compressed together."""
        with self._writing:
            step = max(1, _AT_ONCE_BYTES // self._frame_bytes)
            for start in range(0, len(frames), step):
                self._append(frames[start : start + step])

    def _append(self, frames: Sequence[tuple[Index, npt.NDArray[np.generic]]]) -> None:
        """Compress frames and append them, all of one file with one write."""
        encoded = self._encoder.encode(frames)
        shards: dict[Index, list[Part]] = {}
        for (index, _), one in zip(frames, encoded, strict=True):
            chunks = iter(one.chunks)
            for group in self._groups:
                shard, number = self._entry_of(index, group)
                packed = [next(chunks) for _ in group]
                shards.setdefault(shard, []).append((number, group, packed))
        for shard, parts in shards.items():
            with self._file(shard, create=True) as file:
                self._append_blocks(file, self._shards[shard], parts)
            self._changed(shard)
        self._encoder.give_back(encoded)

    def _append_blocks(
        self,
        file: DataFile,
        state: PackedShard,
        parts: Sequence[Part],
    ) -> None:
        """Append the chunks of blocks, then write their entries.

        Where these take the place of others that a loss of power must not take, the
        chunks are made safe in between.
        """
        offset = state.tail
        entries: list[tuple[int, bytes]] = []
        for number, group, packed in parts:
            table = self._table()
            for at, data in zip(np.ndindex(group.shape), packed, strict=True):
                length = sum(map(len, data))
                table[at] = offset, length
                offset += length
            entries.append((number, table.tobytes()))
        pieces = (piece for _, _, packed in parts for data in packed for piece in data)
        file.write_at(state.tail, *pieces)
        state.tail = offset
        if state.synced:
            file.sync()
        for where, run in _runs(entries):
            file.write_at(where, run)

    def _table(self) -> npt.NDArray[np.uint64]:
        """Return the entries of a block, all missing; beyond the frame they stay so."""
        return np.full((*self._plan.tile_span, 2), MISSING, "<u8")

    def _entry_of(self, index: Index, group: TileGroup) -> tuple[Index, int]:
        """Return the file of a group and where the entries of its block begin."""
        block, _ = self._plan.locate(index)
        number = 0
        for b, span in zip(block, self._plan.span, strict=True):
            number = number * span + b % span
        shard = tuple(b // n for b, n in zip(block, self._plan.span, strict=True))
        return shard + group.shard, number * self._in_block * ENTRY

    def _initial(self, shard: Index) -> tuple[int, Sequence[Piece]]:
        size = self._entries * ENTRY
        self._shards[shard] = PackedShard(size, self._base)
        # One byte of each is 255: the whole index is "missing".
        return size, [(0, b"\xff" * size)]

    def finish(self) -> bool:
        """Append the index to each file."""
        with self._writing:
            for shard in self.written_shards():
                with self._file(shard, create=False) as file:
                    seal(file, self._entries, self._shards[shard].tail)
                self._changed(shard)
        return True

    # ------------------------------------------------------------- going on

    def _take_over_file(self, shard: Index, path: Path) -> None:
        head = self._entries * ENTRY
        with DataFile.open(path, writable=True) as file:
            table = end_index(file, self._entries)
            there = table[:, 0] != MISSING
            offsets, lengths = table[there].T
            if file.read_at(0, head) == table.tobytes() and (offsets >= head).all():
                ends = (offsets + lengths).tolist()
            else:
                ends = [head, *(head + np.cumsum(lengths)).tolist()]
                moved = table.copy()
                moved[there, 0] = ends[:-1]
                copies = zip(offsets.tolist(), lengths.tolist(), ends[:-1], strict=True)
                index = moved.tobytes()
                sealed = index + crc32c(index).to_bytes(4, "little")
                pieces = [(0, index), (ends[-1], sealed)]
                rewrite(file, ends[-1] + len(sealed), pieces, copies)
        tail = int(max(ends, default=head))
        # Each chunk may be compressed once more.
        room = self._entries * self._codec.bound(self._chunk_bytes)
        self._shards[shard] = PackedShard(tail, tail + room)

    # ------------------------------------------------------------- reading

    def read(self, index: Index) -> npt.NDArray[np.generic] | None:
        """Read one frame back, or None where none of its chunks exists."""
        frame = np.zeros(self._plan.frame, self._dtype)
        found = False
        for group in self._groups:
            shard, number = self._entry_of(index, group)
            if not self._exists(shard):
                continue
            with self._file(shard, create=False) as file:
                base = self._shards[shard].base
                tiles = self._read_group(file, index, number, group, base)
            if tiles is None:
                continue
            found = True
            for tile, data in zip(group, tiles, strict=True):
                pixels = np.frombuffer(data, self._dtype).reshape(self._plan.tile)
                self._plan.paste(frame, tile, pixels)
        return frame if found else None

    def _read_group(
        self, file: DataFile, index: Index, number: int, group: TileGroup, base: int
    ) -> list[bytes] | None:
        """Return the pixels of one frame in the tiles of a group."""
        places = self._places(self._entries_at(file, number), group)
        if places[0][0] == MISSING:
            return None
        return [self._codec.decode(file.read_at(*place)) for place in places]

    def _entries_at(self, file: DataFile, number: int) -> bytes:
        """Return the entries of a block."""
        return file.read_at(number, self._in_block * ENTRY)

    def _places(self, entries: bytes, group: TileGroup) -> list[tuple[int, int]]:
        """Return offset and length of each chunk of a block, from its entries."""
        rows, columns = group.shape
        table = np.frombuffer(entries, "<u8").reshape(*self._plan.tile_span, 2)
        return [(a, b) for a, b in table[:rows, :columns].reshape(-1, 2).tolist()]


def seal(file: DataFile, entries: int, tail: int) -> None:
    """Append the index of a shard, with a checksum, behind its last chunk.

    Parameters
    ----------
    file : DataFile
        A shard whose index, without a checksum, is at its start.
    entries : int
        Number of chunks that the index lists.
    tail : int
        Where the last chunk ends; what is behind it is dropped.
    """
    index = file.read_at(0, entries * ENTRY)
    file.truncate(tail)
    file.write_at(tail, index, crc32c(index).to_bytes(4, "little"))


def _runs(entries: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Join entries that lie one behind the other."""
    where, run = -1, b""
    for offset, data in sorted(entries):
        if run and offset == where + len(run):
            run += data
            continue
        if run:
            yield where, run
        where, run = offset, data
    if run:
        yield where, run
