"""The spectra of one measurement of Bruker flex spots.

Where all spots have one calibration they share an axis; otherwise each has m/z values
of its own. Windows of m/z are a few bytes of each file either way: which ones follows
from the calibration, without computing all m/z values. What a file that is too short
lacks is 0, what it has beyond the last point is passed over. A file that cannot be read
is a spectrum of zeros, or an empty one, among many, and an error when asked for alone.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.blocks import (
    CommonBlock,
    RaggedBlock,
    Spectrum,
    columns_in,
    reduce_columns,
    reduce_owned,
)
from napari_scope.formats.msi.bruker.calibration import find_first
from napari_scope.formats.msi.spectra import BLOCK_BYTES, Spectra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_scope.formats.msi.blocks import Block, Floats, How, Numbers, Values
    from napari_scope.formats.msi.bruker.calibration import Calibration
    from napari_scope.formats.msi.bruker.fid import FidFiles
    from napari_scope.formats.msi.pixels import PixelTable

__all__ = ["BrukerSpectra"]

_MOST_DAMAGED: Final = 1000


class BrukerSpectra(Spectra):
    """The spectra of one measurement.

    Parameters
    ----------
    name : str
        Name of the measurement.
    pixels : PixelTable
        Where each spot lies.
    files : FidFiles
        The counts.
    calibrations : sequence of Calibration
        Each calibration once.
    of_spot : ndarray of int64, (spots,)
        Which one each spot has.
    **known
        What else is known, see `Spectra`.

    Attributes
    ----------
    damaged : dict of int to str
        Spectra that could not be read so far, and why.
    """

    def __init__(
        self,
        name: str,
        pixels: PixelTable,
        files: FidFiles,
        calibrations: Sequence[Calibration],
        of_spot: Numbers,
        **known: Any,
    ) -> None:
        common = calibrations[0].axis() if len(calibrations) == 1 else None
        super().__init__(
            name,
            pixels,
            files.dtype,
            np.dtype(np.float64),
            common_mz=common,
            is_profile=True,
            **known,
        )
        self.files = files
        self.calibrations = calibrations
        self.of_spot = of_spot
        self.damaged: dict[int, str] = {}

    def spectrum(self, number: int) -> Spectrum:
        """See `Spectra.spectrum`."""
        one = self.calibrations[int(self.of_spot[number])]
        values = np.zeros(one.points, self.intensity_dtype)
        found = self.files.read(number, 0, one.points)
        values[: len(found)] = found
        return Spectrum(one.axis(), values)

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """See `Spectra.blocks`."""
        wanted = self._wanted(numbers)
        if not len(wanted):
            return
        points = np.array([one.points for one in self.calibrations], np.int64)
        for part in self._parts(points[self.of_spot[wanted]]):
            yield self._block(wanted[part])

    def window(
        self,
        low: float,
        high: float,
        how: How = "sum",
        numbers: Numbers | None = None,
    ) -> Floats:
        """See `Spectra.window`."""
        wanted = self._wanted(numbers)
        if self.common_mz is None:
            return self._ragged_window(low, high, how, wanted)
        bins = np.arange(len(self.common_mz))[columns_in(self.common_mz, low, high)]
        if len(bins) * len(wanted) * self.intensity_dtype.itemsize > BLOCK_BYTES:
            return super().window(low, high, how, numbers)
        return reduce_columns(self.columns(bins, numbers), how)

    def columns(self, bins: Numbers, numbers: Numbers | None = None) -> Values:
        """See `Spectra.columns`."""
        wanted = self._wanted(numbers)
        bins = np.asarray(bins)
        if not len(bins) or not len(wanted):
            return np.zeros((len(wanted), len(bins)), self.intensity_dtype)
        first, last = int(bins.min()), int(bins.max()) + 1
        rows = np.zeros((len(wanted), last - first), self.intensity_dtype)
        for row, number in zip(rows, wanted.tolist(), strict=True):
            found = self._read(number, first, last)
            row[: len(found)] = found
        whole = len(bins) == last - first and bool((np.diff(bins) == 1).all())
        return rows if whole else rows[:, bins - first]

    def mz_range(self) -> tuple[float, float]:
        """Return the lowest and the highest m/z of all calibrations."""
        ends = [one.mz_of(np.array([0, one.points - 1])) for one in self.calibrations]
        return float(min(e.min() for e in ends)), float(max(e.max() for e in ends))

    def _wanted(self, numbers: Numbers | None) -> Numbers:
        return np.arange(len(self)) if numbers is None else np.asarray(numbers)

    def _block(self, numbers: Numbers) -> Block:
        kinds = [self.calibrations[k] for k in self.of_spot[numbers].tolist()]
        starts = np.concatenate([[0], np.cumsum([one.points for one in kinds])])
        values = np.zeros(int(starts[-1]), self.intensity_dtype)
        for k, (number, one) in enumerate(zip(numbers.tolist(), kinds, strict=True)):
            found = self._read(number, 0, one.points)
            values[starts[k] : starts[k] + len(found)] = found
        if self.common_mz is not None:
            rows = values.reshape(len(numbers), len(self.common_mz))
            return CommonBlock(numbers, self.common_mz, rows)
        mz = np.concatenate([one.axis() for one in kinds])
        return RaggedBlock(numbers, starts.astype(np.int64), mz, values)

    def _ragged_window(
        self, low: float, high: float, how: How, wanted: Numbers
    ) -> Floats:
        result = np.zeros(len(wanted))
        first, last = self._limits(low, high)
        for part in self._parts((last - first)[self.of_spot[wanted]]):
            result[part] = self._reduced(wanted[part], first, last, (low, high), how)
        return result

    def _parts(self, counts: Numbers) -> Iterator[slice]:
        """Yield parts of spectra with so many values that are about a block each."""
        ends = np.cumsum(counts * self.intensity_dtype.itemsize)
        begin = 0
        while begin < len(counts):
            limit = BLOCK_BYTES + (int(ends[begin - 1]) if begin else 0)
            end = max(begin + 1, int(np.searchsorted(ends, limit, "right")))
            yield slice(begin, end)
            begin = end

    def _limits(self, low: float, high: float) -> tuple[Numbers, Numbers]:
        """Return the first point and the one after the last of each calibration."""
        reach = self._reach
        first = find_first(self.calibrations, low - reach, "left")
        last = find_first(self.calibrations, high + reach, "right")
        for k, one in enumerate(self.calibrations):
            if one.polynomial is not None:
                mz = one.mz_of(np.arange(first[k], last[k]))
                inside = np.flatnonzero((mz >= low) & (mz <= high))
                begin, end = (inside[0], inside[-1] + 1) if len(inside) else (0, 0)
                first[k], last[k] = first[k] + begin, first[k] + end
        return first, last

    @cached_property
    def _reach(self) -> Floats:
        """How far m/z values lie at most from those that never fall; computed once."""
        return np.array([one.reach() for one in self.calibrations])

    def _reduced(
        self,
        numbers: Numbers,
        first: Numbers,
        last: Numbers,
        window: tuple[float, float],
        how: How,
    ) -> Floats:
        values, owners = [], []
        for k, number in enumerate(numbers.tolist()):
            kind = int(self.of_spot[number])
            begin, end = int(first[kind]), int(last[kind])
            if begin >= end:
                continue
            found = np.zeros(end - begin, self.intensity_dtype)
            read = self._read(number, begin, end)
            found[: len(read)] = read
            if self.calibrations[kind].polynomial:
                # Corrected m/z may fall at the limits of the correction.
                mz = self.calibrations[kind].mz_of(np.arange(begin, end))
                found = found[(mz >= window[0]) & (mz <= window[1])]
            values.append(found)
            owners.append(np.full(len(found), k))
        if not values:
            return np.zeros(len(numbers))
        return reduce_owned(
            np.concatenate(values), np.concatenate(owners), len(numbers), how
        )

    def _read(self, number: int, first: int, last: int) -> Values:
        """Return some points of a spot, none of one that cannot be read."""
        try:
            return self.files.read(number, first, last)
        except FormatError as error:
            if len(self.damaged) < _MOST_DAMAGED:
                self.damaged[number] = str(error)
            return np.zeros(0, self.intensity_dtype)
