"""One image of an OME-Zarr store: its groups, its arrays and their files.

The arrays are level 0 and the coarse levels, all cut and compressed alike. Addresses
of frames follow the index axes of the stream; here they are put into the order of
storage: time first, then the channel or a custom axis, then space, unless another
order is asked for. What is asked of a store is checked before anything is made:
`check_storage`, `forbidden_orders`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_scope.arrays import pyramid_shapes
from napari_scope.errors import SettingsError
from napari_scope.fileio import sync_folder
from napari_scope.formats.ngff.images import ome_block
from napari_scope.formats.ngff.metadata import (
    NGFF_VERSION,
    NGFF_VERSIONS,
    LevelInfo,
    axis_rank,
    encode,
    follows_order,
    group_documents,
    image_attributes,
)
from napari_scope.formats.ngff.writing.chunks import ChunkPlan, plan_chunks
from napari_scope.formats.ngff.writing.codecs import make_codec
from napari_scope.formats.ngff.writing.reopening import plan_on_disk
from napari_scope.stream.spec import PLACE_AXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ngff.writing.shards import ChunkStore
    from napari_scope.formats.ngff.writing.writers import Workshop
    from napari_scope.model import Axis, Channel
    from napari_scope.stream.spec import ImageSpec, StoreSpec

__all__ = ["ImageStore", "check_storage", "forbidden_orders", "ngff_version"]


def ngff_version(spec: StoreSpec) -> str:
    """Return the version of OME-Zarr that is asked for."""
    return spec.storage.version or NGFF_VERSION


def check_storage(spec: StoreSpec) -> None:
    """Refuse chunks, codecs, axes and versions that OME-Zarr does not have.

    Raises
    ------
    SettingsError
        With what is wrong and what to choose.
    """
    storage, version = spec.storage, ngff_version(spec)
    if version not in NGFF_VERSIONS:
        raise SettingsError(
            f"OME-Zarr {version} is not written",
            hint=f"choose one of {', '.join(NGFF_VERSIONS)}",
        )
    if storage.shards and NGFF_VERSIONS[version] == 2:
        raise SettingsError(
            f"OME-Zarr {version} has a file for each chunk and no shards",
            hint="leave the sizes of shards out, or choose version 0.5",
        )
    make_codec(storage.compression, spec.dtype.itemsize)
    known = {*spec.order, *PLACE_AXES, "y", "x"}
    for kind, sizes in (("chunk", storage.chunks), ("shard", storage.shards)):
        for name, size in sizes.items():
            if name not in known and not spec.open_ended:
                raise SettingsError(
                    f"a {kind} has a size on the axis {name!r}, which is not stored",
                    hint=f"the axes are {', '.join((*spec.index_axes, 'y', 'x'))}",
                )
            if size < 1:
                raise SettingsError(
                    f"a {kind} of {size} on the axis {name!r} is not possible",
                    hint="sizes count from 1",
                )
    for image in spec.images:
        cut = _Cut(spec, image)
        _ = image_attributes("", cut.axes, [])
        cut.plan(spec.frame_shape[:2])


def forbidden_orders(spec: StoreSpec) -> list[str]:
    """Return the orders of axes that are asked for and that OME-NGFF forbids."""
    orders = (_Cut(spec, image).axes for image in spec.images)
    found = (
        ", ".join(axis.name for axis in axes)
        for axes in orders
        if not follows_order(axes)
    )
    return list(dict.fromkeys(found))


class _Cut:
    """How the arrays of one image are ordered and cut.

    Parameters
    ----------
    spec : StoreSpec
        What the store holds.
    image : ImageSpec
        The image.
    """

    def __init__(self, spec: StoreSpec, image: ImageSpec) -> None:
        self._spec = spec
        self._image = image
        self.order = _order(spec, image)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes as they are stored, y and x included."""
        axes = self._spec.axes(self._image)
        count = len(self.order)
        return (*(axes[i] for i in self.order), *axes[count:])

    def stored(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Put numbers that follow the index axes into the order of storage."""
        return tuple(index[i] for i in self.order)

    def taken(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """Put numbers that are in the order of storage into that of the index axes."""
        return tuple(stored[self.order.index(i)] for i in range(len(self.order)))

    def plan(self, frame: tuple[int, ...]) -> ChunkPlan:
        """Return the cut of a level whose frames have this shape."""
        spec, storage = self._spec, self._spec.storage
        # 0 stands for an axis that may grow.
        shape = tuple(
            0 if spec.grows(name) else n
            for name, n in zip(spec.index_axes, spec.shape(self._image), strict=True)
        )
        # The rows of a frame need not run along y.
        rows, columns = (axis.name for axis in self.axes[-2:])
        names = {rows: "y", columns: "x"}
        return plan_chunks(
            tuple(spec.index_axes[i] for i in self.order),
            self.stored(shape),
            (frame[0], frame[1]),
            spec.dtype.itemsize,
            chunks={names.get(n, n): size for n, size in storage.chunks.items()},
            shards={names.get(n, n): size for n, size in storage.shards.items()},
            sharded=NGFF_VERSIONS[ngff_version(spec)] == 3,
        )


def _order(spec: StoreSpec, image: ImageSpec) -> tuple[int, ...]:
    """Return the numbers of the index axes in the order in which they are stored."""
    names = spec.index_axes
    if spec.storage.order is None or (spec.open_ended and not spec.order):
        kinds = [axis.kind for axis in spec.axes(image)]
        return tuple(sorted(range(len(names)), key=lambda i: axis_rank(kinds[i])))
    wanted = [name for name in spec.storage.order if name not in PLACE_AXES]
    if sorted(wanted) != sorted(names):
        raise SettingsError(
            f"the order of storage names {', '.join(wanted) or 'no axis'}; the stream "
            f"has {', '.join(names) or 'none'}",
            hint="name each axis of the frames once, or leave the order to the format",
        )
    return tuple(names.index(name) for name in wanted)


class ImageStore:
    """One image.

    Made by `create`, or by `find` for one that is there.

    Parameters
    ----------
    folder : Path
        Its group.
    cut : object
        How its arrays are ordered and cut.
    plans : sequence of ChunkPlan
        The cut of each level.
    shape : tuple of int
        Number of frames on each index axis.
    workshop : Workshop
        Makes the writers.
    put : callable
        Stores a document of metadata at a path.
    """

    def __init__(
        self,
        folder: Path,
        cut: _Cut,
        plans: Sequence[ChunkPlan],
        shape: tuple[int, ...],
        workshop: Workshop,
        put: Callable[[Path, bytes], None],
    ) -> None:
        self.folder = folder
        self.shape = shape
        self._cut = cut
        self._put = put
        self._format = workshop.format
        self.plans = plans
        self.writers: list[ChunkStore] = [
            workshop.writer(folder / str(level), plan)
            for level, plan in enumerate(plans)
        ]

    @classmethod
    def create(
        cls,
        folder: Path,
        spec: StoreSpec,
        image: ImageSpec,
        levels: int | None,
        workshop: Workshop,
        put: Callable[[Path, bytes], None],
    ) -> ImageStore:
        """Make an image with its arrays; for ``levels`` see `OmeZarrSink`."""
        cut = _Cut(spec, image)
        height, width = spec.frame_shape[:2]
        frames = pyramid_shapes((height, width), levels=levels)
        plans = [cut.plan(frame) for frame in frames]
        store = cls(folder, cut, plans, spec.shape(image), workshop, put)
        folder.mkdir(parents=True, exist_ok=True)
        for writer in store.writers:
            writer.folder.mkdir()
        store.write_arrays(spec)
        return store

    @classmethod
    def find(
        cls,
        folder: Path,
        spec: StoreSpec,
        image: ImageSpec,
        levels: int | None,
        workshop: Workshop,
        put: Callable[[Path, bytes], None],
    ) -> ImageStore:
        """Return an image that is finished; nothing is changed, see `go_on`.

        Raises
        ------
        SettingsError
            If it has another number of levels than is asked for.
        FormatError
            If it is not stored as this run stores it.
        """
        cut = _Cut(spec, image)
        height, width = spec.frame_shape[:2]
        count = 1
        while (folder / str(count)).is_dir():
            count += 1
        frames = pyramid_shapes(
            (height, width), levels=count if levels is None else levels
        )
        if len(frames) != count:
            raise SettingsError(
                f"the image has {count} levels, not {len(frames)}",
                path=folder,
                hint="leave the number of levels out",
            )
        names = [axis.name for axis in cut.axes]
        plans, shapes = [], []
        for level, frame in enumerate(frames):
            planned = cut.plan(frame)
            array = folder / str(level)
            plan, there = plan_on_disk(array, workshop.format, planned, names)
            plans.append(plan)
            shapes.append(cut.taken(there[:-2]))
        shape = spec.shape(image)
        if spec.growing:  # it may have been planned to be longer
            shape = tuple(map(max, zip(shape, shapes[0], strict=True)))
        return cls(folder, cut, plans, shape, workshop, put)

    def go_on(self, spec: StoreSpec, came: Iterable[tuple[int, ...]]) -> None:
        """Get ready to add frames to an image that was found.

        Parameters
        ----------
        spec : StoreSpec
            What the store holds.
        came : iterable of tuple of int
            Places of the frames that are there, or were given up.
        """
        stored = [self._cut.stored(index) for index in came]
        for writer in self.writers:
            writer.take_over(stored)
        # Only files of which both is true allow the metadata to say that they grow.
        self.write_arrays(spec)
        for writer in self.writers:
            sync_folder(writer.folder)

    def write_arrays(self, spec: StoreSpec) -> None:
        """Write the metadata of all arrays for the present shape."""
        for level in range(len(self.writers)):
            self._write_array(spec, level, finished=False)

    def _write_array(self, spec: StoreSpec, level: int, *, finished: bool) -> None:
        names = [axis.name for axis in self._cut.axes]
        plan = self.plans[level]
        shape = self._cut.stored(self.shape) + plan.frame
        name, document = self._format.document(plan, shape, names, finished)
        self._put(self.writers[level].folder / name, encode(document))

    def write(
        self,
        frames: Sequence[tuple[tuple[int, ...], npt.NDArray[np.generic]]],
        level: int = 0,
    ) -> None:
        """Write frames of a level, by default at full resolution."""
        stored = self._cut.stored
        pairs = [(stored(index), frame) for index, frame in frames]
        self.writers[level].write_all(pairs)

    @property
    def ahead(self) -> int:
        """Bytes of frames that are worth preparing at a time; 0 for none."""
        return self.writers[0].ahead

    def prepare(
        self,
        index: tuple[int, ...],
        frame: npt.NDArray[np.generic],
        also: Callable[[], object],
    ) -> None:
        """Begin to compress a frame at full resolution; see `ChunkStore.prepare`."""
        self.writers[0].prepare(self._cut.stored(index), frame, also)

    def prepared(self, index: tuple[int, ...], *, wait: bool) -> bool:
        """Return whether a frame at full resolution can be written now."""
        return self.writers[0].prepared(self._cut.stored(index), wait=wait)

    def write_at_once(
        self, index: tuple[int, ...], frame: npt.NDArray[np.generic]
    ) -> bool:
        """Write a frame at full resolution, if that takes little time."""
        if not self.writers[0].at_once:
            return False
        self.writers[0].write(self._cut.stored(index), frame)
        return True

    def skip(self, index: tuple[int, ...]) -> None:
        """Note that a frame will not come."""
        for writer in self.writers:
            writer.skip(self._cut.stored(index))

    def read(self, index: tuple[int, ...]) -> npt.NDArray[np.generic] | None:
        """Read a frame at full resolution, or None where there is none."""
        return self.writers[0].read(self._cut.stored(index))

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
        count = len(self.writers) if complete else 1
        channels = channels[: max(1, image.sizes.get("channel", 1))]
        attributes = image_attributes(
            image.name,
            _Cut(spec, image).axes,
            [LevelInfo(str(level), 2**level) for level in range(count)],
            channels,
            bit_depth=spec.bit_depth,
            dtype=spec.dtype.name,
            default_z=image.sizes.get("z", 1) // 2,
            extra=extra,
        )
        for name, document in group_documents(attributes, ngff_version(spec)):
            self._put(self.folder / name, encode(document))

    def display_ranges(self) -> dict[int, tuple[float, float]]:
        """Return the range of each channel that the metadata say, if not the whole."""
        name = ".zattrs" if self._format.zarr_version == 2 else "zarr.json"
        document: Any = json.loads((self.folder / name).read_bytes())
        found = {}
        block = ome_block(document.get("attributes", document))
        try:
            channels: Any = block["omero"]["channels"]  # type: ignore[index]
            for number, channel in enumerate(channels):
                window = channel["window"]
                limits = float(window["start"]), float(window["end"])
                if limits != (window["min"], window["max"]):
                    found[number] = limits
        except (KeyError, TypeError, ValueError):
            return found  # somebody has changed them
        return found

    def finish(self, spec: StoreSpec, *, durable: bool) -> None:
        """Bring all files and the metadata of the arrays into their final form.

        The metadata must not say what a loss of power may take back, so the files are
        made safe first where that is asked for.
        """
        for level, writer in enumerate(self.writers):
            if writer.finish():
                if durable:
                    writer.sync()
                self._write_array(spec, level, finished=True)

    def close(self) -> None:
        """Close all files."""
        for writer in self.writers:
            writer.close()
