"""The small values of OME-Zarr metadata that scripts give and get.

`AxisMeta` and `TransformationMeta` are checked when they are made; what other
libraries use in their place (objects with the same attributes, dictionaries of the
JSON) is taken wherever these are. Nothing here knows of files.

Examples
--------
>>> AxisMeta("Z", "space", "um").unit
'micrometer'
>>> TransformationMeta(type="scale", scale=[1, 0.5]).scale
(1.0, 0.5)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict

from napari_scope.formats.ngff.metadata import axis_rank
from napari_scope.formats.ngff.nodes.failures import ArgumentError
from napari_scope.model import axis_kind, short
from napari_scope.model.units import standard_unit

__all__ = [
    "DEFAULT_AXES",
    "AcquisitionMeta",
    "AxisMeta",
    "PositionSpec",
    "TransformationMeta",
    "WindowDict",
    "axis_from",
    "check_axes",
    "transformation_from",
]

PositionSpec: TypeAlias = (
    tuple[str, str, str]
    | tuple[str, str, str, int | None]
    | tuple[str, str, str, int | None, int | None]
    | tuple[str, str, str, int | None, int | None, int]
)
"""Row, column and name of a position; index of row and column; acquisition."""


class WindowDict(TypedDict):
    """Contrast limits of a channel: what is shown and what can be chosen."""

    start: float
    end: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class AxisMeta:
    """One axis of an image.

    Parameters
    ----------
    name : str
        Name as the file has it; its case is kept.
    type : str, optional
        ``time``, ``channel``, ``space`` or a custom one; guessed from the usual names
        (``T C Z Y X``) when not given.
    unit : str, optional
        Such as ``second`` or ``micrometer``; short signs (``um``) become the names
        that OME-Zarr uses.
    """

    name: str
    type: str | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ArgumentError(f"an axis needs a name, not {self.name!r}")
        if self.type is None:
            kind = axis_kind(short(self.name.lower()))
            if kind != "other":
                object.__setattr__(self, "type", kind)
        if self.unit is not None:
            unit = standard_unit(self.unit) or self.unit
            object.__setattr__(self, "unit", unit)

    def to_json(self) -> dict[str, str]:
        """Return the axis as the JSON has it."""
        parts = (("name", self.name), ("type", self.type), ("unit", self.unit))
        return {key: value for key, value in parts if value is not None}


DEFAULT_AXES = (
    AxisMeta("T", "time", "second"),
    AxisMeta("C", "channel"),
    AxisMeta("Z", "space", "micrometer"),
    AxisMeta("Y", "space", "micrometer"),
    AxisMeta("X", "space", "micrometer"),
)


@dataclass(frozen=True, slots=True)
class TransformationMeta:
    """One step from the index of a pixel to its place.

    Parameters
    ----------
    type : str
        ``scale``, ``translation`` or ``identity``.
    translation, scale : sequence of float, optional
        One number for each axis; the one that ``type`` names.
    """

    type: Literal["identity", "scale", "translation"]
    translation: Sequence[float] | None = None
    scale: Sequence[float] | None = None

    def __post_init__(self) -> None:
        given = {"translation": self.translation, "scale": self.scale}
        names = {name for name, values in given.items() if values is not None}
        wanted = set() if self.type == "identity" else {self.type}
        if self.type not in ("identity", "scale", "translation") or names != wanted:
            raise ArgumentError(
                f"a transformation of type {self.type!r} with "
                f"{', '.join(sorted(names)) or 'no numbers'}",
                hint="type is scale, translation (each with its own numbers) or "
                "identity (with none)",
            )
        for name in names:
            object.__setattr__(self, name, _numbers(given[name], name))

    def to_json(self) -> dict[str, Any]:
        """Return the transformation as the JSON has it."""
        if self.type == "identity":
            return {"type": "identity"}
        values = self.scale if self.type == "scale" else self.translation
        return {"type": self.type, self.type: list(values or ())}


def _numbers(values: object, name: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(v) for v in values)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(f"a {name} of {str(values)[:60]}") from error
    if not all(map(math.isfinite, numbers)) or (name == "scale" and 0 in numbers):
        raise ArgumentError(
            f"a {name} of {list(numbers)} places no pixels",
            hint="all numbers are finite, those of a scale are not zero",
        )
    return numbers


@dataclass(frozen=True, slots=True)
class AcquisitionMeta:
    """One run over a plate.

    Parameters
    ----------
    id : int
        Number by which the images of wells name it.
    name, description : str, optional
        For people.
    maximum_field_count : int, optional
        Most fields of one well.
    start_time, end_time : int, optional
        Seconds since 1970.
    """

    id: int
    name: str | None = None
    maximum_field_count: int | None = None
    description: str | None = None
    start_time: int | None = None
    end_time: int | None = None

    def __post_init__(self) -> None:
        if type(self.id) is not int or self.id < 0:
            raise ArgumentError(
                f"the id {self.id!r} of an acquisition is not 0 or more"
            )
        if self.start_time is not None and self.end_time is not None:
            if self.start_time > self.end_time:
                raise ArgumentError("an acquisition ends before it starts")

    def to_json(self) -> dict[str, Any]:
        """Return the acquisition as the JSON has it."""
        parts = {
            "id": self.id,
            "name": self.name,
            "maximumfieldcount": self.maximum_field_count,
            "description": self.description,
            "starttime": self.start_time,
            "endtime": self.end_time,
        }
        return {key: value for key, value in parts.items() if value is not None}


def axis_from(value: object) -> AxisMeta:
    """Return an axis given as one of ours, of another library, as JSON or by name."""
    if isinstance(value, AxisMeta):
        return value
    if isinstance(value, str):
        return AxisMeta(value)
    name, kind, unit = (_member(value, key) for key in ("name", "type", "unit"))
    return AxisMeta(
        str(name) if name else "",
        kind if isinstance(kind, str) else None,
        unit if isinstance(unit, str) and unit else None,
    )


def transformation_from(value: object) -> TransformationMeta:
    """Return a transformation given as one of ours, of another library or as JSON."""
    if isinstance(value, TransformationMeta):
        return value
    parts = {key: _member(value, key) for key in ("type", "translation", "scale")}
    return TransformationMeta(**parts)


def _member(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else getattr(value, key, None)


def check_axes(axes: Iterable[AxisMeta]) -> tuple[AxisMeta, ...]:
    """Return the axes of a new image, or refuse what OME-Zarr cannot hold.

    Raises
    ------
    ArgumentError
        If names are not unique, or number, types or order are not those that OME-NGFF
        0.4 and 0.5 demand: time, then a channel or custom axis, then two or three of
        space.
    """
    axes = tuple(axes)
    names = [axis.name.lower() for axis in axes]
    kinds = {"time": 0, "space": 2}
    ranks = [kinds.get(axis.type or "", axis_rank("other")) for axis in axes]
    counts = [ranks.count(rank) for rank in range(3)]
    if len(set(names)) < len(names):
        raise ArgumentError(f"two axes have the same name: {', '.join(names)}")
    if (
        ranks != sorted(ranks)
        or counts[0] > 1
        or counts[1] > 1
        or counts[2] not in (2, 3)
    ):
        raise ArgumentError(
            f"the axes {', '.join(axis.name for axis in axes)} are not those of an "
            "OME-Zarr image",
            hint="an axis of time, one of channels (both may be missing), then two or "
            "three of space, in this order",
        )
    return axes
