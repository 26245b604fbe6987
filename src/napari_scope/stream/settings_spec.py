"""From settings to the resolved description that streams and sinks use.

Lengths become micrometers and times seconds here; names become canonical. What a
`StoreSpec` has no field for (wavelengths, cells of a grid, uneven coordinates) goes
into its summary, so that it is stored with the data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_scope.model import Axis, axis_kind, canonical, short, sort_names
from napari_scope.model import Channel as DisplayChannel
from napari_scope.stream.gaps import count_gaps
from napari_scope.stream.samples import image_names
from napari_scope.stream.settings_check import codec_name, storage_names
from napari_scope.stream.spec import ImageSpec, PlateSpec, StorageSpec, StoreSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_scope.stream.dimensions import Dimension
    from napari_scope.stream.gaps import Gap
    from napari_scope.stream.outputs import FormatName
    from napari_scope.stream.samples import Plate, Position

__all__ = ["store_spec"]

_RANKS = {"time": 0, "other": 1, "channel": 1, "space": 2}


class Settings(Protocol):
    """What is asked of `AcquisitionSettings`."""

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Slowest first."""

    @property
    def dtype(self) -> str:
        """Name of the type of the pixels."""

    @property
    def compression(self) -> str | None:
        """Name of the codec."""

    @property
    def storage_order(self) -> str | tuple[str, ...]:
        """How frames are ordered in the store."""

    @property
    def plate(self) -> Plate | None:
        """The plate."""

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What will not come."""

    @property
    def is_unbounded(self) -> bool:
        """Whether the first dimension is open."""

    @property
    def format_name(self) -> FormatName:
        """Name of the format."""

    @property
    def output_path(self) -> Path:
        """Path of the store."""

    def model_dump(
        self, *, mode: str, exclude_none: bool, exclude: set[str]
    ) -> dict[str, object]:
        """Return the fields as plain values."""


def store_spec(settings: Settings) -> StoreSpec:
    """Return what a stream with these settings stores."""
    lead, frame = settings.dimensions[:-2], settings.dimensions[-2:]
    place = next((d for d in lead if d.kind == "position"), None)
    index = {canonical(d.name): d for d in lead if d is not place}
    by_name = {**index, **{d.name: d for d in frame}}
    y, x, z = by_name["y"], by_name["x"], index.get("z")
    name = settings.output_path.name.split(".")[0] or "image"
    channel = next((d for d in index.values() if d.kind == "channel"), None)
    square = {d.step for d in (y, x) if d.step is not None}
    spec = StoreSpec(
        name=name,
        frame_shape=(frame[0].count or 1, frame[1].count or 1),
        dtype=np.dtype(settings.dtype),
        order=tuple("position" if d is place else canonical(d.name) for d in lead),
        labels={n: d.labels for n, d in index.items() if d.labels},
        channels=tuple(
            DisplayChannel(c.name, c.color)
            for c in (channel.channels if channel else ())
        ),
        pixel_um=square.pop() if len(square) == 1 else None,
        z_um=z.step if z else None,
        interval_s=index["time"].step if "time" in index else None,
        growing=settings.is_unbounded,
        growing_axes=(canonical(lead[0].name),) if settings.is_unbounded else None,
        summary={"settings": _facts(settings)},
        storage=_storage(settings, index, frame),
        plate=_plate(settings, name),
    )
    origin = ImageSpec(
        name,
        sizes={n: d.count or 1 for n, d in index.items()},
        x_um=_centre(x),
        y_um=_centre(y),
        z_um=z.first if z else None,
    )
    images = _images(place, origin, by_name) if place else (origin,)
    if settings.plate is None:  # wells are in the summary; the names tell them apart
        images = tuple(replace(image, well=None) for image in images)
    spec = replace(spec, images=images)
    if _needs_axes(frame, index):
        axes = tuple(replace(i, axes=_axes(spec, i, by_name, frame)) for i in images)
        spec = replace(spec, images=axes)
    if settings.is_unbounded:
        return spec
    frames = sum(int(np.prod(spec.shape(i), dtype=np.int64)) for i in images)
    return replace(spec, n_frames=frames - count_gaps(spec, settings.gaps))


def _facts(settings: Settings) -> dict[str, object]:
    """Return the settings as JSON, without what is only true on this machine."""
    return settings.model_dump(
        mode="json", exclude_none=True, exclude={"root_path", "overwrite"}
    )


def _plate(settings: Settings, name: str) -> PlateSpec | None:
    plate = settings.plate
    if plate is None:
        return None
    return PlateSpec(plate.name or name, plate.row_names, plate.column_names)


def _storage(
    settings: Settings,
    index: Mapping[str, Dimension],
    frame: Sequence[Dimension],
) -> StorageSpec:
    """Return how pixels are cut and packed; no chunk is larger than its axis."""
    chunks: dict[str, int] = {}
    shards: dict[str, int] = {}
    for name, d in {**index, **{d.name: d for d in frame}}.items():
        if d.chunk_size is not None:
            chunks[name] = min(d.chunk_size, d.count or d.chunk_size)
        if d.shard_size_chunks is not None:
            # Without a chunk size a chunk is a whole frame, and one sample else.
            whole = (d.count or 1) if d in frame else 1
            chunk = chunks.get(name, whole)
            most = -(-d.count // chunk) if d.count else d.shard_size_chunks
            shards[name] = min(d.shard_size_chunks, most)
    kind = settings.format_name
    order = storage_names(settings.storage_order, settings.dimensions)
    if order is None:
        order = _ome_order(kind, index)
    return StorageSpec(chunks, shards, codec_name(settings.compression, kind), order)


def _ome_order(format: str, index: Mapping[str, Dimension]) -> tuple[str, ...] | None:
    """Return the order that OME wants, None where that is the usual one.

    OME-TIFF takes time, channels and planes in any order, so they stay as they come.
    """
    if format == "ome-tiff":
        return tuple(index)
    usual = sort_names([*index])
    # A custom name tells nothing of its kind: depth is space, and stands last.
    ranked = sorted(usual, key=lambda name: _RANKS.get(index[name].kind, 1))
    return tuple(ranked) if ranked != usual else None


def _images(
    place: Dimension, origin: ImageSpec, by_name: Mapping[str, Dimension]
) -> tuple[ImageSpec, ...]:
    if place.coords is None:
        return tuple(
            replace(origin, name=f"Pos{i:03d}", place={"position": i})
            for i in range(place.count or 1)
        )
    positions = place.positions
    return tuple(
        _image(position, name, origin, by_name)
        for position, name in zip(positions, image_names(positions), strict=True)
    )


def _image(
    position: Position,
    name: str,
    origin: ImageSpec,
    by_name: Mapping[str, Dimension],
) -> ImageSpec:
    def stage(axis: str, value: float | None, default: float | None) -> float | None:
        if value is None:
            return default
        return value * (by_name[axis].factor if axis in by_name else 1.0)

    own = {canonical(n): size for n, size in (position.sizes or {}).items()}
    return replace(
        origin,
        name=name,
        place={"position": name},
        sizes={**origin.sizes, **own},
        x_um=stage("x", position.x_coord, origin.x_um),
        y_um=stage("y", position.y_coord, origin.y_um),
        z_um=stage("z", position.z_coord, origin.z_um),
        well=position.well,
    )


def _centre(dimension: Dimension) -> float | None:
    """Return the middle of an axis of the image from the place of its first pixel."""
    if dimension.first is None:
        return None
    half = ((dimension.count or 1) - 1) / 2
    return dimension.first + half * (dimension.step or 1.0)


# ---------------------------------------------------------------- axes of their own


def _needs_axes(frame: Sequence[Dimension], index: Mapping[str, Dimension]) -> bool:
    """Return whether the few numbers of a store do not say all about its axes."""
    if frame[0].name == "x" or frame[0].step != frame[1].step:
        return True
    if any(d.first is not None and d.step is None for d in frame):
        return True
    return any(
        (name not in ("time", "z") and d.step not in (None, 1.0))
        or (name != "z" and bool(d.first))
        or (name not in ("time", "z") and d.unit is not None)
        or d.kind != axis_kind(name)
        for name, d in index.items()
    )


def _axes(
    spec: StoreSpec,
    image: ImageSpec,
    by_name: Mapping[str, Dimension],
    frame: Sequence[Dimension],
) -> tuple[Axis, ...]:
    """Return the axes of an image, each with its own scale, unit and place."""
    axes = []
    for name in (*spec.index_axes, *(d.name for d in frame)):
        d = by_name[name]
        unit = d.unit
        if d.kind in ("space", "time"):
            known = unit is not None or d.step is not None
            standard = "micrometer" if d.kind == "space" else "second"
            unit = standard if known else None
        step = 1.0 if d.step is None else d.step
        first = d.first or 0.0
        if name == "z":
            first = image.z_um or 0.0
        stage = {"x": image.x_um, "y": image.y_um}.get(name)
        if stage is not None:
            first = stage - ((d.count or 1) - 1) / 2 * step
        axes.append(Axis(short(name), d.kind, unit, step, first, d.labels))
    return tuple(axes)
