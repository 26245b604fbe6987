"""Taking away the few pixels that are so bright that all others look black.

Examples
--------
>>> clip_hotspots(np.array([0.0, 1.0, 2.0, 100.0]), 0.5).tolist()
[0.0, 1.0, 2.0, 2.0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["check_quantile", "clip_hotspots"]

Value = TypeVar("Value", bound=np.floating[Any])


def clip_hotspots(image: npt.NDArray[Value], quantile: float) -> npt.NDArray[Value]:
    """Return an image without values above a quantile of those that are above 0.

    Parameters
    ----------
    image : ndarray of float
        The image; pixels without a spectrum are 0.
    quantile : float
        From 0 to 1; 0.99 leaves one of a hundred bright pixels clipped.

    Raises
    ------
    ValueError
        If the quantile lies outside of 0 to 1.
    """
    check_quantile(quantile)
    above = image[(image > 0) & np.isfinite(image)]
    if not len(above):
        return image
    highest = image.dtype.type(np.quantile(above, quantile))
    clipped: npt.NDArray[Value] = np.minimum(image, highest)
    return clipped


def check_quantile(quantile: float | None) -> None:
    """Raise unless it is a quantile, or None.

    Raises
    ------
    ValueError
        If the quantile lies outside of 0 to 1.
    """
    if quantile is not None and not 0 <= quantile <= 1:
        raise ValueError(f"a quantile from 0 to 1 was expected, not {quantile}")
