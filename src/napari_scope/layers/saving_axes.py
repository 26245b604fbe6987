"""The axes of a layer as OME-NGFF wants them: names, kinds, units, places.

A layer places its pixels by scale, translation, rotation, shear and an affine matrix;
the format has scale and translation only. What comes to these is composed exactly, what
does not is refused, because another program would show it at a wrong place.

Names are those that the layer has. An axis without a name gets the one that it has in
the viewer by its place: the last two are y and x, the third from the end is z, and one
in a unit of time is t. The format wants time first, then channels or a custom axis,
then space in the order z, y, x; the axes are put in that order.

Examples
--------
>>> found = layer_axes({"axis_labels": ("-3", "-2", "-1"), "scale": (5, 2, 2)}, 3)
>>> [(axis.name, axis.kind, axis.scale) for axis in found.axes], found.order
([('z', 'space', 5.0), ('y', 'space', 2.0), ('x', 'space', 2.0)], (0, 1, 2))
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import SettingsError
from napari_scope.model import Axis, axis_kind, short
from napari_scope.model.units import standard_unit, unit_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LayerAxes", "layer_axes"]

_UNNAMED = re.compile(r"(axis )?-?\d+")
_SPACE = ("z", "y", "x")
_NO_UNIT = ("pixel", "dimensionless", "")
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class LayerAxes:
    """The axes of a layer in the order of the file.

    Parameters
    ----------
    axes : tuple of Axis
        In the order of the file.
    order : tuple of int
        Which axis of the layer's data each of them is.
    """

    axes: tuple[Axis, ...]
    order: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(axis.name for axis in self.axes)


def layer_axes(arguments: Mapping[str, object], ndim: int) -> LayerAxes:
    """Return the axes of a layer.

    Parameters
    ----------
    arguments : mapping
        What napari says of the layer; all of it may be missing.
    ndim : int
        Number of its axes, without that of the samples of colours.

    Raises
    ------
    SettingsError
        If the format cannot hold the axes or the place of the layer.
    """
    scale, translation = _placement(arguments, ndim)
    units = _units(arguments.get("units"), ndim)
    names = _names(arguments.get("axis_labels"), units, ndim)
    axes = [
        Axis(
            name,
            axis_kind(name),
            _unit_for(name, unit),
            float(scale[i]),
            float(translation[i]),
        )
        for i, (name, unit) in enumerate(zip(names, units, strict=True))
    ]
    order = sorted(range(ndim), key=lambda i: (_rank(axes[i]), i))
    return LayerAxes(tuple(axes[i] for i in order), tuple(order))


def _rank(axis: Axis) -> int:
    if axis.kind == "time":
        return 0
    return 2 + _SPACE.index(axis.name) if axis.name in _SPACE else 1


# ---------------------------------------------------------------------- names


def _names(labels: object, units: Sequence[str | None], ndim: int) -> list[str]:
    found: list[str | None] = [None] * ndim
    if isinstance(labels, tuple | list) and len(labels) == ndim:
        found = [_name(str(label)) for label in labels]
    last = found[-2:]
    if sorted(name or "" for name in last) != ["x", "y"] and not (
        {"x", "y"} & set(found[:-2])
    ):
        # The names of the last two are free in the standard, but not in all readers.
        found[-2:] = ["y", "x"]
    for axis in reversed(range(ndim)):
        if found[axis] is None:
            found[axis] = _free_name(axis, ndim, units[axis], found)
    names = [name or "" for name in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(
            f"two axes are named {twice[0]!r} ({', '.join(names)})",
            hint="give each axis of the layer a name of its own",
        )
    return names


def _name(label: str) -> str | None:
    """Return the name of an axis; the standard ones are known in all spellings."""
    text = label.strip()
    if not text or _UNNAMED.fullmatch(text):
        return None
    brief = short(text.lower())
    return brief if brief in ("t", "c", *_SPACE) else text


def _free_name(
    axis: int, ndim: int, unit: str | None, taken: Sequence[str | None]
) -> str:
    if unit is not None and unit_kind(unit) == "time" and "t" not in taken:
        return "t"
    usual = ("x", "y", "z", "t")
    place = ndim - 1 - axis
    if place < len(usual) and usual[place] not in taken:
        return usual[place]
    return f"axis {axis}"


# ---------------------------------------------------------------------- units


def _units(units: object, ndim: int) -> list[str | None]:
    """Return the standard unit of each axis, None for those that have none."""
    if units is None:
        return [None] * ndim
    single = isinstance(units, str) or not isinstance(units, tuple | list)
    entries = [units] * ndim if single else list(units)  # type: ignore[call-overload]
    if len(entries) != ndim:
        raise SettingsError(f"{len(entries)} units for {ndim} axes")
    found: list[str | None] = []
    for entry in entries:
        text = str(entry).strip()
        unit = standard_unit(text)
        if unit is None and text not in _NO_UNIT:
            raise SettingsError(
                f"OME-Zarr has no unit {text!r} of length or time",
                hint="give the layer another unit, or 'pixel' for none",
            )
        found.append(unit)
    return found


def _unit_for(name: str, unit: str | None) -> str | None:
    """Return the unit if it fits what the axis means."""
    kind = axis_kind(name)
    if unit is None or kind not in ("space", "time") or unit_kind(unit) == kind:
        return unit
    raise SettingsError(
        f"axis {name!r} is one of {kind}, its unit is {unit!r}",
        hint="correct the unit, or the name of the axis",
    )


# ---------------------------------------------------------------------- place


def _placement(
    arguments: Mapping[str, object], ndim: int
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Return scale and translation, if nothing more is needed to place the layer."""
    scale = _vector(arguments.get("scale"), ndim, 1.0, "scale")
    translation = _vector(arguments.get("translate"), ndim, 0.0, "translate")
    if _turns(arguments.get("rotate")) or _shears(arguments.get("shear")):
        raise _refused("is rotated or sheared")
    affine = _matrix(arguments.get("affine"), ndim)
    linear, shift = affine[:ndim, :ndim], affine[:ndim, ndim]
    diagonal = np.diagonal(linear).copy()
    if np.abs(linear - np.diag(diagonal)).max() > _TOLERANCE * np.abs(linear).max():
        raise _refused("has an affine that turns or shears it")
    scale, translation = diagonal * scale, diagonal * translation + shift
    if not (np.isfinite(scale).all() and np.isfinite(translation).all()):
        raise SettingsError("scale and translation must be finite numbers")
    if (scale <= 0).any():
        raise _refused("is mirrored (a scale is negative or 0)")
    return scale, translation


def _refused(how: str) -> SettingsError:
    return SettingsError(
        f"the layer {how}, and OME-Zarr holds scale and translation only",
        hint="reset this transform of the layer, or resample its pixels, before saving",
    )


def _vector(
    value: object, ndim: int, default: float, what: str
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if value is None:
        return np.full(ndim, default)
    found = np.asarray(value, dtype=float)
    if found.shape != (ndim,):
        raise SettingsError(f"{what} has {found.size} numbers for {ndim} axes")
    return found


def _turns(rotate: object) -> bool:
    found = np.zeros(1) if rotate is None else np.asarray(rotate, dtype=float)
    still = np.eye(len(found)) if found.ndim == 2 else np.zeros_like(found)
    return bool(np.abs(found - still).max(initial=0) > _TOLERANCE)


def _shears(shear: object) -> bool:
    found = np.zeros(1) if shear is None else np.asarray(shear, dtype=float)
    # A matrix has ones on its diagonal; otherwise it is the list of what is above.
    still = np.eye(len(found)) if found.ndim == 2 else np.zeros_like(found)
    return bool(np.abs(found - still).max(initial=0) > _TOLERANCE)


def _matrix(
    affine: object, ndim: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    if affine is None:
        return np.eye(ndim + 1)
    found = np.asarray(getattr(affine, "affine_matrix", affine), dtype=float)
    if found.shape != (ndim + 1, ndim + 1):
        raise SettingsError(
            f"the affine is {found.shape}, {ndim} axes need {(ndim + 1, ndim + 1)}"
        )
    return found
