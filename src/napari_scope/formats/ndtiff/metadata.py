"""What the metadata of Micro-Manager say: sizes, positions, names.

Numbers may be written as text, be missing, or be nonsense; every function here returns
None then. Lengths are micrometres, times seconds.

Examples
--------
>>> pixel_size_um({"PixelSizeUm": "0.65"}, {}), stage_um({"XPositionUm": 3})
(0.65, None)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeAlias

Facts: TypeAlias = Mapping[str, object]

__all__ = [
    "bit_depth",
    "channel_name",
    "channel_names",
    "interval_s",
    "pixel_affine",
    "pixel_size_um",
    "pixels_per_cm",
    "stage_um",
    "text",
    "tile_overlap",
    "z_step_um",
    "z_um",
]

_NEVER_CALIBRATED: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_AFFINE_PARTS: Final = 6
_FLAT: Final = 1e-6  # area of a pixel, against its sides, below which it is none


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _first(facts: Facts, *names: str) -> float | None:
    for name in names:
        number = _number(facts.get(name))
        if number is not None:
            return number
    return None


def _positive(number: float | None) -> float | None:
    return number if number is not None and number > 0 else None


def pixel_size_um(frame: Facts, summary: Facts) -> float | None:
    """Return the size of a pixel, of the frame or of the summary."""
    names = ("PixelSizeUm", "PixelSize_um")
    return _positive(_first(frame, *names)) or _positive(_first(summary, *names))


def pixel_affine(
    frame: Facts, summary: Facts
) -> tuple[float, float, float, float] | None:
    """Return how the stage moves with the pixels of a tiled store, None if not known.

    Ours is in the summary (``napari_scope``, ``tiles``, ``affine``); Micro-Manager
    writes six numbers with each frame (``PixelSizeAffine``, in the order of its core).
    Its identity says that the camera was never calibrated.

    Returns
    -------
    tuple of float, optional
        (a, b, d, e): micrometers in x are a*right + b*down, in y d*right + e*down.
    """
    own = summary.get("napari_scope")
    tiles = own.get("tiles") if isinstance(own, Mapping) else None
    stored = tiles.get("affine") if isinstance(tiles, Mapping) else None
    if isinstance(stored, list) and len(stored) == 4:
        found = [_number(value) for value in stored]
    else:
        text = frame.get("PixelSizeAffine")
        parts = text.split(";") if isinstance(text, str) else []
        values = [_number(part) for part in parts[:_AFFINE_PARTS]]
        if len(values) < _AFFINE_PARTS or values == list(_NEVER_CALIBRATED):
            return None
        found = [values[0], values[1], values[3], values[4]]
    a, b, d, e = found
    if a is None or b is None or d is None or e is None:
        return None
    sides = math.hypot(a, d) * math.hypot(b, e)
    if not (0 < sides < math.inf and abs(a * e - b * d) > _FLAT * sides):
        return None
    return a, b, d, e


def pixels_per_cm(summary: Facts) -> int:
    """Return the resolution that TIFF wants; 1 where it is not known."""
    size = _positive(_first(summary, "PixelSize_um"))
    return 1 if size is None else min(max(1, int(10_000 / size)), 2**32 - 1)


def interval_s(summary: Facts) -> float | None:
    """Return the time between two time points."""
    interval = _positive(_first(summary, "Interval_ms"))
    return None if interval is None else interval / 1000


def z_step_um(summary: Facts) -> float | None:
    """Return the distance of two planes, if the summary has it."""
    return _positive(_first(summary, "z-step_um"))


def stage_um(frame: Facts) -> tuple[float, float] | None:
    """Return the stage position (x, y), which is the centre of the frame."""
    x = _first(frame, "XPosition_um_Intended", "XPositionUm")
    y = _first(frame, "YPosition_um_Intended", "YPositionUm")
    return None if x is None or y is None else (x, y)


def z_um(frame: Facts) -> float | None:
    """Return the position of the focus drive."""
    return _first(frame, "ZPosition_um_Intended", "ZPositionUm")


def tile_overlap(summary: Facts) -> tuple[float, float] | None:
    """Return the overlap (x, y) of tiles in pixels, or None if it is no tiled store."""
    x = _first(summary, "GridPixelOverlapX")
    y = _first(summary, "GridPixelOverlapY")
    if x is None and y is None and summary.get("TiledImageStorage") is not True:
        return None
    return x or 0.0, y or 0.0


def bit_depth(frame: Facts, largest: int) -> int:
    """Return the significant bits of the camera; ``largest`` where it is not known."""
    bits = _first(frame, "BitDepth")
    if bits is not None and largest - 8 < bits <= largest:
        return int(bits)
    return largest


def text(facts: Facts, name: str) -> str | None:
    """Return a text that is not empty."""
    value = facts.get(name)
    return value if isinstance(value, str) and value else None


def channel_name(frame: Facts) -> str | None:
    """Return the name of the channel of a frame."""
    return text(frame, "Channel")


def channel_names(summary: Facts) -> list[str]:
    """Return the channel names of the summary, by channel index."""
    names = summary.get("ChNames")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return names
    return []
