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

__all__ = ["MAX_FACTS_BYTES", "Place", "Plane", "decode_facts", "encode_facts"]

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


# Our names of facts, then those of ome-writers, with the factor to the unit of OME.
_KNOWN = {
    "delta_s": (("elapsed_ms", 1e-3), ("delta_t", 1.0)),
    "exposure_s": (("exposure_ms", 1e-3), ("exposure_time", 1.0)),
    "x_um": (("x_um", 1.0), ("position_x", 1.0)),
    "y_um": (("y_um", 1.0), ("position_y", 1.0)),
    "z_um": (("z_um", 1.0), ("position_z", 1.0)),
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


def decode_facts(line: bytes, ifd: int) -> Plane:
    """Return what the line of an image directory says.

    Raises
    ------
    FormatError
        It is no line of ours.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the facts on image {ifd} are damaged: {error}") from error
    plane, image, metadata = None, None, None
    if isinstance(found, dict):
        plane, image = found.get("plane"), found.get("image")
        metadata = found.get("metadata", {})
    if (
        not isinstance(plane, list)
        or len(plane) != 3
        or not all(_is_number(n) for n in (*plane, image))
        or not isinstance(metadata, dict)
    ):
        raise FormatError(f"the facts on image {ifd} do not say which frame it is")
    t, c, z = plane
    known: dict[str, Any] = {}
    used = set()
    for name, sources in _KNOWN.items():
        for key, factor in sources:
            value = metadata.get(key)
            if not isinstance(value, int | float) or isinstance(value, bool):
                continue
            if abs(value) < _LARGEST:
                used.add(key)
                known.setdefault(name, round(value * factor, 9))
    extra = {key: value for key, value in metadata.items() if key not in used}
    return Plane(ifd, (t, c, z), int(str(image)), extra=extra, **known)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST


def finite(value: float | None) -> bool:
    """Return whether there is a number that XML can hold."""
    return value is not None and math.isfinite(value)
