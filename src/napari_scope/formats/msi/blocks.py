"""Some spectra in memory, and what can be told of each of them at once.

Examples
--------
>>> block = RaggedBlock(
...     np.array([7]), np.array([0, 3]), np.array([1.0, 2.0, 3.0]), np.array([5, 6, 7])
... )
>>> block.window(2.0, 3.0, "sum").tolist(), block.window(2.0, 3.0, "max").tolist()
([13.0], [7.0])
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from napari_scope.formats.msi.windows import edges_in

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]
    Values = npt.NDArray[Any]

__all__ = [
    "Block",
    "CommonBlock",
    "How",
    "RaggedBlock",
    "Spectrum",
    "columns_in",
    "finite",
    "reduce_columns",
    "reduce_owned",
]

How: TypeAlias = Literal["sum", "max", "mean"]
"""What becomes of the intensities in a window; without any it is 0."""


class Spectrum(NamedTuple):
    """One spectrum: two arrays of equal length."""

    mz: Values
    intensities: Values


class Block(ABC):
    """Some spectra in memory.

    In all sums and the like an intensity that is no finite number counts as 0.

    Attributes
    ----------
    numbers : ndarray of int64, (spectra,)
        Their numbers in the data set.
    """

    numbers: Numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @abstractmethod
    def spectrum(self, k: int) -> Spectrum:
        """Return the spectrum number k of the block."""

    @abstractmethod
    def totals(self) -> Floats:
        """Return the sum of all intensities of each spectrum."""

    @abstractmethod
    def squares(self) -> Floats:
        """Return the sum of the squared intensities of each spectrum."""

    @abstractmethod
    def counts(self) -> Numbers:
        """Return the number of values of each spectrum."""

    @abstractmethod
    def base_peaks(self) -> tuple[Floats, Floats]:
        """Return m/z and intensity of the highest value of each; 0 of empty ones."""

    @abstractmethod
    def window(self, low: float, high: float, how: How) -> Floats:
        """Return what becomes of the intensities with low <= m/z <= high in each."""


@dataclass(frozen=True, eq=False)
class CommonBlock(Block):
    """Spectra over one m/z axis.

    Parameters
    ----------
    numbers : ndarray of int64, (spectra,)
        Their numbers in the data set.
    mz : ndarray, (bins,)
        The axis.
    intensities : ndarray, (spectra, bins)
        The values.
    """

    numbers: Numbers
    mz: Values
    intensities: Values

    def spectrum(self, k: int) -> Spectrum:
        """See `Block.spectrum`."""
        return Spectrum(self.mz, self.intensities[k])

    def totals(self) -> Floats:
        """See `Block.totals`."""
        totals: Floats = finite(self.intensities).sum(axis=1, dtype=np.float64)
        return totals

    def squares(self) -> Floats:
        """See `Block.squares`."""
        values = finite(self.intensities).astype(np.float64)
        squares: Floats = np.einsum("ij,ij->i", values, values)
        return squares

    def counts(self) -> Numbers:
        """See `Block.counts`."""
        return np.full(len(self), len(self.mz), np.int64)

    def base_peaks(self) -> tuple[Floats, Floats]:
        """See `Block.base_peaks`."""
        if not len(self.mz):
            nothing = np.zeros(len(self))
            return nothing, nothing.copy()
        values = finite(self.intensities)
        highest = values.argmax(axis=1)
        heights = values[np.arange(len(self)), highest]
        return self.mz[highest].astype(np.float64), heights.astype(np.float64)

    def window(self, low: float, high: float, how: How) -> Floats:
        """See `Block.window`."""
        columns = columns_in(self.mz, low, high)
        return reduce_columns(self.intensities[:, columns], how)


@dataclass(frozen=True, eq=False)
class RaggedBlock(Block):
    """Spectra each of which has m/z values of its own, one after the other.

    The m/z values of a spectrum may be in any order.

    Parameters
    ----------
    numbers : ndarray of int64, (spectra,)
        Their numbers in the data set.
    starts : ndarray of int64, (spectra + 1,)
        Where each one begins in the two long arrays, and where the last one ends.
    mz, intensities : ndarray, (values,)
        The values.
    """

    numbers: Numbers
    starts: Numbers
    mz: Values
    intensities: Values

    def spectrum(self, k: int) -> Spectrum:
        """See `Block.spectrum`."""
        part = slice(int(self.starts[k]), int(self.starts[k + 1]))
        return Spectrum(self.mz[part], self.intensities[part])

    def totals(self) -> Floats:
        """See `Block.totals`."""
        return self._sums(finite(self.intensities))

    def squares(self) -> Floats:
        """See `Block.squares`."""
        return self._sums(np.square(finite(self.intensities), dtype=np.float64))

    def counts(self) -> Numbers:
        """See `Block.counts`."""
        return np.diff(self.starts)

    def base_peaks(self) -> tuple[Floats, Floats]:
        """See `Block.base_peaks`."""
        mz, heights = np.zeros(len(self)), np.zeros(len(self))
        filled = self._filled
        if not len(filled):
            return mz, heights
        values = finite(self.intensities)
        highest = np.maximum.reduceat(values, self.starts[:-1][filled])
        heights[filled] = highest
        # The first of equal values, as `argmax` finds it.
        owner = self._owners()
        of_owner = np.zeros(len(self), values.dtype)
        of_owner[filled] = highest
        places = np.flatnonzero(values == of_owner[owner])
        first, index = np.unique(owner[places], return_index=True)
        mz[first] = self.mz[places[index]]
        return mz, heights

    def window(self, low: float, high: float, how: How) -> Floats:
        """See `Block.window`."""
        low, high = edges_in(self.mz.dtype, low, high)
        inside = np.flatnonzero((self.mz >= low) & (self.mz <= high))
        owner = np.searchsorted(self.starts, inside, "right") - 1
        return reduce_owned(self.intensities[inside], owner, len(self), how)

    @property
    def _filled(self) -> Numbers:
        """Numbers of the spectra with at least one value."""
        return np.flatnonzero(np.diff(self.starts))

    def _owners(self) -> Numbers:
        """Return for each value which spectrum of the block it belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def _sums(self, values: Values) -> Floats:
        sums = np.zeros(len(self))
        filled = self._filled
        if len(filled):
            starts = self.starts[:-1][filled]
            sums[filled] = np.add.reduceat(values, starts, dtype=np.float64)
        return sums


def finite(values: Values) -> Values:
    """Return values with 0 for those that are no finite numbers.

    The array itself if there are none.
    """
    if values.dtype.kind != "f":
        return values
    good = np.isfinite(values)
    return values if good.all() else np.where(good, values, values.dtype.type(0))


def columns_in(mz: Values, low: float, high: float) -> slice | Numbers:
    """Return where low <= m/z <= high of an axis: a slice if the axis ascends."""
    low, high = edges_in(mz.dtype, low, high)
    inside = np.flatnonzero((mz >= low) & (mz <= high))
    if not len(inside):
        return slice(0, 0)
    if inside[-1] - inside[0] + 1 == len(inside):
        return slice(int(inside[0]), int(inside[-1]) + 1)
    return inside


def reduce_columns(values: Values, how: How) -> Floats:
    """Reduce (spectra, columns) to one number a spectrum; 0 without columns."""
    if not values.shape[1]:
        return np.zeros(len(values))
    values = finite(values)
    if how == "max":
        highest: Floats = values.max(axis=1).astype(np.float64)
        return highest
    total: Floats = values.sum(axis=1, dtype=np.float64)
    return total / values.shape[1] if how == "mean" else total


def reduce_owned(values: Values, owner: Numbers, n: int, how: How) -> Floats:
    """Reduce values that each belong to one of n spectra; 0 for one without any.

    Parameters
    ----------
    values : ndarray, (values,)
        The values.
    owner : ndarray of int64, (values,)
        Which spectrum each one belongs to; need not be in order.
    n : int
        How many spectra there are.
    how : {"sum", "max", "mean"}
        What to do.
    """
    # The loop of numpy is 30 times as quick if nothing is to be converted.
    values = finite(values).astype(np.float64)
    if how == "max":
        highest = np.full(n, -np.inf)
        np.maximum.at(highest, owner, values)
        return np.where(np.isneginf(highest), 0.0, highest)
    total = np.bincount(owner, values, minlength=n).astype(np.float64)
    if how == "mean":
        total /= np.maximum(np.bincount(owner, minlength=n), 1)
    return total
