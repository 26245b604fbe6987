"""Intensities in a cube: which copy suits a read, and reading some places of it.

A file may hold the same values several times, cut differently: pieces of a spectrum,
pieces of an image. Each read takes the copy of which it has to touch the least. Memory
is bounded: a selection is read as the box around it, which is halved until it is small
and not much larger than what is wanted.

Examples
--------
>>> cut = Cut((100, 100, 5000), (1, 1, 5000), 4)
>>> images = Cut((100, 100, 5000), (50, 50, 10), 4)
>>> spectrum, image = [(3, 4), (7, 8), (0, 5000)], [(0, 100), (0, 100), (7, 8)]
>>> cut.cost(spectrum) < images.cost(spectrum), cut.cost(image) < images.cost(image)
(True, False)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.blocks import (
    CommonBlock,
    Spectrum,
    columns_in,
    reduce_columns,
)
from napari_scope.formats.msi.spectra import BLOCK_BYTES, Spectra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_scope.formats.msi.blocks import Block, Floats, How, Numbers, Values
    from napari_scope.formats.msi.openmsi.h5 import H5File
    from napari_scope.formats.msi.pixels import PixelTable

    Box = Sequence[tuple[int, int]]

__all__ = ["MOST_DAMAGED", "CubeSpectra", "Cut"]

MOST_DAMAGED = 1000
"""How many damaged spectra are remembered."""

_ACCESS = 4096  # bytes that are read in the time that one more access takes
_MOST = 4 * BLOCK_BYTES
_SPARSE = 4  # times what is wanted that a box may have


@dataclass(frozen=True, slots=True)
class Cut:
    """How an array is cut.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    chunks : tuple of int, optional
        Shape of its pieces; None if it is in one piece.
    itemsize : int
        Bytes of a value.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...] | None
    itemsize: int

    def cost(self, box: Box) -> float:
        """Return about how many bytes are touched to read a box."""
        if self.chunks is None:
            runs = float(math.prod(b - a for a, b in box[:-1]))
            return runs * ((box[-1][1] - box[-1][0]) * self.itemsize + _ACCESS)
        touched = float(
            math.prod(
                (b - 1) // c - a // c + 1
                for (a, b), c in zip(box, self.chunks, strict=True)
            )
        )
        return touched * (math.prod(self.chunks) * self.itemsize + _ACCESS)


class CubeSpectra(Spectra):
    """Spectra over one axis, at the places of an array: (places..., bins).

    Parameters
    ----------
    name : str
        Name of the data set.
    pixels : PixelTable
        Where each spectrum lies.
    mz : ndarray, (bins,)
        The axis.
    file : H5File
        The file.
    copies : sequence of h5py.Dataset
        Arrays of the same values. Spectrum k is the place k of the flat array.
    **known
        What else is known, see `Spectra`.

    Attributes
    ----------
    damaged : dict of int to str
        Spectra that could not be read among others, where they are empty, and why.
    """

    def __init__(
        self,
        name: str,
        pixels: PixelTable,
        mz: Values,
        file: H5File,
        copies: Sequence[Any],
        **known: Any,
    ) -> None:
        dtype = np.dtype(copies[0].dtype).newbyteorder("=")
        super().__init__(name, pixels, dtype, mz.dtype, common_mz=mz, **known)
        self._file = file
        self._copies = [
            (one, Cut(one.shape, one.chunks, one.dtype.itemsize)) for one in copies
        ]
        self._places: tuple[int, ...] = copies[0].shape[:-1]
        self._bins = len(mz)
        self.damaged: dict[int, str] = {}

    def spectrum(self, number: int) -> Spectrum:
        """See `Spectra.spectrum`."""
        assert self.common_mz is not None
        if not 0 <= number < len(self):
            raise IndexError(f"no spectrum {number}; there are {len(self)}")
        return Spectrum(
            self.common_mz, self._read(np.array([number]), 0, self._bins)[0]
        )

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """See `Spectra.blocks`."""
        assert self.common_mz is not None
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        step = self._step()
        for begin in range(0, len(wanted), step):
            part = wanted[begin : begin + step]
            yield CommonBlock(part, self.common_mz, self._read(part, 0, self._bins))

    def window(
        self, low: float, high: float, how: How = "sum", numbers: Numbers | None = None
    ) -> Floats:
        """See `Spectra.window`."""
        assert self.common_mz is not None
        bins = np.arange(self._bins)[columns_in(self.common_mz, low, high)]
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        if not len(bins):
            return np.zeros(len(wanted))
        step = max(1, _MOST // (len(bins) * self.intensity_dtype.itemsize))
        parts = [
            reduce_columns(self.columns(bins, wanted[begin : begin + step]), how)
            for begin in range(0, len(wanted), step)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def columns(self, bins: Numbers, numbers: Numbers | None = None) -> Values:
        """See `Spectra.columns`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        if not len(bins) or not len(wanted):
            return np.zeros((len(wanted), len(bins)), self.intensity_dtype)
        first, last = int(bins.min()), int(bins.max()) + 1
        if last - first <= _SPARSE * len(bins):
            return self._read(wanted, first, last)[:, bins - first]
        columns = [self._read(wanted, n, n + 1) for n in bins.tolist()]
        return np.concatenate(columns, axis=1)

    def mz_range(self) -> tuple[float, float]:
        """See `Spectra.mz_range`."""
        mz = self.common_mz
        assert mz is not None
        return (float(mz.min()), float(mz.max())) if len(mz) else (0.0, 0.0)

    def _step(self) -> int:
        """Return how many spectra a block has: whole rows of pieces if they fit."""
        width = max(1, self._bins * self.intensity_dtype.itemsize)
        step = max(1, BLOCK_BYTES // width)
        spectrum = [(0, 1)] * len(self._places) + [(0, self._bins)]
        _, cut = min(self._copies, key=lambda copy: copy[1].cost(spectrum))
        if cut.chunks is None:
            return step
        row = cut.chunks[0] * math.prod(self._places[1:])
        if row * width > _MOST:
            return step
        return max(1, step // row) * row

    def _read(self, numbers: Numbers, first: int, last: int) -> Values:
        """Return some bins of some spectra, (spectra, bins)."""
        result = np.zeros((len(numbers), last - first), self.intensity_dtype)
        order = np.argsort(numbers, kind="stable")
        is_sorted = bool((np.diff(numbers) > 0).all())
        places = np.stack(np.unravel_index(numbers[order], self._places))
        pending = [(0, len(numbers))] if len(numbers) else []
        while pending:
            begin, end = pending.pop()
            part = places[:, begin:end]
            low, high = part.min(axis=1), part.max(axis=1) + 1
            box = [*zip(low.tolist(), high.tolist(), strict=True), (first, last)]
            values = math.prod(b - a for a, b in box)
            wanted = (end - begin) * (last - first)
            if end - begin > 1 and (
                values * self.intensity_dtype.itemsize > _MOST
                or values > _SPARSE * wanted + 1024
            ):
                middle = (begin + end) // 2
                pending += [(begin, middle), (middle, end)]
                continue
            try:
                found = self._read_box(box)
            except FormatError as error:
                if len(numbers) == 1:
                    raise
                if end - begin == 1:
                    # Among many, one that is damaged stays empty.
                    if len(self.damaged) < MOST_DAMAGED:
                        self.damaged[int(numbers[order[begin]])] = error.message
                    continue
                middle = (begin + end) // 2
                pending += [(begin, middle), (middle, end)]
                continue
            if values == wanted and is_sorted:
                # The box has them all, in their order.
                if end - begin == len(numbers):
                    return found.reshape(result.shape)
                result[begin:end] = found.reshape(end - begin, -1)
            else:
                at = tuple(part - low[:, np.newaxis])
                result[order[begin:end]] = found[at]
        return result

    def _read_box(self, box: Box) -> Values:
        """Read a box from the copy that suits it, or else from another one."""
        failed: FormatError | None = None
        for dataset, _ in sorted(self._copies, key=lambda copy: copy[1].cost(box)):
            try:
                with self._file.held():
                    values = dataset[tuple(slice(a, b) for a, b in box)]
                return np.asarray(values).astype(self.intensity_dtype, copy=False)
            except FormatError as error:
                failed = failed or error
        assert failed is not None
        raise failed
