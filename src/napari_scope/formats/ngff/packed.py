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
of the file, so the old index stays right for a reader that knows the old metadata.

A chunk of several frames that is not complete yet lies, in the stored form of its
codec (see `codecs`), behind the room that compressed chunks can ever take; the file is
sparse. When its last frame has come, it is compressed, appended, its entry changed,
and once no chunk is open the file is cut behind its last chunk. A reader of another
process that looks a chunk up just before that and reads it just after has to look
again.

Source: Zarr v3 ``sharding_indexed`` codec.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from crc32c import crc32c

from napari_scope.formats.ngff.shards import MISSING, ChunkStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.fileio import DataFile
    from napari_scope.formats.ngff.chunks import ChunkPlan, TileGroup
    from napari_scope.formats.ngff.codecs import ChunkCodec, Helpers
    from napari_scope.formats.ngff.shards import Piece

__all__ = ["DecodedBlock", "PackedWriter", "seal"]

_ENTRY = 16  # offset and length
_AT_ONCE_BYTES = 16 * 1024 * 1024  # of pixels that are compressed before a write
_MOST_LOOKS = 1000

Index = tuple[int, ...]


class DecodedBlock:
    """The chunks that were decoded last, for all arrays of a store.

    Reading the frames of a deep chunk one after the other decodes it once.
    """

    def __init__(self) -> None:
        self._entry: tuple[object, list[bytes]] | None = None
        self._lock = threading.Lock()

    def get(self, key: object) -> list[bytes] | None:
        """Return the contents of the chunks, if they are those of the last call."""
        with self._lock:
            if self._entry is not None and self._entry[0] == key:
                return self._entry[1]
            return None

    def put(self, key: object, contents: list[bytes]) -> None:
        """Keep the contents of chunks in place of those kept so far."""
        with self._lock:
            self._entry = key, contents


@dataclass(slots=True)
class _Shard:
    """What the writer knows of a file."""

    tail: int
    open: dict[Index, int] = field(default_factory=dict)  # block -> where it is stored
    stored: int = 0  # length of what is stored behind the compressed chunks


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
    decoded : DecodedBlock
        What was decoded last.
    """

    def __init__(
        self,
        folder: Path,
        plan: ChunkPlan,
        dtype: npt.DTypeLike,
        codec: ChunkCodec,
        helpers: Helpers,
        decoded: DecodedBlock,
    ) -> None:
        super().__init__(folder)
        self._plan = plan
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._codec = codec
        self._helpers = helpers
        self._decoded = decoded
        self._groups = plan.groups()
        self._tile_bytes = math.prod(plan.tile) * self._dtype.itemsize
        self._chunk_bytes = self._tile_bytes * plan.frames_in_chunk
        self._slot = codec.stored_size(self._chunk_bytes)
        self._in_block = math.prod(plan.tile_span)
        self._entries = math.prod(plan.span) * self._in_block
        self._base = self._entries * (_ENTRY + codec.bound(self._chunk_bytes))
        self._shards: dict[Index, _Shard] = {}
        self._awaited: dict[Index, int] = {}  # frames that blocks still wait for
        self._writing = threading.RLock()

    @property
    def at_once(self) -> bool:
        """Whether a frame is written in little time, each like any other."""
        return self._plan.frames_in_chunk == 1

    # ------------------------------------------------------------- writing

    def write(self, index: Index, frame: npt.NDArray[np.generic]) -> None:
        """Write one frame; on return it survives a killed process."""
        self.write_all([(index, frame)])

    def write_all(
        self, frames: Sequence[tuple[Index, npt.NDArray[np.generic]]]
    ) -> None:
        """Write frames; they are compressed together."""
        with self._writing:
            if self._plan.frames_in_chunk > 1:
                for index, frame in frames:
                    self._store(index, np.asarray(frame, self._dtype))
                    self._came(index)
                return
            frame_bytes = math.prod(self._plan.frame) * self._dtype.itemsize
            step = max(1, _AT_ONCE_BYTES // frame_bytes)
            for start in range(0, len(frames), step):
                self._append(frames[start : start + step])

    def skip(self, index: Index) -> None:
        """Note that a frame will not come."""
        if self._plan.frames_in_chunk > 1:
            with self._writing:
                self._came(index)

    def _append(self, frames: Sequence[tuple[Index, npt.NDArray[np.generic]]]) -> None:
        """Compress frames and append them, all of one file with one write."""
        pixels = [(index, np.asarray(frame, self._dtype)) for index, frame in frames]
        tiles = [tile for group in self._groups for tile in group]
        tasks = [(frame, tile) for _, frame in pixels for tile in tiles]
        done = iter(self._helpers.map(self._encode_tile, tasks))
        shards: dict[Index, list[tuple[int, TileGroup, list[bytes]]]] = {}
        for index, _ in pixels:
            for group in self._groups:
                shard, number = self._entry_of(index, group)
                packed = [next(done) for _ in group]
                shards.setdefault(shard, []).append((number, group, packed))
        for shard, parts in shards.items():
            with self._file(shard, create=True) as file:
                self._append_blocks(file, self._shards[shard], parts)
            self._changed(shard)

    def _encode_tile(
        self, task: tuple[npt.NDArray[np.generic], tuple[int, int]]
    ) -> bytes:
        return self._codec.encode(self._plan.cut(*task, self._helpers.scratch))

    def _append_blocks(
        self,
        file: DataFile,
        state: _Shard,
        parts: Sequence[tuple[int, TileGroup, list[bytes]]],
    ) -> None:
        """Append the chunks of blocks, then write their entries."""
        offset = state.tail
        entries: list[tuple[int, bytes]] = []
        for number, group, packed in parts:
            table = self._table()
            for at, data in zip(np.ndindex(group.shape), packed, strict=True):
                table[at] = offset, len(data)
                offset += len(data)
            entries.append((number, table.tobytes()))
        file.write_at(state.tail, *(data for _, _, packed in parts for data in packed))
        state.tail = offset
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
        return shard + group.shard, number * self._in_block * _ENTRY

    def _initial(self, shard: Index) -> tuple[int, Sequence[Piece]]:
        size = self._entries * _ENTRY
        self._shards[shard] = _Shard(size)
        # One byte of each is 255: the whole index is "missing".
        return size, [(0, b"\xff" * size)]

    # ------------------------------------------------------------- deep chunks

    def _store(self, index: Index, pixels: npt.NDArray[np.generic]) -> None:
        """Write a frame into its chunks, which are in the stored form."""
        block, place = self._plan.locate(index)
        start = place * self._tile_bytes
        for group in self._groups:
            shard, number = self._entry_of(index, group)
            with self._file(shard, create=True) as file:
                state = self._shards[shard]
                where = state.open.get(block)
                first = where is None
                if where is None:
                    where = self._open_block(file, state, group)
                for n, tile in enumerate(group):
                    data = self._plan.cut(pixels, tile).data.cast("B")
                    offset = where + n * self._slot + self._codec.stored_offset(start)
                    buffers = self._codec.stored_buffers(self._chunk_bytes, start, data)
                    file.write_at(offset, *buffers)
                if first:
                    table = self._table()
                    for n, at in enumerate(np.ndindex(group.shape)):
                        table[at] = where + n * self._slot, self._slot
                    file.write_at(number, table.tobytes())
                    state.open[block] = where
            self._changed(shard)

    def _open_block(self, file: DataFile, state: _Shard, group: TileGroup) -> int:
        """Make room for the chunks of a block; they are zero."""
        where = self._base + state.stored
        count = math.prod(group.shape)
        file.truncate(where + count * self._slot)
        for n in range(count):
            for offset, data in self._codec.stored_head(self._chunk_bytes):
                file.write_at(where + n * self._slot + offset, data)
        state.stored += count * self._slot
        return where

    def _came(self, index: Index) -> None:
        """Count a frame; compress its chunks if it was the last."""
        block, _ = self._plan.locate(index)
        awaited = self._awaited.pop(block, self._plan.frames_of(block)) - 1
        if awaited:
            self._awaited[block] = awaited
            return
        for group in self._groups:
            shard, number = self._entry_of(index, group)
            state = self._shards.get(shard)
            if state is not None and block in state.open:
                with self._file(shard, create=False) as file:
                    self._complete(file, state, block, number, group)
                self._changed(shard)

    def _complete(
        self, file: DataFile, state: _Shard, block: Index, number: int, group: TileGroup
    ) -> None:
        """Compress the chunks of a block, append them and give up their old place."""
        where = state.open[block]

        first = self._codec.stored_offset(0)

        def encode(n: int) -> bytes:
            data = self._helpers.scratch(self._slot - first)
            file.read_into(where + n * self._slot + first, data)
            contents = self._codec.stored_contents(0, data)
            return self._codec.encode(np.frombuffer(contents, self._dtype))

        packed = self._helpers.map(encode, range(math.prod(group.shape)))
        self._append_blocks(file, state, [(number, group, packed)])
        del state.open[block]
        if not state.open:
            file.truncate(state.tail)
            state.stored = 0

    def finish(self) -> bool:
        """Compress what waits for frames and append the index to each file."""
        with self._writing:
            for shard in self.written_shards():
                state = self._shards[shard]
                with self._file(shard, create=False) as file:
                    for block in sorted(state.open):
                        group = self._group_at(shard)
                        _, number = self._entry_of(self._first_of(block), group)
                        self._complete(file, state, block, number, group)
                    seal(file, self._entries, state.tail)
                self._changed(shard)
        return True

    def _group_at(self, shard: Index) -> TileGroup:
        return next(g for g in self._groups if g.shard == shard[-2:])

    def _first_of(self, block: Index) -> Index:
        return tuple(b * d for b, d in zip(block, self._plan.depth, strict=True))

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
                tiles = self._read_group(file, index, number, group)
            if tiles is None:
                continue
            found = True
            for tile, data in zip(group, tiles, strict=True):
                pixels = np.frombuffer(data, self._dtype).reshape(self._plan.tile)
                self._plan.paste(frame, tile, pixels)
        return frame if found else None

    def _read_group(
        self, file: DataFile, index: Index, number: int, group: TileGroup
    ) -> list[bytes] | None:
        """Return the pixels of one frame in the tiles of a group."""
        block, place = self._plan.locate(index)
        start = place * self._tile_bytes
        for entries in self._looks(file, number):
            rows, columns = group.shape
            table = np.frombuffer(entries, "<u8").reshape(*self._plan.tile_span, 2)
            places = table[:rows, :columns].reshape(-1, 2).tolist()
            if places[0][0] == MISSING:
                return None
            if places[0][0] >= self._base:
                first = self._codec.stored_offset(start)
                last = self._codec.stored_offset(start + self._tile_bytes - 1)
                size = last + 1 - first
                parts = [file.read_at(at + first, size) for at, _ in places]
                if self._entries_at(file, number) == entries:
                    return [
                        bytes(self._codec.stored_contents(start, memoryview(part)))
                        for part in parts
                    ]
                continue
            if self._plan.frames_in_chunk == 1:
                return [self._codec.decode(file.read_at(*p)) for p in places]
            key = (id(self), block, group.shard)
            contents = self._decoded.get(key)
            if contents is None:
                contents = [self._codec.decode(file.read_at(*p)) for p in places]
                self._decoded.put(key, contents)
            return [data[start : start + self._tile_bytes] for data in contents]
        raise OSError(f"{file.path}: its index does not stay the same")

    def _looks(self, file: DataFile, number: int) -> Iterator[bytes]:
        """Return the entries of a block again and again, for one who reads stored form.

        Stored chunks are given up when their frames are complete; who read one and
        finds its entry changed has to look again.
        """
        for _ in range(_MOST_LOOKS):
            yield self._entries_at(file, number)

    def _entries_at(self, file: DataFile, number: int) -> bytes:
        return file.read_at(number, self._in_block * _ENTRY)


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
    index = file.read_at(0, entries * _ENTRY)
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
