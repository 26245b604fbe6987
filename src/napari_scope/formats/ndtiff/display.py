"""Colours and contrast of channels: ``display_settings.txt`` and its older relative.

NDTiff keeps display settings in one JSON object, an entry for each channel name. The
Micro-Manager application writes ``DisplaySettings.json``, a property map, instead.
Neither is ever required: settings that are missing or damaged read as none.

Examples
--------
>>> text = encode_settings([Channel("DAPI", "#0000FF", (10, 900))], bits=12)
>>> parse_settings(text)["DAPI"].contrast_limits
(10.0, 900.0)
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from napari_scope.model import Channel
from napari_scope.model.colors import default_color

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "SETTINGS_NAME",
    "default_channels",
    "encode_settings",
    "parse_settings",
    "read_settings",
]

SETTINGS_NAME = "display_settings.txt"

_PROPERTY_MAP_NAME = "DisplaySettings.json"
_ALL = "All channel settings"
_MAX_BYTES = 4 * 2**20


def encode_settings(channels: Sequence[Channel], *, bits: int) -> bytes:
    """Return the content of ``display_settings.txt``.

    Parameters
    ----------
    channels : sequence of Channel
        The channels; without contrast limits the full range is written.
    bits : int
        Significant bits of the pixels.
    """
    settings: dict[str, object] = {
        _ALL: {
            "Ignore outliers": False,
            "Log histogram": False,
            "Ignore outlier percentage": 2,
            "Display all channels": True,
            "Autoscale all channels": all(
                channel.contrast_limits is None for channel in channels
            ),
            "Sync all channels": False,
        }
    }
    for channel in channels:
        low, high = channel.contrast_limits or (0, 2**bits - 1)
        settings[channel.name] = {
            "Gamma": 1,
            "Active": channel.visible,
            "Min": round(low),
            "Max": round(high),
            "Color": _signed_argb(channel.color),
            "BitDepth": bits,
            "Name": channel.name,
        }
    return json.dumps(settings, separators=(",", ":")).encode()


def default_channels(names: Iterable[str]) -> tuple[Channel, ...]:
    """Return channels of which only the names are known, with their usual colours.

    Images without names of channels have one channel, whose name is empty, as in the
    Java library.
    """
    named = tuple(names) or ("",)
    return tuple(
        Channel(name, default_color(name, number, len(named)))
        for number, name in enumerate(named)
    )


def read_settings(*folders: Path) -> dict[str, Channel]:
    """Return the settings found in the first folder that has any, by channel name."""
    for folder in folders:
        for name, parse in (
            (SETTINGS_NAME, parse_settings),
            (_PROPERTY_MAP_NAME, parse_property_map),
        ):
            path = folder / name
            try:
                if path.is_file() and path.stat().st_size <= _MAX_BYTES:
                    return parse(path.read_bytes())
            except OSError:
                continue
    return {}


def parse_settings(data: bytes) -> dict[str, Channel]:
    """Return the channels of a ``display_settings.txt``; nothing where it is damaged.

    White, and a range that covers the whole bit depth, are what Micro-Manager writes
    for channels that were never adjusted: they read as no colour and no limits.
    """
    channels = {}
    for name, entry in _object(_load(data)).items():
        if name == _ALL or not isinstance(entry, dict):
            continue
        bits = _number(entry.get("BitDepth"), 16)
        limits = _limits(entry.get("Min"), entry.get("Max"))
        if limits == (0.0, 2.0 ** min(bits, 64) - 1):
            limits = None
        channels[name] = Channel(
            name,
            _from_argb(entry.get("Color")),
            limits,
            entry.get("Active") is not False,
        )
    return channels


def parse_property_map(data: bytes) -> dict[str, Channel]:
    """Return the channels of a ``DisplaySettings.json``; nothing where it is damaged.

    A maximum of 2^63 - 1 is Micro-Manager's way to say that none was set.
    """
    settings = _object(_object(_load(data)).get("map"))
    channels = {}
    for entry in _array(settings.get("ChannelSettings")):
        name = _scalar(entry.get("Channel"))
        if not isinstance(name, str):
            continue
        components = _array(entry.get("ComponentSettings"))
        first = components[0] if components else {}
        limits = _limits(
            _scalar(first.get("ScalingMin")), _scalar(first.get("ScalingMax"))
        )
        if limits and limits[1] >= 2.0**62:
            limits = None
        channels[name] = Channel(
            name,
            _srgb(_object(_scalar(entry.get("Color"))).get("Components")),
            limits,
            _scalar(entry.get("Visible")) is not False,
        )
    return channels


def _signed_argb(color: str | None) -> int:
    """Return a colour as Java keeps it: a signed number, opacity in its top byte."""
    match = re.fullmatch("#([0-9A-Fa-f]{6})", color or "")
    return int(match[1] if match else "FFFFFF", 16) - 2**24


def _from_argb(color: object) -> str | None:
    if type(color) is not int or color & 0xFFFFFF == 0xFFFFFF:
        return None
    return f"#{color & 0xFFFFFF:06X}"


def _load(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _scalar(value: object) -> object:
    return _object(value).get("scalar")


def _array(value: object) -> list[Mapping[str, object]]:
    items = _object(value).get("array")
    if not isinstance(items, list):
        return []
    return [item for item in items if isinstance(item, dict)]


def _number(value: object, default: float) -> float:
    if isinstance(value, (int, float)) and abs(value) < 2.0**63:
        return float(value)
    return default


def _limits(low: object, high: object) -> tuple[float, float] | None:
    limits = _number(low, math.nan), _number(high, 2.0**63)
    return limits if limits[0] < limits[1] else None


def _srgb(components: object) -> str | None:
    if not isinstance(components, list) or len(components) != 3:
        return None
    levels = [_number(component, math.nan) for component in components]
    if not all(0 <= level <= 1 for level in levels):
        return None
    return "#" + "".join(f"{round(level * 255):02X}" for level in levels)
