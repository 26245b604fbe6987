"""Windows of m/z, as people state them.

Examples
--------
>>> mz_window(500, 0.5), [round(v, 3) for v in mz_window(500, 10, "ppm")]
((499.5, 500.5), [499.995, 500.005])
"""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["ToleranceUnit", "mz_window"]

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
        If the tolerance is negative, or the unit another one.
    """
    if not tolerance >= 0:
        raise ValueError(f"a tolerance of at least 0 was expected, not {tolerance}")
    if unit not in ("Da", "ppm"):
        raise ValueError(f"the unit of a tolerance is 'Da' or 'ppm', not {unit!r}")
    half = tolerance * mz * 1e-6 if unit == "ppm" else tolerance
    return mz - half, mz + half
