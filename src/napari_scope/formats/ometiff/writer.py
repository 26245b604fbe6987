"""Writing OME-TIFF that is valid after every frame, in any order of arrival.

One image is one BigTIFF file. Several are a folder with a file for each, or one file
with all of them (`napari_scope.formats.ometiff.fileset`). What lies in a file stands in
`napari_scope.formats.ometiff.tiff`; what a killed process leaves, and how it is
completed, in `napari_scope.formats.ometiff.repair`.

The writer knows nothing of streams, buffers or journals; it copies no pixels.

Examples
--------
>>> import tempfile, pathlib, numpy as np
>>> from napari_scope.formats.ometiff import OmeImage
>>> path = pathlib.Path(tempfile.mkdtemp()) / "cells.ome.tiff"
>>> image = OmeImage("cells", (4, 6), "uint16", sizes=(2, 1, 1))
>>> with OmeTiffWriter(path, [image]) as writer:
...     writer.put(0, (1, 0, 0), np.ones((4, 6), "u2"), {"exposure_ms": 10})
...     writer.read(0, (1, 0, 0)).sum()
np.uint64(24)
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_scope.errors import (
    FrameError,
    OutputExistsError,
    ScopeError,
    SettingsError,
    StreamClosedError,
    StreamError,
)
from napari_scope.fileio import DataFile
from napari_scope.formats.ometiff.checks import check_image
from napari_scope.formats.ometiff.document import OmeDocument, OmePlate, new_uuid
from napari_scope.formats.ometiff.facts import Place, encode_facts
from napari_scope.formats.ometiff.failure import disk_failure
from napari_scope.formats.ometiff.file import FileMark, OmeTiffFile, PackedFrame
from napari_scope.formats.ometiff.fileset import FileSet
from napari_scope.formats.ometiff.frames import FrameKind, FramePacker
from napari_scope.formats.ometiff.packing import Codec, Compression
from napari_scope.formats.ometiff.reopening import stored_levels

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    import numpy.typing as npt

    from napari_scope.formats.ometiff.document import OmeImage
    from napari_scope.formats.ometiff.layout import Strip

__all__ = ["FrameItem", "OmeTiffWriter"]


class FrameItem(NamedTuple):
    """One frame for `OmeTiffWriter.put_many`; the fields are those of ``put``."""

    image: int
    place: Place
    frame: npt.NDArray[np.generic]
    metadata: Mapping[str, object] | None = None


class OmeTiffWriter:
    """Writes the images of one run. Thread safe.

    Parameters
    ----------
    path : str or PathLike
        The file, or the folder where ``layout`` is ``"folder"``; it must not exist,
        unless a run is continued.
    images : sequence of OmeImage
        The images, all with frames of one shape and type.
    layout : {"file", "folder"}
        All images in one file, or a folder with a file for each.
    plate : OmePlate, optional
        The plate that the wells of the images are on.
    notes : mapping
        Further facts on the run, text to text.
    compression : {"zlib", "lzw"}, optional
        How frames are packed; not at all by default.
    levels : int, optional
        Levels of a pyramid, each half of the one before. None for no pyramid, or that
        of the files to go on with.
    arrival : str, optional
        Order in which the planes of an image come, fastest first (``"XYZCT"``); that
        of the first image by default. Planes may come otherwise.
    growing : bool
        Whether more may come than the sizes of the images say.
    resume : container of (int, Place), optional
        Go on with files that were closed. Image and plane of the frames that are known
        to be in them; others that are there may come again, and the later one counts.

    Raises
    ------
    OutputExistsError
        The path exists.
    SettingsError
        The images cannot be stored, or not in the files that are there.
    FormatError
        Files to go on with were not closed, or are damaged.
    DiskSpaceError, StreamError
        The files could not be made or opened.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        images: Sequence[OmeImage],
        *,
        layout: str = "file",
        plate: OmePlate | None = None,
        notes: Mapping[str, str] | None = None,
        compression: Compression | None = None,
        levels: int | None = None,
        arrival: str | None = None,
        growing: bool = False,
        resume: Container[tuple[int, Place]] | None = None,
    ) -> None:
        self.path = Path(path)
        if not images:
            raise SettingsError("an OME-TIFF has at least one image", path=path)
        first = images[0]
        for image in images:
            check_image(image, first, plate)
        dtype = np.dtype(first.dtype)
        codec = Codec(compression, dtype) if compression else None
        if levels is None:
            levels = 1 if resume is None else stored_levels(self.path)
        self._kind = FrameKind(first.frame_shape, dtype, codec, levels)
        if codec is not None:
            codec.check(self._kind.nbytes)
        self._packer = FramePacker(self._kind)
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        self._set = FileSet(
            self.path,
            OmeDocument(
                new_uuid(), date, tuple(images), plate, dict(notes or {}), growing=True
            ),
            self._kind,
            folder=layout == "folder",
            arrival=arrival or first.order,
            growing=growing,
        )
        self._lock = threading.Lock()
        self._closed = False
        self._open(resume)

    def _open(self, resume: Container[tuple[int, Place]] | None) -> None:
        try:
            if resume is None:
                self._set.create()
            else:
                self._set.reopen(resume)
        except FileExistsError as error:
            if not os.path.lexists(self.path):
                raise StreamError(
                    "could not be created: a file stands where a folder should be",
                    path=self.path,
                    hint="choose another folder",
                ) from error
            raise OutputExistsError(
                "the output exists already",
                path=self.path,
                hint="choose another name; nothing is ever overwritten",
            ) from None
        except OSError as error:
            if isinstance(error, ScopeError):
                raise
            raise disk_failure(error, self.path) from error

    @property
    def companion(self) -> Path | None:
        """The file that describes a folder."""
        return self._set.companion

    @property
    def files(self) -> tuple[Path, ...]:
        """The TIFF files, in the order of the images."""
        return tuple(file.path for file in self._set.files)

    @property
    def images(self) -> tuple[OmeImage, ...]:
        """The images as they are known by now."""
        return self._set.document.images

    @property
    def notes(self) -> Mapping[str, str]:
        """The facts on the run."""
        return self._set.document.notes

    # ------------------------------------------------------------- frames

    def put(
        self,
        image: int,
        place: Place,
        frame: npt.NDArray[np.generic],
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Write one frame; when this returns, it is in the file and linked.

        A frame that cannot be stored, or that the disk refuses, leaves nothing behind
        and the writer usable.

        Parameters
        ----------
        image : int
            Number of the image.
        place : (int, int, int)
            Time, channel and z.
        frame : ndarray
            Pixels of the shape and type of the images; not copied if C-contiguous.
        metadata : mapping, optional
            JSON-able facts. ``elapsed_ms``, ``exposure_ms``, ``x_um``, ``y_um`` and
            ``z_um`` become attributes of the plane, others an annotation.

        Raises
        ------
        FrameError
            Shape, type, place or metadata cannot be stored.
        DiskSpaceError, StreamError
            The disk is full or failed.
        StreamClosedError
            The writer is closed.
        """
        self.put_many([FrameItem(image, place, frame, metadata)])

    def put_many(self, items: Iterable[FrameItem]) -> None:
        """Write several frames at once, all or none; raises as ``put`` does."""
        items = list(items)
        facts = []
        for item in items:
            self._kind.check(item.frame, self.path)
            own = self._set.where(item.image)[1]
            facts.append(encode_facts(own, item.place, item.metadata or {}))
        strips = self._packer.pack([item.frame for item in items], facts)
        with self._lock:
            if self._closed:
                raise StreamClosedError("the files are closed", path=self.path)
            groups = self._sort(items, strips)
            marks: list[tuple[OmeTiffFile, FileMark]] = []
            try:
                for number, group in groups.items():
                    file = self._set.files[number]
                    marks.append((file, file.mark))
                    file.append(group)
            except BaseException as error:
                for file, mark in marks:
                    file.cut(mark)
                if isinstance(error, OSError) and not isinstance(error, ScopeError):
                    raise disk_failure(error, marks[-1][0].path) from error
                raise

    def _sort(
        self, items: Sequence[FrameItem], strips: Sequence[Strip]
    ) -> dict[int, list[PackedFrame]]:
        """Return the frames by file, in order; check that each is free."""
        groups: dict[int, list[PackedFrame]] = {}
        taken: set[tuple[int, Place]] = set()
        images = self._set.document.images
        for (number, place, _, _), strip in zip(items, strips, strict=True):
            if not 0 <= number < len(images):
                raise FrameError(f"there is no image {number}", path=self.path)
            sizes = images[number].sizes
            outside = any(i >= n for i, n in zip(place, sizes, strict=True))
            if min(place) < 0 or outside:
                raise FrameError(
                    f"the plane (t, c, z) = {place} lies outside of the image "
                    f"{images[number].name!r} with the sizes {sizes}",
                    path=self.path,
                )
            file, own = self._set.where(number)
            if (number, place) in taken or self._set.files[file].holds(own, place):
                raise FrameError(
                    f"the plane (t, c, z) = {place} of the image "
                    f"{images[number].name!r} was already written",
                    path=self.path,
                    hint="nothing is ever overwritten",
                )
            taken.add((number, place))
            groups.setdefault(file, []).append(PackedFrame(own, place, strip))
        return groups

    def update(self, images: Sequence[OmeImage]) -> None:
        """Note what has grown: longer images, more channels, further images.

        Raises
        ------
        SettingsError
            An image cannot be stored.
        DiskSpaceError, StreamError
            A file could not be made.
        """
        with self._lock:
            if self._closed:
                raise StreamClosedError("the files are closed", path=self.path)
            before = self._set.document.images
            for number, image in enumerate(images):
                if number >= len(before) or image is not before[number]:
                    check_image(image, images[0], self._set.document.plate)
            try:
                self._set.update(tuple(images))
            except OSError as error:
                raise disk_failure(error, self.path) from error

    def add_notes(self, notes: Mapping[str, str]) -> None:
        """Add facts on the run, which the final XML will have."""
        with self._lock:
            document = self._set.document
            notes = {**document.notes, **notes}
            self._set.document = replace(document, notes=notes)
            for file in self._set.files:
                file.document = replace(file.document, notes=notes)

    def read(self, image: int, place: Place) -> npt.NDArray[np.generic] | None:
        """Return a frame that was written, also after `close`, or None.

        Raises
        ------
        FormatError, StreamError
            The file is damaged or gone.
        """
        number, own = self._set.where(image)
        if not 0 <= number < len(self._set.files):
            return None
        file = self._set.files[number]
        try:
            return file.read(own, place)
        except OSError as error:
            raise disk_failure(error, file.path, "read") from error

    def sync(self) -> None:
        """Wait until every frame that was put before is on the medium.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        """
        with self._lock:
            files = [file for file in self._set.files if file.take_unsynced()]
        paths = [file.path for file in files]
        for path, written in zip(paths, files, strict=True):
            try:
                with self._set.handles.use(path) as file:
                    file.sync()
                written.check_there()
            except OSError as error:
                with self._lock:
                    for other in self._set.files:
                        other.unsynced = other.unsynced or other.path in paths
                raise disk_failure(error, path) from error

    def close(self, *, finish: bool = True, durable: bool = False) -> None:
        """Complete the XML and close the files; again is harmless.

        Parameters
        ----------
        finish : bool
            False leaves the files as a killed process would: every frame is there,
            and a repair can complete them.
        durable : bool
            Whether to wait until all is on the medium.

        Raises
        ------
        DiskSpaceError, StreamError
            The XML could not be written; all frames are safe.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            file = None
            try:
                if finish:
                    for file in self._set.files:
                        self._finish(file, durable)
                    self._set.describe(finished=True)
                    if durable and self.companion is not None:
                        with DataFile.open(self.companion, writable=True) as handle:
                            handle.sync()
            except OSError as error:
                place = self.path if file is None else file.path
                raise disk_failure(error, place) from error
            finally:
                self._packer.close()
                self._set.handles.close()

    def _finish(self, file: OmeTiffFile, durable: bool) -> None:
        mark = file.mark
        try:
            file.finish(durable=durable)
        except BaseException:
            file.cut(mark)
            raise
        if durable:
            with self._set.handles.use(file.path) as handle:
                handle.sync()

    def __enter__(self) -> OmeTiffWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.close()
