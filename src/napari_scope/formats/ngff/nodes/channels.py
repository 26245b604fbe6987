"""Names and display settings of channels in the ``omero`` block.

Functions over the OME block as JSON, without files. Reading takes what there is: a
missing block, missing entries and empty names give ``Channel 0``, ``Channel 1``;
entries are written with all their fields.

Examples
--------
>>> block = {"omero": {"channels": [{"label": "DAPI"}]}}
>>> names(block, 2)
['DAPI', 'Channel 1']
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.formats.ngff.metadata import image_attributes
from napari_scope.formats.ngff.nodes.failures import ArgumentError
from napari_scope.model import Axis, Channel
from napari_scope.model.colors import default_color

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_scope.formats.ngff.nodes.meta import WindowDict

    Json = Mapping[str, Any]

__all__ = [
    "append",
    "check_names",
    "check_new_name",
    "names",
    "omero_block",
    "rename",
    "set_window",
]

_PLANE = (Axis("y", "space", None, 1.0, 0.0), Axis("x", "space", None, 1.0, 0.0))


def names(block: Json, count: int) -> list[str]:
    """Return the names of the channels.

    Parameters
    ----------
    block : mapping
        The OME block.
    count : int
        Channels of the arrays; the block may name more.
    """
    entries = _entries(block)
    found = []
    for number in range(max(count, len(entries))):
        entry = entries[number] if number < len(entries) else None
        label = entry.get("label") if isinstance(entry, dict) else None
        text = label.strip() if isinstance(label, str) else ""
        found.append(text or f"Channel {number}")
    return found


def _entries(block: Json) -> list[Any]:
    omero = block.get("omero")
    entries = omero.get("channels") if isinstance(omero, dict) else None
    return entries if isinstance(entries, list) else []


def check_names(given: Iterable[str]) -> list[str]:
    """Return names of channels, or refuse empty and equal ones."""
    if isinstance(given, str):
        raise ArgumentError(f"the channels are a list of names, not {given!r}")
    checked = list(given)
    for number, name in enumerate(checked):
        if not isinstance(name, str) or not name.strip():
            raise ArgumentError(f"{name!r} is no name of a channel")
        if name in checked[:number]:
            raise ArgumentError(
                f"two channels are named {name!r}", hint="each name stands once"
            )
    return checked


def check_new_name(label: str, others: Iterable[str]) -> None:
    """Refuse a name that is none, or that another channel has."""
    check_names([label])
    if label in others:
        raise ArgumentError(
            f"there is a channel {label!r} already", hint="each name stands once"
        )


def omero_block(
    labels: Sequence[str], dtype: np.dtype[np.generic], version: str
) -> dict[str, Any]:
    """Return the display settings of new channels: colours by name, the full range."""
    kind = np.dtype(dtype)
    channels = [
        Channel(label, default_color(label, number, len(labels)))
        for number, label in enumerate(labels)
    ]
    stored = kind.name if kind.kind in "ui" else "float32"
    attributes = image_attributes("", _PLANE, (), channels, dtype=stored)
    block: dict[str, Any] = attributes["ome"]["omero"]
    return {**block, "version": version}


def append(block: dict[str, Any], label: str, known: Sequence[str]) -> None:
    """Add a channel after those that are known, with all that is missing before it.

    The name is one that `check_new_name` let pass.
    """
    entries = _complete(block, known)
    everything = omero_block([*known, label], _dtype(entries), "")
    entries.append(everything["channels"][-1])


def rename(block: dict[str, Any], index: int, label: str, known: Sequence[str]) -> None:
    """Give a channel another name, one that `check_new_name` let pass."""
    _complete(block, known)[index]["label"] = label


def set_window(
    block: dict[str, Any], index: int, window: WindowDict, known: Sequence[str]
) -> None:
    """Set the contrast limits of a channel.

    Raises
    ------
    ArgumentError
        If one of the four numbers is missing or they are out of order.
    """
    try:
        low, high, start, end = (
            float(window[key]) for key in ("min", "max", "start", "end")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArgumentError(
            f"contrast limits of {str(window)[:80]}",
            hint="give numbers for start, end, min and max",
        ) from error
    if (
        not all(map(math.isfinite, (low, high, start, end)))
        or low > high
        or start > end
    ):
        raise ArgumentError(
            f"contrast limits from {start:g} to {end:g} of {low:g} to {high:g}",
            hint="finite numbers, the smaller one first",
        )
    entry = _complete(block, known)[index]
    entry["window"] = {"min": low, "max": high, "start": start, "end": end}


def _complete(block: dict[str, Any], known: Sequence[str]) -> list[dict[str, Any]]:
    """Return the entries of the block, one for each known channel."""
    omero = block.get("omero")
    if not isinstance(omero, dict):
        omero = block["omero"] = {}
    entries = omero.get("channels")
    if not isinstance(entries, list):
        entries = omero["channels"] = []
    fresh: list[dict[str, Any]] = []
    if len(entries) < len(known) or not all(isinstance(e, dict) for e in entries):
        made = omero_block(known, _dtype(entries), "")
        fresh = made["channels"]
    for number in range(len(known)):
        if number >= len(entries):
            entries.append(fresh[number])
        elif not isinstance(entries[number], dict):
            entries[number] = fresh[number]
    return entries


def _dtype(entries: Sequence[Any]) -> np.dtype[np.generic]:
    """Return the type of pixels that the windows of the entries were made for."""
    for entry in entries:
        window = entry.get("window") if isinstance(entry, dict) else None
        top = window.get("max") if isinstance(window, dict) else None
        if isinstance(top, int | float):
            if top in (255, 65535):
                return np.dtype(np.uint8 if top == 255 else np.uint16)
            return np.dtype(np.float32 if top <= 1 else np.uint16)
    return np.dtype(np.uint16)
