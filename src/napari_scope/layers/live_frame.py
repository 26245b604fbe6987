"""Where a live frame lies in the viewer, how it is shown, and what is noted of it.

A live layer has the axes y and x in micrometers of the stage, like the layers of a
run; the middle of the image is where the stage is. A camera that is turned, mirrored or
sheared against the stage is shown as it lies on the sample.

Pure: numbers in, numbers out. The caller owns the layers and the clock.

Examples
--------
>>> import numpy as np
>>> image = np.zeros((3, 5), "u2")
>>> placement_of(image.shape, (10.0, 20.0), (0.5, 0.0, 0.0, 0.5))
Placement(scale=(0.5, 0.5), translate=(19.5, 9.0), affine=None, unit='micrometer')
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np

from napari_scope.layers.contrast import full_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = [
    "AutoContrast",
    "ContrastMode",
    "Frame",
    "Placement",
    "centre_of",
    "facts_of_frame",
    "live_layer_name",
    "placement_of",
    "range_of_camera",
    "sampled_contrast",
]

ContrastMode: TypeAlias = Literal["once", "always", "frozen"]
"""Contrast from the first frame; from each; as the user has set it."""

_SAMPLES = 40_000
_INTERVAL_S = 0.2
_DEAD_BAND = 0.03  # of the range: smaller changes are noise, and each costs a redraw


class Frame(Protocol):
    """What is asked of a live frame."""

    @property
    def camera(self) -> str:
        """Name of the camera."""

    @property
    def image(self) -> npt.NDArray[np.generic]:
        """The pixels: y, x, or y, x and colours."""

    @property
    def number(self) -> int:
        """Number of the frame."""

    @property
    def time_s(self) -> float:
        """Seconds since the epoch."""

    @property
    def x_um(self) -> float | None:
        """Stage position."""

    @property
    def y_um(self) -> float | None:
        """Stage position."""

    @property
    def z_um(self) -> float | None:
        """Focus position."""

    @property
    def affine(self) -> tuple[float, float, float, float] | None:
        """See `placement_of`."""

    @property
    def pixel_um(self) -> float | None:
        """Size of a pixel."""

    @property
    def bit_depth(self) -> int | None:
        """Bits that the camera fills."""

    @property
    def exposure_ms(self) -> float | None:
        """Exposure time."""

    @property
    def is_snap(self) -> bool:
        """Whether it is a single image."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How a layer lies in the world; axes are y, x.

    Parameters
    ----------
    scale, translate : tuple of float
        As napari takes them.
    affine : tuple of tuple of float, optional
        A homogeneous matrix that is applied after them; None where it does nothing.
    unit : str
        Unit of both axes.
    """

    scale: tuple[float, float]
    translate: tuple[float, float]
    affine: tuple[tuple[float, float, float], ...] | None
    unit: str


def placement_of(
    shape: Sequence[int],
    stage_um: tuple[float | None, float | None],
    affine: tuple[float, float, float, float] | None,
) -> Placement:
    """Return where an image lies.

    Parameters
    ----------
    shape : sequence of int
        Of the image; y and x come first.
    stage_um : (float or None, float or None)
        Stage position, x and y.
    affine : tuple of float, optional
        Stage micrometers for a pixel to the right and down: x = a*right + b*down,
        y = d*right + e*down. Without it pixels are shown as pixels, at the origin.
    """
    if affine is None:
        return Placement((1.0, 1.0), (0.0, 0.0), None, "pixel")
    a, b, d, e = affine
    x, y = (0.0 if value is None else value for value in stage_um)
    down, right = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    top = y - (d * right + e * down)
    left = x - (a * right + b * down)
    if b == d == 0 and a > 0 and e > 0:
        return Placement((e, a), (top, left), None, "micrometer")
    # napari's scale is positive: turning and mirroring go into the matrix, and with
    # them the place, so that a stage that moves changes one thing only.
    matrix = ((e, d, top), (b, a, left), (0.0, 0.0, 1.0))
    return Placement((1.0, 1.0), (0.0, 0.0), matrix, "micrometer")


def centre_of(placement: Placement, shape: Sequence[int]) -> tuple[float, float]:
    """Return where the middle of an image lies in the world, y and x.

    Examples
    --------
    >>> centre_of(placement_of((3, 5), (10.0, 20.0), (0.5, 0.0, 0.0, 0.5)), (3, 5))
    (20.0, 10.0)
    """
    down, right = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    if placement.affine is None:
        (sy, sx), (ty, tx) = placement.scale, placement.translate
        return ty + sy * down, tx + sx * right
    (a, b, y), (c, d, x) = placement.affine[:2]
    return a * down + b * right + y, c * down + d * right + x


def live_layer_name(camera: str, *, several: bool) -> str:
    """Return the name of a layer; that of the camera only where there are several."""
    return f"Live {camera}" if several and camera else "Live"


def facts_of_frame(frame: Frame) -> dict[str, Any]:
    """Return what is noted of a frame in the metadata of its layer: plain JSON."""
    moment = datetime.datetime.fromtimestamp(frame.time_s).astimezone()
    facts: dict[str, Any] = {
        "live": True,
        "snap": frame.is_snap,
        "camera": frame.camera,
        "number": frame.number,
        "time": moment.isoformat(timespec="milliseconds"),
    }
    values = {
        "exposure_ms": frame.exposure_ms,
        "x_um": frame.x_um,
        "y_um": frame.y_um,
        "z_um": frame.z_um,
        "pixel_size_um": frame.pixel_um,
        "bit_depth": frame.bit_depth,
    }
    facts |= {name: value for name, value in values.items() if value is not None}
    if frame.affine is not None:
        facts["pixel_size_affine"] = list(frame.affine)
    return facts


def sampled_contrast(
    image: npt.NDArray[np.generic],
) -> tuple[float, float] | None:
    """Return display limits from a sample of an image; None if it is flat.

    The darkest and brightest pixels in a thousand are left out, as in the layers of a
    run.
    """
    step = max(1, int(np.sqrt(image.shape[0] * image.shape[1] / _SAMPLES)))
    sample = np.asarray(image)[::step, ::step].ravel()
    if sample.dtype.kind == "f":
        sample = sample[np.isfinite(sample)]
    if not sample.size:
        return None
    # Ranks instead of percentiles: a third of the time.
    low_rank = int(0.001 * (sample.size - 1))
    high_rank = sample.size - 1 - low_rank
    ordered = np.partition(sample, (low_rank, high_rank))
    low, high = float(ordered[low_rank]), float(ordered[high_rank])
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    return (low, high) if high > low else None


def range_of_camera(
    dtype: np.dtype[np.generic], bit_depth: int | None
) -> tuple[float, float] | None:
    """Return the values that a camera can deliver; None for float pixels."""
    if dtype.kind not in "ui":
        return None
    low, high = full_range(dtype)
    if bit_depth is not None and dtype.kind == "u":
        high = min(high, float(2**bit_depth - 1))
    return low, high


class AutoContrast:
    """Decides when the contrast of a live layer is set, and to what.

    Parameters
    ----------
    mode : {"once", "always", "frozen"}
        See `ContrastMode`.

    Examples
    --------
    >>> import numpy as np
    >>> contrast = AutoContrast("once")
    >>> contrast.limits(np.array([[0, 100], [50, 20]], "u2"), now=0.0)
    (0.0, 100.0)
    >>> contrast.limits(np.array([[0, 900], [50, 20]], "u2"), now=9.0) is None
    True
    """

    def __init__(self, mode: ContrastMode = "once") -> None:
        self._mode: ContrastMode = mode
        self._set: tuple[float, float] | None = None
        self._due = True
        self._looked_at = -_INTERVAL_S

    @property
    def mode(self) -> ContrastMode:
        """When the contrast is set."""
        return self._mode

    @mode.setter
    def mode(self, mode: ContrastMode) -> None:
        self._mode = mode
        self._set = None

    def again(self) -> None:
        """Set the contrast from the next frame, in every mode."""
        self._due = True
        self._set = None
        self._looked_at = -_INTERVAL_S

    def keep(self) -> None:
        """Leave the contrast as it is: somebody has set it already."""
        self._due = False

    def limits(
        self, image: npt.NDArray[np.generic], now: float
    ) -> tuple[float, float] | None:
        """Return the limits to set for a frame; None to leave them as they are.

        Parameters
        ----------
        image : ndarray
            The frame.
        now : float
            Seconds on a steady clock; frames are looked at a few times a second.
        """
        if not self._due and self._mode != "always":
            return None
        if now - self._looked_at < _INTERVAL_S:
            return None
        self._looked_at = now
        found = sampled_contrast(image)
        if found is None:
            return None  # a dark frame tells nothing; the next one may
        self._due = False
        before = self._set
        if before is not None:
            width = max(before[1] - before[0], found[1] - found[0])
            if all(
                abs(new - old) <= _DEAD_BAND * width
                for new, old in zip(found, before, strict=True)
            ):
                return None
        self._set = found
        return found
