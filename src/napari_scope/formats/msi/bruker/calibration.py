"""From times of flight to m/z: the calibration of a spot.

The time of point i is DELAY + i * DW, in nanoseconds. With s = sqrt(m/z),
B = sqrt(1e12 / ML1) and C = ML2 - t, it follows from ML3 * s**2 + B * s + C = 0
(M. Titulaer et al., BMC Bioinformatics 7:403, 2006). It is solved here as
s = -2 C / (B + sqrt(B**2 - 4 ML3 C)): the same root, also right for ML3 = 0. Before the
time of m/z 0 it is 0, and where the equation has no solution any more it stays.

High precision calibration then subtracts a polynomial from all m/z between two limits.
Compared with m/z values that Bruker's own CompassXport wrote for the same spot, this is
bit-exact for 99 % of the points.

Examples
--------
>>> one = Calibration(points=3, delay_ns=100.0, step_ns=50.0, ml1=1e10, ml2=0.0)
>>> one.axis().tolist()
[100.0, 225.0, 400.0]
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Numbers = npt.NDArray[np.int64]

__all__ = ["Calibration", "Polynomial", "find_first"]

_MOST_POINTS: Final = 1 << 23  # times of flight of a second, nearly
_MOST_MZ: Final = 1e9
_MOST: Final = 1e100  # of any parameter: their products are numbers, too
_LONG: Final = 1 << 17  # points of an axis of which few are kept
_COEFFICIENTS = re.compile(r"V1\.0VectorDouble\s+(\d+)\s+(.*?)\s*\bc2\b", re.DOTALL)
_OTHER_CONSTANTS: Final = "V1.0CTOF2CalibrationConstants"


@dataclass(frozen=True, slots=True)
class Polynomial:
    """What high precision calibration subtracts from low <= m/z <= high.

    Parameters
    ----------
    low, high : float
        The limits.
    coefficients : tuple of float
        Of the powers 0, 1, 2, ...
    """

    low: float
    high: float
    coefficients: tuple[float, ...]

    def corrected(self, mz: Floats) -> Floats:
        """Return better m/z values."""
        inside = (mz >= self.low) & (mz <= self.high)
        some = mz[inside]
        correction = np.zeros_like(some)
        for coefficient in reversed(self.coefficients):
            correction = correction * some + coefficient
        better = mz.copy()
        better[inside] = some - correction
        return better


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration of a spot.

    Parameters
    ----------
    points : int
        Number of points (TD).
    delay_ns, step_ns : float
        Time of the first point and distance of the points (DELAY, DW).
    ml1, ml2, ml3 : float
        The three constants.
    polynomial : Polynomial, optional
        High precision calibration, if it is in use.
    doubt : str
        What could not be used of the calibration, empty if all could.
    """

    points: int
    delay_ns: float
    step_ns: float
    ml1: float
    ml2: float
    ml3: float = 0.0
    polynomial: Polynomial | None = None
    doubt: str = field(default="", compare=False)

    @classmethod
    def of(cls, acqu: Mapping[str, Any], points: int | None = None) -> Calibration:
        """Return the calibration that parameters describe.

        Parameters
        ----------
        acqu : mapping
            The parameters.
        points : int, optional
            Number of points of the spectrum, for parameters that do not say it.

        Raises
        ------
        FormatError
            If a parameter that is needed is missing or no usable number, or the m/z
            values are beyond 10**9.
        """
        if "TD" not in acqu and points is not None:
            td = float(points)
        else:
            td = _number(acqu, "TD", least=1)
        if td > _MOST_POINTS:
            raise FormatError(f"a spectrum of {td:,.0f} points is not read (TD)")
        polynomial, doubt = _polynomial(acqu)
        if _OTHER_CONSTANTS in str(acqu.get("NTBCal", "")):
            doubt = (
                "the constants CTOF2 are not used, the m/z values are those of ML1, "
                "ML2 and ML3"
            )
        one = cls(
            int(td),
            _number(acqu, "DELAY"),
            _number(acqu, "DW", least=1e-6),
            _number(acqu, "ML1", least=1 / _MOST),
            _number(acqu, "ML2"),
            _number(acqu, "ML3") if "ML3" in acqu else 0.0,
            polynomial,
            doubt,
        )
        one._check()
        return one

    def _check(self) -> None:
        """Refuse numbers that no instrument has; m/z never falls, so the ends do."""
        try:
            with np.errstate(over="raise", invalid="raise"):
                last = float(self._plain(np.array([0, self.points - 1]))[-1])
        except FloatingPointError:
            last = math.inf
        if last > _MOST_MZ:
            raise FormatError(
                f"m/z values up to {last:.3g} follow from the parameters DELAY, DW, "
                "ML1, ML2 and ML3"
            )

    def _plain(self, index: Numbers) -> Floats:
        """Return the m/z values of some points without high precision calibration."""
        times = self.delay_ns + index.astype(np.float64) * self.step_ns
        return _mz(times, math.sqrt(1e12 / self.ml1), self.ml2, self.ml3)

    def mz_of(self, index: Numbers) -> Floats:
        """Return the m/z values of some points."""
        mz = self._plain(index)
        return mz if self.polynomial is None else self.polynomial.corrected(mz)

    def reach(self) -> float:
        """Return by how much the polynomial changes any m/z value at most."""
        if self.polynomial is None:
            return 0.0
        plain = self._plain(np.arange(self.points))
        return float(np.abs(self.polynomial.corrected(plain) - plain).max())

    def axis(self) -> Floats:
        """Return the m/z values of all points; read only, kept for the next call."""
        return _axis(self)


def _axis(calibration: Calibration) -> Floats:
    keep = _kept_axis if calibration.points <= _LONG else _kept_long_axis
    return keep(calibration)


def _compute_axis(calibration: Calibration) -> Floats:
    axis = calibration.mz_of(np.arange(calibration.points))
    axis.flags.writeable = False
    return axis


# At most 64 MB each: axes of many spots with one of few calibrations.
_kept_axis = lru_cache(maxsize=64)(_compute_axis)
_kept_long_axis = lru_cache(maxsize=1)(_compute_axis)


def find_first(
    calibrations: Sequence[Calibration], mz: float | Floats, side: str
) -> Numbers:
    """Return for each calibration the first point with m/z >= mz, or > mz.

    What m/z values are before high precision calibration never falls, so no axis has to
    be computed. Polynomials are passed over.

    Parameters
    ----------
    calibrations : sequence of Calibration
        The calibrations.
    mz : float or ndarray, (calibrations,)
        The m/z value, or that of each.
    side : {"left", "right"}
        As that of `numpy.searchsorted`.
    """
    columns = np.array(
        [
            (c.points, c.delay_ns, c.step_ns, math.sqrt(1e12 / c.ml1), c.ml2, c.ml3)
            for c in calibrations
        ],
        np.float64,
    ).reshape(-1, 6)
    points, delay, step, b, ml2, ml3 = columns.T
    low, high = np.zeros(len(points), np.int64), points.astype(np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        found = _mz(delay + middle * step, b, ml2, ml3)
        before = (found < mz) if side == "left" else (found <= mz)
        before &= low < high
        low = np.where(before, middle + 1, low)
        high = np.where(before, high, np.minimum(high, middle))
    return low


def _mz(t: Floats, b: Any, ml2: Any, ml3: Any) -> Floats:
    c = ml2 - t
    root = np.sqrt(np.maximum(b * b - 4.0 * ml3 * c, 0.0))
    mz: Floats = np.maximum(-2.0 * c / (b + root), 0.0) ** 2
    return mz


def _number(acqu: Mapping[str, Any], key: str, least: float = -math.inf) -> float:
    if key not in acqu:
        raise FormatError(f"the parameter {key} is missing")
    try:
        value = float(acqu[key])
    except (TypeError, ValueError):
        value = math.nan
    if not (abs(value) <= _MOST and value >= least):
        raise FormatError(f"the parameter {key} is {acqu[key]!r}")
    return value


def _polynomial(acqu: Mapping[str, Any]) -> tuple[Polynomial | None, str]:
    """Return the high precision calibration in use, and what is wrong with it."""
    if str(acqu.get("HPClUse", "no")).lower() not in ("yes", "true"):
        return None, ""
    try:
        low, high, order = (
            _number(acqu, key) for key in ("HPClBLo", "HPClBHi", "HPClOrd")
        )
    except FormatError as error:
        return None, f"high precision calibration is not used: {error.message}"
    if not (low > 0 and high > 0 and order > 0):
        return None, ""
    match = _COEFFICIENTS.search(str(acqu.get("HPCStr", "")))
    try:
        values = (
            [float(v.replace(",", ".")) for v in match.group(2).split()[:1024]]
            if match
            else []
        )
    except ValueError:
        values = []
    if match is None or not values or len(values) != int(match.group(1)[:9]):
        return None, "high precision calibration is not used: HPCStr is damaged"
    if not math.isfinite(_magnitude(values, max(low, high))):
        return None, "high precision calibration is not used: HPCStr is damaged"
    return Polynomial(low, high, tuple(values)), ""


def _magnitude(coefficients: Sequence[float], mz: float) -> float:
    """Return what no partial sum of a polynomial exceeds."""
    total = 0.0
    for coefficient in reversed(coefficients):
        total = total * mz + abs(coefficient)
    return total
