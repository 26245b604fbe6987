"""Compressed Zarr v3 shards whose chunks are several frames deep.

Frames that are written together and complete a chunk are compressed at once. A chunk
that is not complete yet lies, in the stored form of its codec (see `codecs`), behind
the room that compressed chunks can ever take; the file is sparse. When its last frame
has come, it is compressed, appended, its entry changed, and once no chunk is open the
file is cut behind its last chunk. A reader of another process that looks a chunk up
just before that and reads it just after has to look again.

What was made safe against a loss of power stays so: the compressed chunk is made safe
before its entry is changed, and the entry before the file is cut.

A chunk that was finished without some of its frames, as the last one of a run that goes
on, takes the way back: its contents are stored, and then the new frame.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_scope.formats.ngff.writing.packed import PackedWriter
from napari_scope.formats.ngff.writing.shard_files import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.fileio import DataFile
    from napari_scope.formats.ngff.writing.chunks import ChunkPlan, TileGroup
    from napari_scope.formats.ngff.writing.codecs import ChunkCodec, Helpers
    from napari_scope.formats.ngff.writing.packed import PackedShard

    # Frames of a block: index, number within the block, pixels.
    Members: TypeAlias = list[tuple["Index", int, npt.NDArray[np.generic]]]
    _Part: TypeAlias = tuple[int, TileGroup, list[list[bytes]]]

__all__ = ["DecodedBlock", "DeepWriter"]

_AT_ONCE_BYTES = 128 * 1024 * 1024  # of chunks that are compressed before a write
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


@dataclass(frozen=True, slots=True)
class _Task:
    """A chunk of several frames that is to be compressed.

    Parameters
    ----------
    block : tuple of int
        Its block.
    shard : tuple of int
        Its file.
    number : int
        Where the entries of the block begin.
    group : TileGroup
        The tiles that lie in that file.
    members : sequence
        Frames that are in hand.
    tile : int
        Number of the tile.
    """

    block: Index
    shard: Index
    number: int
    group: TileGroup
    members: Members
    tile: int = 0


class DeepWriter(PackedWriter):
    """The shard files of one compressed array; frames in any order.

    Frames and news of skipped ones may come from two threads; each frame comes once.

    Parameters
    ----------
    folder, plan, dtype, codec, helpers
        See `PackedWriter`.
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
        super().__init__(folder, plan, dtype, codec, helpers)
        self._decoded = decoded
        self._slot = codec.stored_size(self._chunk_bytes)
        self._awaited: dict[Index, int] = {}  # frames that blocks still wait for

    @property
    def at_once(self) -> bool:
        """Whether a frame is written in little time, each like any other."""
        return False

    @property
    def ahead(self) -> int:
        """Bytes of frames that are worth preparing at a time; 0 for none."""
        return 0

    # ------------------------------------------------------------- writing

    def write_all(
        self, frames: Sequence[tuple[Index, npt.NDArray[np.generic]]]
    ) -> None:
        """Compress blocks whose frames are all there now; store what has to wait."""
        with self._writing:
            self._write(frames)

    def _write(self, frames: Sequence[tuple[Index, npt.NDArray[np.generic]]]) -> None:
        blocks: dict[Index, Members] = {}
        for index, frame in frames:
            block, place = self._plan.locate(index)
            pixels = np.asarray(frame, self._dtype)
            blocks.setdefault(block, []).append((index, place, pixels))
        complete: dict[Index, Members] = {}
        for block, members in blocks.items():
            awaited = self._awaited.get(block, self._plan.frames_of(block))
            if len(members) < awaited:
                for index, _, pixels in members:
                    self._store(index, pixels)
                self._awaited[block] = awaited - len(members)
            else:
                complete[block] = members
        block_bytes = self._chunk_bytes * math.prod(self._plan.tiles)
        step = max(1, _AT_ONCE_BYTES // block_bytes)
        items = list(complete.items())
        for start in range(0, len(items), step):
            self._complete(dict(items[start : start + step]))

    def skip(self, index: Index) -> None:
        """Note that a frame will not come."""
        with self._writing:
            self._came(index)

    def sync(self) -> None:
        """Wait until what was written survives a loss of power."""
        with self._writing:
            for state in self._shards.values():
                state.synced = state.stored > 0
        super().sync()

    def finish(self) -> bool:
        """Compress what waits for frames and append the index to each file."""
        with self._writing:
            for block in sorted({b for s in self._shards.values() for b in s.open}):
                self._complete({block: []})
            return super().finish()

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
                    if self._bring_back(file, number, group, where):
                        file.sync()  # before the entry says that it is there
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

    def _open_block(self, file: DataFile, state: PackedShard, group: TileGroup) -> int:
        """Make room for the chunks of a block; they are zero."""
        where = state.base + state.stored
        count = math.prod(group.shape)
        file.truncate(where + count * self._slot)
        for n in range(count):
            for offset, data in self._codec.stored_head(self._chunk_bytes):
                file.write_at(where + n * self._slot + offset, data)
        state.stored += count * self._slot
        return where

    def _bring_back(
        self, file: DataFile, number: int, group: TileGroup, where: int
    ) -> bool:
        """Store the contents of chunks that were finished without all their frames.

        Returns
        -------
        bool
            Whether there were any.
        """
        found = False
        for n, (offset, length) in enumerate(
            self._places(self._entries_at(file, number), group)
        ):
            if offset != MISSING:
                data = memoryview(self._codec.decode(file.read_at(offset, length)))
                at = where + n * self._slot + self._codec.stored_offset(0)
                buffers = self._codec.stored_buffers(self._chunk_bytes, 0, data)
                file.write_at(at, *buffers)
                found = True
        return found

    def _came(self, index: Index) -> None:
        """Count a frame that will not come; compress its chunks if it was the last."""
        block, awaited = self._awaited_less(index)
        if not awaited and self._is_open(block):
            self._complete({block: []})

    def _is_open(self, block: Index) -> bool:
        """Return whether frames of a block are stored."""
        shard, _ = self._entry_of(self._first_of(block), self._groups[0])
        return shard in self._shards and block in self._shards[shard].open

    def _awaited_less(self, index: Index) -> tuple[Index, int]:
        """Count a frame; returns its block, and how many frames are still awaited."""
        block, _ = self._plan.locate(index)
        awaited = self._awaited.pop(block, self._plan.frames_of(block)) - 1
        if awaited:
            self._awaited[block] = awaited
        return block, awaited

    def _complete(self, blocks: Mapping[Index, Members]) -> None:
        """Compress the chunks of blocks and append them; nothing of them stays stored.

        Parameters
        ----------
        blocks : mapping
            Frames that are not stored, of each block.
        """
        tasks: list[_Task] = []
        for block, members in blocks.items():
            first = self._first_of(block)
            for group in self._groups:
                shard, number = self._entry_of(first, group)
                task = _Task(block, shard, number, group, members)
                tasks += [replace(task, tile=n) for n in range(math.prod(group.shape))]
        done = iter(self._helpers.map(self._encode_block, tasks))
        parts: dict[Index, dict[tuple[int, Index], _Part]] = {}
        for task in tasks:
            part = parts.setdefault(task.shard, {}).setdefault(
                (task.number, task.block), (task.number, task.group, [])
            )
            part[2].append([next(done)])
        for shard, found in parts.items():
            with self._file(shard, create=True) as file:
                state = self._shards[shard]
                self._append_blocks(file, state, list(found.values()))
                stored = bool(state.open)
                for _, block in found:
                    state.open.pop(block, None)
                if stored and not state.open:
                    if state.synced:
                        file.sync()  # the entries must not be behind the cut
                    file.truncate(state.tail)
                    state.stored, state.synced = 0, False
            self._changed(shard)
        for block in blocks:
            self._awaited.pop(block, None)

    def _encode_block(self, task: _Task) -> bytes:
        """Put together what is stored of a chunk and what is in hand; compress it."""
        depth = self._plan.frames_in_chunk
        data = self._helpers.scratch(self._chunk_bytes)
        chunk = np.frombuffer(data, self._dtype).reshape(depth, *self._plan.tile)
        if len(task.members) < depth:
            self._read_back(task, data)
        tile = list(task.group)[task.tile]
        for _, place, pixels in task.members:
            self._plan.cut_into(pixels, tile, chunk[place])
        return self._codec.encode(chunk)

    def _read_back(self, task: _Task, data: memoryview) -> None:
        """Read what there is of a chunk; where there is nothing it is zero."""
        if task.shard in self._shards:
            with self._file(task.shard, create=False) as file:
                entries = self._entries_at(file, task.number)
                places = self._places(entries, task.group)
                offset, length = places[task.tile]
                base = self._shards[task.shard].base
                first = self._codec.stored_offset(0)
                if base <= offset != MISSING and length == first + len(data):
                    file.read_into(offset + first, data)  # stored in one piece
                    return
                if offset != MISSING:
                    data[:] = self._codec.decode(file.read_at(offset, length))
                    return
        np.frombuffer(data, "u1")[:] = 0

    def _first_of(self, block: Index) -> Index:
        return tuple(b * d for b, d in zip(block, self._plan.depth, strict=True))

    def _take_over_frames(self, came: Iterable[Index]) -> None:
        for index in came:
            self._awaited_less(index)

    # ------------------------------------------------------------- reading

    def _read_group(
        self, file: DataFile, index: Index, number: int, group: TileGroup, base: int
    ) -> list[bytes] | None:
        block, place = self._plan.locate(index)
        start = place * self._tile_bytes
        for entries in self._looks(file, number):
            places = self._places(entries, group)
            if places[0][0] == MISSING:
                return None
            if places[0][0] >= base:
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
            key = (id(self), block, group.shard, entries)
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
