"""Writing NDTiff 3.3 stores that are valid after every frame.

Pixels are written first, then their record in the index, so a process that is killed
leaves a store whose index knows only frames that are complete; other programs may read
it while it grows. Plain TIFF readers see the chain of images in each file, which always
ends at a complete frame and may be a few milliseconds of small frames behind (see
`napari_scope.formats.ndtiff.tiff`).

This module has what a user of a plain store calls. The store's folder and its mark are
the business of `store_root`, the files that of `folder`. The writer knows nothing of
streams, buffers or threads of others; it copies no pixels.

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

import threading
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.encoding import FrameItem, encode_frame, encode_summary
from napari_scope.formats.ndtiff.failures import stream_error
from napari_scope.formats.ndtiff.folder import FolderWriter
from napari_scope.formats.ndtiff.resume import stored_folder
from napari_scope.formats.ndtiff.store_root import StoreRoot
from napari_scope.formats.ndtiff.tiff_series import (
    MAX_FILE_BYTES,
    check_file_size,
    file_stem,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ndtiff.files import FrameLocation
    from napari_scope.model import Axes, Channel

    Frame: TypeAlias = npt.NDArray[np.generic]
    Metadata: TypeAlias = Mapping[str, object]

__all__ = ["NDTiffWriter"]


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
        Colours and contrast for ``display_settings.txt``. Without any, `close` writes
        the names that the axis ``channel`` had, in order of appearance, with their
        usual colours.
    max_file_bytes : int
        A new file is begun before one grows beyond this.
    resume : bool
        Go on with the store in the folder: frames go to new files behind those that are
        there. Its prefix, summary and display settings stay.

    Raises
    ------
    OutputExistsError
        The folder exists and is not empty, or is a file.
    SettingsError
        Prefix, summary or size are unusable.
    FormatError
        The store cannot be continued.
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
        resume: bool = False,
    ) -> None:
        check_file_size(max_file_bytes)
        stored = stored_folder(folder) if resume else None
        if stored is not None:
            stem, encoded = stored.stem, stored.summary
            summary = stored.facts()
        else:
            stem, encoded = file_stem(prefix, folder), encode_summary(summary)
        self._root = StoreRoot(folder, channels, resume=resume)
        self.folder = self._root.folder
        for name in stored.channels() if stored else ():
            self._root.note_channel(name)
        self._close_lock = threading.Lock()
        self._closed = False
        try:
            self._files = FolderWriter(
                self.folder,
                stem=stem,
                summary=encoded,
                resolution=facts.pixels_per_cm(summary or {}),
                max_file_bytes=max_file_bytes,
                stored=stored,
            )
        except OSError as error:
            if stored is None:
                self._root.remove()
            raise stream_error(error, self.folder) from error

    def put(
        self,
        axes: Axes,
        frame: Frame,
        metadata: Metadata | None = None,
        *,
        bit_depth: int | None = None,
    ) -> FrameLocation:
        """Write one frame; when this returns, its pixels and its record are written.

        Readers of NDTiff see it from then on, plain TIFF readers perhaps only with the
        next frames or after `flush`. A frame that cannot be stored, or that the disk
        refuses, leaves nothing behind and the writer usable. A frame whose axes exist
        already replaces the former.

        Parameters
        ----------
        axes : mapping
            Identity of the frame; an axis is either always int or always str. A store
            has up to 64 axes.
        frame : ndarray
            (height, width) of uint8 or uint16, or (height, width, 3) of uint8. It is
            not copied if it is C-contiguous.
        metadata : mapping, optional
            JSON-able facts, up to 16 MiB; numpy numbers are fine, NaN and infinity
            become null. ``"Axes"`` always states the axes of this frame, since a store
            is recovered by it: it is added if absent, and what another says (metadata
            copied from another frame) is kept as ``"OriginalAxes"``.
        bit_depth : int, optional
            Significant bits of the camera. Pixels are not compared with it: larger
            values are stored as they are.

        Raises
        ------
        FrameError
            Shape, type, axes or metadata cannot be stored.
        DiskSpaceError, StreamError
            The disk is full or failed.
        StreamClosedError
            The writer is closed.
        """
        pending = encode_frame(axes, frame, metadata, bit_depth, keep_axes=False)
        (place,) = self._files.put([pending])
        self._root.note_channel(axes.get("channel"))
        return place

    def put_many(self, items: Iterable[FrameItem]) -> list[FrameLocation]:
        """Write several frames at once, all or none; saves time where they are small.

        Raises as ``put`` does.
        """
        items = list(items)
        places = self._files.put(
            [encode_frame(*item, keep_axes=False) for item in items]
        )
        for item in items:
            self._root.note_channel(item[0].get("channel"))
        return places

    def read(self, location: FrameLocation) -> Frame:
        """Return the pixels of a frame that was written, also after `close`.

        Raises
        ------
        FormatError
            The file is gone or was cut.
        """
        return self._files.read(location)

    def read_frame(self, axes: Axes) -> Frame | None:
        """Return the pixels of a frame by its axes, or None when there is none.

        Raises
        ------
        FormatError
            The file is gone or was cut.
        """
        location = self._files.find(axes)
        return None if location is None else self._files.read(location)

    def flush(self) -> None:
        """Make every frame visible to plain TIFF readers too.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        """
        self._files.flush()

    def sync(self) -> None:
        """Wait until every frame that was put before is on the medium.

        Frames may be put meanwhile: they wait for the lock, not for the disk.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        """
        self._files.sync()

    def close(self) -> None:
        """Finish the store; again is harmless. What was written stays readable.

        Raises
        ------
        DiskSpaceError, StreamError
            The store could not be finished, so its mark stays; all frames are safe.
        """
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
            self._files.close()
            self._root.finish(self._files.bits)

    def finish(self) -> None:
        """Do what `close` does, by the name that pycro-manager has for it."""
        self.close()

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
