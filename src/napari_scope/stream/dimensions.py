"""One dimension of an acquisition.

A dimension says how many samples there are, what they are, how far apart they lie and
how they are cut for the disk. What it means (``type``) follows from its coords, its
unit or its name, in this order; a contradiction between them is refused.

Examples
--------
>>> Dimension(name="z", count=4, scale=0.5, unit="um").unit
'micrometer'
>>> Dimension(name="c", coords=["DAPI", "FITC"]).count
2
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from pydantic import BaseModel, Field, field_validator, model_validator

from napari_scope.model import axis_kind
from napari_scope.model.units import standard_unit, unit_factor, unit_kind
from napari_scope.stream.samples import STRICT, Channel, Name, Place, Position

__all__ = ["Dimension", "DimensionType"]

DimensionType: TypeAlias = Literal["space", "time", "channel", "position", "other"]
"""What a dimension means."""


class Dimension(BaseModel):
    """One dimension of an acquisition.

    Parameters
    ----------
    name : str
        ``p``, ``t``, ``c``, ``z``, ``y``, ``x`` or another name.
    count : int, optional
        Number of samples; None for an unbounded first dimension. Taken from
        ``coords`` where those are given.
    type : {"space", "time", "channel", "position", "other"}, optional
        What it means; inferred if not given.
    coords : list, optional
        The samples: channels, positions, names, or numbers in ``unit``. Numbers that
        are evenly spaced give ``scale`` and ``translation``.
    chunk_size : int, optional
        Samples in a chunk, for formats that have chunks; the format chooses if not
        given.
    shard_size_chunks : int, optional
        Chunks in a shard; the format chooses if not given.
    unit : str, optional
        Unit of ``scale``, ``translation`` and numbers in ``coords``, as OME-NGFF
        (``"micrometer"``) or OME-XML (``"um"``) spell it. Lengths without a unit are
        in micrometers, times in seconds.
    scale : float, optional
        Distance between two samples.
    translation : float, optional
        Place of the first sample (of the centre of the first pixel).
    """

    model_config = STRICT

    name: Name
    count: int | None = Field(default=None, ge=1)
    type: DimensionType | None = None
    coords: tuple[Position | Channel | Place | str, ...] | None = None
    chunk_size: int | None = Field(default=None, ge=1)
    shard_size_chunks: int | None = Field(default=None, ge=1)
    unit: str | None = None
    scale: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    translation: float | None = Field(default=None, allow_inf_nan=False)

    @field_validator("count", "chunk_size", "shard_size_chunks", mode="before")
    @classmethod
    def _whole(cls, value: object) -> object:
        if isinstance(value, bool | str):
            raise ValueError(f"{value!r} is not a whole number")
        return value

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        data = dict(data)  # it is the caller's
        name, coords = str(data.get("name")), data.get("coords")
        if coords is not None:
            if isinstance(coords, str) or not hasattr(coords, "__iter__"):
                raise ValueError(f"the coords of dimension {name!r} must be a list")
            coords = list(coords)
        unit = data.get("unit")
        if isinstance(unit, str):
            data["unit"] = standard_unit(unit) or unit
        kind = _kind(name, data.get("type"), coords, data.get("unit"))
        data["type"] = kind
        if kind in ("space", "time") and isinstance(unit, str):
            if standard_unit(unit) is None or unit_kind(data["unit"]) != kind:
                what = "length" if kind == "space" else "time"
                example = "micrometer" if kind == "space" else "second"
                raise ValueError(
                    f"dimension {name!r} has the unit {unit!r}, which is no unit of "
                    f"{what}; use {example!r}, for example"
                )
        if coords is None:
            return data
        data["coords"] = _samples(name, kind, coords)
        if data.get("count") is None:
            data["count"] = len(coords)
        elif data["count"] != len(coords):
            raise ValueError(
                f"dimension {name!r} has count={data['count']} but {len(coords)} "
                "coords; leave count out"
            )
        return data

    @model_validator(mode="after")
    def _check(self) -> Dimension:
        if self.kind == "position":
            if (self.chunk_size or 1) > 1 or (self.shard_size_chunks or 1) > 1:
                raise ValueError(
                    f"dimension {self.name!r} has a chunk or shard size, but each "
                    "position is an image of its own; leave it out"
                )
            groups = [(c.well, c.cell, c.name) for c in self.positions]
            if len(set(groups)) < len(groups):
                raise ValueError(
                    f"dimension {self.name!r} has two equal names in one well or grid "
                    "cell; give each position a name of its own there"
                )
        elif len(set(self.labels)) < len(self.labels):
            raise ValueError(
                f"dimension {self.name!r} has two equal names; give each sample one "
                "of its own"
            )
        derived = self._derived()
        if derived and self.scale is not None:
            if not math.isclose(derived[1], self.scale, rel_tol=1e-6):
                raise ValueError(
                    f"dimension {self.name!r} has the scale {self.scale:g}, but its "
                    f"coords are {derived[1]:g} apart; leave one of them out"
                )
        return self

    @property
    def kind(self) -> DimensionType:
        """What the dimension means."""
        return self.type or axis_kind(self.name)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the samples, where they have names."""
        if any(isinstance(c, float) for c in self.coords or ()):
            return ()
        return tuple(
            c.name if isinstance(c, Channel | Position) else str(c)
            for c in self.coords or ()
        )

    @property
    def positions(self) -> tuple[Position, ...]:
        """The positions among the samples."""
        return tuple(c for c in self.coords or () if isinstance(c, Position))

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels among the samples."""
        return tuple(c for c in self.coords or () if isinstance(c, Channel))

    @property
    def factor(self) -> float:
        """Size of the unit in micrometers or seconds; 1 for other dimensions."""
        if self.unit is None or self.kind not in ("space", "time"):
            return 1.0
        return unit_factor(self.unit)

    @property
    def step(self) -> float | None:
        """Distance of two samples, in micrometers, seconds or the unit itself."""
        derived = self._derived()
        step = self.scale if self.scale is not None else derived and derived[1]
        return None if step is None else step * self.factor

    @property
    def first(self) -> float | None:
        """Place of the first sample, in micrometers, seconds or the unit itself."""
        derived = self._derived()
        first = self.translation
        if first is None and derived:
            first = derived[0]
        return None if first is None else first * self.factor

    @property
    def has_uneven_coords(self) -> bool:
        """Whether its coords are places that a scale cannot tell."""
        places = [c for c in self.coords or () if isinstance(c, float)]
        return len(places) > 1 and self.step is None

    def _derived(self) -> tuple[float, float] | None:
        """Return first place and step of coords that are evenly spaced numbers."""
        places = [c for c in self.coords or () if isinstance(c, float)]
        if len(places) < 2:
            return None
        step = (places[-1] - places[0]) / (len(places) - 1)
        even = all(
            math.isclose(place, places[0] + i * step, abs_tol=1e-6 * abs(step))
            for i, place in enumerate(places)
        )
        return (places[0], step) if step > 0 and even else None


def _kind(
    name: str, given: object, coords: Sequence[object] | None, unit: object
) -> object:
    """Return what a dimension means; refuse signs that contradict each other."""
    signs: dict[str, object] = {}
    if given is not None:
        signs["its type"] = given
    if any(isinstance(c, Channel) for c in coords or ()):
        signs["its coords"] = "channel"
    if any(isinstance(c, Position) for c in coords or ()):
        signs["its coords"] = "position"
    named = axis_kind(name)
    if named != "other":
        signs["its name"] = named
    if "its type" not in signs and named == "other":
        if isinstance(unit, str) and standard_unit(unit) is not None:
            signs["its unit"] = unit_kind(unit)
    found = list(signs.items())
    for sign, kind in found[1:]:
        if kind != found[0][1]:
            raise ValueError(
                f"dimension {name!r} is of type {found[0][1]!r} by {found[0][0]} and "
                f"of type {kind!r} by {sign}; change one of them"
            )
    return found[0][1] if found else "other"


def _samples(name: str, kind: object, coords: list[object]) -> list[object]:
    """Return coords as the objects of their kind."""
    if not coords:
        raise ValueError(f"dimension {name!r} has an empty list of coords")
    made: type[Position | Channel] | None = None
    if kind in ("position", "channel"):
        made = Position if kind == "position" else Channel
    result: list[object] = []
    for c in coords:
        if made is not None and isinstance(c, str):
            result.append(made(name=c))
        elif made is not None and isinstance(c, Mapping):
            result.append(made.model_validate(dict(c)))
        elif made is not None and not isinstance(c, made):
            raise ValueError(
                f"{c!r} in the coords of dimension {name!r} is no {made.__name__}; "
                "give its name"
            )
        else:
            numeric = hasattr(c, "__float__") and not isinstance(c, bool)
            if numeric and not math.isfinite(c):  # type: ignore[arg-type]
                raise ValueError(
                    f"{c!r} in the coords of dimension {name!r} is no place; give "
                    "finite numbers"
                )
            result.append(float(c) if numeric else c)  # type: ignore[arg-type]
    kinds = {isinstance(c, float) for c in result}
    if len(kinds) > 1:
        raise ValueError(
            f"the coords of dimension {name!r} are partly numbers, partly names; use "
            "one or the other"
        )
    return result
