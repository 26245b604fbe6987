"""Frames into an OME-Zarr store, 0.5 or 0.4, that is valid at every instant.

Layout: one image is the root itself; several are a collection (bioformats2raw layout)
with the images ``0``, ``1``, ... and the group ``OME``; images that lie on a plate are
fields in the groups of its rows and wells. The group ``acquisition`` beside them holds
the journal and the plan. Level 0 is written as frames arrive; the coarse levels grow
behind it and are listed only when they are complete, so that no reader ever sees an
empty overview of data that are there.

How pixels are cut and compressed, and why each committed frame can be read, is told in
`napari_scope.formats.ngff.writing.writers` and the modules it names.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.arrays import pyramid_shapes
from napari_scope.errors import SettingsError
from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ngff.metadata import (
    NGFF_VERSIONS,
    collection_attributes,
    encode,
    group_documents,
    series_attributes,
)
from napari_scope.formats.ngff.omexml import PIXEL_TYPES, XmlImage, ome_xml
from napari_scope.formats.ngff.plates import (
    check_plate,
    field_paths,
    plate_attributes,
    well_attributes,
)
from napari_scope.formats.ngff.writing.reopening import copy_of
from napari_scope.formats.ngff.writing.writers import ArrayFormat, Workshop
from napari_scope.model import short
from napari_scope.stream.journal import (
    JOURNAL_NAME,
    Journal,
    jsonable,
    plan_header,
    read_journal,
)
from napari_scope.stream.sinks.base import FrameItem, Sink, checksum
from napari_scope.stream.sinks.contrast import ContrastMeter
from napari_scope.stream.sinks.imagestore import (
    ImageStore,
    check_storage,
    forbidden_orders,
    ngff_version,
)
from napari_scope.stream.sinks.pyramid import PyramidWorker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    import numpy as np
    import numpy.typing as npt

    from napari_scope.stream.resumption import Resumption
    from napari_scope.stream.router import Address
    from napari_scope.stream.spec import ImageSpec, StoreSpec

__all__ = ["OmeZarrSink"]

ACQUISITION_GROUP = "acquisition"


def _is_collection(spec: StoreSpec) -> bool:
    if spec.plate is not None:
        return False
    return spec.has_places and (spec.open_ended or len(spec.images) > 1)


def _wells(spec: StoreSpec) -> list[tuple[str, str]]:
    """Return the well of each image."""
    wells = []
    for image in spec.images:
        if image.well is None:
            raise SettingsError(
                f"the image {image.name!r} lies in no well of the plate",
                hint="give each position the row and the column of its well",
            )
        wells.append(image.well)
    return wells


def _check_plate(spec: StoreSpec) -> None:
    if spec.plate is None:
        return
    if spec.open_ended or not spec.images:
        raise SettingsError(
            "the fields of a plate have to be known before its first frame",
            hint="declare all positions, or store without the plate",
        )
    rows, columns = spec.plate.rows, spec.plate.columns
    check_plate(rows, columns, _wells(spec), taken=[ACQUISITION_GROUP, "OME"])


class OmeZarrSink(Sink):
    """Write an OME-Zarr store.

    Parameters
    ----------
    path : str or PathLike
        The store; it must not exist.
    levels : int, optional
        Number of levels; by default until neither side is longer than 512 pixels,
        1 for full resolution only.
    """

    format = "ome-zarr"

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        levels: int | None = None,
    ) -> None:
        self.path: Path = Path(path)
        self._levels = levels
        self._images: list[ImageStore] = []
        self._fields: list[str] = []  # paths of images on a plate
        self._workshop: Workshop | None = None
        self._collection = False
        self._journal: Journal | None = None
        self._pyramid: PyramidWorker | None = None
        self._contrast = ContrastMeter()
        self._labels: Mapping[str, tuple[str, ...]] = {}
        self._closed = False
        self._resumed: list[dict[str, object]] = []  # when, and after how many lines
        self._unsynced: set[Path] = set()  # metadata
        # Guards the list of images, which a growing store extends while others read.
        self._lock = threading.Lock()

    def check(self, spec: StoreSpec) -> None:
        """Refuse a path that exists, colour, and what OME-NGFF cannot hold."""
        super().check(spec)
        if spec.rgb:
            raise SettingsError(
                "frames of a colour camera are not stored as OME-Zarr",
                hint="choose NDTiff, which keeps the three colours of a pixel together",
            )
        check_storage(spec)
        _check_plate(spec)
        if _is_collection(spec) and spec.dtype.name not in PIXEL_TYPES:
            raise SettingsError(
                f"several images of type {spec.dtype} cannot be stored as OME-Zarr: "
                "the OME-XML that lists them has no name for it",
                path=self.path,
                hint=f"use one of {', '.join(PIXEL_TYPES)}",
            )

    def open(self, spec: StoreSpec) -> None:
        """Create the store with complete metadata.

        Of an order of axes that OME-NGFF forbids only a warning is given: who takes
        the names of the axes from the metadata reads it all the same.
        """
        self.check(spec)
        self._begin(spec)
        for order in forbidden_orders(spec):
            warnings.warn(
                f"axes stored in the order {order} do not follow OME-NGFF, which wants "
                "time first, then the channel or a custom axis, then space: some "
                'readers refuse such a store; storage_order="ome" follows it',
                UserWarning,
                stacklevel=2,
            )
        self.path.mkdir(parents=True)
        if self._collection:
            root = collection_attributes(self._extra(spec))
            self._put_group(spec, self.path, root)
        if spec.plate is not None:
            self._write_plate(spec)
        for image in spec.images:
            self._add(spec, image)
        if self._collection:
            self._write_series(spec)
        acquisition = self.path / ACQUISITION_GROUP
        self._write_acquisition(spec)
        header = plan_header(spec, self.format)
        self._journal = Journal.create(acquisition / JOURNAL_NAME, header)
        height, width = spec.frame_shape[:2]
        self._make_levels(
            spec, len(pyramid_shapes((height, width), levels=self._levels))
        )

    def _begin(self, spec: StoreSpec) -> None:
        self._collection = _is_collection(spec)
        self._labels = spec.labels
        zarr_version = NGFF_VERSIONS[ngff_version(spec)]
        storage = ArrayFormat(spec.dtype, spec.storage.compression, zarr_version)
        self._workshop = Workshop(storage)
        if spec.plate is not None:
            self._fields = field_paths(_wells(spec))

    def _make_levels(self, spec: StoreSpec, count: int) -> None:
        if count > 1:
            self._pyramid = PyramidWorker(
                self.read,
                self._write_level,
                count,
                spec.frame_bytes,
                self.under_pressure,
            )

    def resume(self, spec: StoreSpec, resumption: Resumption) -> None:
        """Go on in the arrays that are there; files are taken over one by one.

        Coarse levels are complete for the frames so far, and not listed until they
        are for all again.
        """
        self._begin(spec)
        images = self._find_images(spec)
        journal = resumption.journal
        header = plan_header(spec, self.format)
        self._journal = Journal.reopen(journal, header, after=resumption.count)
        self._images = images
        self._keep_ranges(spec)
        self._resumed = [
            {key: line[key] for key in ("time", "after") if key in line}
            for line in read_journal(journal).resumed
        ]
        for image in spec.images[len(images) :]:
            self._add(spec, image)
        self._write_groups(spec, complete=False)
        if self._collection:
            self._write_series(spec)
        self._write_acquisition(spec, self._journal.summary())
        came: list[list[tuple[int, ...]]] = [[] for _ in self._images]
        for line in resumption.lines:
            came[line.image].append(line.index)
        for store, indices in zip(self._images, came, strict=True):
            store.go_on(spec, indices)
        self.sync()  # what follows may stand only behind what the metadata say now
        count = max((len(store.writers) for store in self._images), default=1)
        self._make_levels(spec, count)

    def _find_images(self, spec: StoreSpec) -> list[ImageStore]:
        """Return the images that are there; changes nothing."""
        assert self._workshop is not None  # made by the caller
        images = []
        for number, image in enumerate(spec.images):
            folder = self._folder(spec, number)
            if spec.growing and number and not folder.exists():
                break
            images.append(
                ImageStore.find(
                    folder, spec, image, self._levels, self._workshop, self._put
                )
            )
        return images

    def _keep_ranges(self, spec: StoreSpec) -> None:
        """Show what is there as before."""
        for store in self._images:
            for number, limits in store.display_ranges().items():
                names = [channel.name for channel in spec.display_channels()]
                self._contrast.know([number, *names[number : number + 1]], limits)

    def _write_acquisition(
        self, spec: StoreSpec, frames: Mapping[str, object] | None = None
    ) -> None:
        """Write the facts on the run, in the end with what became of its frames."""
        own = {"napari_scope": jsonable(spec.summary)}
        if frames is not None:
            own["frames"] = dict(frames)
            if self._resumed:
                own["frames"]["resumed"] = self._resumed
        self._put_group(spec, self.path / ACQUISITION_GROUP, own)

    def _put_group(
        self, spec: StoreSpec, folder: Path, attributes: Mapping[str, Any] | None = None
    ) -> None:
        """Make a group, or write its attributes anew."""
        folder.mkdir(exist_ok=True)
        for name, document in group_documents(attributes, ngff_version(spec)):
            self._put(folder / name, encode(document))

    def _put(self, path: Path, document: bytes) -> None:
        if self._resumed and path.suffix != ".xml" and path.exists():
            old = json.loads(path.read_bytes())
            document = encode(copy_of(old, json.loads(document)))
        replace_file(path, document)
        with self._lock:
            self._unsynced.add(path)

    def _extra(self, spec: StoreSpec) -> dict[str, Any]:
        return {"name": spec.name, "journal": f"{ACQUISITION_GROUP}/{JOURNAL_NAME}"}

    def _add(self, spec: StoreSpec, image: ImageSpec) -> None:
        folder = self._folder(spec, len(self._images))
        if self._resumed and folder.exists():
            # Made for a frame that never came.
            shutil.rmtree(folder)
        assert self._workshop is not None  # made before the first image
        store = ImageStore.create(
            folder, spec, image, self._levels, self._workshop, self._put
        )
        store.write_group(
            spec,
            image,
            complete=False,
            channels=spec.display_channels(),
            extra=self._image_extra(spec, image),
        )
        with self._lock:
            self._images.append(store)

    def _folder(self, spec: StoreSpec, number: int) -> Path:
        """Return the group of an image."""
        if spec.plate is not None:
            return self.path / self._fields[number]
        return self.path / str(number) if self._collection else self.path

    def _image_extra(self, spec: StoreSpec, image: ImageSpec) -> dict[str, Any]:
        extra: dict[str, Any] = {"axes": dict(image.place)} if image.place else {}
        stage = {"x_um": image.x_um, "y_um": image.y_um, "z_um": image.z_um}
        if any(value is not None for value in stage.values()):
            extra["stage"] = stage
        if self._collection or spec.plate is not None:
            return extra
        return {**self._extra(spec), **extra}

    def _write_plate(self, spec: StoreSpec) -> None:
        """Make the groups of the plate, of its rows and of its wells."""
        plate, wells = spec.plate, _wells(spec)
        assert plate is not None  # asked for by the caller
        extra = {**self._extra(spec), "images": self._fields}
        root = plate_attributes(plate.name, plate.rows, plate.columns, wells, extra)
        self._put_group(spec, self.path, root)
        for row in dict.fromkeys(row for row, _ in wells):
            self._put_group(spec, self.path / row)
        for well in dict.fromkeys(wells):
            attributes = well_attributes(wells.count(well))
            self._put_group(spec, self.path.joinpath(*well), attributes)

    def _write_series(self, spec: StoreSpec) -> None:
        folder = self.path / "OME"
        paths = [str(number) for number in range(len(self._images))]
        self._put_group(spec, folder, series_attributes(paths))
        xml = ome_xml([_xml_image(spec, image) for image in spec.images])
        self._put(folder / "METADATA.ome.xml", xml.encode())

    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        """Store a batch: pixels first, then the lines of the journal."""
        assert self._journal is not None  # opened before the first batch
        frames: dict[int, list[tuple[tuple[int, ...], npt.NDArray[np.generic]]]] = {}
        for item in items:
            if spec.growing:
                self._grow(spec, item.address)
            if item.frame is not None:
                pair = item.address.index, item.frame
                frames.setdefault(item.address.image, []).append(pair)
                self._contrast.add(item.axes.get("channel", 0), item.frame)
        with self._halving(items):
            for number, pairs in frames.items():
                self._images[number].write(pairs)
            for item in items:
                if item.status != "saved":
                    self._images[item.address.image].skip(item.address.index)
            self._journal.write(item.journal_entry() for item in items)

    @property
    def ahead(self) -> int:  # type: ignore[override]
        """Bytes of frames that are worth compressing before the first is written."""
        return self._images[0].ahead if self._images else 0

    def prepare(self, item: FrameItem) -> None:
        """Begin to compress a frame; its checksum is made along with that."""
        number, frame = item.address.image, item.frame
        if frame is None or number >= len(self._images):
            return

        def check() -> None:
            item.crc32c = checksum(frame)

        self._images[number].prepare(item.address.index, frame, check)

    def prepared(self, item: FrameItem, *, wait: bool) -> bool:
        """Return whether a frame is compressed, if that was begun."""
        number = item.address.image
        if item.frame is None or number >= len(self._images):
            return True
        return self._images[number].prepared(item.address.index, wait=wait)

    @contextlib.contextmanager
    def _halving(self, items: Sequence[FrameItem]) -> Iterator[None]:
        """Let the worker of the levels have the frames while they are written."""
        if self._pyramid is None:
            yield
            return
        saved = [item for item in items if item.status == "saved"]
        self._pyramid.lend(
            (item.address, item.frame) for item in saved if item.frame is not None
        )
        try:
            yield
        finally:
            self._pyramid.take_back()
        self._pyramid.add(*(item.address for item in saved if item.frame is None))

    def write_at_once(
        self, item: FrameItem, pixels: npt.NDArray[np.generic], spec: StoreSpec
    ) -> bool:
        """Store the pixels of a frame, unless that takes more than a write."""
        if spec.growing:
            return False
        store = self._images[item.address.image]
        if not store.write_at_once(item.address.index, pixels):
            return False
        self._contrast.add(item.axes.get("channel", 0), pixels)
        return True

    def _grow(self, spec: StoreSpec, address: Address) -> None:
        """Make room for a frame outside of what the metadata say."""
        if len(self._images) < len(spec.images):
            for image in spec.images[len(self._images) :]:
                self._add(spec, image)
            if self._collection:
                self._write_series(spec)
        store = self._images[address.image]
        if any(i >= n for i, n in zip(address.index, store.shape, strict=True)):
            # Twice the room at a time: readers see zeros ahead of the run, and the
            # metadata are not written anew for each frame. `close` makes it exact.
            store.shape = tuple(
                n if i < n else max(i + 1, 2 * n)
                for i, n in zip(address.index, store.shape, strict=True)
            )
            store.write_arrays(spec)
        if spec.labels != self._labels:
            self._labels = spec.labels
            self._write_groups(spec, complete=False)

    def _write_groups(self, spec: StoreSpec, *, complete: bool) -> None:
        channels = self._contrast.apply(spec.display_channels())
        for store, image in zip(self._images, spec.images, strict=True):
            store.write_group(
                spec,
                image,
                complete=complete,
                channels=channels,
                extra=self._image_extra(spec, image),
            )

    def _write_level(
        self, level: int, frames: Sequence[tuple[Address, npt.NDArray[np.generic]]]
    ) -> None:
        by_image: dict[int, list[tuple[tuple[int, ...], npt.NDArray[np.generic]]]] = {}
        for address, frame in frames:
            by_image.setdefault(address.image, []).append((address.index, frame))
        for number, pairs in by_image.items():
            self._images[number].write(pairs, level)

    def read(self, address: Address) -> npt.NDArray[np.generic] | None:
        """Read a committed frame at full resolution."""
        with self._lock:
            if address.image >= len(self._images):
                return None
            store = self._images[address.image]
        return store.read(address.index)

    def sync(self) -> None:
        """Wait until metadata, pixels and journal survive a loss of power."""
        with self._lock:
            images = list(self._images)
            documents, self._unsynced = self._unsynced, set()
        try:
            while documents:
                path = next(iter(documents))
                with DataFile.open(path, writable=True) as file:
                    file.sync()
                documents.remove(path)
        finally:
            with self._lock:
                self._unsynced |= documents
        for store in images:
            for writer in store.writers:
                writer.sync()
        if self._journal is not None:
            self._journal.sync()

    def close(self, spec: StoreSpec, totals: Mapping[str, object] | None) -> None:
        """Complete the levels and the metadata and close all files."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._pyramid is not None:
                if totals is None:
                    self._pyramid.abort()
                else:
                    self._pyramid.finish()
            if totals is not None and self._images:
                self._finish_metadata(spec)
                if self.durable:
                    self.sync()
        except BaseException:
            totals = None
            raise
        finally:
            for store in self._images:
                store.close()
            if self._workshop is not None:
                self._workshop.close()
            if self._journal is not None:
                self._journal.close(totals)

    def _finish_metadata(self, spec: StoreSpec) -> None:
        if spec.growing:
            for store, image in zip(self._images, spec.images, strict=True):
                store.shape = spec.shape(image)
                store.write_arrays(spec)
            if self._collection:
                self._write_series(spec)
        for store in self._images:
            store.finish(spec, durable=self.durable)
        self._write_groups(spec, complete=True)
        if self._journal is not None:
            found = {**self._journal.summary(), **self._journal.table()}
            self._write_acquisition(spec, found)


def _xml_image(spec: StoreSpec, image: ImageSpec) -> XmlImage:
    sizes = {
        short(n): size
        for n, size in zip(spec.index_axes, spec.shape(image), strict=True)
    }
    height, width = spec.frame_shape[:2]
    names = tuple(channel.name for channel in spec.display_channels())
    return XmlImage(
        name=image.name,
        sizes={**sizes, "y": height, "x": width},
        dtype=spec.dtype.name,
        pixel_um=(spec.pixel_um, spec.pixel_um),
        z_um=spec.z_um,
        channels=names[: sizes.get("c", 1)],
        bit_depth=spec.bit_depth,
    )
