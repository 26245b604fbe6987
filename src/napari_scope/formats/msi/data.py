"""One data set as it is looked at: cube, ion images and spectra of any format.

Made of the primitives of `napari_scope.formats.msi.spectra` alone. What is chosen of
the regions acts as if it were all there is; choosing makes a new object and reads
nothing. Images have the axes (y, x), or (z, y, x), the cube has (x, y, m/z), or
(x, y, z, m/z), as the interface of OpenMSI wants it. Where a pixel has no spectrum
there are zeros.

Examples
--------
>>> data.ion_image(153.083, 10, "ppm").shape  # doctest: +SKIP
(3, 3)
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_scope.formats.msi.axes import BinnedAxis, CommonAxis, InterpolatedAxis
from napari_scope.formats.msi.blocks import Spectrum
from napari_scope.formats.msi.cube import read_cube
from napari_scope.formats.msi.hotspots import clip_hotspots
from napari_scope.formats.msi.index_cache import MEMORY_BYTES, prepare
from napari_scope.formats.msi.normalise import factors_of, norms
from napari_scope.formats.msi.summaries import summarise
from napari_scope.formats.msi.windows import mz_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.msi.axes import CubeAxis
    from napari_scope.formats.msi.blocks import How
    from napari_scope.formats.msi.normalise import Normalisation
    from napari_scope.formats.msi.peak_index import PeakIndex
    from napari_scope.formats.msi.pixels import PixelTable
    from napari_scope.formats.msi.spectra import Spectra
    from napari_scope.formats.msi.summaries import Summary
    from napari_scope.formats.msi.windows import ToleranceUnit

    Numbers = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

__all__ = ["MSIData"]

Value = TypeVar("Value", bound=np.generic)


class _Prepared:
    """The peaks in the order of m/z, for all that is chosen of one data set."""

    def __init__(self) -> None:
        self.index: PeakIndex | None = None
        self.lock = threading.Lock()


class MSIData:
    """What is looked at of one data set.

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
        _prepared: _Prepared | None = None,
    ) -> None:
        self.spectra = spectra
        self.numbers = numbers
        self._prepared = _prepared or _Prepared()
        self._factors: dict[Normalisation, Floats] = {}
        if axis is not None:
            self.axis = axis

    def of_regions(self, regions: Sequence[int] | None) -> MSIData:
        """Return some regions; all for None.

        Raises
        ------
        ValueError
            If there is no such region.
        """
        if regions is None:
            axis = self.__dict__.get("axis")
            return MSIData(self.spectra, None, axis, self._prepared)
        numbers = self.spectra.pixels.numbers_of(regions)
        return MSIData(self.spectra, numbers, self.axis, self._prepared)

    @cached_property
    def axis(self) -> CubeAxis:
        """The m/z axis of the cube."""
        common = self.spectra.common_mz
        if common is not None:
            return CommonAxis(common)
        low, high = self.spectra.mz_range()
        if self.spectra.is_profile:
            step = self._smallest_step()
            if step:
                return InterpolatedAxis(low, high, step)
        return BinnedAxis.between(low, high)

    def _smallest_step(self) -> float:
        """Return the smallest distance of m/z in the first spectrum with values."""
        for number in range(min(len(self.spectra), 16)):
            steps = np.diff(self.spectra.spectrum(number).mz)
            steps = steps[steps > 0]
            if len(steps):
                return float(steps.min())
        return 0.0

    @cached_property
    def pixels(self) -> PixelTable:
        """Where the chosen spectra lie."""
        table = self.spectra.pixels
        return table if self.numbers is None else table.only(self.numbers)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def mz(self) -> npt.NDArray[Any]:
        """The m/z axis of the cube, (bins,)."""
        return self.axis.mz

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the cube: that of the file where it has a common axis."""
        if self.spectra.common_mz is not None:
            return self.spectra.intensity_dtype
        return np.result_type(self.spectra.intensity_dtype, np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cube: (x, y, m/z), of a volume (x, y, z, m/z)."""
        width, height, depth = self.pixels.shape
        if self.pixels.is_volume:
            return width, height, depth, len(self.mz)
        return width, height, len(self.mz)

    @property
    def ndim(self) -> int:
        """Number of axes of the cube."""
        return len(self.shape)

    def number_in_file(self, number: int) -> int:
        """Return which spectrum of the data set one of the chosen ones is."""
        return number if self.numbers is None else int(self.numbers[number])

    def spectrum_at(self, x: int, y: int, z: int = 0) -> Spectrum:
        """Return the spectrum of a pixel, as it is in the file.

        Two arrays of length 0 where there is no spectrum.

        Raises
        ------
        IndexError
            If the place lies outside of the image.
        """
        number = self.pixels.number_at(x, y, z)
        if number is None:
            nothing = np.zeros(0, self.spectra.mz_dtype)
            return Spectrum(nothing, np.zeros(0, self.spectra.intensity_dtype))
        return self.spectra.spectrum(self.number_in_file(number))

    def spectrum_iter(self) -> Iterator[tuple[tuple[int, ...], npt.NDArray[Any]]]:
        """Yield place, (x, y) or (x, y, z), and intensities on `mz` of each."""
        table = self.pixels
        corner = table.origin
        columns = [
            c - o for c, o in zip((table.x, table.y, table.z), corner, strict=True)
        ]
        axes = columns if table.is_volume else columns[:2]
        done = 0
        for block in self.spectra.blocks(self.numbers):
            for k in range(len(block)):
                place = tuple(int(axis[done]) for axis in axes)
                yield place, self.axis.place(*block.spectrum(k)).astype(self.dtype)
                done += 1

    def window(self, low: float, high: float, how: How = "sum") -> Floats:
        """Return one number for each chosen spectrum from low <= m/z <= high."""
        index = self._prepared.index
        if index is None:
            return self.spectra.window(low, high, how, self.numbers)
        values = index.window(low, high, how)
        return values if self.numbers is None else values[self.numbers]

    @property
    def index_ready(self) -> bool:
        """Whether ion images are as quick as they can be."""
        return self.spectra.common_mz is not None or self._prepared.index is not None

    def prepare_index(
        self,
        *,
        memory_bytes: int = MEMORY_BYTES,
        cache_dir: Path | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda done: None,
    ) -> bool:
        """Sort the peaks by m/z, for ion images in a millisecond; not for the GUI.

        Returns whether ion images are quick then: True at once over a common axis,
        False where there is no room for the table.

        Parameters
        ----------
        memory_bytes : int
            Largest table in memory; a larger one is kept in a cache on disk.
        cache_dir : Path, optional
            Another folder for it than the user's.
        cancelled : callable
            Asked from time to time whether to end.
        progress : callable
            Told from time to time what part is done, from 0 to 1.

        Raises
        ------
        CancelledError
            If it was cancelled.
        """
        with self._prepared.lock:
            if not self.index_ready:
                self._prepared.index = prepare(
                    self.spectra,
                    memory_bytes=memory_bytes,
                    folder=cache_dir,
                    cancelled=cancelled,
                    progress=progress,
                )
        return self.index_ready

    def close_index(self) -> None:
        """Let go of the sorted peaks; images are read from the file again."""
        with self._prepared.lock:
            index, self._prepared.index = self._prepared.index, None
            if index is not None:
                index.close()

    def image(self, values: npt.NDArray[Value]) -> npt.NDArray[Value]:
        """Lay one value for each chosen spectrum out as an image."""
        return self.pixels.image(values)

    def ion_image(
        self,
        mz: float,
        tolerance: float = 0.25,
        unit: ToleranceUnit = "Da",
        how: How = "sum",
        *,
        normalise: Normalisation = "none",
        hotspot: float | None = None,
    ) -> npt.NDArray[np.float32]:
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

        Returns
        -------
        ndarray of float32, (y, x) or (z, y, x)
            The image.
        """
        values = self.window(*mz_window(mz, tolerance, unit), how)
        if normalise != "none":
            values = values * self.factors(normalise)
        image = self.image(values.astype(np.float32))
        return image if hotspot is None else clip_hotspots(image, hotspot)

    def factors(
        self,
        normalise: Normalisation,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Floats:
        """Return what each chosen spectrum is multiplied by; computed once.

        Raises
        ------
        CancelledError
            If it was cancelled.
        """
        # Two threads may compute the same; none waits for another that was cancelled.
        if normalise not in self._factors:
            found = factors_of(norms(self.spectra, normalise, self.numbers, cancelled))
            self._factors[normalise] = found
        return self._factors[normalise]

    def summary(
        self,
        numbers: Numbers | None = None,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda done: None,
    ) -> Summary:
        """Return the mean and the highest spectrum.

        Parameters
        ----------
        numbers : ndarray of int64, optional
            Which of the chosen spectra, as `PixelTable.numbers_in` of `pixels` tells
            them for a mask; all if not given.
        cancelled : callable
            Asked from time to time whether to end.
        progress : callable
            Told from time to time what part is done, from 0 to 1.

        Raises
        ------
        CancelledError
            If it was cancelled.
        """
        if numbers is None:
            wanted = self.numbers
        else:
            wanted = numbers if self.numbers is None else self.numbers[numbers]
        return summarise(self.spectra, wanted, cancelled=cancelled, progress=progress)

    def mean_spectrum(self, numbers: Numbers | None = None) -> Spectrum:
        """Return the mean of the chosen spectra, or of some; see `summary`."""
        return self.summary(numbers).mean

    def skyline_spectrum(self, numbers: Numbers | None = None) -> Spectrum:
        """Return the highest values of the chosen spectra; see `summary`."""
        return self.summary(numbers).skyline

    def base_peak_image(
        self,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Return the images of m/z and intensity of the highest peak of each pixel."""
        parts = [block.base_peaks() for block in self.spectra.blocks(self.numbers)]
        mz = np.concatenate([part[0] for part in parts]) if parts else np.zeros(0)
        heights = np.concatenate([part[1] for part in parts]) if parts else np.zeros(0)
        return self.pixels.image(mz), self.pixels.image(heights.astype(np.float32))

    def totals(self) -> Floats:
        """Return the sum of all intensities of each chosen spectrum."""
        known = self.spectra.totals
        if known is not None:
            return known if self.numbers is None else known[self.numbers]
        parts = [block.totals() for block in self.spectra.blocks(self.numbers)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def tic_image(self) -> npt.NDArray[np.float32]:
        """Return the image of the sums of all intensities."""
        return self.image(self.totals().astype(np.float32))

    def __getitem__(self, index: Any) -> npt.NDArray[Any]:
        """Read a part of the cube.

        Integers, slices and an ellipsis are understood, and one list of numbers on one
        axis.

        Raises
        ------
        IndexError
            If the index does not fit the shape.
        """
        return read_cube(self, index)
