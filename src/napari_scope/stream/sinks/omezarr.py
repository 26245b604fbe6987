"""Frames into an OME-Zarr 0.5 store that is valid at every instant.

Layout: one image is the root itself; several are a collection (bioformats2raw layout)
with the images ``0``, ``1``, ... and the group ``OME``. The group ``acquisition``
beside them holds the journal and the plan. Level 0 is written as frames arrive; the
coarse levels grow behind it and are listed only when they are complete, so that no
reader ever sees an empty overview of data that are there.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.arrays import pyramid_shapes
from napari_scope.errors import SettingsError
from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ngff.metadata import (
    LevelInfo,
    array_metadata,
    collection_attributes,
    encode,
    group_metadata,
    image_attributes,
    series_attributes,
)
from napari_scope.formats.ngff.omexml import PIXEL_TYPES, XmlImage, ome_xml
from napari_scope.formats.ngff.shards import ShardGrid, ShardWriter, choose_shard
from napari_scope.model import Channel, short
from napari_scope.stream.journal import JOURNAL_NAME, Journal, jsonable
from napari_scope.stream.sinks.base import FrameItem, Sink
from napari_scope.stream.sinks.contrast import ContrastMeter
from napari_scope.stream.sinks.pyramid import PyramidWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    import numpy as np
    import numpy.typing as npt

    from napari_scope.stream.router import Address
    from napari_scope.stream.spec import ImageSpec, StoreSpec

__all__ = ["OmeZarrSink"]

ACQUISITION_GROUP = "acquisition"

_GROWING_FILE_BYTES = 1 << 28  # files of a growing axis: few, but quick to copy


class _ImageStore:
    """One image: its groups, its arrays and their files.

    ``put`` stores a document of metadata at a path.
    """

    def __init__(
        self,
        folder: Path,
        spec: StoreSpec,
        image: ImageSpec,
        levels: int | None,
        put: Callable[[Path, bytes], None],
    ) -> None:
        self.folder = folder
        self._put = put
        height, width = spec.frame_shape[:2]
        self.frame_shapes = pyramid_shapes((height, width), levels=levels)
        shape = spec.shape(image)
        # 0 stands for "may grow"; see ShardGrid.
        fixed = tuple(
            0 if spec.grows(name) else n
            for name, n in zip(spec.index_axes, shape, strict=True)
        )
        self.shape = shape
        self.writers: list[ShardWriter] = []
        folder.mkdir(parents=True, exist_ok=True)
        for level, (rows, columns) in enumerate(self.frame_shapes):
            frame_bytes = rows * columns * spec.dtype.itemsize
            grid = ShardGrid(fixed, _span(fixed, frame_bytes), frame_bytes)
            array = folder / str(level)
            array.mkdir()
            writer = ShardWriter(array, grid, (rows, columns), spec.dtype)
            self.writers.append(writer)
        self.write_arrays(spec)

    def write_arrays(self, spec: StoreSpec) -> None:
        """Write the metadata of all arrays for the present shape."""
        names = [*map(short, spec.index_axes), "y", "x"]
        ones = (1,) * len(self.shape)
        for writer, frame in zip(self.writers, self.frame_shapes, strict=True):
            document = array_metadata(
                self.shape + frame,
                spec.dtype.name,
                chunk=ones + frame,
                shard=writer.grid.span + frame,
                names=names,
            )
            self._put(writer.folder / "zarr.json", encode(document))

    def write_group(
        self,
        spec: StoreSpec,
        image: ImageSpec,
        *,
        complete: bool,
        channels: Sequence[Channel],
        extra: Mapping[str, Any],
    ) -> None:
        """Write the metadata of the image; coarse levels only when ``complete``."""
        count = len(self.frame_shapes) if complete else 1
        channels = channels[: max(1, image.sizes.get("channel", 1))]
        attributes = image_attributes(
            image.name,
            spec.axes(image),
            [LevelInfo(str(level), 2**level) for level in range(count)],
            channels,
            bit_depth=spec.bit_depth,
            default_z=image.sizes.get("z", 1) // 2,
            extra=extra,
        )
        self._put(self.folder / "zarr.json", encode(group_metadata(attributes)))

    def close(self) -> None:
        """Close all files."""
        for writer in self.writers:
            writer.close()


def _is_collection(spec: StoreSpec) -> bool:
    return spec.has_places and (spec.open_ended or len(spec.images) > 1)


def _span(fixed: tuple[int, ...], frame_bytes: int) -> tuple[int, ...]:
    """Return the frames in a shard; what grows in several ways gets a file a frame.

    Only along a single growing axis is it known how files fill up. Along several, a
    file would be mostly hole.
    """
    if fixed.count(0) > 1:
        return (1,) * len(fixed)
    if 0 in fixed:
        return choose_shard(fixed, frame_bytes, limit=_GROWING_FILE_BYTES)
    return choose_shard(fixed, frame_bytes)


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
        self._images: list[_ImageStore] = []
        self._collection = False
        self._journal: Journal | None = None
        self._pyramid: PyramidWorker | None = None
        self._contrast = ContrastMeter()
        self._labels: Mapping[str, tuple[str, ...]] = {}
        self._closed = False
        self._unsynced: set[Path] = set()  # metadata
        # Guards the list of images, which a growing store extends while others read.
        self._lock = threading.Lock()

    def check(self, spec: StoreSpec) -> None:
        """Refuse a path that exists, colour, and axes that OME-NGFF cannot hold."""
        super().check(spec)
        if spec.rgb:
            raise SettingsError(
                "frames of a colour camera are not stored as OME-Zarr",
                hint="choose NDTiff, which keeps the three colours of a pixel together",
            )
        if spec.images:
            _ = image_attributes("", spec.axes(spec.images[0]), [])
        if _is_collection(spec) and spec.dtype.name not in PIXEL_TYPES:
            raise SettingsError(
                f"several images of type {spec.dtype} cannot be stored as OME-Zarr: "
                "the OME-XML that lists them has no name for it",
                path=self.path,
                hint=f"use one of {', '.join(PIXEL_TYPES)}",
            )

    def open(self, spec: StoreSpec) -> None:
        """Create the store with complete metadata."""
        self.check(spec)
        self._collection = _is_collection(spec)
        self._labels = spec.labels
        self.path.mkdir(parents=True)
        if self._collection:
            root = group_metadata(collection_attributes(self._extra(spec)))
            self._put(self.path / "zarr.json", encode(root))
        for image in spec.images:
            self._add(spec, image)
        if self._collection:
            self._write_series(spec)
        acquisition = self.path / ACQUISITION_GROUP
        acquisition.mkdir()
        own = {"napari_scope": jsonable(spec.summary)}
        self._put(acquisition / "zarr.json", encode(group_metadata(own)))
        header = {"format": self.format, "name": spec.name, "frames": spec.n_frames}
        self._journal = Journal.create(acquisition / JOURNAL_NAME, header)
        height, width = spec.frame_shape[:2]
        count = len(pyramid_shapes((height, width), levels=self._levels))
        if count > 1:
            self._pyramid = PyramidWorker(
                self.read, self._write_level, count, self.under_pressure
            )

    def _put(self, path: Path, document: bytes) -> None:
        replace_file(path, document)
        with self._lock:
            self._unsynced.add(path)

    def _extra(self, spec: StoreSpec) -> dict[str, Any]:
        return {"name": spec.name, "journal": f"{ACQUISITION_GROUP}/{JOURNAL_NAME}"}

    def _add(self, spec: StoreSpec, image: ImageSpec) -> None:
        number = len(self._images)
        folder = self.path / str(number) if self._collection else self.path
        store = _ImageStore(folder, spec, image, self._levels, self._put)
        store.write_group(
            spec,
            image,
            complete=False,
            channels=spec.display_channels(),
            extra=self._image_extra(spec, image),
        )
        with self._lock:
            self._images.append(store)

    def _image_extra(self, spec: StoreSpec, image: ImageSpec) -> dict[str, Any]:
        extra: dict[str, Any] = {"axes": dict(image.place)} if image.place else {}
        stage = {"x_um": image.x_um, "y_um": image.y_um, "z_um": image.z_um}
        if any(value is not None for value in stage.values()):
            extra["stage"] = stage
        return extra if self._collection else {**self._extra(spec), **extra}

    def _write_series(self, spec: StoreSpec) -> None:
        folder = self.path / "OME"
        folder.mkdir(exist_ok=True)
        paths = [str(number) for number in range(len(self._images))]
        group = group_metadata(series_attributes(paths))
        self._put(folder / "zarr.json", encode(group))
        xml = ome_xml([_xml_image(spec, image) for image in spec.images])
        self._put(folder / "METADATA.ome.xml", xml.encode())

    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        """Store a batch: pixels first, then the lines of the journal."""
        assert self._journal is not None  # opened before the first batch
        for item in items:
            if spec.growing:
                self._grow(spec, item.address)
            if item.frame is None:
                continue
            store = self._images[item.address.image]
            store.writers[0].write(item.address.index, item.frame)
            self._contrast.add(item.axes.get("channel", 0), item.frame)
        self._journal.write(item.journal_entry() for item in items)
        if self._pyramid is not None:
            for item in items:
                if item.status == "saved":
                    self._pyramid.add(item.address)

    def write_at_once(
        self, item: FrameItem, pixels: npt.NDArray[np.generic], spec: StoreSpec
    ) -> bool:
        """Store the pixels of a frame, unless the store has to grow for it."""
        if spec.growing:
            return False
        store = self._images[item.address.image]
        store.writers[0].write(item.address.index, pixels)
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
        self, level: int, address: Address, frame: npt.NDArray[np.generic]
    ) -> None:
        self._images[address.image].writers[level].write(address.index, frame)

    def read(self, address: Address) -> npt.NDArray[np.generic] | None:
        """Read a committed frame at full resolution."""
        with self._lock:
            if address.image >= len(self._images):
                return None
            writer = self._images[address.image].writers[0]
        return writer.read(address.index)

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
            if self._journal is not None:
                self._journal.close(totals)

    def _finish_metadata(self, spec: StoreSpec) -> None:
        if spec.growing:
            for store, image in zip(self._images, spec.images, strict=True):
                store.shape = spec.shape(image)
                store.write_arrays(spec)
            if self._collection:
                self._write_series(spec)
        self._write_groups(spec, complete=True)


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
