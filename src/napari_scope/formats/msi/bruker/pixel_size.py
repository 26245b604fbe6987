"""How large a pixel is, from where the stage was at each spot.

The parameters of each spot have the position of the stage (MOTPOS). Its unit is told
nowhere; on the public spots A1 and A2 of a target plate, 4.5 mm apart, it differs by
4,500. Steps that do not fit a grid say nothing.

Examples
--------
>>> stage = np.array([[0.0, 0.0], [-50.0, 0.0], [0.0, 100.0]])
>>> size = pixel_size_of(np.array([0, 1, 0]), np.array([0, 0, 1]), stage)
>>> size.x_um, size.y_um
(50.0, 100.0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.formats.msi.spectra import PixelSize

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

__all__ = ["pixel_size_of"]

_OFF: Final = 0.25  # of a pixel: how far from the grid half of the spots may be


def pixel_size_of(x: Numbers, y: Numbers, stage_um: Floats) -> PixelSize | None:
    """Return the size of a pixel, None if the stage does not tell.

    Along an axis with one pixel only it is that along the other one.

    Parameters
    ----------
    x, y : ndarray of int64, (spots,)
        Where the spots lie in the image.
    stage_um : ndarray of float64, (spots, 2)
        Where the stage was; NaN where that is unknown.
    """
    sizes = [_step(axis, stage_um[:, k]) for k, axis in enumerate((x, y))]
    width, height = sizes[0] or sizes[1], sizes[1] or sizes[0]
    if not width or not height:
        return None
    return PixelSize(width, height)


def _step(places: Numbers, stage: Floats) -> float | None:
    """Return the distance of pixels along an axis."""
    known = np.isfinite(stage)
    places, stage = places[known], stage[known]
    low, high = (places.min(), places.max()) if len(places) else (0, 0)
    if low == high:
        return None
    ends = [float(np.median(stage[places == end])) for end in (low, high)]
    step = (ends[1] - ends[0]) / (high - low)
    off = np.abs(stage - ends[0] - step * (places - low))
    if not step or not np.median(off) <= _OFF * abs(step):
        return None
    return abs(float(step))
