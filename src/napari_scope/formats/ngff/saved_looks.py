"""How layers looked, kept beside the standard in the attributes of a saved image.

OME-Zarr has a name, a colour, a range and on or off for each channel, nothing else. A
store that was saved from a viewer therefore also says, under ``napari_scope``, how each
layer was drawn, so that it comes back as it was:

    "napari_scope": {"layers": [{"name": "DAPI", "colormap": "viridis", "gamma": 0.8}]}

Everyone may write such attributes, so each value is checked before it is used and what
is odd is left out. The names are those of the arguments of napari's layers, but nothing
of napari is needed here.

Examples
--------
>>> saved_looks({"napari_scope": {"layers": [{"gamma": 0.8, "opacity": 7}]}}, 1)
({'gamma': 0.8},)
>>> saved_looks({}, 1)
()
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, TypeGuard

__all__ = ["KEY", "NAMED_COLORMAPS", "saved_looks", "saved_rgb"]

KEY = "napari_scope"
"""Where our own attributes stand."""

NAMED_COLORMAPS = frozenset(
    {
        *("viridis", "magma", "inferno", "plasma", "turbo", "hsv", "gray_r", "PiYG"),
        *("twilight", "twilight_shifted", "gist_earth", "bop blue", "bop orange"),
        *("bop purple", "I Blue", "I Bordeaux", "I Forest", "I Orange", "I Purple"),
    }
)
"""Tables of colours that are kept by name; any viewer of the family knows them."""

_BLENDINGS = ("opaque", "translucent", "translucent_no_depth", "additive", "minimum")
_HEX = re.compile(r"#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?")
_MOST_COLORS = 1024
_MOST_NAME = 1000


def saved_rgb(attributes: Mapping[str, object]) -> bool:
    """Return whether the channels of an image are red, green, blue (and alpha)."""
    own = attributes.get(KEY)
    return isinstance(own, Mapping) and own.get("rgb") is True


def saved_looks(
    attributes: Mapping[str, object], count: int
) -> tuple[Mapping[str, object], ...]:
    """Return how each layer of an image was drawn; empty if the store does not say.

    Parameters
    ----------
    attributes : mapping
        Attributes of the group of an image or a segmentation.
    count : int
        Number of layers: its channels, or 1. If as many are not listed, the store was
        changed by something that does not know them, and they are not used.

    Returns
    -------
    tuple of mapping
        With some of ``name``, ``colormap`` (a name, or a mapping that makes one),
        ``gamma``, ``opacity``, ``blending``, ``visible`` and, of segmentations,
        ``seed``.
    """
    own = attributes.get(KEY)
    entries = own.get("layers") if isinstance(own, Mapping) else None
    if not isinstance(entries, list) or len(entries) != count:
        return ()
    return tuple(_look(entry) if isinstance(entry, dict) else {} for entry in entries)


def _look(entry: Mapping[str, Any]) -> dict[str, object]:
    look: dict[str, object] = {}
    name = entry.get("name")
    if isinstance(name, str) and 0 < len(name) <= _MOST_NAME:
        look["name"] = name
    colormap = _colormap(entry.get("colormap"))
    if colormap is not None:
        look["colormap"] = colormap
    for key, least, most in (("gamma", 1e-3, 10), ("opacity", 0, 1), ("seed", 0, 1)):
        value = entry.get(key)
        # NaN is in no range.
        if _is_number(value) and least <= value <= most:
            look[key] = float(value)
    if entry.get("blending") in _BLENDINGS:
        look["blending"] = entry["blending"]
    if isinstance(entry.get("visible"), bool):
        look["visible"] = entry["visible"]
    return look


def _colormap(found: object) -> object | None:
    """Return a name, or the table that a colour map is made of."""
    if isinstance(found, str):
        return found if found in NAMED_COLORMAPS else None
    if not isinstance(found, dict):
        return None
    colors, controls = found.get("colors"), found.get("controls")
    if not isinstance(colors, list) or not 2 <= len(colors) <= _MOST_COLORS:
        return None
    if not all(isinstance(c, str) and _HEX.fullmatch(c) for c in colors):
        return None
    name = found.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _MOST_NAME:
        return None
    # One that a viewer has under that name already would be changed everywhere.
    colormap: dict[str, object] = {"colors": colors, "name": f"{name} (saved)"}
    if name.endswith(" (saved)"):
        colormap["name"] = name
    if controls is not None:
        if not _rising(controls) or len(controls) != len(colors):
            return None
        colormap["controls"] = controls
    return colormap


def _is_number(value: Any) -> TypeGuard[float]:
    return type(value) in (int, float)  # a bool is an int, but no number


def _rising(numbers: object) -> bool:
    """Return whether this is a list of numbers from 0 to 1, each above the former."""
    if not isinstance(numbers, list) or len(numbers) < 2:
        return False
    if not all(map(_is_number, numbers)):
        return False
    rises = all(a < b for a, b in pairwise(numbers))
    return rises and numbers[0] == 0 and numbers[-1] == 1
