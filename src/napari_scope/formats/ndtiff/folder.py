"""One folder of an NDTiff store while it is written: its TIFF files and their index.

Frames are appended to a TIFF file, then their records to the index, so a process that
is killed leaves an index that knows only frames that are complete. A new file is begun
before one reaches its limit; files are never allocated ahead. What the disk refuses is
taken back.

This module knows frames that were checked and encoded, not how a store is made of
folders: that is the business of the writers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import threading
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.errors import (
    DiskSpaceError,
    FrameError,
    OutputExistsError,
    ScopeError,
    StreamClosedError,
    StreamError,
)
from napari_scope.fileio import DataFile, sync_folder
from napari_scope.formats.ndtiff.encoding import encode_axes
from napari_scope.formats.ndtiff.files import FilePool, FrameLocation
from napari_scope.formats.ndtiff.index import INDEX_NAME, parse_index
from napari_scope.formats.ndtiff.offsets import OffsetTable
from napari_scope.formats.ndtiff.record import HEADER_SIZE
from napari_scope.formats.ndtiff.tiff import GrowingTiff

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.fileio import Buffer
    from napari_scope.formats.ndtiff.columns import IndexTable
    from napari_scope.formats.ndtiff.encoding import (
        AxisKinds,
        FrameLayout,
        PendingFrame,
    )
    from napari_scope.model import Axes

    Frame: TypeAlias = npt.NDArray[np.generic]

__all__ = ["FolderWriter", "quietly", "stream_error"]

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_LENGTH = struct.Struct("<I")
_MAX_NAME = 1024  # bytes of a file name and of the numbers behind it, in a record


class FolderWriter:
    """Writes the files of one folder. Thread safe.

    Parameters
    ----------
    folder : Path
        The folder; it is made if it does not exist.
    stem : str
        Start of the names of the files.
    summary : bytes
        Summary metadata, JSON.
    resolution : int
        Pixels per centimetre.
    max_file_bytes : int
        A new file is begun before one grows beyond this.

    Raises
    ------
    OSError
        The first files could not be written; nothing is left of them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        stem: str,
        summary: bytes,
        resolution: int,
        max_file_bytes: int,
    ) -> None:
        self.folder = folder
        self._stem = stem
        self._summary = summary
        self._resolution = resolution
        self._limit = max_file_bytes
        self._room = max_file_bytes - HEADER_SIZE - len(summary) - 1
        self._lock = threading.Lock()
        self._closed = False
        self._kinds: dict[str, type] = {}
        self._kinds_before: AxisKinds | None = None
        self._layout: FrameLayout | None = None
        self._offsets = OffsetTable()
        self._index_end = 0
        self._tiffs = 0
        self._unsynced: list[str] = []
        self._names_unsynced = True
        self._pool = FilePool(folder)
        with contextlib.ExitStack() as undo:
            if not folder.exists():
                folder.mkdir(parents=True)
                undo.callback(quietly, folder.rmdir)
            self._tiff = self._next_tiff()
            undo.callback(self._tiff.remove)
            self._index = DataFile.create(folder / INDEX_NAME)
            undo.pop_all()

    @property
    def bits(self) -> int:
        """Significant bits of the last frame."""
        return 16 if self._layout is None else self._layout.pixel_type.bits

    def _next_tiff(self) -> GrowingTiff:
        path = self.folder / self._tiff_name(self._tiffs)
        tiff = GrowingTiff(path, self._summary, self._resolution)
        self._tiffs += 1
        self._names_unsynced = True
        return tiff

    def _tiff_name(self, number: int) -> str:
        return f"{self._stem}_{number}.tif" if number else f"{self._stem}.tif"

    def put(self, batch: list[PendingFrame]) -> list[FrameLocation]:
        """Write frames and their records, all or none.

        Raises
        ------
        FrameError
            A frame does not go with those before, or is too large.
        DiskSpaceError, StreamError
            The disk is full or failed.
        StreamClosedError
            The folder is closed.
        """
        with self._lock:
            if self._closed:
                raise self._closed_error()
            if not batch:
                return []
            kinds = self._check(batch)
            tiff, mark = self._tiff, self._tiff.mark
            begun: list[GrowingTiff] = []
            records: list[bytes] = []
            try:
                if len(batch) == 1 and tiff.end + batch[0].nbytes <= self._limit:
                    locations = tiff.append(batch, records)
                else:
                    locations = self._append(batch, records, begun)
                self._index.write_at(self._index_end, b"".join(records))
            except BaseException as error:
                for new in begun:
                    new.remove()
                self._tiffs -= len(begun)
                self._tiff = tiff
                tiff.cut(mark)
                with contextlib.suppress(OSError):
                    self._index.truncate(self._index_end)
                if isinstance(error, OSError) and not isinstance(error, ScopeError):
                    raise stream_error(error, self.folder) from error
                raise
            if begun:
                for full in (tiff, *begun[:-1]):
                    full.close()
                    self._unsynced.append(full.name)
            if kinds:
                self._kinds.update(kinds)
            for number, record in enumerate(records):
                self._offsets.add(batch[number].axes, self._index_end)
                self._index_end += len(record)
            _, self._kinds_before, _, self._layout, _, _ = batch[-1]
            return locations

    def _append(
        self,
        batch: list[PendingFrame],
        records: list[bytes],
        begun: list[GrowingTiff],
    ) -> list[FrameLocation]:
        """Write the frames to as many files as they need."""
        locations: list[FrameLocation] = []
        group: list[PendingFrame] = []
        end = self._tiff.end
        for item in batch:
            if end + item.nbytes > self._limit:
                if group:
                    locations += self._tiff.append(group, records)
                    group = []
                self._tiff.flush()
                self._tiff = self._next_tiff()
                begun.append(self._tiff)
                end = self._tiff.end
            group.append(item)
            end += item.nbytes
        return locations + self._tiff.append(group, records)

    def _check(self, batch: list[PendingFrame]) -> dict[str, type]:
        """Check what depends on the frames before; returns axes that are new."""
        new: dict[str, type] = {}
        for item in batch:
            if item.kinds is self._kinds_before and item.nbytes <= self._room:
                continue
            if item.nbytes > self._room:
                raise FrameError(
                    f"a frame of {item.nbytes} bytes does not fit in a file of "
                    f"{self._limit} bytes",
                    path=self.folder,
                )
            for name, kind in item.kinds:
                before = self._kinds.get(name) or new.setdefault(name, kind)
                if before is not kind:
                    raise FrameError(
                        f"axis {name!r} is {kind.__name__} in this frame but was "
                        f"{before.__name__} before",
                        path=self.folder,
                        hint="NDTiff wants one kind of value for each axis",
                    )
        return new

    def _closed_error(self) -> StreamClosedError:
        return StreamClosedError("the store is closed", path=self.folder)

    def overwrite(self, location: FrameLocation, offset: int, data: Buffer) -> None:
        """Replace pixels of a frame in place, ``offset`` bytes from its first pixel.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed; the pixels may be partly replaced.
        StreamClosedError
            The folder is closed.
        """
        with self._lock:
            if self._closed:
                raise self._closed_error()
            name = location.file
            try:
                if name == self._tiff.name:
                    self._tiff.overwrite(location.pixel_offset + offset, data)
                    return
                with DataFile.open(self.folder / name, writable=True) as file:
                    file.write_at(location.pixel_offset + offset, data)
            except OSError as error:
                raise stream_error(error, self.folder / name) from error
            if name not in self._unsynced:
                self._unsynced.append(name)

    def find(self, axes: Axes) -> FrameLocation | None:
        """Return where the frame with these axes is, or None when there is none.

        Raises
        ------
        FrameError
            These are no axes.
        FormatError
            The index is gone or was cut.
        """
        text, _ = encode_axes(axes)
        start = _LENGTH.pack(len(text)) + text
        with self._lock:
            candidates = list(self._offsets.candidates(text))
            end = self._index_end
        for offset in candidates:
            length = min(end - offset, len(start) + _MAX_NAME)
            record = self._pool.read_bytes(
                INDEX_NAME, offset, length, "record of a frame"
            )
            if record.startswith(start):
                return parse_index(record).location(0)
        return None

    def table(self) -> IndexTable:
        """Return the index as it is now.

        Raises
        ------
        FormatError
            The index is gone or was cut.
        """
        with self._lock:
            end = self._index_end
        return parse_index(self._pool.read_bytes(INDEX_NAME, 0, end, "records"))

    def read(self, location: FrameLocation) -> Frame:
        """Return the pixels of a frame, also after `close`.

        Raises
        ------
        FormatError
            The file is gone or was cut.
        """
        return self._pool.read_frame(location)

    def read_metadata(self, location: FrameLocation) -> bytes:
        """Return the metadata of a frame, JSON.

        Raises
        ------
        FormatError
            The file is gone or was cut.
        """
        return self._pool.read_bytes(
            location.file,
            location.metadata_offset,
            location.metadata_length,
            "metadata of a frame",
        )

    def flush(self) -> None:
        """Bring the chain of the TIFF file up to date.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        """
        with self._lock:
            if self._closed:
                return
            try:
                self._tiff.flush()
            except OSError as error:
                raise stream_error(error, self._tiff.path) from error

    def sync(self) -> None:
        """Wait until every frame that was put before is on the medium.

        Frames may be put meanwhile: they wait for the lock, not for the disk.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        """
        self.flush()
        with self._lock:
            full, self._unsynced = self._unsynced, []
            new, self._names_unsynced = self._names_unsynced, False
            files = [*full, self._tiff.name, INDEX_NAME]
        path = self.folder
        try:
            # Through descriptors of their own: another file may be begun meanwhile.
            for name in files:
                path = self.folder / name
                with DataFile.open(path, writable=True) as file:
                    file.sync()
            for path in (self.folder, self.folder.parent) if new else ():
                sync_folder(path)
        except OSError as error:
            with self._lock:
                self._unsynced = [*full, *self._unsynced]
                self._names_unsynced |= new
            raise stream_error(error, path) from error

    def close(self) -> None:
        """Link all frames and close the files; again is harmless.

        Raises
        ------
        DiskSpaceError, StreamError
            The last links could not be written; all frames are in the index.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._tiff.close()
            except OSError as error:
                raise stream_error(error, self._tiff.path) from error
            finally:
                self._index.close()
                self._pool.close()

    def move(self, folder: Path) -> None:
        """Give the folder another name on the same disk, between two frames.

        Raises
        ------
        DiskSpaceError, StreamError
            The system refused.
        """
        with self._lock:
            if self._closed:
                raise self._closed_error()
            try:
                # Windows does not move folders with open files.
                self._tiff.close()
                self._index.close()
                self._pool.close()
                os.rename(self.folder, folder)
                self._names_unsynced = True
                self.folder = folder
            except OSError as error:
                raise stream_error(error, folder) from error
            finally:
                self._pool = FilePool(self.folder)
                try:
                    self._tiff.reopen(self.folder)
                    self._index = DataFile.open(self.folder / INDEX_NAME, writable=True)
                except OSError:
                    self._closed = True
                    raise

    def remove(self) -> None:
        """Close and delete the files and, if nothing else is in it, the folder."""
        with self._lock:
            self._closed = True
            self._tiff.close()
            self._index.close()
            self._pool.close()
            for number in range(self._tiffs):
                quietly((self.folder / self._tiff_name(number)).unlink)
            quietly((self.folder / INDEX_NAME).unlink)
            quietly(self.folder.rmdir)


def stream_error(error: OSError, path: Path) -> ScopeError:
    """Return what to tell of an error of the system while writing."""
    if isinstance(error, FileExistsError):
        return OutputExistsError("another program writes there", path=path)
    if error.errno in _NO_ROOM:
        return DiskSpaceError(
            "the disk is full",
            path=path,
            hint="free some room; nothing was lost so far",
        )
    return StreamError(
        f"could not be written: {error.strerror or error}",
        path=path,
        hint="check the disk and the permissions of the folder",
    )


def quietly(action: Callable[[], None]) -> None:
    """Do something whose failure does not matter."""
    with contextlib.suppress(OSError):
        action()
