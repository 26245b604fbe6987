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

from napari_scope.errors import CancelledError
from napari_scope.formats.msi.axes import BinnedAxis
from napari_scope.formats.msi.blocks import CommonBlock, RaggedBlock, Spectrum

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.formats.msi.blocks import Floats, Numbers, Values
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
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda done: None,
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
    cancelled : callable
        Asked from time to time whether to end.
    progress : callable
        Told from time to time what part is done, from 0 to 1.

    Raises
    ------
    CancelledError
        If it was cancelled.
    """
    count = len(spectra) if numbers is None else len(numbers)
    common = spectra.common_mz
    collect = _Ragged(spectra, ppm) if common is None else _Common(common)
    done = 0
    for block in spectra.blocks(numbers):
        if cancelled():
            raise CancelledError("the mean spectrum was cancelled")
        collect.add(block)
        done += len(block)
        progress(done / count)
    mean, skyline = collect.result(count)
    return Summary(mean, skyline, count)


class _Common:
    """Sums over one axis."""

    def __init__(self, mz: Values) -> None:
        self._mz = mz
        self._sum = np.zeros(len(mz))
        self._highest = np.zeros(len(mz))

    def add(self, block: object) -> None:
        assert isinstance(block, CommonBlock)
        if not len(block):
            return
        self._sum += block.intensities.sum(axis=0, dtype=np.float64)
        np.maximum(self._highest, block.intensities.max(axis=0), out=self._highest)

    def result(self, count: int) -> tuple[Spectrum, Spectrum]:
        mean = self._sum / max(1, count)
        return Spectrum(self._mz, mean), Spectrum(self._mz, self._highest)


class _Ragged:
    """Sums in bins that grow when a value lies outside of them."""

    def __init__(self, spectra: Spectra, ppm: float) -> None:
        self._ppm = ppm
        self._axis = BinnedAxis.between(*spectra.mz_range(), ppm, _MOST_BINS)
        n = len(self._axis)
        self._sum: Floats = np.zeros(n)
        self._moment: Floats = np.zeros(n)
        self._highest: Floats = np.zeros(n)

    def add(self, block: object) -> None:
        assert isinstance(block, RaggedBlock)
        if not len(block.mz):
            return
        low, high = float(block.mz.min()), float(block.mz.max())
        if low < self._axis.edges[0] or high >= self._axis.edges[-1]:
            self._widen(low, high)
        bins = np.searchsorted(self._axis.edges, block.mz, "right") - 1
        n = len(self._axis)
        values = block.intensities.astype(np.float64)
        self._sum += np.bincount(bins, values, minlength=n)
        self._moment += np.bincount(bins, values * block.mz, minlength=n)
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
        filled = np.flatnonzero(sums)
        bins = self._bins_of(moments[filled] / sums[filled])
        self._sum, self._moment, self._highest = np.zeros((3, n))
        self._sum += np.bincount(bins, sums[filled], minlength=n)
        self._moment += np.bincount(bins, moments[filled], minlength=n)
        np.maximum.at(self._highest, bins, highest[filled])

    def _bins_of(self, mz: Floats) -> Numbers:
        bins: Numbers = np.searchsorted(self._axis.edges, mz, "right") - 1
        return np.clip(bins, 0, len(self._axis) - 1)

    def result(self, count: int) -> tuple[Spectrum, Spectrum]:
        filled = np.flatnonzero(self._sum)
        mz = self._moment[filled] / self._sum[filled]
        mean = self._sum[filled] / max(1, count)
        return Spectrum(mz, mean), Spectrum(mz, self._highest[filled])
