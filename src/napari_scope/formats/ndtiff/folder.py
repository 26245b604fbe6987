"""One folder of an NDTiff store while it is written: its TIFF files and their index.

Frames are appended to a TIFF file, then their records to the index, so a process that
is killed leaves an index that knows only frames that are complete. What the disk
refuses is taken back in both. Here is the order of things and the lock; the files
themselves are those of `tiff_series` and `growing_index`.

This module knows frames that were checked and encoded, not how a store is made of
folders: that is the business of the writers.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.errors import ScopeError, StreamClosedError
from napari_scope.fileio import DataFile, sync_folder
from napari_scope.formats.ndtiff.encoding import encode_axes
from napari_scope.formats.ndtiff.failures import disk_errors, quietly, stream_error
from napari_scope.formats.ndtiff.files import FilePool, FrameLocation
from napari_scope.formats.ndtiff.frame_rules import FrameRules
from napari_scope.formats.ndtiff.growing_index import GrowingIndex, location_in
from napari_scope.formats.ndtiff.index import INDEX_NAME, parse_index
from napari_scope.formats.ndtiff.tiff_series import TiffSeries

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.fileio import Buffer
    from napari_scope.formats.ndtiff.columns import IndexTable
    from napari_scope.formats.ndtiff.encoding import FrameLayout, PendingFrame
    from napari_scope.formats.ndtiff.resume import StoredFolder
    from napari_scope.model import Axes

    Frame: TypeAlias = npt.NDArray[np.generic]

__all__ = ["FolderWriter"]


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
    stored : StoredFolder, optional
        What is in the folder already; then new files follow those that are there.

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
        stored: StoredFolder | None = None,
    ) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._closed = False
        self._layout: FrameLayout | None = None
        self._pool = FilePool(folder)
        with contextlib.ExitStack() as undo:
            if not folder.exists():
                folder.mkdir(parents=True)
                undo.callback(quietly, folder.rmdir)
            self._tiffs = TiffSeries(
                folder,
                stem=stem,
                summary=summary,
                resolution=resolution,
                max_file_bytes=max_file_bytes,
                earlier=stored.names if stored else (),
            )
            undo.callback(self._tiffs.current.remove)
            self._index = GrowingIndex(folder, stored.records() if stored else None)
            undo.pop_all()
        self._rules = FrameRules(
            self._tiffs.room, max_file_bytes, stored.kinds() if stored else None
        )

    @property
    def bits(self) -> int:
        """Significant bits of the last frame."""
        return 16 if self._layout is None else self._layout.pixel_type.bits

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
            new = self._rules.check(batch, self.folder)
            mark = self._tiffs.mark
            records: list[bytes] = []
            try:
                locations = self._tiffs.append(batch, records, mark)
                self._index.write(records)
            except BaseException as error:
                self._tiffs.cut(mark)
                self._index.cut()
                if isinstance(error, OSError) and not isinstance(error, ScopeError):
                    raise stream_error(error, self.folder) from error
                raise
            self._tiffs.settle(mark)
            self._rules.remember(new, batch[-1])
            self._index.count(batch, records)
            self._layout = batch[-1].layout
            return locations

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
            with disk_errors(self.folder / location.file):
                self._tiffs.overwrite(
                    location.file, location.pixel_offset + offset, data
                )

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
        with self._lock:
            places = self._index.places(text)
        for offset, length in places:
            record = self._pool.read_bytes(
                INDEX_NAME, offset, length, "record of a frame"
            )
            location = location_in(record, text)
            if location is not None:
                return location
        return None

    def table(self) -> IndexTable:
        """Return the index as it is now.

        Raises
        ------
        FormatError
            The index is gone or was cut.
        """
        with self._lock:
            end = self._index.end
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
            with disk_errors(self._tiffs.current.path):
                self._tiffs.current.flush()

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
            full, new = self._tiffs.take_unsynced()
            files = [*full, self._tiffs.current.name, INDEX_NAME]
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
                self._tiffs.give_back(full, new)
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
                with disk_errors(self._tiffs.current.path):
                    self._tiffs.close()
                    self._tiffs.drop_empty()
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
                with disk_errors(folder):
                    # Windows does not move folders with open files.
                    self._tiffs.close()
                    self._index.close()
                    self._pool.close()
                    os.rename(self.folder, folder)
                    self._tiffs.moved(folder)
                    self._index.moved(folder)
                    self.folder = folder
            finally:
                self._pool = FilePool(self.folder)
                try:
                    self._tiffs.reopen()
                    self._index.reopen()
                except OSError:
                    self._closed = True
                    raise

    def remove(self) -> None:
        """Close and delete the files and, if nothing else is in it, the folder."""
        with self._lock:
            self._closed = True
            self._tiffs.close()
            self._index.close()
            self._pool.close()
            self._tiffs.delete()
            self._index.delete()
            quietly(self.folder.rmdir)
