"""The metadata of a frame under the names that scripts for Micro-Manager look for.

Examples
--------
>>> tags = to_tags({"channel": "DAPI"}, {"exposure_ms": 10.0, "note": "dim"})
>>> tags["Axes"], tags["Exposure"], tags["note"]
({'channel': 'DAPI'}, 10.0, 'dim')
>>> tags["Channel"]
'DAPI'
>>> from_tags(tags)
({'channel': 'DAPI'}, {'exposure_ms': 10.0, 'note': 'dim'})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_scope.acquire.hooks import HookError
from napari_scope.stream.sinks.ndtiff import MICRO_MANAGER_KEYS

__all__ = ["from_tags", "to_tags"]

_THEIRS = {**MICRO_MANAGER_KEYS, "pixel_size_um": "PixelSizeUm"}
_OURS = {theirs: ours for ours, theirs in _THEIRS.items()}


def to_tags(axes: Mapping[str, int | str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return axes and facts as one dictionary; the caller may change it."""
    tags: dict[str, Any] = {"Axes": dict(axes)}
    if isinstance(axes.get("channel"), str):
        tags["Channel"] = axes["channel"]
    for name, value in facts.items():
        tags[_THEIRS.get(name, name)] = value
    return tags


def from_tags(tags: Mapping[str, Any]) -> tuple[dict[str, int | str], dict[str, Any]]:
    """Return axes and facts from what a script made of `to_tags`.

    Raises
    ------
    HookError
        If the axes are gone or are none.
    """
    axes = tags.get("Axes")
    if not isinstance(axes, Mapping):
        raise HookError(
            "the metadata of an image have no 'Axes'",
            hint="return the metadata that the function was given, or a copy of them",
        )
    # The channel is one of the axes; its tag follows them when it is stored.
    derived = ("Axes", "Channel")
    facts = {_OURS.get(k, k): v for k, v in tags.items() if k not in derived}
    return dict(axes), facts
