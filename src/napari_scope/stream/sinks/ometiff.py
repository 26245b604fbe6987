"""Frames into OME-TIFF files that are valid after every frame.

One image is one file, ``name.ome.tiff``, with the journal ``name.frames.jsonl`` beside
it. Several images are a folder with a file for each, the journal and a companion that
describes the whole; or, if asked for, one file.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from napari_scope.errors import FrameError, OutputExistsError, SettingsError
from napari_scope.formats.ometiff import (
    PIXEL_TYPES,
    Compression,
    OmeImage,
    OmePlate,
    OmeTiffWriter,
    dimension_order,
    stem_of,
)
from napari_scope.formats.ometiff import (
    FrameItem as TiffItem,
)
from napari_scope.stream.journal import JOURNAL_NAME, Journal, jsonable, plan_header
from napari_scope.stream.sinks.base import FrameItem, Sink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ometiff.facts import Place
    from napari_scope.stream.recovery_plan import FrameLine
    from napari_scope.stream.resumption import Resumption
    from napari_scope.stream.router import Address
    from napari_scope.stream.spec import ImageSpec, StoreSpec

__all__ = ["OmeTiffSink", "journal_path"]

_AXES = ("time", "channel", "z")

_RESUMED = "resumed"  # the note that says when the run went on

# By the units that `StoreSpec.axes` gives.
_UNITS = {"x": "micrometer", "z": "micrometer", "t": "second"}


def journal_path(path: str | PathLike[str], *, folder: bool) -> Path:
    """Return where the journal of an output is.

    Examples
    --------
    >>> journal_path("data/cells.ome.tiff", folder=False).as_posix()
    'data/cells.frames.jsonl'
    """
    path = Path(path)
    if folder:
        return path / JOURNAL_NAME
    return path.with_name(f"{stem_of(path)}.{JOURNAL_NAME}")


class OmeTiffSink(Sink):
    """Write OME-TIFF.

    Parameters
    ----------
    path : str or PathLike
        The file, or the folder if there are several images; it must not exist.
    single_file : bool
        Whether several images go to one file.
    levels : int, optional
        Levels of a pyramid, each half of the one before. None for no pyramid, or that
        of the files that are there when a run is continued.
    """

    format = "ome-tiff"

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        single_file: bool = False,
        levels: int | None = None,
    ) -> None:
        self.path: Path = Path(path)
        self._single_file = single_file
        self._levels = levels
        self._writer: OmeTiffWriter | None = None
        self._journal: Journal | None = None
        self._columns: tuple[int | None, ...] = ()
        self._sources: tuple[ImageSpec, ...] = ()
        self._labels: object = None
        self._images: list[OmeImage] = []
        self._closed = False
        # Frames come from the writer thread and, if written at once, from another.
        self._lock = threading.Lock()

    def check(self, spec: StoreSpec) -> None:
        """Refuse a path that exists, and what OME-TIFF cannot hold."""
        super().check(spec)
        journal = journal_path(self.path, folder=False)
        if os.path.lexists(journal):
            raise OutputExistsError(
                "the journal of another run is there",
                path=journal,
                hint="choose another name",
            )
        self._check_content(spec)

    def _check_content(self, spec: StoreSpec) -> None:
        others = [name for name in spec.index_axes if name not in _AXES]
        if others:
            raise SettingsError(
                f"OME-TIFF has the axes time, channel and z, found {', '.join(others)}",
                path=self.path,
                hint="choose NDTiff or OME-Zarr, which hold any axes",
            )
        kinds = ("uint8", "uint16") if spec.rgb else tuple(PIXEL_TYPES)
        if spec.dtype.name not in kinds:
            raise SettingsError(
                f"{'colour ' if spec.rgb else ''}frames of type {spec.dtype} cannot be "
                "stored as OME-TIFF",
                path=self.path,
                hint=f"use one of {', '.join(kinds)}",
            )
        _compression(spec)
        order = spec.storage.order
        if order is not None and sorted(order) != sorted(spec.index_axes):
            raise SettingsError(
                f"the storage order {', '.join(order)} does not fit the axes "
                f"{', '.join(spec.index_axes) or 'none'}",
                path=self.path,
            )

    def open(self, spec: StoreSpec) -> None:
        """Create the files, with complete metadata, and the journal."""
        self.check(spec)
        places = spec.has_places and (spec.open_ended or len(spec.images) > 1)
        folder = places and not self._single_file
        self._writer = self._open_writer(spec, folder=folder)
        self._journal = Journal.create(
            journal_path(self.path, folder=folder), plan_header(spec, self.format)
        )

    def _open_writer(
        self,
        spec: StoreSpec,
        *,
        folder: bool,
        lines: Sequence[FrameLine] | None = None,
    ) -> OmeTiffWriter:
        """Make the files, or go on with those that have the frames of some lines."""
        names = spec.index_axes
        self._columns = tuple(names.index(n) if n in names else None for n in _AXES)
        self._follow(spec)
        plate = spec.plate
        known = None
        if lines is not None:
            known = {
                (line.image, self._place(line.index))
                for line in lines
                if line.status == "saved"
            }
        return OmeTiffWriter(
            self.path,
            self._images,
            layout="folder" if folder else "file",
            plate=None
            if plate is None
            else OmePlate(plate.name, plate.rows, plate.columns),
            notes=_notes(spec),
            compression=_compression(spec),
            levels=self._levels,
            arrival=_arrival(spec),
            growing=spec.growing,
            resume=known,
        )

    def resume(self, spec: StoreSpec, resumption: Resumption) -> None:
        """Go on with the files; nothing in them is changed before a frame comes."""
        self._journal = Journal.reopen(
            resumption.journal,
            plan_header(spec, self.format),
            after=resumption.count,
        )
        self._check_content(spec)
        folder = resumption.journal.name == JOURNAL_NAME
        self._writer = self._open_writer(spec, folder=folder, lines=resumption.lines)
        # Frames without a line may reach further than those with one.
        self._images = list(self._writer.images)
        times = self._writer.notes.get(_RESUMED, "").split()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._writer.add_notes({_RESUMED: " ".join([*times, now])})

    def _follow(self, spec: StoreSpec) -> bool:
        """Note what has grown; returns whether something has."""
        if spec.images is self._sources and spec.labels is self._labels:
            return False
        anew = spec.labels != self._labels
        for number, source in enumerate(spec.images):
            if number == len(self._images):
                self._images.append(_image(spec, source))
            elif anew or source is not self._sources[number]:
                known = self._images[number]
                image = _image(spec, source)
                # Another thread may have seen a later state of the run.
                t, c, z = map(max, image.sizes, known.sizes)
                if len(image.channels) < len(known.channels):
                    image = replace(image, channels=known.channels)
                self._images[number] = replace(image, sizes=(t, c, z))
        if len(spec.images) >= len(self._sources):
            self._sources = spec.images
        self._labels = spec.labels
        return True

    def _place(self, index: Sequence[int]) -> Place:
        t, c, z = (0 if column is None else index[column] for column in self._columns)
        return t, c, z

    def _put(self, items: Sequence[TiffItem], spec: StoreSpec) -> None:
        assert self._writer is not None  # opened before the first batch
        with self._lock:
            if spec.growing and self._follow(spec):
                self._writer.update(self._images)
            try:
                self._writer.put_many(items)
            except FrameError:
                # Sets, dates, NaN: what JSON has no form for is stored as text.
                self._writer.put_many(
                    [i._replace(metadata=jsonable(i.metadata)) for i in items]
                )

    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        """Store a batch: frames with their facts, then the lines of the journal."""
        assert self._journal is not None
        frames = [
            TiffItem(i.address.image, self._place(i.address.index), i.frame, i.metadata)
            for i in items
            if i.frame is not None
        ]
        if frames:
            self._put(frames, spec)
        self._journal.write(item.journal_entry() for item in items)

    def write_at_once(
        self, item: FrameItem, pixels: npt.NDArray[np.generic], spec: StoreSpec
    ) -> bool:
        """Store a frame, unless it is to be packed or halved, which takes its time."""
        if spec.storage.compression is not None or (self._levels or 1) > 1:
            return False
        address = item.address
        frame = TiffItem(
            address.image, self._place(address.index), pixels, item.metadata
        )
        self._put([frame], spec)
        return True

    def read(self, address: Address) -> npt.NDArray[np.generic] | None:
        """Read a committed frame."""
        if self._writer is None:
            return None
        return self._writer.read(address.image, self._place(address.index))

    def sync(self) -> None:
        """Wait until frames and journal survive a loss of power."""
        if self._writer is not None:
            self._writer.sync()
        if self._journal is not None:
            self._journal.sync()

    def close(self, spec: StoreSpec, totals: Mapping[str, object] | None) -> None:
        """Complete the OME-XML and close the files."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._writer is not None:
                finish = totals is not None
                if finish and spec.growing and self._follow(spec):
                    self._writer.update(self._images)
                if self._journal is not None:
                    frames = json.dumps(self._journal.summary())
                    self._writer.add_notes({"frames": frames})
                self._writer.close(finish=finish, durable=self.durable)
                if finish and self.durable and self._journal is not None:
                    self._journal.sync()
        except BaseException:
            totals = None
            raise
        finally:
            if self._journal is not None:
                self._journal.close(totals)


def _compression(spec: StoreSpec) -> Compression | None:
    wanted = spec.storage.compression
    for name in get_args(Compression):
        if wanted == name:
            return name  # type: ignore[no-any-return]
    if wanted is not None:
        raise SettingsError(
            f"OME-TIFF has no compression {wanted!r}",
            hint=f"use one of {', '.join(get_args(Compression))}, or none",
        )
    return None


def _arrival(spec: StoreSpec) -> str:
    """Return the order in which the planes of an image come."""
    return dimension_order([name for name in spec.order if name in _AXES])


def _image(spec: StoreSpec, image: ImageSpec) -> OmeImage:
    sizes = dict(zip(spec.index_axes, spec.shape(image), strict=True))
    t, c, z = (sizes.get(name, 1) for name in _AXES)
    # Scales that are not known have no unit.
    scales = {
        axis.name: axis.scale
        for axis in spec.axes(image)
        if axis.unit is not None and axis.unit == _UNITS.get(axis.name)
    }
    order = spec.storage.order
    return OmeImage(
        name=image.name,
        frame_shape=spec.frame_shape,
        dtype=spec.dtype.name,
        sizes=(t, c, z),
        order=_arrival(spec) if order is None else dimension_order(order),
        channels=spec.display_channels()[:c],
        pixel_um=scales.get("x"),
        z_um=scales.get("z"),
        interval_s=spec.interval_s and scales.get("t"),
        bit_depth=spec.bit_depth,
        stage_um=(image.x_um, image.y_um, image.z_um),
        well=image.well,
    )


def _notes(spec: StoreSpec) -> dict[str, str]:
    notes = {"name": spec.name}
    for key, value in spec.summary.items():
        plain = jsonable(value)
        notes[str(key)] = plain if isinstance(plain, str) else json.dumps(plain)
    return notes
