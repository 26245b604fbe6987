"""How pixels lie on the sample: their size, and how the camera is turned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

__all__ = ["PixelFacts", "PixelPreset", "affine_words", "read_pixels"]

_IDENTITY = (1.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class PixelPreset:
    """The pixel size that belongs to some settings, often to an objective.

    Parameters
    ----------
    name : str
        Its name.
    size_um : float
        Size of an unbinned pixel.
    affine : tuple of float
        (a, b, d, e) in micrometers per unbinned pixel.
    """

    name: str
    size_um: float
    affine: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PixelFacts:
    """What holds now, with binning and magnifier.

    Parameters
    ----------
    preset : str
        Name of the preset whose settings are the present ones; empty if there is none.
    size_um : float
        Size of a pixel; 0 where it is not calibrated.
    affine : tuple of float
        (a, b, d, e): from a step in pixels (x, y) to one of the stage in micrometers
        (a x + b y, d x + e y).
    frame : tuple of int
        Width and height of a frame; zeros without a camera.
    presets : tuple of PixelPreset
        All that are defined.
    """

    preset: str
    size_um: float
    affine: tuple[float, float, float, float]
    frame: tuple[int, int]
    presets: tuple[PixelPreset, ...]


def read_pixels(core: CMMCorePlus) -> PixelFacts:
    """Ask the core; it asks the devices, so not for the GUI thread."""
    presets = tuple(
        PixelPreset(
            name,
            core.getPixelSizeUmByID(name),
            _plane(core.getPixelSizeAffineByID(name)),
        )
        for name in core.getAvailablePixelSizeConfigs()
    )
    camera = core.getCameraDevice()
    return PixelFacts(
        preset=core.getCurrentPixelSizeConfig(),
        size_um=core.getPixelSizeUm(),
        affine=_plane(core.getPixelSizeAffine()),
        frame=(core.getImageWidth(), core.getImageHeight()) if camera else (0, 0),
        presets=presets,
    )


def affine_words(
    affine: tuple[float, float, float, float], size_um: float = 0.0
) -> str:
    """Return how a camera is turned, in words.

    Parameters
    ----------
    affine : tuple of float
        (a, b, d, e).
    size_um : float
        The pixel size. The identity says nothing about a camera whose pixels are not
        one micrometer: Micro-Manager has it where nothing was calibrated.

    Examples
    --------
    >>> affine_words((0.0, -0.5, 0.5, 0.0), 0.5)
    'turned by 90°'
    >>> affine_words((0.5, 0.0, 0.0, -0.5), 0.5)
    'mirrored'
    >>> affine_words((1.0, 0.0, 0.0, 1.0), 0.5)
    'not calibrated: taken to lie along the stage'
    """
    a, b, d, e = affine
    if not all(math.isfinite(term) for term in affine) or a * e == b * d:
        return "not usable: it has no area"
    if affine == _IDENTITY and size_um != 1.0:
        return "not calibrated: taken to lie along the stage"
    turned = math.degrees(math.atan2(d, a))
    words = [f"turned by {turned:.4g}°"] if abs(turned) > 0.005 else []
    if a * e - b * d < 0:
        words.append("mirrored")
    wide, high = math.hypot(a, d), math.hypot(b, e)
    if abs(wide - high) > 1e-3 * max(wide, high):
        words.append(f"pixels of {wide:.4g} × {high:.4g} µm")
    skew = math.degrees(math.asin(min(1.0, abs(a * b + d * e) / (wide * high))))
    if skew > 0.05:
        words.append(f"sheared by {skew:.2g}°")
    return ", ".join(words) or "along the stage"


def _plane(affine: tuple[float, ...]) -> tuple[float, float, float, float]:
    a, b, _x, d, e, _y = affine
    return (a, b, d, e)
