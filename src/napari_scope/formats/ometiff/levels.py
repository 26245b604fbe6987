"""The coarse levels of a frame, each half of the one before.

They make an OME-TIFF a pyramid: readers take the level that fits the screen. How a
frame is halved stands in `napari_scope.arrays.downsample`.

Examples
--------
>>> import numpy as np
>>> level_shapes((5, 8, 3), 3)
[(3, 4, 3), (2, 2, 3)]
>>> [level.shape for level in coarse_levels(np.ones((5, 8)), 3)]
[(3, 4), (2, 2)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.arrays import halve, pyramid_shapes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["coarse_levels", "level_shapes"]


def level_shapes(shape: tuple[int, ...], levels: int) -> list[tuple[int, ...]]:
    """Return the shapes of the coarse levels of frames, finest first.

    Parameters
    ----------
    shape : tuple of int
        (height, width), or (height, width, 3) for colour.
    levels : int
        Number of levels, with the frame itself; fewer where a further one would not
        be smaller.
    """
    height, width, *samples = shape
    sides = pyramid_shapes((height, width), levels=levels)
    return [(*side, *samples) for side in sides[1:]]


def coarse_levels(
    frame: npt.NDArray[np.generic], levels: int
) -> list[npt.NDArray[np.generic]]:
    """Return the coarse levels of a frame, finest first; see `level_shapes`."""
    result = []
    for _ in level_shapes(frame.shape, levels):
        frame = halve(frame)
        result.append(frame)
    return result
