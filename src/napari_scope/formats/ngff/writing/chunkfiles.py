"""Compressed chunks of Zarr v2: one file each, complete under its name or not there.

A chunk of one frame is written beside its place and then takes its name, so that no
reader finds a part of it. A chunk of several frames lies in its file in the stored form
of its codec (see `codecs`) while its frames come; when it is complete, the compressed
file takes its place. Every reader is right all the time.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ngff.writing.shards import ChunkStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ngff.writing.chunks import ChunkPlan
    from napari_scope.formats.ngff.writing.codecs import ChunkCodec, Helpers
    from napari_scope.formats.ngff.writing.deep import DecodedBlock
    from napari_scope.formats.ngff.writing.shards import Piece

__all__ = ["ChunkFileWriter"]

_AT_ONCE_BYTES = 16 * 1024 * 1024  # of pixels that are compressed before a write

Index = tuple[int, ...]


class ChunkFileWriter(ChunkStore):
    """The chunk files of one compressed array of Zarr v2; frames in any order.

    Frames and news of skipped ones may come from two threads; each frame comes once.

    Parameters
    ----------
    folder : Path
        Folder of the array.
    plan : ChunkPlan
        How it is cut; a shard is one chunk.
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
        super().__init__(folder, prefix=())
        self._plan = plan
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._codec = codec
        self._helpers = helpers
        self._decoded = decoded
        self._tiles = list(np.ndindex(plan.tiles))
        self._tile_bytes = math.prod(plan.tile) * self._dtype.itemsize
        self._chunk_bytes = self._tile_bytes * plan.frames_in_chunk
        self._open: set[Index] = set()  # blocks in the stored form
        self._awaited: dict[Index, int] = {}
        self._times: dict[Index, int] = {}  # that a block was stored again
        self._writing = threading.RLock()

    @property
    def at_once(self) -> bool:
        """Whether a frame is written in little time, each like any other."""
        return False

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
                self._write_whole(frames[start : start + step])

    def skip(self, index: Index) -> None:
        """Note that a frame will not come."""
        if self._plan.frames_in_chunk > 1:
            with self._writing:
                self._came(index)

    def _write_whole(
        self, frames: Sequence[tuple[Index, npt.NDArray[np.generic]]]
    ) -> None:
        tasks = [
            (index + tile, np.asarray(frame, self._dtype), tile)
            for index, frame in frames
            for tile in self._tiles
        ]
        scratch = self._helpers.scratch
        packed = self._helpers.map(
            lambda task: self._codec.encode(self._plan.cut(*task[1:], scratch)), tasks
        )
        for (chunk, _, _), data in zip(tasks, packed, strict=True):
            self._replace(chunk, data)

    def _replace(self, chunk: Index, data: bytes) -> None:
        """Give a chunk its file, or another one."""
        path = self.path(chunk)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            entry = self._files.pop(chunk, None)
        if entry is not None:
            entry.file.close()  # once those who read it are done
        replace_file(path, data)
        with self._lock:
            self._made.add(chunk)
            self._unsynced.add(chunk)

    def _store(self, index: Index, pixels: npt.NDArray[np.generic]) -> None:
        """Write a frame into its chunks, which are in the stored form."""
        block, place = self._plan.locate(index)
        start = place * self._tile_bytes
        if block not in self._open:
            with self._lock:
                self._open.add(block)
                self._times[block] = self._times.get(block, 0) + 1
                there = [t for t in self._tiles if block + t in self._made]
            for tile in there:
                self._bring_back(block + tile)
        for tile in self._tiles:
            data = self._plan.cut(pixels, tile).data.cast("B")
            buffers = self._codec.stored_buffers(self._chunk_bytes, start, data)
            with self._file(block + tile, create=True) as file:
                file.write_at(self._codec.stored_offset(start), *buffers)
            self._changed(block + tile)

    def _bring_back(self, chunk: Index) -> None:
        """Store a chunk that was finished without all its frames."""
        contents = memoryview(self._contents(chunk))
        stored = bytearray(self._codec.stored_size(self._chunk_bytes))
        pieces = self._codec.stored_head(self._chunk_bytes)
        start = self._codec.stored_offset(0)
        buffers = self._codec.stored_buffers(self._chunk_bytes, 0, contents)
        for offset, data in [*pieces, (start, b"".join(buffers))]:
            stored[offset : offset + len(data)] = data
        self._replace(chunk, bytes(stored))

    def _take_over_frames(self, came: Iterable[Index]) -> None:
        if self._plan.frames_in_chunk > 1:
            for index in came:
                self._awaited_less(index)

    def _take_over_file(self, shard: Index, path: Path) -> None:
        """Leave it as it is: it is replaced when a frame comes."""

    def _came(self, index: Index) -> None:
        """Count a frame; compress its chunks if it was the last."""
        block, awaited = self._awaited_less(index)
        if not awaited and block in self._open:
            self._complete(block)

    def _awaited_less(self, index: Index) -> tuple[Index, int]:
        """Count a frame; returns its block, and how many frames are still awaited."""
        block, _ = self._plan.locate(index)
        awaited = self._awaited.pop(block, self._plan.frames_of(block)) - 1
        if awaited:
            self._awaited[block] = awaited
        return block, awaited

    def _complete(self, block: Index) -> None:
        """Compress the chunks of a block."""

        def encode(tile: Index) -> bytes:
            with DataFile.open(self.path(block + tile)) as file:
                contents = self._codec.decode(file.read_at(0, file.size()))
            return self._codec.encode(np.frombuffer(contents, self._dtype))

        packed = self._helpers.map(encode, self._tiles)
        with self._lock:
            self._open.remove(block)
        for tile, data in zip(self._tiles, packed, strict=True):
            self._replace(block + tile, data)

    def finish(self) -> bool:
        """Compress what waits for frames."""
        with self._writing:
            for block in sorted(self._open):
                self._complete(block)
        return False

    def read(self, index: Index) -> npt.NDArray[np.generic] | None:
        """Read one frame back, or None where none of its chunks exists."""
        block, place = self._plan.locate(index)
        start = place * self._tile_bytes
        with self._lock:
            present = all(block + tile in self._made for tile in self._tiles)
            stored = block in self._open
            times = self._times.get(block, 0)
        if not present:
            return None
        frame = np.empty(self._plan.frame, self._dtype)
        key = (id(self), block, times)
        contents = None if stored else self._decoded.get(key)
        if contents is None:
            contents = [self._contents(block + tile) for tile in self._tiles]
            if not stored and self._plan.frames_in_chunk > 1:
                self._decoded.put(key, contents)
        for tile, data in zip(self._tiles, contents, strict=True):
            part = np.frombuffer(data[start : start + self._tile_bytes], self._dtype)
            self._plan.paste(frame, tile, part.reshape(self._plan.tile))
        return frame

    def _contents(self, chunk: Index) -> bytes:
        with DataFile.open(self.path(chunk)) as file:
            return self._codec.decode(file.read_at(0, file.size()))

    def _initial(self, shard: Index) -> tuple[int, Sequence[Piece]]:
        size = self._codec.stored_size(self._chunk_bytes)
        return size, self._codec.stored_head(self._chunk_bytes)
