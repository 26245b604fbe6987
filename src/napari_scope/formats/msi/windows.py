"""Windows of m/z, as people state them.

Examples
--------
>>> mz_window(500, 0.5), [round(v, 3) for v in mz_window(500, 10, "ppm")]
((499.5, 500.5), [499.995, 500.005])
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np

__all__ = ["ToleranceUnit", "edges_in", "mz_window"]

ToleranceUnit: TypeAlias = Literal["Da", "ppm"]


def mz_window(
    mz: float, tolerance: float, unit: ToleranceUnit = "Da"
) -> tuple[float, float]:
    """Return the closed window mz ± tolerance.

    Parameters
    ----------
    mz : float
        Its middle.
    tolerance : float
        Half of its width, at least 0.
    unit : {"Da", "ppm"}
        Whether the tolerance is absolute or in millionths of the m/z.

    Raises
    ------
    ValueError
        If the tolerance is negative, the unit another one, or the m/z no number.
    """
    if not math.isfinite(mz):
        raise ValueError(f"an m/z was expected, not {mz}")
    if not tolerance >= 0:
        raise ValueError(f"a tolerance of at least 0 was expected, not {tolerance}")
    if unit not in ("Da", "ppm"):
        raise ValueError(f"the unit of a tolerance is 'Da' or 'ppm', not {unit!r}")
    half = tolerance * mz * 1e-6 if unit == "ppm" else tolerance
    return mz - half, mz + half


def edges_in(dtype: np.dtype[Any], low: float, high: float) -> tuple[Any, Any]:
    """Return a closed window in a type, so that it holds the same values of that type.

    numpy compares an array of float32 with a float that it rounds first: a value below
    an edge could be inside.

    Examples
    --------
    >>> low, high = edges_in(np.dtype("f4"), 0.1, 0.3)
    >>> bool(low >= 0.1), bool(high <= 0.3), type(low).__name__
    (True, True, 'float32')
    """
    if dtype.kind != "f" or dtype.itemsize >= 8:
        return low, high
    with np.errstate(over="ignore"):
        first, last = dtype.type(low), dtype.type(high)
    if float(first) < low:
        first = np.nextafter(first, dtype.type(np.inf))
    if float(last) > high:
        last = np.nextafter(last, dtype.type(-np.inf))
    return first, last
