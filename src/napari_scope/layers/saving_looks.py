"""How layers are drawn, as a file keeps it: channels, and what only we keep.

The colour of a channel is the brightest one of its colour map; the map itself, gamma,
opacity and blending are kept in our own attributes
(`napari_scope.formats.ngff.saved_looks`), so that they come back as they were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.ngff.saved_looks import NAMED_COLORMAPS
from napari_scope.model import Channel

if TYPE_CHECKING:
    import numpy.typing as npt

    Rgba = tuple[int, int, int, int]
    Colors = npt.NDArray[np.float64]

__all__ = ["channel_of_layer", "label_colors", "label_properties", "look_of_layer"]

_WHITE = "#FFFFFF"
_PLAIN = {"gray": _WHITE, "grey": _WHITE}
_NAMED = {
    "red": "#FF0000", "green": "#00FF00", "blue": "#0000FF", "cyan": "#00FFFF",
    "magenta": "#FF00FF", "yellow": "#FFFF00", "white": _WHITE,
}  # fmt: skip
_LABEL_SEED = 0.5
_MOST_LABELS = 2**20


def channel_of_layer(name: str, arguments: Mapping[str, object]) -> Channel:
    """Return what the standard keeps of an image layer."""
    limits = arguments.get("contrast_limits")
    low_high: tuple[float, float] | None = None
    if isinstance(limits, list | tuple) and len(limits) == 2:
        low, high = float(limits[0]), float(limits[1])
        if low < high and math.isfinite(low) and math.isfinite(high):
            low_high = low, high
    return Channel(
        name,
        _color(arguments.get("colormap")),
        low_high,
        visible=arguments.get("visible") is not False,
    )


def look_of_layer(
    name: str, arguments: Mapping[str, object], kind: str = "image"
) -> dict[str, object]:
    """Return what we keep of a layer beside the standard; JSON-able."""
    look: dict[str, object] = {
        "name": name,
        "visible": arguments.get("visible") is not False,
    }
    for key in ("gamma", "opacity"):
        value = arguments.get(key)
        if isinstance(value, int | float) and math.isfinite(value):
            look[key] = float(value)
    blending = arguments.get("blending")
    if blending is not None:
        look["blending"] = str(getattr(blending, "value", blending))
    colormap = arguments.get("colormap")
    if kind == "labels":
        seed = getattr(colormap, "seed", None)
        if isinstance(seed, float) and seed != _LABEL_SEED:
            look["seed"] = seed
    elif (kept := _kept_colormap(colormap)) is not None:
        look["colormap"] = kept
    return look


def _colors_of(colormap: object) -> Colors | None:
    """Return the table of a colour map, red, green, blue and alpha from 0 to 1."""
    table = (
        colormap.get("colors")
        if isinstance(colormap, Mapping)
        else getattr(colormap, "colors", None)
    )
    if table is None:
        return None
    found = np.asarray(table, dtype=float)
    return found if found.ndim == 2 and found.shape[1] == 4 and len(found) > 1 else None


def _name_of(colormap: object) -> str:
    if isinstance(colormap, str):
        return colormap
    named = (
        colormap.get("name")
        if isinstance(colormap, Mapping)
        else getattr(colormap, "name", "")
    )
    return named if isinstance(named, str) else ""


def _color(colormap: object) -> str | None:
    name = _name_of(colormap)
    if name in _PLAIN:
        return _WHITE
    colors = _colors_of(colormap)
    if colors is None:
        return name.upper() if name.startswith("#") else _NAMED.get(name)
    # Of most maps the last one; of inverted ones the first.
    ends = colors[[0, -1]]
    return _hex(ends[ends[:, :3].sum(axis=1).argmax()])[:7]


def _hex(color: Colors) -> str:
    return "#" + "".join(f"{round(255 * min(max(part, 0), 1)):02X}" for part in color)


def _kept_colormap(colormap: object) -> object | None:
    """Return what makes a map that is more than from black to a colour."""
    name = _name_of(colormap)
    if name in NAMED_COLORMAPS:
        return name
    colors = _colors_of(colormap)
    if colors is None or (len(colors) == 2 and not colors[0, :3].any()):
        return None
    kept: dict[str, object] = {
        "name": name or "custom",
        "colors": [_hex(color) for color in colors],
    }
    controls = (
        colormap.get("controls")
        if isinstance(colormap, Mapping)
        else getattr(colormap, "controls", None)
    )
    if controls is not None and len(controls) == len(colors):
        kept["controls"] = [float(number) for number in controls]
    return kept


def label_colors(colormap: object) -> dict[int, Rgba]:
    """Return the colours that were given to single labels.

    A layer that takes its colours in turn has none; every viewer does that by itself.
    """
    found = (
        colormap
        if isinstance(colormap, Mapping)
        else getattr(colormap, "color_dict", None)
    )
    if not isinstance(found, Mapping):
        return {}
    colors: dict[int, Rgba] = {}
    for label, color in found.items():
        # None stands for all other labels; 0 is the background.
        if isinstance(label, int | np.integer) and label != 0:
            parts = np.asarray(color, dtype=float).ravel()
            if len(parts) in (3, 4):
                red, green, blue, alpha = (*parts, 1.0)[:4]
                colors[int(label)] = (
                    *(_byte(red), _byte(green), _byte(blue)),
                    _byte(alpha),
                )
    return colors


def _byte(part: float) -> int:
    return round(255 * min(max(float(part), 0.0), 1.0))


def label_properties(arguments: Mapping[str, object]) -> dict[int, dict[str, object]]:
    """Return what the layer knows of single labels, as its table of features has it.

    A row belongs to the label in its column ``index``, or to the label of its number.
    Values that JSON cannot hold are left out.
    """
    table = arguments.get("features")
    columns = list(getattr(table, "columns", ()))
    if not columns:
        table = arguments.get("properties")
        columns = list(table) if isinstance(table, Mapping) else []
    if not columns or table is None:
        return {}
    values = {
        str(column): np.asarray(table[column]).tolist()  # type: ignore[index]
        for column in columns
    }
    count = min(len(column) for column in values.values())
    labels = values.pop("index", None) or range(count)
    properties: dict[int, dict[str, object]] = {}
    for row in range(min(count, _MOST_LABELS)):
        label = labels[row]
        if not isinstance(label, int | float) or label != label or int(label) == 0:
            continue
        facts = {key: column[row] for key, column in values.items()}
        kept = {key: value for key, value in facts.items() if _fits_json(value)}
        if kept:
            properties[int(label)] = kept
    return properties


def _fits_json(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | bool | int)
