"""The size of a pixel and how the camera lies, measured by moving the stage.

The stage goes a little way to the sides, each image is compared with the first by phase
correlation, and the affine transform that explains the shifts is fitted. The first
moves are short and say about how large a pixel is; as long as all shifts agree they
grow, up to a part of the field. What makes no sense ends it before the stage is far.
The stage comes back to where it was, also after an error; but once somebody has stopped
it, it stays where it is.

A feature of the sample at the stage position ``X + A p`` is seen at the pixel ``p``
(from the centre of the image); after a move by ``m`` at ``p - A**-1 m``. So the shifts
of the images are ``-A**-1`` times the moves.

Needs a sample with structure all over the field, and a stage without much backlash.

Examples
--------
>>> from napari_scope.acquire import CoreOwner
>>> owner = CoreOwner()  # doctest: +SKIP
>>> found = measure_pixels(owner.core, step_um=5)  # doctest: +SKIP
>>> define_pixels(owner.core, found, "10x")  # doctest: +SKIP
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.acquire.stage_moves import StageMoves
from napari_scope.errors import CancelledError, HardwareError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus

__all__ = ["PixelCalibration", "define_pixels", "image_shift", "measure_pixels"]

_PART: Final = 0.2  # of the field, for the moves that measure
_LEAST_PX: Final = 2.0  # a shift below is noise
_SHARP: Final = 6.0  # the peak of a correlation against its noise
_MOST_ERROR_PX: Final = 3.0
_GROWTH: Final = 4  # of the moves, from one look to the next
_OFF: Final = 0.25  # of the first move, by which a stage may miss its place


@dataclass(frozen=True, slots=True)
class PixelCalibration:
    """What was measured.

    Parameters
    ----------
    affine : tuple of float
        Stage micrometers for a pixel to the right and down, with the binning that the
        camera has now: x = a*right + b*down, y = d*right + e*down, as (a, b, d, e).
    error_px : float
        By how many pixels the shifts differ from what the transform says, at most.
    """

    affine: tuple[float, float, float, float]
    error_px: float

    @property
    def pixel_um(self) -> float:
        """Size of a pixel: the side of a square of its area."""
        a, b, d, e = self.affine
        return math.sqrt(abs(a * e - b * d))


def image_shift(
    first: npt.NDArray[Any], second: npt.NDArray[Any]
) -> tuple[float, float, float]:
    """Return how far the content of an image has moved, by phase correlation.

    Parameters
    ----------
    first, second : ndarray
        Two images of one shape: y, x.

    Returns
    -------
    (float, float, float)
        Pixels to the right, pixels down, and how far the peak of the correlation
        stands out of its noise.
    """
    right, down, _ = _correlate(first, second)
    # Windows of images that cover different places draw the peak to zero: once more
    # with what both of them show.
    by = round(right), round(down)
    height, width = first.shape
    across = slice(max(0, by[0]), width + min(0, by[0]))
    along = slice(max(0, by[1]), height + min(0, by[1]))
    back = slice(across.start - by[0], across.stop - by[0])
    up = slice(along.start - by[1], along.stop - by[1])
    right, down, sharpness = _correlate(first[up, back], second[along, across])
    return by[0] + right, by[1] + down, sharpness


def _correlate(
    first: npt.NDArray[Any], second: npt.NDArray[Any]
) -> tuple[float, float, float]:
    """Return the place of the peak, and how far it stands out."""
    window = np.outer(*(np.hanning(size + 2)[1:-1] for size in first.shape))
    one, other = (
        np.fft.rfft2((image - image.mean()) * window)
        for image in (first.astype("f8"), second.astype("f8"))
    )
    cross = other * one.conj()
    size = np.abs(cross)
    cross /= np.maximum(size, max(size.max() * 1e-12, 1e-300))
    found = np.fft.irfft2(cross, s=first.shape)
    peak = np.unravel_index(int(found.argmax()), found.shape)
    sharpness = float((found[peak] - found.mean()) / (found.std() or 1.0))
    right = _place_of_peak(found[peak[0]], int(peak[1]))
    down = _place_of_peak(found[:, peak[1]], int(peak[0]))
    return right, down, sharpness


def _place_of_peak(line: npt.NDArray[Any], peak: int) -> float:
    """Return where between pixels a peak is; the line is a ring."""
    before, top, after = (float(line[(peak + n) % line.size]) for n in (-1, 0, 1))
    # The peak of a shift between two pixels shares its height between them.
    side, by = (after, 1) if after > before else (before, -1)
    part = by * side / (side + top) if side > 0 else 0.0
    place = peak + part
    return place - line.size if place > line.size / 2 else place


def measure_pixels(
    core: CMMCorePlus,
    *,
    step_um: float,
    moves: StageMoves | None = None,
    snap: Callable[[], npt.NDArray[Any]] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> PixelCalibration:
    """Measure size and lie of the pixels; takes some images and moves the stage.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope; nothing else may use it meanwhile.
    step_um : float
        The first, short move: at least some pixels, at most a third of the field.
    moves : StageMoves, optional
        Moves the stage; `StageMoves.halt` ends the measurement, and the stage stays.
    snap : callable, optional
        Takes an image, y and x; the camera of the core by default.

    cancelled : callable, optional
        Whether to end; asked after each move, which is the last then.

    Raises
    ------
    CancelledError
        If it was cancelled.
    HardwareError
        Without a stage, if it was stopped on its way, if the images do not follow
        the stage, or differ too much.
    SettingsError
        If the step is not larger than zero.
    """
    if not (math.isfinite(step_um) and step_um > 0):
        raise SettingsError(f"the first move has to be longer than 0, found {step_um}")
    if not core.getXYStageDevice():
        raise HardwareError("there is no XY stage", hint="choose one in the devices")
    moves = moves or StageMoves(core)
    snap = snap or (lambda: _snap(core))
    x, y = core.getXYPosition()

    stays = False

    def look(way: tuple[float, float]) -> npt.NDArray[Any]:
        nonlocal stays
        moves.to(x_um=x + way[0], y_um=y + way[1])
        stays = cancelled()
        if stays:
            raise CancelledError("the measurement was cancelled; the stage stays here")
        now = core.getXYPosition()
        off = math.hypot(now[0] - x - way[0], now[1] - y - way[1])
        stays = off > _OFF * step_um
        if stays:
            raise HardwareError(
                f"the stage was stopped {off:.4g} µm before its place; it stays there",
                hint="let nobody else move it meanwhile",
            )
        return snap()

    try:
        first = look((0.0, 0.0))
        reach, sides = step_um, [(step_um, 0.0), (0.0, step_um)]
        while True:
            found = _fit(
                first, look, [(s * u, s * v) for u, v in sides for s in (1, -1)]
            )
            if found.error_px > _MOST_ERROR_PX:
                raise HardwareError(
                    f"the images differ by up to {found.error_px:.1f} pixels from "
                    "where the stage says it went",
                    hint="a sample with structure that lies still, a stage without "
                    "backlash, another first move",
                )
            # Along the sides of the image, so that no move leaves too little of it.
            a, b, d, e = found.affine
            height, width = (_PART * size for size in first.shape)
            right, down = (width * a, width * d), (height * b, height * e)
            longest = max(math.hypot(*right), math.hypot(*down))
            if longest <= reach * 1.5:
                break
            # What is wrong shall be seen before the stage goes far.
            part = min(1.0, _GROWTH * reach / longest)
            reach = part * longest
            sides = [(part * u, part * v) for u, v in (right, down)]
    finally:
        if not stays:
            moves.to(x_um=x, y_um=y)
    return found


def _snap(core: CMMCorePlus) -> npt.NDArray[Any]:
    core.snapImage()
    image: npt.NDArray[Any] = core.getImage()
    return image.mean(axis=-1) if image.ndim == 3 else image


def _fit(
    first: npt.NDArray[Any],
    look: Callable[[tuple[float, float]], npt.NDArray[Any]],
    ways: Iterable[tuple[float, float]],
) -> PixelCalibration:
    went, shifts = [], []
    for way in ways:
        right, down, sharpness = image_shift(first, look(way))
        words = f"after a move of {math.hypot(*way):.4g} µm"
        if sharpness < _SHARP:
            raise HardwareError(
                f"the images have nothing in common {words}",
                hint="a sample with structure, in focus; a shorter first move",
            )
        if math.hypot(right, down) < _LEAST_PX:
            raise HardwareError(
                f"the image has not moved {words}",
                hint="a longer first move; is it the right stage?",
            )
        went.append(way)
        shifts.append((right, down))
    moved, shifted = np.array(went).T, np.array(shifts).T
    affine = -moved @ np.linalg.pinv(shifted)
    if abs(np.linalg.det(affine)) < 1e-6 * np.linalg.norm(affine) ** 2:
        raise HardwareError(
            "both directions of the stage move the image along one line",
            hint="a longer first move, a sample with structure",
        )
    error = np.abs(np.linalg.solve(affine, -moved) - shifted).max()
    a, b, d, e = (float(value) for value in affine.ravel())
    return PixelCalibration((a, b, d, e), float(error))


def define_pixels(core: CMMCorePlus, found: PixelCalibration, preset: str) -> None:
    """Let a pixel size preset of the core be what was measured.

    Micro-Manager keeps sizes without binning and magnifier.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope, set up as it was measured.
    found : PixelCalibration
        What was measured.
    preset : str
        A pixel size preset that is defined.

    Raises
    ------
    SettingsError
        If there is no such preset.
    """
    if preset not in core.getAvailablePixelSizeConfigs():
        raise SettingsError(
            f"there is no pixel size preset {preset!r}",
            hint="define one for these settings first",
        )
    factor = _binning(core) / (core.getMagnificationFactor() or 1.0)
    a, b, d, e = (value / factor for value in found.affine)
    core.setPixelSizeUm(preset, found.pixel_um / factor)
    core.setPixelSizeAffine(preset, [a, b, 0.0, d, e, 0.0])


def _binning(core: CMMCorePlus) -> float:
    camera = core.getCameraDevice()
    if not camera or not core.hasProperty(camera, "Binning"):
        return 1.0
    digits = core.getProperty(camera, "Binning").split("x")[0]  # "2" or "2x2"
    return float(digits) if digits.isdigit() and int(digits) else 1.0
