"""Uncompressed Zarr v3 shards that are valid for every reader from their first byte.

The chunks of an uncompressed shard have a known size, so the place of each is known
before any exists. When a shard file is made, its length and the whole index at its
end are written; the chunks in between are a hole that takes no room and reads as
zeros, which is the fill value. A frame is then a single positional write: no index is
touched, any order is possible, a killed process leaves a valid file, and nothing has
to be rewritten when the store is closed.

`ShardGrid` is the arithmetic, `ChunkStore` the files of any array that we write, and
`ShardWriter` the short way for the usual case of one chunk for each frame. None of them
knows of OME, channels or frames' metadata.

Source: Zarr v3 ``sharding_indexed`` codec (index of offset and length pairs, little
endian, CRC32C at its end, 2**64 - 1 for a chunk that does not exist).
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from crc32c import crc32c

from napari_scope.fileio import DataFile
from napari_scope.formats.ngff.writing.shard_files import (
    ENTRY,
    MISSING,
    array_files,
    end_index,
    moves,
    rewrite,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Piece: TypeAlias = tuple[int, bytes]

__all__ = ["ChunkStore", "ShardGrid", "ShardWriter", "choose_shard"]

DEFAULT_SHARD_BYTES = 1 << 30
"""A file of this size is quick to copy and a store of a terabyte has a thousand."""

MAX_CHUNKS = 4096  # keeps a shard's index at 64 KiB: one cheap read for any reader

OPEN_FILES = 64
"""Files that one writer keeps open; systems start at a limit of 256."""


def choose_shard(
    shape: tuple[int, ...],
    frame_bytes: int,
    *,
    limit: int = DEFAULT_SHARD_BYTES,
    most: int = MAX_CHUNKS,
    given: Sequence[int | None] | None = None,
) -> tuple[int, ...]:
    """Return how many frames a shard spans on each index axis.

    The fastest axes are filled first, so that neighbouring frames share a file.

    Parameters
    ----------
    shape : tuple of int
        Number of frames on each axis; 0 stands for an axis that will grow.
    frame_bytes : int
        Size of a frame in bytes.
    limit : int
        Largest size of a shard in bytes; a single frame may be larger.
    most : int
        Most frames in a shard.
    given : sequence of int or None, optional
        Spans that somebody else has chosen, with None where nobody did.

    Examples
    --------
    >>> choose_shard((100, 3, 20), 1 << 20, limit=1 << 27)
    (2, 3, 20)
    """
    wanted = list(given or [None] * len(shape))
    room = max(1, min(limit // max(1, frame_bytes), most))
    room = max(1, room // math.prod(span or 1 for span in wanted))
    spans: list[int] = []
    for size, chosen in zip(reversed(shape), reversed(wanted), strict=True):
        if chosen is not None:
            spans.append(chosen)
            room = room if size and chosen >= size else 1
            continue
        span = room if size == 0 else max(1, min(size, room))
        spans.append(span)
        # Only an axis that is covered whole leaves room for the next slower one.
        room = room // span if span == size else 1
        room = max(1, room)
    return tuple(reversed(spans))


@dataclass(frozen=True, slots=True)
class ShardGrid:
    """Where each frame lies: which shard file, at which offset.

    Parameters
    ----------
    shape : tuple of int
        Number of frames on each index axis; 0 for an axis that grows.
    span : tuple of int
        Number of frames that a shard covers on each axis.
    frame_bytes : int
        Size of a frame in bytes.
    """

    shape: tuple[int, ...]
    span: tuple[int, ...]
    frame_bytes: int

    def locate(self, index: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
        """Return the coordinates of the shard and the offset in its file."""
        shard = tuple(i // n for i, n in zip(index, self.span, strict=True))
        extent = self.extent(shard)
        place = 0
        for i, n, size in zip(index, self.span, extent, strict=True):
            place = place * size + i % n
        return shard, place * self.frame_bytes

    def extent(self, shard: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many frames of a shard lie inside the array on each axis."""
        return tuple(
            span if size == 0 else min(span, size - s * span)
            for s, span, size in zip(shard, self.span, self.shape, strict=True)
        )

    def data_bytes(self, shard: tuple[int, ...]) -> int:
        """Return the length of the chunks of a shard, without its index."""
        return math.prod(self.extent(shard)) * self.frame_bytes

    def index(self, shard: tuple[int, ...]) -> bytes:
        """Return the complete index of a shard, with its checksum."""
        table = np.full((*self.span, 2), MISSING, "<u8")
        extent = self.extent(shard)
        count = math.prod(extent)
        inside = tuple(slice(0, n) for n in extent)
        offsets = np.arange(count, dtype="<u8") * np.uint64(self.frame_bytes)
        table[..., 0][inside] = offsets.reshape(extent)
        table[..., 1][inside] = self.frame_bytes
        data = table.tobytes()
        return data + crc32c(data).to_bytes(4, "little")


@dataclass(slots=True)
class _Entry:
    """An open file and how many calls are using it."""

    file: DataFile
    users: int = 0


class ChunkStore(ABC):
    """The files of one array: few are open at a time, all are made safe by `sync`.

    Frames are written by one thread at a time, read by any.

    Parameters
    ----------
    folder : Path
        Folder of the array (where its metadata are).
    prefix, suffix : tuple of str
        Parts of the path before and after the coordinates of a file.
    """

    def __init__(
        self,
        folder: Path,
        prefix: tuple[str, ...] = ("c",),
        suffix: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self._prefix = prefix
        self._suffix = suffix
        self._files: OrderedDict[tuple[int, ...], _Entry] = OrderedDict()
        self._made: set[tuple[int, ...]] = set()
        self._unsynced: set[tuple[int, ...]] = set()
        self._lock = threading.Lock()
        self._closed = False

    @abstractmethod
    def write(self, index: tuple[int, ...], frame: npt.NDArray[np.generic]) -> None:
        """Write one frame; on return it survives a killed process."""

    @abstractmethod
    def read(self, index: tuple[int, ...]) -> npt.NDArray[np.generic] | None:
        """Read one frame back, or None where its file does not exist."""

    @abstractmethod
    def _initial(self, shard: tuple[int, ...]) -> tuple[int, Sequence[Piece]]:
        """Return the length of a new file, and what is in it (offset, bytes)."""

    def take_over(self, came: Iterable[tuple[int, ...]] = ()) -> None:
        """Get ready to add frames to a finished array; of a new one this is all.

        Files that lie otherwise than this writer makes them are written once more.

        Parameters
        ----------
        came : iterable of tuple of int
            Frames that were written or skipped before.

        Raises
        ------
        FormatError
            If a file is damaged.
        """
        for parts, path in array_files(self.folder):
            first, last = len(self._prefix), len(parts) - len(self._suffix)
            numbers = [part for part in parts[first:last] if part.isdecimal()]
            shard = tuple(map(int, numbers))
            if path == self.path(shard):  # and not the metadata
                self._take_over_file(shard, path)
                self._made.add(shard)
        self._take_over_frames(came)

    def _take_over_file(self, shard: tuple[int, ...], path: Path) -> None:
        """Make a file as this writer would have made it, with its chunks."""
        size, pieces = self._initial(shard)
        with DataFile.open(path, writable=True) as file:
            if not pieces:
                if file.size() < size:
                    file.truncate(size)
                return
            ((where, index),) = pieces
            if file.size() == size and file.read_at(where, len(index)) == index:
                return
            count = len(index) // ENTRY
            table = np.frombuffer(index, "<u8", count=2 * count).reshape(-1, 2)
            old = end_index(file, count)
            rewrite(file, size, pieces, moves(old, table, path))

    def _take_over_frames(  # noqa: B027
        self, came: Iterable[tuple[int, ...]]
    ) -> None:
        """Note which frames do not come again."""

    @property
    def at_once(self) -> bool:
        """Whether a frame is written in little time, each like any other."""
        return True

    @property
    def ahead(self) -> int:
        """Bytes of frames that are worth preparing at a time; 0 for none."""
        return 0

    def prepare(  # noqa: B027
        self,
        index: tuple[int, ...],
        frame: npt.NDArray[np.generic],
        also: Callable[[], object],
    ) -> None:
        """Begin to compress a frame, which does not change until it is written.

        ``also`` is called by the thread that does it.
        """

    def prepared(self, index: tuple[int, ...], *, wait: bool) -> bool:
        """Return whether a frame is compressed as far as it can be; see `prepare`.

        Parameters
        ----------
        index : tuple of int
            Any frame.
        wait : bool
            Wait until it is.
        """
        return True

    def write_all(
        self, frames: Sequence[tuple[tuple[int, ...], npt.NDArray[np.generic]]]
    ) -> None:
        """Write frames with their indices; some stores are faster with several."""
        for index, frame in frames:
            self.write(index, frame)

    def skip(self, index: tuple[int, ...]) -> None:  # noqa: B027
        """Note that a frame will not come, so that nothing waits for it."""

    def finish(self) -> bool:
        """Bring all files into their final form; no frame comes afterwards.

        Returns
        -------
        bool
            Whether the metadata of the array have to say so.
        """
        return False

    @contextlib.contextmanager
    def _file(self, shard: tuple[int, ...], *, create: bool) -> Iterator[DataFile]:
        """Lend an open file; it is not closed while lent.

        Input and output happen outside the lock: a reader never waits for a writer
        that a slow disk holds up.
        """
        with self._lock:
            entry = self._files.get(shard)
            if entry is None:
                if create and shard not in self._made:
                    entry = _Entry(self._create(shard))
                    self._made.add(shard)
                else:
                    path = self.path(shard)
                    entry = _Entry(DataFile.open(path, writable=not self._closed))
                self._files[shard] = entry
            self._files.move_to_end(shard)
            entry.users += 1
            spare = self._take_spare()
        for old in spare:
            old.close()
        try:
            yield entry.file
        finally:
            with self._lock:
                entry.users -= 1
                last = self._closed and entry.users == 0
                if last and self._files.get(shard) is entry:
                    del self._files[shard]
            if last:
                entry.file.close()

    def _take_spare(self) -> list[DataFile]:
        """Take out the files that were unused longest, where too many are open."""
        spare: list[DataFile] = []
        for shard in list(self._files):
            if len(self._files) <= OPEN_FILES:
                break
            if self._files[shard].users == 0:
                spare.append(self._files.pop(shard).file)
        return spare

    def _create(self, shard: tuple[int, ...]) -> DataFile:
        """Make a file that is complete, all its frames zero.

        It gets its name only once the index is in it: a reader that lists the folder
        at that moment finds either no file or a valid one.
        """
        path = self.path(shard)
        path.parent.mkdir(parents=True, exist_ok=True)
        size, pieces = self._initial(shard)
        hidden = path.with_name(f".{path.name}.new")
        hidden.unlink(missing_ok=True)  # of an attempt that failed
        file = DataFile.create(hidden)
        try:
            file.truncate(size)
            for offset, data in pieces:
                file.write_at(offset, data)
            if not _RENAMES_OPEN_FILES:
                file.close()
            hidden.rename(path)
        except OSError:
            file.close()
            hidden.unlink(missing_ok=True)
            raise
        return file if _RENAMES_OPEN_FILES else DataFile.open(path, writable=True)

    def path(self, shard: tuple[int, ...]) -> Path:
        """Return the path of a file."""
        return self.folder.joinpath(*self._prefix, *map(str, shard), *self._suffix)

    def _exists(self, shard: tuple[int, ...]) -> bool:
        with self._lock:
            return shard in self._made

    def _changed(self, shard: tuple[int, ...]) -> None:
        with self._lock:
            self._unsynced.add(shard)

    def sync(self) -> None:
        """Wait until what was written survives a loss of power."""
        with self._lock:
            pending, self._unsynced = self._unsynced, set()
        try:
            while pending:
                # Through a descriptor of its own: the file may be one of those that
                # were closed to keep few open.
                shard = next(iter(pending))
                with DataFile.open(self.path(shard), writable=True) as file:
                    file.sync()
                pending.remove(shard)
        finally:
            with self._lock:
                self._unsynced |= pending

    def close(self) -> None:
        """Close all files; reading still works and opens a file for each read."""
        with self._lock:
            self._closed = True
            idle = [s for s, entry in self._files.items() if entry.users == 0]
            files = [self._files.pop(shard).file for shard in idle]
        for file in files:
            file.close()

    def written_shards(self) -> list[tuple[int, ...]]:
        """Return the coordinates of all files that exist."""
        with self._lock:
            return sorted(self._made)


class ShardWriter(ChunkStore):
    """The shard files of one array; frames in any order, from any thread.

    Parameters
    ----------
    folder : Path
        Folder of the array (where its ``zarr.json`` is).
    grid : ShardGrid
        Where each frame lies.
    frame_shape : tuple of int
        Shape of a frame (height, width).
    dtype : numpy.dtype
        Type of the pixels; written little endian.
    """

    def __init__(
        self,
        folder: Path,
        grid: ShardGrid,
        frame_shape: tuple[int, int],
        dtype: npt.DTypeLike,
    ) -> None:
        super().__init__(folder, suffix=("0", "0"))  # never split in y and x
        self._grid = grid
        self._frame_shape = frame_shape
        self._dtype = np.dtype(dtype).newbyteorder("<")

    @property
    def grid(self) -> ShardGrid:
        """Where each frame lies."""
        return self._grid

    def write(self, index: tuple[int, ...], frame: npt.NDArray[np.generic]) -> None:
        """Write one frame; on return it survives a killed process."""
        shard, offset = self._grid.locate(index)
        pixels = np.ascontiguousarray(frame, self._dtype)
        with self._file(shard, create=True) as file:
            file.write_at(offset, pixels)
        with self._lock:
            self._unsynced.add(shard)

    def read(self, index: tuple[int, ...]) -> npt.NDArray[np.generic] | None:
        """Read one frame back, or None where its shard does not exist."""
        shard, offset = self._grid.locate(index)
        with self._lock:
            if shard not in self._made:
                return None
        frame = np.empty(self._frame_shape, self._dtype)
        with self._file(shard, create=False) as file:
            file.read_into(offset, frame.data)
        return frame

    def _initial(self, shard: tuple[int, ...]) -> tuple[int, Sequence[Piece]]:
        index = self._grid.index(shard)
        size = self._grid.data_bytes(shard)
        return size + len(index), [(size, index)]


_RENAMES_OPEN_FILES = os.name != "nt"
