"""The m/z axis of a cube: the one of the file, or one that values are sorted into.

Where every spectrum has m/z values of its own there is no cube in the file. Peaks are
then sorted into bins of equal relative width, intensities in one bin are added;
profiles are interpolated at even steps. Images and spectra for people never go this
way, they use the values of the file.

Examples
--------
>>> axis = BinnedAxis.between(100.0, 100.01, ppm=50)
>>> len(axis), [round(float(v), 4) for v in axis.mz]
(2, [100.0025, 100.0075])
>>> axis.place(
...     np.array([100.001, 100.004, 100.009]), np.array([1.0, 2.0, 4.0])
... ).tolist()
[3.0, 4.0]
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.msi.spectra import Spectra

    Floats = npt.NDArray[np.float64]
    Numbers = npt.NDArray[np.int64]
    Values = npt.NDArray[Any]

__all__ = ["BinnedAxis", "CommonAxis", "CubeAxis", "InterpolatedAxis", "axis_of"]

MOST_BINS = 50_000
"""Largest number of bins; their width grows to keep it."""

LIGHTEST = 1.0
"""No ion has a smaller m/z."""

_FEW = 32  # values that are searched for sooner than computed


class CubeAxis(ABC):
    """An m/z axis.

    Attributes
    ----------
    mz : ndarray, (bins,)
        m/z of each bin.
    """

    mz: Values

    def __len__(self) -> int:
        return len(self.mz)

    @abstractmethod
    def place(self, mz: Values, intensities: Values) -> Values:
        """Return the values of one spectrum on this axis."""

    @abstractmethod
    def window(self, index: int) -> tuple[float, float]:
        """Return the closed window of m/z whose values decide on one bin."""

    def place_at(self, mz: Values, intensities: Values, bins: Numbers) -> Values:
        """Return the values of one spectrum in some bins, as `place` has them."""
        return self.place(mz, intensities)[bins]


class CommonAxis(CubeAxis):
    """The axis that all spectra of the file have."""

    def __init__(self, mz: Values) -> None:
        self.mz = mz

    def place(self, mz: Values, intensities: Values) -> Values:
        """See `CubeAxis.place`."""
        return intensities

    def window(self, index: int) -> tuple[float, float]:
        """See `CubeAxis.window`."""
        value = float(self.mz[index])
        return value, value


class BinnedAxis(CubeAxis):
    """Bins that peaks are sorted into; a value on an edge belongs to the upper one.

    Parameters
    ----------
    edges : ndarray of float64, (bins + 1,)
        Ascending.
    relative_width : float, optional
        Logarithm of the ratio of an edge and the one before, if it is the same for all
        from `first` on: bins are then found without searching for them.
    first : int
        The first edge of which that is true.
    """

    def __init__(
        self, edges: Floats, relative_width: float | None = None, first: int = 0
    ) -> None:
        self.edges = edges
        self.mz = (edges[:-1] + edges[1:]) / 2
        self._relative_width = relative_width
        self._first = first

    @classmethod
    def between(
        cls, low: float, high: float, ppm: float = 15, most: int = MOST_BINS
    ) -> BinnedAxis:
        """Return bins of equal relative width.

        What lies below `LIGHTEST` is in one bin: a damaged value, or one that fills
        up, must not make all others wider.

        Parameters
        ----------
        low, high : float
            All that is to be covered.
        ppm : float
            Width in millionths of the m/z; wider if there would be too many bins.
        most : int
            Largest number of bins.
        """
        if not (math.isfinite(low) and math.isfinite(high)):
            low, high = 0.0, 1.0
        start = max(low, LIGHTEST) if high > LIGHTEST else low
        if not 0 < start <= high:
            low, high = (low, high) if low < high else (low, low + 1.0)
            n = max(1, min(most, 1000))
            return cls(np.linspace(low, high, n + 1))
        below = [low] if low < start else []
        span = math.log(high / start)
        most = max(1, most - len(below))
        n = max(1, min(most, math.ceil(span / math.log1p(ppm * 1e-6))))
        span = max(span, 1e-9)
        edges = start * np.exp(np.linspace(0.0, span, n + 1))
        # What was computed must not leave the last peak outside.
        edges[-1] = max(edges[-1], np.nextafter(high, np.inf))
        return cls(np.concatenate([below, edges]), span / n, len(below))

    def bins_of(self, mz: Values) -> Numbers:
        """Return the bin of each m/z; -1 or the number of bins outside of all bins."""
        if self._relative_width is None or len(mz) < _FEW:
            return np.searchsorted(self.edges, mz, "right") - 1
        n = len(self)
        # Searching many edges takes 50 times as long, for they fit in no cache.
        with np.errstate(invalid="ignore", divide="ignore"):
            guess = np.log(mz.astype(np.float64))
            guess -= math.log(self.edges[self._first])
            guess /= self._relative_width
            guess += self._first
            np.clip(guess, 0, n - 1, out=guess)
        bins: Numbers = np.nan_to_num(guess, copy=False, nan=0.0).astype(np.int64)
        # Rounding may lead to a neighbour. What is no number compares with nothing.
        bins -= ~(mz >= self.edges[bins])
        bins += mz >= self.edges[bins + 1]
        return bins

    def place(self, mz: Values, intensities: Values) -> Values:
        """See `CubeAxis.place`."""
        bins = self.bins_of(mz)
        inside = (bins >= 0) & (bins < len(self))
        return np.bincount(bins[inside], intensities[inside], minlength=len(self))

    def window(self, index: int) -> tuple[float, float]:
        """See `CubeAxis.window`."""
        below_next = np.nextafter(self.edges[index + 1], -np.inf)
        return float(self.edges[index]), float(below_next)

    def place_at(self, mz: Values, intensities: Values, bins: Numbers) -> Values:
        """See `CubeAxis.place_at`."""
        if not len(bins):
            return np.zeros(0)
        first, last = int(bins.min()), int(bins.max())
        edges = self.edges[first : last + 2]
        near = (mz >= edges[0]) & (mz < edges[-1])
        within = np.searchsorted(edges, mz[near], "right") - 1
        sums = np.bincount(within, intensities[near], minlength=last + 1 - first)
        return sums[bins - first]


class InterpolatedAxis(CubeAxis):
    """Even steps at which profiles are interpolated; 0 outside of a profile.

    Parameters
    ----------
    low, high, step : float
        First value, last value, distance of the values.
    """

    def __init__(self, low: float, high: float, step: float) -> None:
        n = max(1, min(MOST_BINS, int((high - low) / step) + 1 if step > 0 else 1))
        self.mz = np.linspace(low, high, n) if n > 1 else np.array([low])

    def place(self, mz: Values, intensities: Values) -> Values:
        """See `CubeAxis.place`."""
        if not len(mz):
            return np.zeros(len(self))
        return np.interp(self.mz, mz, intensities, left=0.0, right=0.0)

    def window(self, index: int) -> tuple[float, float]:
        """See `CubeAxis.window`."""
        half = (self.mz[1] - self.mz[0]) / 2 if len(self) > 1 else 0.5
        value = float(self.mz[index])
        return value - half, value + half

    def place_at(self, mz: Values, intensities: Values, bins: Numbers) -> Values:
        """See `CubeAxis.place_at`."""
        if not len(mz):
            return np.zeros(len(bins))
        return np.interp(self.mz[bins], mz, intensities, left=0.0, right=0.0)


def axis_of(spectra: Spectra) -> CubeAxis:
    """Return the axis for the cube of a data set.

    Profiles whose steps are so narrow that an axis of them would have too many values
    are added up in bins, as peaks are: between wider steps a peak could vanish.
    """
    if spectra.common_mz is not None:
        return CommonAxis(spectra.common_mz)
    low, high = spectra.mz_range()
    if spectra.is_profile:
        step = _smallest_step(spectra)
        if step and (high - low) / step < MOST_BINS:
            return InterpolatedAxis(low, high, step)
    return BinnedAxis.between(low, high, spectra.cube_ppm)


def _smallest_step(spectra: Spectra) -> float:
    """Return the smallest distance of m/z in the first spectrum with values."""
    for number in range(min(len(spectra), 16)):
        steps = np.diff(spectra.spectrum(number).mz)
        steps = steps[steps > 0]
        if len(steps):
            return float(steps.min())
    return 0.0
