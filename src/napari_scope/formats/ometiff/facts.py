"""What is known of one frame, as it lies beside its pixels: a line of JSON.

The file thus knows without any journal which frame an image directory holds. When a
file is closed, or repaired, the OME-XML is made from these lines.

Examples
--------
>>> line = encode_facts(0, (3, 0, 1), {"elapsed_ms": 1500, "note": "ok"})
>>> line
b'{"image":0,"plane":[3,0,1],"metadata":{"elapsed_ms":1500,"note":"ok"}}'
>>> plane = decode_facts(line, ifd=7)
>>> plane.place, plane.delta_s, plane.extra
((3, 0, 1), 1.5, {'note': 'ok'})
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from napari_scope.errors import FormatError, FrameError

__all__ = [
    "MAX_FACTS_BYTES",
    "Place",
    "Plane",
    "decode_facts",
    "decode_place",
    "encode_facts",
]

Place: TypeAlias = tuple[int, int, int]
"""Where a plane is in its image: time, channel, z."""

MAX_FACTS_BYTES = 1 << 24
"""The longest line that is read back."""

_LARGEST = 1e300
_MOST = 2**31  # of images, and of samples on an axis, as OME-XML counts them


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of an image, or several in a row.

    Parameters
    ----------
    ifd : int
        Number of its image directory in the file, from 0.
    place : (int, int, int)
        Time, channel and z.
    image : int
        Number of the image in the file.
    count : int
        How many planes follow one another, in the order of the dimensions.
    delta_s, exposure_s : float, optional
        Time since the start, and exposure, in seconds.
    x_um, y_um, z_um : float, optional
        Position of the stage in micrometers.
    extra : mapping
        Everything else that was noted.
    """

    ifd: int
    place: Place
    image: int = 0
    count: int = 1
    delta_s: float | None = None
    exposure_s: float | None = None
    x_um: float | None = None
    y_um: float | None = None
    z_um: float | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


# Our names of facts, then those of ome-writers: what it is, the factor to the unit of
# OME, and whether it counts where both are there.
_KNOWN = {
    "elapsed_ms": ("delta_s", 1e-3, True),
    "exposure_ms": ("exposure_s", 1e-3, True),
    "x_um": ("x_um", 1.0, True),
    "y_um": ("y_um", 1.0, True),
    "z_um": ("z_um", 1.0, True),
    "delta_t": ("delta_s", 1.0, False),
    "exposure_time": ("exposure_s", 1.0, False),
    "position_x": ("x_um", 1.0, False),
    "position_y": ("y_um", 1.0, False),
    "position_z": ("z_um", 1.0, False),
}


def _plain(value: object) -> object:
    """Return a numpy value as a Python one, for the JSON encoder."""
    if isinstance(value, np.generic):
        plain = value.item()
        if not isinstance(plain, np.generic):
            return plain
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


_ENCODER = json.JSONEncoder(default=_plain, allow_nan=False, separators=(",", ":"))


def encode_facts(image: int, place: Place, metadata: Mapping[str, object]) -> bytes:
    """Return the line of a frame.

    Raises
    ------
    FrameError
        The metadata have no form in JSON.
    """
    t, c, z = place
    head = f'{{"image":{image},"plane":[{t},{c},{z}]'
    if not metadata:
        return f"{head}}}".encode()
    try:
        text = _ENCODER.encode(metadata if type(metadata) is dict else dict(metadata))
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(
            f"the metadata of a frame cannot be written as JSON: {error}",
            hint="use finite numbers, text, lists and mappings with text as keys",
        ) from error
    return f'{head},"metadata":{text}}}'.encode()


def decode_place(line: bytes, ifd: int) -> tuple[int, int, int, int]:
    """Return image, time, channel and z from the line of an image directory.

    Raises
    ------
    FormatError
        It is no line of ours.
    """
    found, (image, t, c, z) = _decode(line, ifd)
    if not isinstance(found.get("metadata", {}), dict):
        raise _unclear(ifd)
    return image, t, c, z


def decode_facts(line: bytes, ifd: int) -> Plane:
    """Return what the line of an image directory says.

    Raises
    ------
    FormatError
        It is no line of ours.
    """
    found, (image, t, c, z) = _decode(line, ifd)
    metadata = found.get("metadata", {})
    if not isinstance(metadata, dict):
        raise _unclear(ifd)
    known: dict[str, Any] = {}
    extra: dict[str, object] = {}
    for key, value in metadata.items():
        meaning = _KNOWN.get(key)
        number = type(value) is float or type(value) is int
        if meaning is None or not number or not abs(value) < _LARGEST:
            extra[key] = value
            continue
        name, factor, ours = meaning
        if ours or name not in known:
            known[name] = round(value * factor, 9)
    return Plane(ifd, (t, c, z), image, extra=extra, **known)


def _decode(line: bytes, ifd: int) -> tuple[dict[str, Any], list[int]]:
    """Return the object of a line, and its image, time, channel and z."""
    try:
        found = _DECODER.decode(line.decode())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the facts on image {ifd} are damaged: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("plane"), list):
        raise _unclear(ifd)
    numbers = [found.get("image"), *found["plane"]]
    if len(numbers) != 4 or {*map(type, numbers)} != {int}:
        raise _unclear(ifd)
    if min(numbers) < 0 or max(numbers) >= _MOST:
        raise _unclear(ifd)
    return found, numbers


_DECODER = json.JSONDecoder()


def _unclear(ifd: int) -> FormatError:
    return FormatError(f"the facts on image {ifd} do not say which frame it is")


def finite(value: float | None) -> bool:
    """Return whether there is a number that XML can hold."""
    return value is not None and math.isfinite(value)
