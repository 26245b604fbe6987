"""Channels out of the ``omero`` block of OME-Zarr, however incomplete it is.

The block is optional, transitional and often damaged: fewer entries than channels,
no colours, a window for some channels only. Every channel of the image gets an entry
all the same; what is missing or odd stays unset and is left to the viewer.
"""

from __future__ import annotations

import re

from napari_scope.model import Channel

__all__ = ["channels_from_omero"]

_HEX = re.compile(r"#?([0-9A-Fa-f]{6})(?:[0-9A-Fa-f]{2})?")


def channels_from_omero(omero: object, count: int) -> tuple[Channel, ...]:
    """Return one channel for each sample of the channel axis.

    Parameters
    ----------
    omero : object
        The block as found, or None.
    count : int
        Number of channels of the image; 1 for an image without channel axis.
    """
    entries = omero.get("channels") if isinstance(omero, dict) else None
    found = entries if isinstance(entries, list) else []
    channels = [
        _channel(found[i] if i < len(found) else None, i, count) for i in range(count)
    ]
    if not any(channel.visible for channel in channels):
        # All switched off would open as an empty canvas.
        channels = [
            Channel(c.name, c.color, c.contrast_limits, visible=True) for c in channels
        ]
    return tuple(channels)


def _channel(entry: object, index: int, count: int) -> Channel:
    fallback = f"Channel {index}" if count > 1 else ""
    if not isinstance(entry, dict):
        return Channel(fallback)
    label = entry.get("label")
    name = label.strip() if isinstance(label, str) else ""
    return Channel(
        name or fallback,
        _color(entry.get("color")),
        _window(entry.get("window")),
        visible=entry.get("active", True) is not False,
    )


def _color(value: object) -> str | None:
    found = _HEX.fullmatch(value) if isinstance(value, str) else None
    # Black shows nothing; some writers mean "none" by it.
    if found is None or found.group(1) == "000000":
        return None
    return f"#{found.group(1).upper()}"


def _window(value: object) -> tuple[float, float] | None:
    if not isinstance(value, dict):
        return None
    for keys in (("start", "end"), ("min", "max")):
        low, high = (_number(value.get(key)) for key in keys)
        if low is not None and high is not None and low < high:
            return low, high
    return None


def _number(value: object) -> float | None:
    """Return a number that a display range can have."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Larger ones (and infinities) overflow in the shaders of a viewer; NaN fails too.
    return float(value) if abs(value) < 1e300 else None
