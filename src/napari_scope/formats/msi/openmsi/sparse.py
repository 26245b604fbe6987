"""Spectra of different lengths, whose m/z values are those of a common list.

The file has intensities one after the other, and with each the number of its m/z value
in the list; where a spectrum begins and ends stands by its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.axes import MOST_BINS, BinnedAxis
from napari_scope.formats.msi.blocks import RaggedBlock, Spectrum
from napari_scope.formats.msi.openmsi.cube import MOST_DAMAGED
from napari_scope.formats.msi.spectra import BLOCK_BYTES, Spectra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.formats.msi.blocks import Block, Numbers, Values
    from napari_scope.formats.msi.openmsi.h5 import H5File
    from napari_scope.formats.msi.pixels import PixelTable

__all__ = ["SparseSpectra"]

_VALUES = BLOCK_BYTES // 16  # of a block: intensity, number and m/z
_GAP = 1 << 14  # values that are read and thrown away rather than read apart


class SparseSpectra(Spectra):
    """Spectra out of two long arrays.

    Parameters
    ----------
    name : str
        Name of the data set.
    pixels : PixelTable
        Where each spectrum lies.
    mz : ndarray, (bins,)
        The list of m/z values.
    file : H5File
        The file.
    data, index : h5py.Dataset, (values,)
        Intensities, and numbers of their m/z values.
    starts, ends : ndarray of int64, (spectra,)
        Where each spectrum begins and ends.
    **known
        What else is known, see `Spectra`.

    Attributes
    ----------
    damaged : dict of int to str
        Spectra that could not be read among others, where they are empty, and why.
    lost : frozenset of int
        Spectra that are known to be cut off; they are empty among others.
    """

    def __init__(
        self,
        name: str,
        pixels: PixelTable,
        mz: Values,
        file: H5File,
        data: Any,
        index: Any,
        starts: Numbers,
        ends: Numbers,
        **known: Any,
    ) -> None:
        dtype = np.dtype(data.dtype).newbyteorder("=")
        super().__init__(name, pixels, dtype, mz.dtype, **known)
        self.listed_mz = mz
        self._file = file
        self._data = data
        self._index = index
        self._starts = starts
        self._ends = ends
        self.damaged: dict[int, str] = {}
        self.lost: frozenset[int] = frozenset()

    @property
    def cube_axis(self) -> BinnedAxis | None:
        """The axis that the file gives its cube; None if it is too long for one."""
        mz = self.listed_mz.astype(np.float64)
        if not 1 < len(mz) <= MOST_BINS or np.any(np.diff(mz) <= 0):
            return None
        middles = (mz[1:] + mz[:-1]) / 2
        ends = 2 * mz[0] - middles[0], 2 * mz[-1] - middles[-1]
        axis = BinnedAxis(np.concatenate([ends[:1], middles, ends[1:]]))
        axis.mz = self.listed_mz
        return axis

    def spectrum(self, number: int) -> Spectrum:
        """See `Spectra.spectrum`."""
        if not 0 <= number < len(self):
            raise IndexError(f"no spectrum {number}; there are {len(self)}")
        if number in self.lost:
            raise FormatError(
                f"spectrum {number} lies beyond the values ({self._data.name})",
                path=self._file.path,
            )
        return self._block(np.array([number])).spectrum(0)

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """See `Spectra.blocks`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        ends = np.cumsum(self._ends[wanted] - self._starts[wanted])
        begin, before = 0, 0
        while begin < len(wanted):
            end = int(np.searchsorted(ends, before + _VALUES, "right"))
            end = max(end, begin + 1)
            yield from self._tolerant(wanted[begin:end])
            begin, before = end, int(ends[end - 1])

    def mz_range(self) -> tuple[float, float]:
        """See `Spectra.mz_range`."""
        mz = self.listed_mz
        return (float(mz.min()), float(mz.max())) if len(mz) else (0.0, 0.0)

    def _block(self, wanted: Numbers) -> RaggedBlock:
        begins, ends = self._starts[wanted], self._ends[wanted]
        starts = np.concatenate([[0], np.cumsum(ends - begins)]).astype(np.int64)
        values = np.empty(starts[-1], self.intensity_dtype)
        index = np.empty(starts[-1], np.int64)
        # In the order of the file, neighbours in one read.
        order = np.argsort(begins, kind="stable").tolist()
        with self._file.held():
            k = 0
            while k < len(order):
                first, last = int(begins[order[k]]), int(ends[order[k]])
                run = k + 1
                while run < len(order):
                    begin, end = int(begins[order[run]]), int(ends[order[run]])
                    if begin > last + _GAP or end - first > 2 * _VALUES:
                        break
                    last = max(last, end)
                    run += 1
                data = self._data[first:last]
                numbers = self._index[first:last]
                for n in order[k:run]:
                    part = slice(int(begins[n]) - first, int(ends[n]) - first)
                    target = slice(int(starts[n]), int(starts[n + 1]))
                    values[target], index[target] = data[part], numbers[part]
                k = run
        wrong = (index < 0) | (index >= len(self.listed_mz))
        if wrong.any():
            raise FormatError(
                f"of spectra {wanted.min()} to {wanted.max()} one points beyond the "
                f"{len(self.listed_mz):,} m/z values ({self._index.name})",
                path=self._file.path,
            )
        return RaggedBlock(wanted, starts, self.listed_mz[index], values)

    def _tolerant(self, wanted: Numbers) -> Iterator[RaggedBlock]:
        """Yield some spectra in order; those that are damaged are empty."""
        try:
            block = self._block(wanted)
        except FormatError as error:
            if len(wanted) == 1:
                if len(self.damaged) < MOST_DAMAGED:
                    self.damaged[int(wanted[0])] = error.message
                nothing = np.zeros(0, self.intensity_dtype)
                starts = np.zeros(2, np.int64)
                yield RaggedBlock(wanted, starts, self.listed_mz[:0], nothing)
                return
        else:
            yield block
            return
        middle = len(wanted) // 2
        yield from self._tolerant(wanted[:middle])
        yield from self._tolerant(wanted[middle:])
