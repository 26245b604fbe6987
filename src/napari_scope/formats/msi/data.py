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

import operator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_scope.formats.msi.axes import BinnedAxis, CommonAxis, InterpolatedAxis
from napari_scope.formats.msi.blocks import Spectrum
from napari_scope.formats.msi.hotspots import clip_hotspots
from napari_scope.formats.msi.normalise import factors_of, norms
from napari_scope.formats.msi.summaries import summarise
from napari_scope.formats.msi.windows import mz_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi.axes import CubeAxis
    from napari_scope.formats.msi.blocks import How
    from napari_scope.formats.msi.normalise import Normalisation
    from napari_scope.formats.msi.pixels import PixelTable
    from napari_scope.formats.msi.spectra import Spectra
    from napari_scope.formats.msi.summaries import Summary
    from napari_scope.formats.msi.windows import ToleranceUnit

    Numbers = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

__all__ = ["MSIData"]

Value = TypeVar("Value", bound=np.generic)


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
    ) -> None:
        self.spectra = spectra
        self.numbers = numbers
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
            return MSIData(self.spectra, None, self.__dict__.get("axis"))
        numbers = self.spectra.pixels.numbers_of(regions)
        return MSIData(self.spectra, numbers, self.axis)

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
        return self.spectra.window(low, high, how, self.numbers)

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
        picks, dropped = _picks(index, self.shape)
        *places, bins = picks
        xs, ys = places[0], places[1]
        zs = places[2] if len(places) > 2 else np.zeros(1, np.int64)
        grid = self.pixels.grid[np.ix_(zs, ys, xs)].transpose(2, 1, 0)
        result = np.zeros((*grid.shape, len(bins)), self.dtype)
        filled = grid >= 0
        if filled.any() and len(bins):
            result[filled] = self._values(grid[filled], bins)
        if len(places) == 2:
            result = result[:, :, 0]
        whole: npt.NDArray[Any] = result[
            tuple(0 if axis in dropped else slice(None) for axis in range(self.ndim))
        ]
        return whole

    def _values(self, chosen: Numbers, bins: Numbers) -> npt.NDArray[Any]:
        """Return some bins of some of the chosen spectra, (spectra, bins)."""
        numbers = chosen if self.numbers is None else self.numbers[chosen]
        if self.spectra.common_mz is not None:
            return self.spectra.columns(bins, numbers)
        if len(bins) == 1 and not isinstance(self.axis, InterpolatedAxis):
            low, high = self.axis.window(int(bins[0]))
            return self.spectra.window(low, high, "sum", numbers)[:, np.newaxis]
        rows = [
            self.axis.place(*block.spectrum(k))[bins]
            for block in self.spectra.blocks(numbers)
            for k in range(len(block))
        ]
        return np.array(rows)


def _picks(index: Any, shape: tuple[int, ...]) -> tuple[list[Numbers], set[int]]:
    """Return the wanted numbers on each axis, and the axes that an integer takes away.

    Examples
    --------
    >>> picks, dropped = _picks((1, ..., slice(2)), (3, 4, 5))
    >>> [p.tolist() for p in picks], dropped
    ([[1], [0, 1, 2, 3], [0, 1]], {0})
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    if sum(part is Ellipsis for part in parts) > 1:
        raise IndexError("an index can only have one ellipsis")
    for place, part in enumerate(parts):
        if part is Ellipsis:
            missing = len(shape) - (len(parts) - 1)
            parts[place : place + 1] = [slice(None)] * max(0, missing)
            break
    parts += [slice(None)] * (len(shape) - len(parts))
    if len(parts) != len(shape):
        raise IndexError(f"{len(parts)} indices for a cube of {len(shape)} axes")
    picks: list[Numbers] = []
    dropped: set[int] = set()
    lists = 0
    for axis, (part, size) in enumerate(zip(parts, shape, strict=True)):
        if isinstance(part, slice):
            picks.append(np.arange(size)[part])
            continue
        if np.ndim(part) == 0:
            try:
                number = operator.index(part)
            except TypeError:
                raise IndexError(
                    f"integers, slices and one list are understood, not {part!r}"
                ) from None
            dropped.add(axis)
            wanted = np.array([number])
        else:
            lists += 1
            array = np.asarray(part)
            wanted = np.flatnonzero(array) if array.dtype == bool else array
            if (
                array.ndim != 1
                or lists > 1
                or (array.dtype == bool and len(array) != size)
            ):
                raise IndexError("one list of numbers, on one axis, is understood")
        wanted = wanted.astype(np.int64)
        if len(wanted) and (wanted.min() < -size or wanted.max() >= size):
            raise IndexError(
                f"index {int(wanted[0])} is out of bounds for axis {axis} with size "
                f"{size}"
            )
        picks.append(np.where(wanted < 0, wanted + size, wanted))
    return picks, dropped
