"""Writing NDTiff 3.3 stores that are valid after every frame.

Frames are appended to a TIFF file, then their records to the index, so a process that
is killed leaves a store whose index knows only frames that are complete. The chain of
image directories ends at the last frame at all times: a frame is linked after it has
been written. Other programs may thus read index and files while they grow. A new file
is begun before one reaches 4 GiB; files are never allocated ahead.

The writer knows nothing of streams, buffers or threads of others; it copies no pixels.

Examples
--------
>>> import tempfile, numpy as np
>>> folder = tempfile.mkdtemp()
>>> with NDTiffWriter(folder, summary={"Prefix": "demo"}) as writer:
...     place = writer.put({"time": 0, "channel": "DAPI"}, np.ones((4, 4), "u2"))
...     writer.read(place).sum()
np.uint64(16)
"""

from __future__ import annotations

import contextlib
import errno
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.errors import (
    DiskSpaceError,
    FrameError,
    OutputExistsError,
    ScopeError,
    SettingsError,
    StreamClosedError,
    StreamError,
)
from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.display import SETTINGS_NAME, encode_settings
from napari_scope.formats.ndtiff.encoding import (
    FrameItem,
    PendingFrame,
    encode_axes,
    encode_frame,
    encode_summary,
)
from napari_scope.formats.ndtiff.files import FilePool, FrameLocation
from napari_scope.formats.ndtiff.index import INDEX_NAME, encode_record, parse_index
from napari_scope.formats.ndtiff.record import HEADER_SIZE
from napari_scope.formats.ndtiff.tiff import GrowingTiff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    from napari_scope.model import Axes, Channel

    Frame: TypeAlias = npt.NDArray[np.generic]
    Metadata: TypeAlias = Mapping[str, object]

__all__ = ["MAX_FILE_BYTES", "NDTiffWriter"]

MAX_FILE_BYTES = 2**32 - 5_000_000
"""Where a new file is begun, as in the Java library: offsets are 32 bit numbers."""

_NO_NAME = '/\\:\0"<>|?*'  # what some system does not allow in a file name
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


class NDTiffWriter:
    """Writes one NDTiff 3.3 store, frame by frame. Thread safe.

    Parameters
    ----------
    folder : str or PathLike
        Folder of the store; it is made, or must be empty.
    prefix : str
        Start of the file names: ``prefix_NDTiffStack.tif``.
    summary : mapping, optional
        Summary metadata, JSON-able; written before the first frame.
    channels : sequence of Channel
        Colours and contrast for ``display_settings.txt``; without any the file is
        not written.
    max_file_bytes : int
        A new file is begun before one grows beyond this.

    Raises
    ------
    OutputExistsError
        The folder exists and is not empty, or is a file.
    SettingsError
        Prefix, summary or size are unusable.
    DiskSpaceError, StreamError
        The first files could not be written.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        prefix: str = "",
        summary: Metadata | None = None,
        channels: Sequence[Channel] = (),
        max_file_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        self.folder = Path(folder)
        if any(c in prefix for c in _NO_NAME):
            raise SettingsError(
                f"{prefix!r} cannot be part of a file name", path=folder
            )
        if not 1 <= max_file_bytes <= MAX_FILE_BYTES:
            raise SettingsError(
                f"a file size of {max_file_bytes} bytes is impossible",
                hint=f"NDTiff allows up to {MAX_FILE_BYTES}",
            )
        self._stem = f"{prefix}_NDTiffStack" if prefix else "NDTiffStack"
        self._summary = encode_summary(summary)
        self._resolution = facts.pixels_per_cm(summary or {})
        self._channels = tuple(channels)
        self._max_file_bytes = max_file_bytes
        self._lock = threading.Lock()
        self._closed = False
        self._bits = 16
        self._kinds: dict[str, type] = {}
        # Axes of each frame (its JSON) to the offset of its record in the index.
        self._records: dict[bytes, int] = {}
        self._index_end = 0
        self._tiffs = 0
        self._unsynced: list[Path] = []
        self._pool = FilePool(self.folder)
        self._create()

    def _create(self) -> None:
        try:
            made = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            if any(self.folder.iterdir()):
                raise FileExistsError
        except (FileExistsError, NotADirectoryError):
            raise OutputExistsError(
                "the output exists already",
                path=self.folder,
                hint="choose another name; nothing is ever overwritten",
            ) from None
        except OSError as error:
            raise _stream_error(error, self.folder) from error
        try:
            with contextlib.ExitStack() as undo:
                if made:
                    undo.callback(_quietly, self.folder.rmdir)
                self._tiff = self._next_tiff()
                undo.callback(self._tiff.remove)
                self._index = DataFile.create(self.folder / INDEX_NAME)
                undo.callback(_quietly, self._index.path.unlink)
                undo.callback(self._index.close)
                self._write_settings()
                undo.pop_all()
        except OSError as error:
            raise _stream_error(error, self.folder) from error

    def _next_tiff(self) -> GrowingTiff:
        number = f"_{self._tiffs}" if self._tiffs else ""
        path = self.folder / f"{self._stem}{number}.tif"
        tiff = GrowingTiff(path, self._summary, self._resolution)
        self._tiffs += 1
        return tiff

    def _write_settings(self) -> None:
        if self._channels:
            replace_file(
                self.folder / SETTINGS_NAME,
                encode_settings(self._channels, bits=self._bits),
            )

    def put(
        self,
        axes: Axes,
        frame: Frame,
        metadata: Metadata | None = None,
        *,
        bit_depth: int | None = None,
    ) -> FrameLocation:
        """Write one frame; when this returns, its pixels and its record are written.

        A frame that cannot be stored, or that the disk refuses, leaves nothing behind
        and the writer usable. A frame whose axes exist already replaces the former.

        Parameters
        ----------
        axes : mapping
            Identity of the frame; an axis is either always int or always str.
        frame : ndarray
            (height, width) of uint8 or uint16, or (height, width, 3) of uint8. It is
            not copied if it is C-contiguous.
        metadata : mapping, optional
            JSON-able facts; numpy numbers are fine, NaN and infinity become null.
            ``"Axes"`` is added if absent.
        bit_depth : int, optional
            Significant bits of the camera.

        Raises
        ------
        FrameError
            Shape, type, axes or metadata cannot be stored.
        DiskSpaceError, StreamError
            The disk is full or failed.
        StreamClosedError
            The writer is closed.
        """
        return self._commit(
            [encode_frame(FrameItem(axes, frame, metadata, bit_depth))]
        )[0]

    def put_many(self, items: Iterable[FrameItem]) -> list[FrameLocation]:
        """Write several frames at once, all or none; saves time where they are small.

        Raises as ``put`` does.
        """
        return self._commit([encode_frame(item) for item in items])

    def _commit(self, batch: list[PendingFrame]) -> list[FrameLocation]:
        with self._lock:
            if self._closed:
                raise StreamClosedError("the store is closed", path=self.folder)
            if not batch:
                return []
            kinds = self._check(batch)
            tiff, mark = self._tiff, self._tiff.mark
            begun: list[GrowingTiff] = []
            try:
                locations = self._append(batch, begun)
                records = [
                    encode_record(item.axes, place.file.encode(), *place[1:])
                    for item, place in zip(batch, locations, strict=True)
                ]
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
                    raise _stream_error(error, self.folder) from error
                raise
            if begun:
                for full in (tiff, *begun[:-1]):
                    full.close()
                    self._unsynced.append(full.path)
            if kinds:
                self._kinds.update(kinds)
            self._bits = batch[-1].pixel_type.bits
            for item, record in zip(batch, records, strict=True):
                self._records[item.axes] = self._index_end
                self._index_end += len(record)
            return locations

    def _append(
        self, batch: list[PendingFrame], begun: list[GrowingTiff]
    ) -> list[FrameLocation]:
        """Write the frames to as many files as they need."""
        locations: list[FrameLocation] = []
        group: list[PendingFrame] = []
        end = self._tiff.end
        for item in batch:
            if end + item.nbytes > self._max_file_bytes:
                if group:
                    locations += self._tiff.append(group)
                    group = []
                self._tiff = self._next_tiff()
                begun.append(self._tiff)
                end = self._tiff.end
            group.append(item)
            end += item.nbytes
        return locations + self._tiff.append(group)

    def _check(self, batch: list[PendingFrame]) -> dict[str, type]:
        """Check what depends on the frames before; returns axes that are new."""
        known = self._kinds
        new: dict[str, type] = {}
        room = self._max_file_bytes - HEADER_SIZE - len(self._summary) - 1
        for item in batch:
            for name, kind in item.kinds:
                before = known.get(name) or new.setdefault(name, kind)
                if before is not kind:
                    raise FrameError(
                        f"axis {name!r} is {kind.__name__} in this frame but was "
                        f"{before.__name__} before",
                        path=self.folder,
                        hint="NDTiff wants one kind of value for each axis",
                    )
            if item.nbytes > room:
                raise FrameError(
                    f"a frame of {item.nbytes} bytes does not fit in a file of "
                    f"{self._max_file_bytes} bytes",
                    path=self.folder,
                )
        return new

    def read(self, location: FrameLocation) -> Frame:
        """Return the pixels of a frame that was written, also after `close`.

        Raises
        ------
        FormatError
            The file is gone or was cut.
        """
        return self._pool.read_frame(location)

    def read_frame(self, axes: Axes) -> Frame | None:
        """Return the pixels of a frame by its axes, or None when there is none.

        Raises
        ------
        FormatError
            The file is gone or was cut.
        """
        text, _ = encode_axes(axes)
        with self._lock:
            start = self._records.get(text)
            end = self._index_end
        if start is None:
            return None
        length = min(end - start, len(text) + 1024)  # the file name is much shorter
        table = parse_index(
            self._pool.read_bytes(INDEX_NAME, start, length, "record of a frame")
        )
        return self.read(table.location(0))

    def sync(self) -> None:
        """Wait until every frame that was put before is on the medium.

        Frames may be put meanwhile: they wait for the lock, not for the disk.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        """
        with self._lock:
            full = list(self._unsynced)
            paths = [*full, self._tiff.path, self.folder / INDEX_NAME]
        # Through descriptors of their own: the writer may begin another file meanwhile.
        for path in paths:
            try:
                with DataFile.open(path, writable=True) as file:
                    file.sync()
            except OSError as error:
                raise _stream_error(error, path) from error
        with self._lock:
            self._unsynced = [p for p in self._unsynced if p not in full]

    def close(self) -> None:
        """Finish the store; again is harmless. What was written stays readable.

        Raises
        ------
        DiskSpaceError, StreamError
            The display settings could not be written; all frames are safe.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._tiff.close()
            self._index.close()
            self._pool.close()
            if self._bits != 16:
                try:
                    self._write_settings()
                except OSError as error:
                    raise _stream_error(error, self.folder / SETTINGS_NAME) from error

    def __enter__(self) -> NDTiffWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()


def _stream_error(error: OSError, path: Path) -> ScopeError:
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


def _quietly(action: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        action()
