"""One frame of a live view, and what is cheap to know of it.

`LiveFrame` is what the camera delivered, where the stage was, and how pixels lie on the
stage. `pixel_range` tells how the camera is driven: whether pixels are saturated.
`Rate` counts events against the time.

Nothing here knows a microscope but `pixel_affine`, which asks the core for numbers
that it has at hand.

Examples
--------
>>> rate = Rate()
>>> for number in range(1, 6):
...     rate.count(number, now=number / 10)
>>> round(rate.per_second(now=0.5))
10
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus

__all__ = ["LiveFrame", "PixelRange", "Rate", "pixel_affine", "pixel_range"]

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_FLAT = 1e-6  # area of a pixel, against its sides, below which it is none
_WINDOW_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """A frame; its pixels are never written again, so any thread may read them.

    Parameters
    ----------
    camera : str
        The camera that took it.
    image : ndarray
        Pixels: y, x, or y, x and red, green, blue.
    number : int
        How many frames this camera has delivered so far; frames that were passed over
        count.
    time_s : float
        When it was read, in seconds since the epoch.
    x_um, y_um, z_um : float, optional
        Where stage and focus were, None without one.
    affine : tuple of float, optional
        Stage micrometers for a pixel to the right and down: x = a*right + b*down,
        y = d*right + e*down, given as (a, b, d, e). None if the size of a pixel is not
        known.
    pixel_um : float, optional
        Size of a pixel.
    bit_depth : int, optional
        Bits that the camera fills; None for float pixels.
    exposure_ms : float, optional
        Exposure time.
    is_snap : bool
        Whether somebody asked for just this image.
    """

    camera: str
    image: npt.NDArray[np.generic]
    number: int
    time_s: float
    x_um: float | None = None
    y_um: float | None = None
    z_um: float | None = None
    affine: tuple[float, float, float, float] | None = None
    pixel_um: float | None = None
    bit_depth: int | None = None
    exposure_ms: float | None = None
    is_snap: bool = False

    @property
    def is_rgb(self) -> bool:
        """Whether it is a colour image."""
        return self.image.ndim == 3


@dataclass(frozen=True, slots=True)
class PixelRange:
    """How bright a frame is.

    Parameters
    ----------
    low, high : float
        Darkest and brightest pixel.
    saturated : float or None
        Fraction of the pixels at the upper end of the camera's range; None if the
        camera has no such end (float pixels).
    """

    low: float
    high: float
    saturated: float | None


def pixel_range(
    image: npt.NDArray[np.generic], bit_depth: int | None = None
) -> PixelRange:
    """Return how bright an image is; every pixel counts.

    Parameters
    ----------
    image : ndarray
        The image.
    bit_depth : int, optional
        Bits that the camera fills; all bits of the type if not given.

    Examples
    --------
    >>> pixel_range(np.array([[5, 4095], [7, 9]], dtype="u2"), bit_depth=12)
    PixelRange(low=5.0, high=4095.0, saturated=0.25)
    """
    if not image.size:
        return PixelRange(0.0, 0.0, None)
    if image.dtype.kind == "f":
        finite = image[np.isfinite(image)]
        if not finite.size:
            return PixelRange(0.0, 0.0, None)
        return PixelRange(float(finite.min()), float(finite.max()), None)
    low, high = int(image.min()), int(image.max())
    bits = 8 * image.dtype.itemsize
    if bit_depth is not None:
        bits = min(bits, bit_depth)
    end = 2**bits - 1
    saturated = 0.0
    if high >= end:
        saturated = float(np.count_nonzero(image >= end)) / image.size
    return PixelRange(float(low), float(high), saturated)


class Rate:
    """How often something happens, from a counter that is looked at now and then."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def clear(self) -> None:
        """Forget what was."""
        self._seen.clear()

    def count(self, number: int, now: float) -> None:
        """Take note of the counter.

        Parameters
        ----------
        number : int
            How often it has happened so far.
        now : float
            Seconds on a steady clock.
        """
        if self._seen and self._seen[-1][1] == number:
            return
        self._seen.append((now, number))
        # Two are always kept: what happens every ten seconds has a rate, too.
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    def per_second(self, now: float) -> float:
        """Return the rate; it falls when nothing comes any more."""
        if len(self._seen) < 2:
            return 0.0
        (first, start), (last, end) = self._seen[0], self._seen[-1]
        step = (last - first) / (end - start)
        if step <= 0:
            return 0.0
        overdue = now - last
        return 1 / step if overdue < 2 * step + 0.5 else 1 / overdue


def pixel_affine(core: CMMCorePlus) -> tuple[float, float, float, float] | None:
    """Return how pixels lie on the stage; None if their size is not known.

    A transform that was never calibrated is the identity in Micro-Manager, whatever
    the size of a pixel; the pixels then lie along the stage. No device is asked.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    """
    name = core.getCurrentPixelSizeConfig(True)
    calibrated = bool(name) and tuple(core.getPixelSizeAffineByID(name)) != _IDENTITY
    a, b, _, d, e, _ = (float(value) for value in core.getPixelSizeAffine(True))
    sides = math.hypot(a, d) * math.hypot(b, e)
    if calibrated and 0 < sides < math.inf and abs(a * e - b * d) > _FLAT * sides:
        return a, b, d, e
    size = float(core.getPixelSizeUm(True))
    return (size, 0.0, 0.0, size) if size > 0 else None
