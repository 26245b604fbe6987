"""The mean and the highest of many spectra, in one pass and in bounded memory.

Over a common axis the result has that axis. Spectra with m/z values of their own are
sorted into narrow bins; each bin that has values is one point of the result, at the
mean of these m/z values weighted by their intensities. The mean spectrum is the sum of
all intensities in a bin divided by the number of spectra, empty ones included; the
highest (also called skyline) spectrum has the largest single intensity.

Examples
--------
>>> summary = summarise(spectra)  # doctest: +SKIP
>>> summary.mean.mz, summary.skyline.intensities  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_scope.formats.msi.axes import BinnedAxis
from napari_scope.formats.msi.blocks import CommonBlock, RaggedBlock, Spectrum, finite
from napari_scope.formats.msi.passes import never, silent, watched

if TYPE_CHECKING:
    from napari_scope.formats.msi.blocks import Floats, Numbers, Values
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["Summary", "summarise"]

_PPM = 5.0
_MOST_BINS = 1_000_000


class Summary(NamedTuple):
    """What many spectra have in common.

    Parameters
    ----------
    mean, skyline : Spectrum
        Mean and largest intensities, float64.
    number : int
        How many spectra there were.
    """

    mean: Spectrum
    skyline: Spectrum
    number: int


def summarise(
    spectra: Spectra,
    numbers: Numbers | None = None,
    *,
    ppm: float = _PPM,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> Summary:
    """Return the mean and the highest spectrum.

    Parameters
    ----------
    spectra : Spectra
        The data set.
    numbers : ndarray of int64, optional
        Which spectra; all if not given.
    ppm : float
        Width of the bins of spectra without a common axis, in millionths of the m/z.
    cancelled, progress : callable
        See `napari_scope.formats.msi.passes`.

    Raises
    ------
    CancelledError
        If it was cancelled.
    """
    count = len(spectra) if numbers is None else len(numbers)
    common = spectra.common_mz
    collect = _Ragged(spectra, ppm) if common is None else _Common(common)
    blocks = spectra.blocks(numbers)
    for block in watched(blocks, count, "averaging the spectra", cancelled, progress):
        collect.add(block)
    mean, skyline = collect.result(count)
    return Summary(mean, skyline, count)


class _Common:
    """Sums over one axis."""

    def __init__(self, mz: Values) -> None:
        self._mz = mz
        self._sum = np.zeros(len(mz))
        self._highest = np.full(len(mz), -np.inf)

    def add(self, block: object) -> None:
        assert isinstance(block, CommonBlock)
        if not len(block):
            return
        values = finite(block.intensities)
        self._sum += values.sum(axis=0, dtype=np.float64)
        np.maximum(self._highest, values.max(axis=0), out=self._highest)

    def result(self, count: int) -> tuple[Spectrum, Spectrum]:
        mean = self._sum / max(1, count)
        highest = self._highest if count else np.zeros(len(self._mz))
        return Spectrum(self._mz, mean), Spectrum(self._mz, highest)


class _Ragged:
    """Sums in bins that grow when a value lies outside of them."""

    def __init__(self, spectra: Spectra, ppm: float) -> None:
        self._ppm = ppm
        self._axis = BinnedAxis.between(*spectra.mz_range(), ppm, _MOST_BINS)
        n = len(self._axis)
        self._sum: Floats = np.zeros(n)
        self._moment: Floats = np.zeros(n)
        self._highest: Floats = np.full(n, -np.inf)

    def add(self, block: object) -> None:
        assert isinstance(block, RaggedBlock)
        mz, values = block.mz, finite(block.intensities).astype(np.float64)
        placed = np.isfinite(mz)
        if not placed.all():
            mz, values = mz[placed], values[placed]
        if not len(mz):
            return
        low, high = float(mz.min()), float(mz.max())
        if low < self._axis.edges[0] or high >= self._axis.edges[-1]:
            self._widen(low, high)
        bins = self._axis.bins_of(mz)
        n = len(self._axis)
        self._sum += np.bincount(bins, values, minlength=n)
        self._moment += np.bincount(bins, values * mz, minlength=n)
        np.maximum.at(self._highest, bins, values)

    def _widen(self, low: float, high: float) -> None:
        """Make bins over a wider range; what was collected moves to the new ones.

        The range that a format knows without reading everything may be too small.
        """
        old, sums, moments, highest = self._axis, self._sum, self._moment, self._highest
        self._axis = BinnedAxis.between(
            min(low, float(old.edges[0])),
            max(high, float(old.edges[-1])),
            self._ppm,
            _MOST_BINS,
        )
        n = len(self._axis)
        filled, mz = _middles(old, sums, moments, highest)
        bins = self._bins_of(mz)
        self._sum, self._moment = np.zeros((2, n))
        self._highest = np.full(n, -np.inf)
        self._sum += np.bincount(bins, sums[filled], minlength=n)
        self._moment += np.bincount(bins, moments[filled], minlength=n)
        np.maximum.at(self._highest, bins, highest[filled])

    def _bins_of(self, mz: Floats) -> Numbers:
        return np.clip(self._axis.bins_of(mz), 0, len(self._axis) - 1)

    def result(self, count: int) -> tuple[Spectrum, Spectrum]:
        filled, mz = _middles(self._axis, self._sum, self._moment, self._highest)
        mean = self._sum[filled] / max(1, count)
        return Spectrum(mz, mean), Spectrum(mz, self._highest[filled])


def _middles(
    axis: BinnedAxis, sums: Floats, moments: Floats, highest: Floats
) -> tuple[Numbers, Floats]:
    """Return the bins with values, and the mean m/z of each.

    Noise around 0 has negative values; a mean that these would pull out of the bin
    stays at its edge.
    """
    filled = np.flatnonzero((sums != 0) | (highest > 0))
    total = sums[filled]
    safe = np.where(total != 0, total, 1.0)
    mz = np.where(total != 0, moments[filled] / safe, axis.mz[filled])
    return filled, np.clip(mz, axis.edges[filled], axis.edges[filled + 1])
