"""The range of values a layer shows at first, found without reading much.

napari would read planes itself if no range were given. Here the file is believed
first, then the camera's bit depth, and only then one small plane is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import ScopeError

if TYPE_CHECKING:
    from napari_scope.model import Image, LevelArray

__all__ = ["full_range", "known_limits", "sampled_limits"]

_SIDE = 1024  # of the part of a plane that is looked at

Limits = tuple[float, float]


def known_limits(image: Image, channel: int) -> Limits | None:
    """Return what the file says on a channel: its range, else its bit depth.

    A depth that fills the type, 16 of 16 bits, is what software notes that does not
    know the camera; most images would be black in that range. Only of 8 bits is it
    believed.
    """
    if channel < len(image.channels):
        limits = image.channels[channel].contrast_limits
        if limits is not None:
            return limits
    dtype = image.levels[0].dtype
    bits = image.bit_depth
    if bits is None or dtype.kind != "u":
        return None
    if bits < 8 * dtype.itemsize or dtype.itemsize == 1:
        return 0.0, float(2**bits - 1)
    return None


def full_range(dtype: np.dtype[np.generic]) -> Limits:
    """Return the range of an integer type; 0 to 1 for others."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)  # type: ignore[type-var]
        return float(info.min), float(info.max)
    return 0.0, 1.0


def sampled_limits(level: LevelArray, *, rgb: bool = False) -> Limits | None:
    """Return the least and greatest value of the middle plane of a level.

    Of a large plane only the middle is read. None if it cannot be read or all its
    values are the same (a frame not yet written): then nothing is known.
    """
    if level.dtype.kind == "b":
        return 0.0, 1.0
    shape = level.shape[:-1] if rgb else level.shape
    if 0 in shape:
        return None
    middle = tuple(n // 2 for n in shape[:-2])
    window = tuple(
        slice(max(0, (n - _SIDE) // 2), max(0, (n - _SIDE) // 2) + _SIDE)
        for n in shape[-2:]
    )
    for index in dict.fromkeys((middle, (0,) * len(middle))):
        try:
            plane = np.asarray(level[(*index, *window)])
        except (ScopeError, OSError):
            # The layer will report it when it is drawn; opening goes on.
            return None
        if plane.dtype.kind == "f":
            plane = plane[np.isfinite(plane)]
        if plane.size:
            low, high = float(plane.min()), float(plane.max())
            if low < high:
                return low, high
    return None
