"""Axes: the one table of their names in every dialect, and the axis value object.

A frame is identified by its axes, a mapping such as
``{"time": 3, "channel": "DAPI", "z": 0}``. Inside this package the long names of
pycro-manager and NDTiff are used; useq and OME use single letters. Names that no
dialect knows pass through unchanged, so custom axes survive.

Examples
--------
>>> canonical("t"), canonical("p"), canonical("polarisation")
('time', 'position', 'polarisation')
>>> short("channel")
'c'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "AXIS_ORDER",
    "Axes",
    "Axis",
    "AxisKind",
    "axis_kind",
    "canonical",
    "short",
    "sort_names",
]

Axes: TypeAlias = Mapping[str, int | str]
"""Identity of one frame: axis name to index (int) or label (str)."""

AxisKind: TypeAlias = Literal["time", "channel", "space", "position", "other"]

# canonical name -> (short name used by useq and OME, kind)
_TABLE: dict[str, tuple[str, AxisKind]] = {
    "position": ("p", "position"),
    "grid": ("g", "position"),
    "row": ("row", "position"),
    "column": ("column", "position"),
    "time": ("t", "time"),
    "camera": ("cam", "other"),
    "channel": ("c", "channel"),
    "z": ("z", "space"),
    "y": ("y", "space"),
    "x": ("x", "space"),
}
_FROM_SHORT: dict[str, str] = {
    **{brief: name for name, (brief, _) in _TABLE.items()},
    "col": "column",
}

AXIS_ORDER: tuple[str, ...] = tuple(_TABLE)
"""Canonical names in the order in which axes are stored and shown."""


def canonical(name: str) -> str:
    """Return the long name of an axis; unknown names come back unchanged."""
    return _FROM_SHORT.get(name, name)


def short(name: str) -> str:
    """Return the name useq and OME use for an axis (``time`` becomes ``t``)."""
    entry = _TABLE.get(canonical(name))
    return entry[0] if entry else name


def axis_kind(name: str) -> AxisKind:
    """Return what an axis means; custom axes are ``"other"``."""
    entry = _TABLE.get(canonical(name))
    return entry[1] if entry else "other"


def sort_names(names: list[str] | tuple[str, ...] | set[str]) -> list[str]:
    """Return axis names in storage order; custom axes stand before ``channel``.

    OME-NGFF wants time first, then channel or custom axes, then space. Custom axes
    are sorted by name, so that the order never depends on hashing.
    """
    place = {name: i for i, name in enumerate(AXIS_ORDER)}
    custom = place["channel"] - 0.5

    def key(name: str) -> tuple[float, str]:
        return (place.get(canonical(name), custom), name)

    return sorted(names, key=key)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of an image.

    Parameters
    ----------
    name : str
        Short name as OME uses it (``t``, ``c``, ``z``, ``y``, ``x``) or a custom name.
    kind : AxisKind
        What the axis means.
    unit : str, optional
        Unit in UDUNITS spelling as OME-NGFF uses it (``micrometer``, ``second``).
    scale : float
        Distance between two samples at full resolution, in ``unit``.
    translation : float
        Position of the centre of sample 0, in ``unit``.
    labels : tuple of str
        Names of the samples where the axis has them (channel names, for example).
    """

    name: str
    kind: AxisKind = "other"
    unit: str | None = None
    scale: float = 1.0
    translation: float = 0.0
    labels: tuple[str, ...] = ()
