"""One image of an OME-Zarr store: its groups, its arrays and their files.

The arrays are level 0 and the coarse levels, all cut and compressed alike. Addresses
of frames follow the index axes of the stream; here they are put into the order of
storage, in which time comes first, then the channel or a custom axis, then space.
What is asked of a store is checked before anything is made: `check_storage`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_scope.arrays import pyramid_shapes
from napari_scope.errors import SettingsError
from napari_scope.formats.ngff.chunks import ChunkPlan, plan_chunks
from napari_scope.formats.ngff.codecs import make_codec
from napari_scope.formats.ngff.metadata import (
    NGFF_VERSION,
    NGFF_VERSIONS,
    LevelInfo,
    axis_rank,
    encode,
    group_documents,
    image_attributes,
)
from napari_scope.stream.spec import PLACE_AXES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ngff.shards import ChunkStore
    from napari_scope.formats.ngff.writers import Workshop
    from napari_scope.model import Axis, Channel
    from napari_scope.stream.spec import ImageSpec, StoreSpec

__all__ = ["ImageStore", "check_storage", "ngff_version"]


def ngff_version(spec: StoreSpec) -> str:
    """Return the version of OME-Zarr that is asked for."""
    return spec.storage.version or NGFF_VERSION


def check_storage(spec: StoreSpec) -> None:
    """Refuse chunks, codecs, orders and versions that OME-Zarr does not have.

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

    Parameters
    ----------
    folder : Path
        Its group; made here.
    spec : StoreSpec
        What the store holds.
    image : ImageSpec
        The image.
    levels : int, optional
        Number of levels; see `OmeZarrSink`.
    workshop : Workshop
        Makes the writers.
    put : callable
        Stores a document of metadata at a path.
    """

    def __init__(
        self,
        folder: Path,
        spec: StoreSpec,
        image: ImageSpec,
        levels: int | None,
        workshop: Workshop,
        put: Callable[[Path, bytes], None],
    ) -> None:
        self.folder = folder
        self._put = put
        self._format = workshop.format
        self.shape = spec.shape(image)
        self._cut = _Cut(spec, image)
        height, width = spec.frame_shape[:2]
        self.plans: list[ChunkPlan] = []
        self.writers: list[ChunkStore] = []
        folder.mkdir(parents=True, exist_ok=True)
        for frame in pyramid_shapes((height, width), levels=levels):
            plan = self._cut.plan(frame)
            array = folder / str(len(self.writers))
            array.mkdir()
            self.plans.append(plan)
            self.writers.append(workshop.writer(array, plan))
        self.write_arrays(spec)

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
        self, frames: Sequence[tuple[tuple[int, ...], npt.NDArray[np.generic]]]
    ) -> None:
        """Write frames at full resolution."""
        stored = self._cut.stored
        self.writers[0].write_all([(stored(index), frame) for index, frame in frames])

    def write_at_once(
        self, index: tuple[int, ...], frame: npt.NDArray[np.generic]
    ) -> bool:
        """Write a frame at full resolution, if that takes little time."""
        if not self.writers[0].at_once:
            return False
        self.writers[0].write(self._cut.stored(index), frame)
        return True

    def write_level(
        self, level: int, index: tuple[int, ...], frame: npt.NDArray[np.generic]
    ) -> None:
        """Write a frame of a coarse level."""
        self.writers[level].write(self._cut.stored(index), frame)

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
