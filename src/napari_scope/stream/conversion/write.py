"""Writing what a conversion has planned: planes from the source into streams.

Every place of the target ends as saved or as skipped with its reason, unless the
conversion is interrupted: then the journal has no last line, as after a crash.

This module knows nothing of formats of the source.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from napari_scope.errors import FormatError, ScopeError, StreamError
from napari_scope.fileio import replace_file
from napari_scope.formats.ngff.metadata import (
    collection_attributes,
    encode,
    group_metadata,
    series_attributes,
)
from napari_scope.formats.ngff.omexml import XmlImage, ome_xml
from napari_scope.model import short
from napari_scope.stream.conversion.ahead import ahead
from napari_scope.stream.conversion.check import Written, verify_store
from napari_scope.stream.conversion.report import (
    ConversionProgress,
    ConversionReport,
    UnreadFrame,
)
from napari_scope.stream.conversion.source import MISSING
from napari_scope.stream.conversion.space import frame_facts
from napari_scope.stream.sinks import NDTiffSink, OmeZarrSink
from napari_scope.stream.sinks.ometiff import OmeTiffSink
from napari_scope.stream.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_scope.model import Axes
    from napari_scope.stream.conversion.parts import Part
    from napari_scope.stream.conversion.plan import PlannedStore
    from napari_scope.stream.conversion.report import Progress, Target
    from napari_scope.stream.conversion.source import Plane
    from napari_scope.stream.spec import StorageSpec, StoreSpec

__all__ = ["Conversion"]

_RING_BYTES = 128 * 2**20  # the source waits, unlike a camera: more gains nothing
# A stream writes a frame from where it is if it has nothing else to do; frames that
# come faster are copied first, and two threads wait for each other at the file. That
# costs more than reading ahead gains, unless frames are small and must be decoded.
_LARGE_BYTES = 2**20
_MOST_NOTES = 10  # on frames with damaged metadata


class _Interruptible:
    """Of a sink: it can be closed as interrupted although it did not fail itself."""

    interrupted = False

    def close(self, spec: StoreSpec, totals: Mapping[str, object] | None) -> None:
        super().close(spec, None if self.interrupted else totals)  # type: ignore[misc]


class _OmeZarr(_Interruptible, OmeZarrSink):
    pass


class _NDTiff(_Interruptible, NDTiffSink):
    pass


class _OmeTiff(_Interruptible, OmeTiffSink):
    pass


_Sink: TypeAlias = "_OmeZarr | _NDTiff | _OmeTiff"


class _Cancelled(Exception):
    """The callback has returned False."""


class Conversion:
    """The steps of one conversion, and what they share.

    Parameters
    ----------
    target, format
        What to make.
    stores : sequence of PlannedStore
        What it holds.
    storage : StorageSpec
        How pixels are cut and packed.
    on_error, levels, progress
        See `napari_scope.stream.convert.convert`.
    notes : list of str
        Notes so far; gets more.
    """

    def __init__(
        self,
        target: Path,
        format: Target,
        stores: Sequence[PlannedStore],
        storage: StorageSpec,
        on_error: Literal["stop", "skip"],
        levels: int | None,
        progress: Progress | None,
        notes: list[str],
    ) -> None:
        self._target = target
        self._format = format
        self._stores = stores
        self._storage = storage
        self._compare = True
        self._skip_unread = on_error == "skip"
        self._levels = levels
        self._progress = progress
        self._notes = notes
        self._unread: list[UnreadFrame] = []
        self._missing = 0
        self._without_metadata = 0
        self._handed = 0
        self._bytes = 0
        self._written: list[list[Written]] = []
        self._counts = [sum(_count(part) for part in store.parts) for store in stores]
        self._total = sum(self._counts)

    def run(self, source: Path | str, *, verify: bool) -> ConversionReport:
        """Write, compare if that is wanted, and report.

        Raises as `napari_scope.stream.convert.convert` does.
        """
        start = time.perf_counter()
        self._compare = verify
        sinks = [self._sink(store) for store in self._stores]
        specs = [
            replace(store.spec, n_frames=count, storage=self._storage)
            for store, count in zip(self._stores, self._counts, strict=True)
        ]
        for sink, spec in zip(sinks, specs, strict=True):
            sink.check(spec)
        state: Literal["finished", "cancelled"] = "finished"
        try:
            self._report("converting")  # last chance before anything is written
            if self._stores[0].path:
                self._begin_collection()
            for store, sink, spec in zip(self._stores, sinks, specs, strict=True):
                self._write(store, sink, spec)
        except _Cancelled:
            state = "cancelled"
        duration = time.perf_counter() - start
        if self._without_metadata > _MOST_NOTES:
            self._notes.append(
                f"{self._without_metadata} frames have metadata that cannot be read"
            )
        verified: int | None = None
        wrong: tuple[str, ...] = ()
        if verify and state == "finished":
            verified, wrong = self._verify()
        return ConversionReport(
            source=source,
            target=self._target,
            format=self._format,
            state=state,
            images=sum(len(store.parts) for store in self._stores),
            frames=self._total,
            written=self._handed,
            missing=self._missing,
            unread=tuple(self._unread),
            written_bytes=self._bytes,
            duration_s=duration,
            verified=verified,
            wrong=wrong,
            notes=tuple(self._notes),
        )

    def _sink(self, store: PlannedStore) -> _Sink:
        path = self._target / store.path if store.path else self._target
        if self._format == "ome-zarr":
            return _OmeZarr(path, levels=self._levels)
        if self._format == "ome-tiff":
            return _OmeTiff(path, levels=self._levels)
        return _NDTiff(path)

    def _write(self, store: PlannedStore, sink: _Sink, spec: StoreSpec) -> None:
        written = [Written.of(part) for part in store.parts]
        self._written.append(written)
        # The source is still there: when the disk has it all is left to the system.
        with Stream(
            spec, [sink], ring_bytes=_RING_BYTES, sync_interval_s=None
        ) as stream:
            try:
                for number, record in enumerate(written):
                    self._write_part(store, number, stream, record)
            except BaseException:
                sink.interrupted = True
                raise

    def _write_part(
        self, store: PlannedStore, number: int, stream: Stream, written: Written
    ) -> None:
        part = store.parts[number]
        planes = self._read(part)
        if store.spec.frame_bytes < _LARGE_BYTES and not part.source.is_raw:
            with ahead(planes) as ready:
                self._write_planes(part, ready, stream, written)
        else:
            self._write_planes(part, planes, stream, written)
        self._skip_foreign(store, number, stream)

    def _read(self, part: Part) -> Iterator[tuple[Plane, dict[str, Any]]]:
        """Iterate over the planes of an image with what is known of them."""
        for plane in part.source.planes(part.fixed):
            there = plane.pixels is not None
            yield plane, self._frame_facts(part, plane.index) if there else {}

    def _write_planes(
        self,
        part: Part,
        planes: Iterator[tuple[Plane, dict[str, Any]]],
        stream: Stream,
        written: Written,
    ) -> None:
        for plane, facts in planes:
            if plane.pixels is None:
                reason = plane.gap or self._unreadable(part, plane.index, plane.error)
                for sample in range(part.samples):
                    axes = part.axes(plane.index, sample)
                    stream.skip(index=axes, reason=reason)
                    if plane.gap:
                        self._missing += 1
                    else:
                        self._unread.append(UnreadFrame(axes, reason))
                self._report("converting")
                continue
            for sample in range(part.samples):
                pixels = plane.pixels
                if part.colors:
                    pixels = np.ascontiguousarray(pixels[..., sample])
                stream.append(pixels, facts, index=part.axes(plane.index, sample))
                if self._compare:
                    written.note(plane.index, sample, pixels)
                self._handed += 1
                self._bytes += pixels.nbytes
                self._report("converting")

    def _skip_foreign(self, store: PlannedStore, number: int, stream: Stream) -> None:
        """Mark what an image lacks because only others have, say, that channel."""
        spec, part = store.spec, store.parts[number]
        image = spec.images[number]
        names = spec.index_axes
        known = {
            name: {store.number(name, v) for v in part.values[short(name)]}
            for name in names
            if short(name) in part.values
        }
        if all(len(known[name]) == image.sizes[name] for name in known):
            return
        for index in np.ndindex(*spec.shape(image)):
            numbers = dict(zip(names, index, strict=True))
            if all(numbers[name] in known[name] for name in known):
                continue
            labels = {
                name: spec.labels[name][i] if name in spec.labels else i
                for name, i in numbers.items()
                if name in known
            }
            stream.skip(index={**part.place, **labels}, reason=MISSING)
            self._missing += 1

    def _unreadable(
        self, part: Part, index: Mapping[str, int], error: Exception | None
    ) -> str:
        """Return why a frame is skipped, or raise if that stops the conversion."""
        if self._skip_unread:
            return str(error)
        path = error.path if isinstance(error, ScopeError) else None
        what = error.message if isinstance(error, ScopeError) else str(error)
        raise FormatError(
            f"the frame {_text(part.axes(index))} cannot be read, {what}; "
            f"{self._handed} of {self._total} frames were converted, the target is "
            "closed as interrupted",
            path=path,
            hint="on_error='skip' (--on-error skip) leaves such frames out",
        ) from error

    def _frame_facts(self, part: Part, index: Mapping[str, int]) -> dict[str, Any]:
        try:
            facts = part.source.facts(index)
        except (ScopeError, OSError) as error:
            self._without_metadata += 1
            if self._without_metadata <= _MOST_NOTES:
                self._notes.append(
                    f"the metadata of the frame {_text(part.axes(index))} cannot be "
                    f"read, {error}"
                )
            facts = {"metadata_error": str(error)}
        if self._format == "ndtiff":
            # Only the metadata of its frames say where an image of NDTiff lies.
            for name, value in frame_facts(part.source, index).items():
                if name not in facts and f"{name}_intended" not in facts:
                    facts[name] = value
        return facts

    def _report(self, phase: Literal["converting", "verifying"], done: int = 0) -> None:
        if self._progress is None:
            return
        unread = len(self._unread)
        total = self._total if phase == "converting" else self._handed
        if phase == "converting":
            done = self._handed + unread
        if self._progress(ConversionProgress(phase, done, total, unread)) is False:
            raise _Cancelled

    def _verify(self) -> tuple[int, tuple[str, ...]]:
        same = 0
        wrong: list[str] = []
        try:
            for store, written in zip(self._stores, self._written, strict=True):
                path = self._target / store.path if store.path else self._target
                for axes, equal in verify_store(store, path, self._format, written):
                    same += equal
                    if not equal:
                        wrong.append(_text(axes))
                    self._report("verifying", same + len(wrong))
        except _Cancelled:
            self._notes.append("comparing was cancelled")
        return same, tuple(wrong)

    def _begin_collection(self) -> None:
        """Make the group that holds several stores, with the list of them."""
        paths = [store.path for store in self._stores]
        extra = {"name": self._target.name, **self._stores[0].spec.summary}
        extra.pop("images", None)  # each store has its own
        try:
            (self._target / "OME").mkdir(parents=True)
            for place, document in (
                ("zarr.json", group_metadata(collection_attributes(extra))),
                ("OME/zarr.json", group_metadata(series_attributes(paths))),
            ):
                replace_file(self._target / place, encode(document))
            xml = ome_xml([_xml_image(store) for store in self._stores])
            replace_file(self._target / "OME" / "METADATA.ome.xml", xml.encode())
        except OSError as error:
            raise StreamError(
                f"the target cannot be created, {error.strerror or error}",
                path=self._target,
                hint="choose a folder that you may write to",
            ) from error


def _count(part: Part) -> int:
    """Return the number of frames that an image has."""
    planes = sum(not part.source.gap(index) for index in part.indices())
    return planes * part.samples


def _xml_image(store: PlannedStore) -> XmlImage:
    spec = store.spec
    (image,) = spec.images
    height, width = spec.frame_shape
    sizes = {
        short(name): size
        for name, size in zip(spec.index_axes, spec.shape(image), strict=True)
    }
    return XmlImage(
        name=image.name,
        sizes={**sizes, "y": height, "x": width},
        dtype=spec.dtype.name,
        pixel_um=(spec.pixel_um, spec.pixel_um),
        z_um=spec.z_um,
        channels=tuple(c.name for c in spec.display_channels())[: sizes.get("c", 1)],
        bit_depth=spec.bit_depth,
    )


def _text(axes: Axes) -> str:
    return ", ".join(f"{name}={value}" for name, value in axes.items()) or "0"
