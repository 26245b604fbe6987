"""One data set as it is looked at: cube, ion images and spectra of any format.

Made of the primitives of `napari_scope.formats.msi.spectra` alone. What is chosen of
the regions acts as if it were all there is; choosing makes a new object and reads
nothing. Images have the axes (y, x), or (z, y, x), the cube has (x, y, m/z), or
(x, y, z, m/z), as the interface of OpenMSI wants it. Where a pixel has no spectrum
there are zeros. Everything may be called from any thread.

Examples
--------
>>> data.ion_image(153.083, 10, "ppm").shape  # doctest: +SKIP
(3, 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_scope.formats.msi.chosen import ChosenSpectra
from napari_scope.formats.msi.hotspots import check_quantile, clip_hotspots
from napari_scope.formats.msi.ions import ion_values
from napari_scope.formats.msi.maps import base_peaks_of, totals_of
from napari_scope.formats.msi.normalise import Reference, factors_of, norms
from napari_scope.formats.msi.passes import never, silent
from napari_scope.formats.msi.shared import Shared
from napari_scope.formats.msi.summaries import summarise
from napari_scope.formats.msi.windows import mz_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi.axes import CubeAxis
    from napari_scope.formats.msi.blocks import Floats, How, Numbers, Spectrum
    from napari_scope.formats.msi.normalise import Normalisation
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra
    from napari_scope.formats.msi.summaries import Summary
    from napari_scope.formats.msi.windows import ToleranceUnit

    Image: TypeAlias = npt.NDArray[np.float32]
    Ion: TypeAlias = tuple[float, float, ToleranceUnit] | tuple[float, float]

__all__ = ["MSIData"]

_MOST_KEPT = 8  # kinds of factors: somebody may try many references


class MSIData(ChosenSpectra):
    """What is looked at of one data set.

    Wherever `cancelled` and `progress` can be given, the first is asked from time to
    time whether to end, the second is told what part is done, from 0 to 1; what was
    cancelled raises `CancelledError`.

    Parameters
    ----------
    spectra : Spectra
        The data set.
    numbers : ndarray of int64, optional
        Which of its spectra; all if not given.
    axis : CubeAxis, optional
        The m/z axis of the cube; found out if not given.
    """

    def __init__(
        self,
        spectra: Spectra,
        numbers: Numbers | None = None,
        axis: CubeAxis | None = None,
        _shared: Shared | None = None,
    ) -> None:
        super().__init__(spectra, numbers, _shared or Shared(spectra, axis))
        self._factors: dict[Normalisation, Floats] = {}
        self._totals: list[Floats] = []
        self._kept: object = None

    def of_regions(self, regions: Sequence[int] | None) -> MSIData:
        """Return some regions; all for None.

        Raises
        ------
        ValueError
            If there is no such region.
        """
        numbers = None
        if regions is not None:
            numbers = self.spectra.pixels.numbers_of(regions)
        some = MSIData(self.spectra, numbers, None, self.shared)
        some._kept = self._kept
        return some

    def kept_by(self, owner: object) -> MSIData:
        """Return the same, which keeps the owner of its files alive.

        What was computed for one of the two is there for the other.
        """
        _ = self.pixels
        same = MSIData(self.spectra, self.numbers, None, self.shared)
        same.pixels = self.pixels
        same._factors, same._totals = self._factors, self._totals
        same._kept = owner
        return same

    def ion_image(
        self,
        mz: float,
        tolerance: float = 0.25,
        unit: ToleranceUnit = "Da",
        how: How = "sum",
        *,
        normalise: Normalisation = "none",
        hotspot: float | None = None,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> Image:
        """Return the image of the intensities at mz ± tolerance.

        Parameters
        ----------
        mz : float
            Middle of the window, which is closed.
        tolerance : float
            Half of its width.
        unit : {"Da", "ppm"}
            Unit of the tolerance.
        how : {"sum", "max", "mean"}
            What becomes of the intensities in the window; 0 where there are none.
        normalise : {"none", "tic", "rms", "median"} or Reference
            What each spectrum is scaled by (`napari_scope.formats.msi.normalise`).
        hotspot : float, optional
            Quantile of the values above 0 at which higher ones are clipped.
        cancelled, progress : callable
            See `MSIData`.

        Returns
        -------
        ndarray of float32, (y, x) or (z, y, x)
            The image.
        """
        check_quantile(hotspot)
        low, high = mz_window(mz, tolerance, unit)
        values = self.window(low, high, how, cancelled=cancelled, progress=progress)
        return self._finished(values, normalise, hotspot, cancelled)

    def ion_images(
        self,
        ions: Iterable[Ion],
        how: How = "sum",
        *,
        normalise: Normalisation = "none",
        hotspot: float | None = None,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> Iterator[Image]:
        """Yield the images of many ions, in as few passes over the file as possible.

        Parameters
        ----------
        ions : iterable of (mz, tolerance, unit) or (mz, tolerance)
            The ions, see `ion_image`.
        how, normalise, hotspot
            See `ion_image`.
        cancelled, progress : callable
            See `MSIData`.

        Yields
        ------
        ndarray of float32, (y, x) or (z, y, x)
            The image of each ion, in their order.
        """
        check_quantile(hotspot)
        windows = [mz_window(*ion) for ion in ions]
        found = ion_values(self.shared, windows, how, self.numbers, cancelled, progress)
        return (self._finished(v, normalise, hotspot, cancelled) for v in found)

    def _finished(
        self,
        values: Floats,
        normalise: Normalisation,
        hotspot: float | None,
        cancelled: Cancelled,
    ) -> Image:
        if normalise != "none":
            values = values * self.factors(normalise, cancelled)
        image = self.image(_float32(values))
        return image if hotspot is None else clip_hotspots(image, hotspot)

    def factors(
        self,
        normalise: Normalisation,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> Floats:
        """Return what each chosen spectrum is multiplied by; computed once."""
        # Two threads may compute the same; none waits for another that was cancelled.
        factors = self._factors.get(normalise)
        if factors is None:
            factors = factors_of(self._norms(normalise, cancelled, progress))
            while len(self._factors) >= _MOST_KEPT:
                self._factors.pop(next(iter(list(self._factors)), "none"), None)
            self._factors[normalise] = factors
        return factors

    def _norms(
        self, normalise: Normalisation, cancelled: Cancelled, progress: Progress
    ) -> Floats:
        if normalise == "tic":
            return self.totals(cancelled=cancelled, progress=progress)
        if isinstance(normalise, Reference):
            low, high = mz_window(normalise.mz, normalise.tolerance, normalise.unit)
            return self.window(low, high, cancelled=cancelled, progress=progress)
        return norms(self.spectra, normalise, self.numbers, cancelled, progress)

    def summary(
        self,
        numbers: Numbers | None = None,
        *,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> Summary:
        """Return the mean and the highest spectrum.

        Parameters
        ----------
        numbers : ndarray of int64, optional
            Which of the chosen spectra, as `PixelTable.numbers_in` of `pixels` tells
            them for a mask; all if not given.
        cancelled, progress : callable
            See `MSIData`.
        """
        if numbers is None:
            wanted = self.numbers
        else:
            wanted = numbers if self.numbers is None else self.numbers[numbers]
        return summarise(self.spectra, wanted, cancelled=cancelled, progress=progress)

    def mean_spectrum(
        self,
        numbers: Numbers | None = None,
        *,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> Spectrum:
        """Return the mean of the chosen spectra, or of some; see `summary`."""
        return self.summary(numbers, cancelled=cancelled, progress=progress).mean

    def skyline_spectrum(
        self,
        numbers: Numbers | None = None,
        *,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> Spectrum:
        """Return the highest values of the chosen spectra; see `summary`."""
        return self.summary(numbers, cancelled=cancelled, progress=progress).skyline

    def base_peak_image(
        self, *, cancelled: Cancelled = never, progress: Progress = silent
    ) -> tuple[npt.NDArray[np.float64], Image]:
        """Return the images of m/z and intensity of the highest peak of each pixel."""
        mz, heights = base_peaks_of(self.spectra, self.numbers, cancelled, progress)
        return self.image(mz), self.image(_float32(heights))

    def totals(
        self, *, cancelled: Cancelled = never, progress: Progress = silent
    ) -> Floats:
        """Return the sum of all intensities of each chosen spectrum; computed once."""
        if not self._totals:
            found = totals_of(self.spectra, self.numbers, cancelled, progress)
            found.flags.writeable = False
            self._totals.append(found)
        return self._totals[0]

    def tic_image(
        self, *, cancelled: Cancelled = never, progress: Progress = silent
    ) -> Image:
        """Return the image of the sums of all intensities."""
        totals = self.totals(cancelled=cancelled, progress=progress)
        return self.image(_float32(totals))


def _float32(values: Floats) -> Image:
    """Return values as float32; the largest of these for those that are larger."""
    most = np.finfo(np.float32).max
    return np.clip(values, -most, most).astype(np.float32)
