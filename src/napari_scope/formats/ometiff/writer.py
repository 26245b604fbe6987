"""Writing OME-TIFF that is valid after every frame, in any order of arrival.

One image is one BigTIFF file. Several are a folder with a file for each, every one of
which is complete in itself, and a companion (``name.companion.ome``) that describes
the whole with its plate; or one file with all of them. What lies in a file stands in
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

import contextlib
import errno
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

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
from napari_scope.formats.ometiff.document import (
    PIXEL_TYPES,
    FileRef,
    OmeDocument,
    OmePlate,
)
from napari_scope.formats.ometiff.facts import Place, encode_facts
from napari_scope.formats.ometiff.file import FileMark, OmeTiffFile, PackedFrame
from napari_scope.formats.ometiff.handles import Handles
from napari_scope.formats.ometiff.omexml import document_pieces
from napari_scope.formats.ometiff.packing import Codec, Compression
from napari_scope.formats.ometiff.tiff import Strip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    import numpy.typing as npt

    from napari_scope.formats.ometiff.document import OmeImage
    from napari_scope.formats.ometiff.facts import Plane
    from napari_scope.formats.ometiff.omexml import PlaneSource

__all__ = ["COMPANION_SUFFIX", "SUFFIXES", "FrameItem", "OmeTiffWriter", "stem_of"]

SUFFIXES = (".ome.tiff", ".ome.tif", ".tiff", ".tif")
COMPANION_SUFFIX = ".companion.ome"

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]')  # what some system has no name for
_PACKERS = 4


class FrameItem(NamedTuple):
    """One frame for `OmeTiffWriter.put_many`; the fields are those of ``put``."""

    image: int
    place: Place
    frame: npt.NDArray[np.generic]
    metadata: Mapping[str, object] | None = None


def stem_of(path: str | PathLike[str]) -> str:
    """Return the name of a file or folder without a suffix of OME-TIFF.

    Examples
    --------
    >>> stem_of("data/cells.ome.tiff")
    'cells'
    """
    name = Path(path).name
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


class OmeTiffWriter:
    """Writes the images of one run. Thread safe.

    Parameters
    ----------
    path : str or PathLike
        The file, or the folder where ``layout`` is ``"folder"``; it must not exist.
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
    arrival : str, optional
        Order in which the planes of an image come, fastest first (``"XYZCT"``); that
        of the first image by default. Planes may come otherwise.
    growing : bool
        Whether more may come than the sizes of the images say.

    Raises
    ------
    OutputExistsError
        The path exists.
    SettingsError
        The images cannot be stored.
    DiskSpaceError, StreamError
        The files could not be made.
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
        arrival: str | None = None,
        growing: bool = False,
    ) -> None:
        self.path = Path(path)
        if not images:
            raise SettingsError("an OME-TIFF has at least one image", path=path)
        first = images[0]
        for image in images:
            _check_image(image, first, plate)
        self._shape = first.frame_shape
        self._dtype = np.dtype(first.dtype)
        self._codec = Codec(compression, self._dtype) if compression else None
        if self._codec is not None:
            self._codec.check(int(np.prod(self._shape)) * self._dtype.itemsize)
        self._little = self._dtype.newbyteorder("<")
        self._layout = layout
        self._arrival = arrival or first.order
        self._growing = growing
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        self._document = OmeDocument(
            _new_uuid(), date, tuple(images), plate, dict(notes or {}), growing=True
        )
        self._lock = threading.Lock()
        self._handles = Handles()
        self._files: list[OmeTiffFile] = []
        self._uuids: list[str] = []
        self._closed = False
        self._packers: ThreadPoolExecutor | None = None
        self._create()

    # ------------------------------------------------------------- the files

    @property
    def companion(self) -> Path | None:
        """The file that describes a folder."""
        if self._layout != "folder":
            return None
        return self.path / f"{stem_of(self.path)}{COMPANION_SUFFIX}"

    @property
    def files(self) -> tuple[Path, ...]:
        """The TIFF files, in the order of the images."""
        return tuple(file.path for file in self._files)

    def _create(self) -> None:
        try:
            with contextlib.ExitStack() as undo:
                if self._layout == "folder":
                    self.path.mkdir(parents=True)
                    undo.callback(_quietly_remove_folder, self.path)
                else:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                undo.callback(self._remove_files)
                self._add_files()
                undo.pop_all()
        except FileExistsError:
            raise OutputExistsError(
                "the output exists already",
                path=self.path,
                hint="choose another name; nothing is ever overwritten",
            ) from None
        except OSError as error:
            raise _stream_error(error, self.path) from error

    def _remove_files(self) -> None:
        for file in self._files:
            file.remove()
        self._handles.close()

    def _add_files(self) -> None:
        """Make the files that the images need by now, and the companion."""
        images = self._document.images
        if self._layout != "folder":
            if not self._files:
                self._files.append(self._new_file(self.path, self._document))
            return
        before = len(self._files)
        for image in images[before:]:
            own = replace(self._document, uuid=_new_uuid(), images=(image,))
            own = replace(own, plate=None if image.well is None else own.plate)
            file = self._new_file(self._free_path(image.name), own)
            self._files.append(file)
            self._uuids.append(own.uuid)
        if len(images) > before:
            self._write_companion(lambda number, brief: ())

    def _new_file(self, path: Path, document: OmeDocument) -> OmeTiffFile:
        return OmeTiffFile(
            path,
            self._handles,
            document,
            self._dtype,
            codec=self._codec,
            arrival=self._arrival,
            growing=self._growing,
        )

    def _free_path(self, name: str) -> Path:
        """Return a path for an image; systems may not tell capitals apart."""
        taken = {file.path.name.lower() for file in self._files}
        stem = _UNSAFE.sub("_", name).strip(". ")[:100] or "image"
        names = (
            f"{stem}{n}.ome.tiff" for n in ("", *(f"_{i}" for i in range(1, 1 << 20)))
        )
        return self.path / next(n for n in names if n.lower() not in taken)

    def _write_companion(self, planes: PlaneSource) -> None:
        companion = self.companion
        if companion is None:
            return
        names = zip(self._files, self._uuids, strict=True)
        refs = [FileRef(file.path.name, text) for file, text in names]
        images = tuple(
            replace(image, file=ref)
            for image, ref in zip(self._document.images, refs, strict=True)
        )
        document = replace(self._document, images=images)
        text = "".join(document_pieces(document, planes))
        replace_file(companion, text.encode("ascii"))

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
        packed = self._pack([(item, self._encode(item)) for item in items])
        with self._lock:
            if self._closed:
                raise StreamClosedError("the files are closed", path=self.path)
            groups = self._sort(packed)
            marks: list[tuple[OmeTiffFile, FileMark]] = []
            try:
                for number, group in groups.items():
                    file = self._files[number]
                    marks.append((file, file.mark))
                    file.append(group)
            except BaseException as error:
                for file, mark in marks:
                    file.cut(mark)
                if isinstance(error, OSError) and not isinstance(error, ScopeError):
                    raise _stream_error(error, marks[-1][0].path) from error
                raise

    def _encode(self, item: FrameItem) -> bytes:
        """Check what does not depend on other frames; return the facts."""
        image, place, frame, metadata = item
        if frame.shape != self._shape or frame.dtype != self._dtype:
            raise FrameError(
                f"the images have frames of shape {self._shape} and type "
                f"{self._dtype}, found {frame.shape} and {frame.dtype}",
                path=self.path,
            )
        own = 0 if self._layout == "folder" else image
        return encode_facts(own, place, metadata or {})

    def _pack(
        self, items: list[tuple[FrameItem, bytes]]
    ) -> list[tuple[FrameItem, Strip]]:
        codec = self._codec
        if codec is None:
            result = []
            for item, facts in items:
                pixels = np.ascontiguousarray(item.frame, self._little)
                result.append((item, Strip(pixels, pixels.nbytes, facts)))
            return result
        if len(items) == 1:
            strips = [codec.pack(items[0][0].frame)]
        else:
            if self._packers is None:
                name = "napari-scope OME-TIFF"
                self._packers = ThreadPoolExecutor(_PACKERS, name)
            strips = list(self._packers.map(codec.pack, [i.frame for i, _ in items]))
        return [
            (item, Strip(strip, len(strip), facts))
            for (item, facts), strip in zip(items, strips, strict=True)
        ]

    def _sort(
        self, packed: list[tuple[FrameItem, Strip]]
    ) -> dict[int, list[PackedFrame]]:
        """Return the frames by file, in order; check that each is free."""
        groups: dict[int, list[PackedFrame]] = {}
        taken: set[tuple[int, Place]] = set()
        images = self._document.images
        for (number, place, _, _), strip in packed:
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
            own, file = (0, number) if self._layout == "folder" else (number, 0)
            if (number, place) in taken or self._files[file].holds(own, place):
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
            before = self._document.images
            for number, image in enumerate(images):
                if number >= len(before) or image is not before[number]:
                    _check_image(image, images[0], self._document.plate)
            self._document = replace(self._document, images=tuple(images))
            if self._layout == "folder":
                for file, image, old in zip(self._files, images, before, strict=False):
                    if image is not old:
                        file.update((image,))
            else:
                self._files[0].update(tuple(images))
            try:
                self._add_files()
            except OSError as error:
                raise _stream_error(error, self.path) from error

    def add_notes(self, notes: Mapping[str, str]) -> None:
        """Add facts on the run, which the final XML will have."""
        with self._lock:
            self._document = replace(
                self._document, notes={**self._document.notes, **notes}
            )
            for file in self._files:
                file.document = replace(file.document, notes=self._document.notes)

    def read(self, image: int, place: Place) -> npt.NDArray[np.generic] | None:
        """Return a frame that was written, also after `close`, or None.

        Raises
        ------
        FormatError, StreamError
            The file is damaged or gone.
        """
        own, number = (0, image) if self._layout == "folder" else (image, 0)
        if not 0 <= number < len(self._files):
            return None
        file = self._files[number]
        try:
            return file.read(own, place)
        except OSError as error:
            raise _stream_error(error, file.path, "read") from error

    def sync(self) -> None:
        """Wait until every frame that was put before is on the medium.

        Raises
        ------
        DiskSpaceError, StreamError
            The disk failed.
        """
        with self._lock:
            paths = [file.path for file in self._files if file.take_unsynced()]
        for path in paths:
            try:
                with self._handles.use(path) as file:
                    file.sync()
            except OSError as error:
                with self._lock:
                    for other in self._files:
                        other.unsynced = other.unsynced or other.path in paths
                raise _stream_error(error, path) from error

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
                    for file in self._files:
                        self._finish(file, durable)
                    self._document = replace(self._document, growing=False)
                    self._write_companion(self._planes_of_folder)
                    if durable and self.companion is not None:
                        with DataFile.open(self.companion, writable=True) as handle:
                            handle.sync()
            except OSError as error:
                place = self.path if file is None else file.path
                raise _stream_error(error, place) from error
            finally:
                if self._packers is not None:
                    self._packers.shutdown()
                self._handles.close()

    def _finish(self, file: OmeTiffFile, durable: bool) -> None:
        mark = file.mark
        try:
            file.finish(durable=durable)
        except BaseException:
            file.cut(mark)
            raise
        if durable:
            with self._handles.use(file.path) as handle:
                handle.sync()

    def _planes_of_folder(self, number: int, brief: bool) -> Iterator[Plane]:
        return self._files[number].planes(0, brief)

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


def _check_image(image: OmeImage, first: OmeImage, plate: OmePlate | None) -> None:
    """Refuse what cannot be stored, or not beside the first image."""
    if image.dtype not in PIXEL_TYPES:
        raise SettingsError(
            f"OME-TIFF has no name for pixels of type {image.dtype}",
            hint=f"use one of {', '.join(PIXEL_TYPES)}",
        )
    if (image.frame_shape, image.dtype) != (first.frame_shape, first.dtype):
        raise SettingsError(
            f"all images of an OME-TIFF have one kind of frame, found "
            f"{first.frame_shape} {first.dtype} and {image.frame_shape} {image.dtype}"
        )
    if len(image.frame_shape) == 3 and image.dtype not in ("uint8", "uint16"):
        raise SettingsError(
            f"colour frames of type {image.dtype} cannot be stored as OME-TIFF",
            hint="use uint8 or uint16",
        )
    if image.well is not None:
        row, column = image.well
        if plate is None or row not in plate.rows or column not in plate.columns:
            raise SettingsError(
                f"the image {image.name!r} lies in the well {row}/{column}, which the "
                "plate does not have"
            )


def _new_uuid() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def _stream_error(error: OSError, path: Path, what: str = "written") -> ScopeError:
    if isinstance(error, FileExistsError):
        return OutputExistsError("the output exists already", path=path)
    if error.errno in _NO_ROOM:
        return DiskSpaceError(
            "the disk is full",
            path=path,
            hint="free some room; nothing was lost so far",
        )
    return StreamError(
        f"could not be {what}: {error.strerror or error}",
        path=path,
        hint="check the disk and the permissions of the folder",
    )


def _quietly_remove_folder(path: Path) -> None:
    with contextlib.suppress(OSError):
        for companion in path.glob(f"*{COMPANION_SUFFIX}"):
            companion.unlink()
        path.rmdir()
