"""The settings of a stream, with the field names of ome-writers.

`AcquisitionSettings` and its parts are checked when they are made: what cannot be
stored is refused at once, with a sentence that says what to change. `create_stream`
turns them into an open `Stream`.

Examples
--------
>>> settings = AcquisitionSettings(
...     root_path="run",
...     format="memory",
...     dtype="uint16",
...     dimensions=[
...         Dimension(name="t", count=3, type="time"),
...         Dimension(name="y", count=4),
...         Dimension(name="x", count=5),
...     ],
... )
>>> settings.shape
(3, 4, 5)
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from napari_scope.errors import SettingsError
from napari_scope.model import AxisKind, axis_kind, canonical
from napari_scope.model import Channel as DisplayChannel
from napari_scope.stream.outputs import FORMATS, FormatName, make_sink
from napari_scope.stream.spec import ImageSpec, StoreSpec
from napari_scope.stream.stream import Stream

if TYPE_CHECKING:
    from napari_scope.stream.ring import OverflowPolicy

__all__ = [
    "AcquisitionSettings",
    "Channel",
    "Dimension",
    "Position",
    "create_stream",
    "dims_from_standard_axes",
]

DimensionType: TypeAlias = Literal["space", "time", "channel", "position", "other"]

_UNITS_UM = {
    "micrometer": 1.0,
    "um": 1.0,
    "µm": 1.0,
    "nanometer": 1e-3,
    "nm": 1e-3,
    "millimeter": 1e3,
    "mm": 1e3,
}
_UNITS_S = {"second": 1.0, "s": 1.0, "millisecond": 1e-3, "ms": 1e-3, "minute": 60.0}


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Channel(_Settings):
    """A channel.

    Parameters
    ----------
    name : str
        Its name.
    color : str, optional
        ``#RRGGBB``.
    """

    name: str
    color: str | None = None


class Position(_Settings):
    """A position of the stage; each becomes an image of its own.

    Parameters
    ----------
    name : str
        Its name, unique among the positions.
    x_coord, y_coord, z_coord : float, optional
        Stage position in micrometers (centre of the image).
    """

    name: str
    x_coord: float | None = None
    y_coord: float | None = None
    z_coord: float | None = None


class Dimension(_Settings):
    """One dimension of an acquisition.

    Parameters
    ----------
    name : str
        ``p``, ``t``, ``c``, ``z``, ``y``, ``x`` or another name.
    count : int, optional
        Number of samples; None for an unbounded first dimension. Taken from
        ``coords`` where those are given.
    type : str, optional
        What it means; inferred from the name.
    unit : str, optional
        Unit of ``scale``.
    scale : float, optional
        Distance between two samples.
    translation : float, optional
        Place of the first sample.
    coords : list, optional
        Names of the samples: channels or positions.
    """

    name: str
    count: int | None = Field(default=None, ge=1)
    type: DimensionType | None = None
    unit: str | None = None
    scale: float | None = Field(default=None, gt=0)
    translation: float | None = None
    coords: tuple[Position | Channel | str, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _count_coords(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("coords") is not None:
            data = dict(data)  # it is the caller's
            coords = list(data["coords"])
            kind = data.get("type") or axis_kind(str(data.get("name")))
            made = Position if kind == "position" else Channel
            data["coords"] = [made(name=c) if isinstance(c, str) else c for c in coords]
            if data.get("count") is None:
                data["count"] = len(coords)
            elif data["count"] != len(coords):
                raise ValueError(
                    f"dimension {data.get('name')!r} has count={data['count']} but "
                    f"{len(coords)} coords; leave count out"
                )
        return data

    @property
    def kind(self) -> AxisKind:
        """What the dimension means."""
        return self.type or axis_kind(self.name)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the samples, where they have names."""
        return tuple(c if isinstance(c, str) else c.name for c in self.coords or ())


class AcquisitionSettings(_Settings):
    """Everything that a stream needs to know before its first frame.

    Parameters
    ----------
    root_path : str or Path
        Where to store; the suffix chooses the format if ``format`` does not.
    dimensions : list of Dimension
        Slowest first, the last two being ``y`` and ``x``.
    dtype : str
        Type of the pixels.
    format : {"auto", "ome-zarr", "ndtiff", "memory"}
        Format of the store.
    overwrite : bool
        Must stay False: this version never overwrites.
    """

    root_path: Path
    dimensions: tuple[Dimension, ...]
    dtype: str
    format: FormatName | Literal["auto"] = "auto"
    overwrite: Literal[False] = False

    @field_validator("dtype", mode="before")
    @classmethod
    def _dtype_name(cls, value: object) -> str:
        try:
            dtype = np.dtype(value)  # type: ignore[call-overload]
        except TypeError as error:
            raise ValueError(f"{value!r} is not the name of a pixel type") from error
        if dtype.kind not in "uif":
            raise ValueError(f"pixels of type {dtype} cannot be stored")
        return str(dtype.name)

    @model_validator(mode="after")
    def _check(self) -> AcquisitionSettings:
        names = [d.name for d in self.dimensions]
        if len(set(map(canonical, names))) < len(names):
            raise ValueError(f"two dimensions have the same name: {', '.join(names)}")
        if names[-2:] != ["y", "x"]:
            raise ValueError(
                f"the last two dimensions must be 'y' and 'x', found "
                f"{', '.join(names[-2:]) or 'none'}"
            )
        for place, dimension in enumerate(self.dimensions):
            if dimension.count is None and (place or len(names) == 2):
                raise ValueError(
                    f"dimension {dimension.name!r} has no count; only the first one "
                    "may be unbounded"
                )
        if sum(d.kind == "position" for d in self.dimensions) > 1:
            raise ValueError("only one dimension may be of type 'position'")
        if self.is_unbounded and self.dimensions[0].kind == "position":
            raise ValueError(
                "positions cannot be unbounded; declare them, or put an unbounded "
                "time first"
            )
        _check_space(self.dimensions)
        for dimension in self.dimensions:
            labels = dimension.labels
            if len(set(labels)) < len(labels):
                raise ValueError(f"dimension {dimension.name!r} has two equal names")
        return self

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Number of samples of each dimension."""
        return tuple(d.count for d in self.dimensions)

    @property
    def is_unbounded(self) -> bool:
        """Whether the first dimension is open."""
        return self.dimensions[0].count is None

    @property
    def num_frames(self) -> int | None:
        """Number of frames, None if unbounded."""
        counts = self.shape[:-2]
        return None if None in counts else math.prod(c for c in counts if c)

    @property
    def format_name(self) -> FormatName:
        """Format, after looking at the suffix of the path."""
        if self.format != "auto":
            return self.format
        for name, suffixes in FORMATS.items():
            if any(self.root_path.name.lower().endswith(s) for s in suffixes):
                return name
        warnings.warn(
            f"neither the suffix of {self.root_path.name!r} nor format= chooses a "
            "format; OME-Zarr is used. Give one of "
            f"{', '.join(FORMATS)} as format=",
            UserWarning,
            stacklevel=2,
        )
        return "ome-zarr"

    @property
    def output_path(self) -> Path:
        """Path of the store, with the suffix of its format."""
        suffixes = FORMATS[self.format_name]
        if not suffixes or self.root_path.name.lower().endswith(suffixes):
            return self.root_path
        return self.root_path.with_name(self.root_path.name + suffixes[0])

    def to_spec(self) -> StoreSpec:
        """Return the resolved description that streams and sinks use."""
        y, x = self.dimensions[-2:]
        pixel = _in(x, _UNITS_UM)
        lead = self.dimensions[:-2]
        sizes = {canonical(d.name): d.count or 1 for d in lead if d.kind != "position"}
        place = next((d for d in lead if d.kind == "position"), None)
        name = self.root_path.name.split(".")[0] or "image"
        by_name = {canonical(d.name): d for d in lead}
        origin = ImageSpec(
            name,
            {},
            sizes,
            _centre(x, _UNITS_UM),
            _centre(y, _UNITS_UM),
            _in(by_name.get("z"), _UNITS_UM, "translation"),
        )
        images = [origin]
        if place is not None:
            images = [_image(place, i, origin) for i in range(place.count or 1)]
        channel = by_name.get("channel")
        coords = channel.coords or () if channel else ()
        return StoreSpec(
            name=name,
            frame_shape=(y.count or 1, x.count or 1),
            dtype=np.dtype(self.dtype),
            order=tuple("position" if d is place else canonical(d.name) for d in lead),
            images=tuple(images),
            labels={n: d.labels for n, d in by_name.items() if d.labels and d != place},
            channels=tuple(
                DisplayChannel(c.name, c.color)
                for c in coords
                if isinstance(c, Channel)
            ),
            pixel_um=pixel if pixel is not None else _in(y, _UNITS_UM),
            z_um=_in(by_name.get("z"), _UNITS_UM),
            interval_s=_in(by_name.get("time"), _UNITS_S),
            growing=self.is_unbounded,
            growing_axes=(canonical(lead[0].name),) if self.is_unbounded else None,
            n_frames=self.num_frames,
        )


def _check_space(dimensions: tuple[Dimension, ...]) -> None:
    """Refuse scales and translations that would be lost."""
    y, x = dimensions[-2:]
    scales = {_in(d, _UNITS_UM) for d in (y, x) if d.scale is not None}
    if len(scales) > 1:
        raise ValueError("the scales of 'y' and 'x' differ; pixels must be square")
    for dimension in dimensions:
        known = canonical(dimension.name)
        if dimension.translation and known not in ("z", "y", "x"):
            raise ValueError(
                f"dimension {dimension.name!r} has a translation, which only z, y and "
                "x can have"
            )
        if dimension.scale not in (None, 1) and known not in ("time", "z", "y", "x"):
            raise ValueError(
                f"dimension {dimension.name!r} has a scale, which only t, z, y and x "
                "can have"
            )


def _image(place: Dimension, number: int, origin: ImageSpec) -> ImageSpec:
    coords = place.coords
    if coords is None:
        return replace(origin, name=f"Pos{number:03d}", place={"position": number})
    position = coords[number]
    if not isinstance(position, Position):
        raise SettingsError(f"{position!r} in coords of {place.name!r} is no Position")
    x, y, z = position.x_coord, position.y_coord, position.z_coord
    return replace(
        origin,
        name=position.name,
        place={"position": position.name},
        x_um=origin.x_um if x is None else x,
        y_um=origin.y_um if y is None else y,
        z_um=origin.z_um if z is None else z,
    )


def _centre(dimension: Dimension, units: dict[str, float]) -> float | None:
    """Return the middle of an axis of the image from the place of its first pixel."""
    first = _in(dimension, units, "translation")
    if first is None:
        return None
    pixel = _in(dimension, units)
    if pixel is None:
        raise SettingsError(
            f"dimension {dimension.name!r} has a translation but no scale"
        )
    return first + ((dimension.count or 1) - 1) / 2 * pixel


def _in(
    dimension: Dimension | None,
    units: dict[str, float],
    field: Literal["scale", "translation"] = "scale",
) -> float | None:
    """Return the scale or translation of a dimension in the unit of the table."""
    if dimension is None:
        return None
    value = dimension.scale if field == "scale" else dimension.translation
    if value is None or dimension.unit is None:
        return value
    factor = units.get(dimension.unit)
    if factor is None:
        raise SettingsError(
            f"dimension {dimension.name!r} has the unit {dimension.unit!r}",
            hint=f"use one of {', '.join(units)}",
        )
    return value * factor


def dims_from_standard_axes(sizes: dict[str, int | None]) -> list[Dimension]:
    """Return dimensions for the standard axes ``p t c z y x``.

    Parameters
    ----------
    sizes : dict
        Name to size, slowest first; None for an unbounded first axis.
    """
    known = {"p", "t", "c", "z", "y", "x"}
    for name in sizes:
        if name not in known:
            raise SettingsError(
                f"{name!r} is not one of the standard axes {', '.join(sorted(known))}",
                hint="make it with Dimension(...)",
            )
    units = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}
    return [
        Dimension(name=name, count=count, unit=units.get(name))
        for name, count in sizes.items()
    ]


def create_stream(
    settings: AcquisitionSettings,
    *,
    ring_bytes: int | None = None,
    overflow: OverflowPolicy = "block",
    levels: int | None = None,
    sync_interval_s: float | None = 1.0,
) -> Stream:
    """Open a stream.

    Parameters
    ----------
    settings : AcquisitionSettings
        What is stored and where.
    ring_bytes, overflow, sync_interval_s
        See `Stream`.
    levels : int, optional
        Levels of an OME-Zarr pyramid; 1 for none, by default down to 512 pixels.
    """
    sink = make_sink(settings.output_path, settings.format_name, levels=levels)
    return Stream(
        settings.to_spec(),
        [sink],
        ring_bytes=ring_bytes,
        overflow=overflow,
        sync_interval_s=sync_interval_s,
    )
