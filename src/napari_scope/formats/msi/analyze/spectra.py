"""The spectra of an .img file: m/z fastest, then x, then y, read at positions.

A window of m/z is a few bytes of each spectrum. What an image that was cut does not
have is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import DatasetClosedError
from napari_scope.formats.msi.blocks import (
    CommonBlock,
    Spectrum,
    columns_in,
    reduce_columns,
)
from napari_scope.formats.msi.pixels import PixelTable
from napari_scope.formats.msi.spectra import BLOCK_BYTES, Spectra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.fileio import DataFile
    from napari_scope.formats.msi.analyze.header import AnalyzeHeader
    from napari_scope.formats.msi.blocks import Block, Floats, How, Numbers, Values

__all__ = ["AnalyzeSpectra"]


class AnalyzeSpectra(Spectra):
    """The spectra of an .img file.

    Parameters
    ----------
    file : DataFile
        The file; closed by whoever opened it.
    header : AnalyzeHeader
        What is known of it.
    mz : ndarray, (bins,)
        The m/z axis.
    **known
        What else is known, see `Spectra`.
    """

    common_mz: Values

    def __init__(
        self, file: DataFile, header: AnalyzeHeader, mz: Values, **known: Any
    ) -> None:
        y, x = np.divmod(np.arange(header.pixels), header.width)
        super().__init__(
            "", PixelTable.of(x, y), header.dtype, mz.dtype, common_mz=mz, **known
        )
        self._file = file
        self._offset = header.offset
        self._width = len(mz) * header.dtype.itemsize

    def spectrum(self, number: int) -> Spectrum:
        """See `Spectra.spectrum`."""
        return Spectrum(self.common_mz, self._rows(number, number + 1)[0])

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """See `Spectra.blocks`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        step = max(1, BLOCK_BYTES // max(1, self._width))
        for begin in range(0, len(wanted), step):
            part = wanted[begin : begin + step]
            first, last = int(part.min()), int(part.max())
            if last - first < 2 * len(part):
                rows = self._rows(first, last + 1)[part - first]
            else:
                rows = np.stack([self._rows(n, n + 1)[0] for n in part.tolist()])
            yield CommonBlock(part, self.common_mz, rows)

    def window(
        self,
        low: float,
        high: float,
        how: How = "sum",
        numbers: Numbers | None = None,
    ) -> Floats:
        """See `Spectra.window`."""
        bins = np.arange(len(self.common_mz))[columns_in(self.common_mz, low, high)]
        n = len(self) if numbers is None else len(numbers)
        if len(bins) * n * self.intensity_dtype.itemsize > BLOCK_BYTES:
            return super().window(low, high, how, numbers)
        return reduce_columns(self.columns(bins, numbers), how)

    def columns(self, bins: Numbers, numbers: Numbers | None = None) -> Values:
        """See `Spectra.columns`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        bins = np.asarray(bins)
        if not len(bins) or not len(wanted):
            return np.zeros((len(wanted), len(bins)), self.intensity_dtype)
        first, last = int(bins.min()), int(bins.max())
        width = self.intensity_dtype.itemsize
        size = (last + 1 - first) * width
        # One read a spectrum costs about as much as copying 4 kB more.
        if size > self._width - 4096:
            return super().columns(bins, numbers)
        offsets = self._offset + wanted * self._width + first * width
        try:
            pieces = self._file.read_pieces(offsets.tolist(), size)
        except ValueError as error:
            raise self._closed() from error
        data = b"".join(piece.ljust(size, b"\0") for piece in pieces)
        found = np.frombuffer(data, self.intensity_dtype)
        return found.reshape(len(wanted), -1)[:, bins - first]

    def mz_range(self) -> tuple[float, float]:
        """See `Spectra.mz_range`."""
        return float(self.common_mz.min()), float(self.common_mz.max())

    def _rows(self, begin: int, end: int) -> Values:
        """Return some spectra; what an image that was cut does not have is 0."""
        size = (end - begin) * self._width
        try:
            data = self._file.read_at(self._offset + begin * self._width, size)
        except ValueError as error:
            raise self._closed() from error
        values = np.frombuffer(data.ljust(size, b"\0"), self.intensity_dtype)
        return values.reshape(end - begin, -1)

    def _closed(self) -> DatasetClosedError:
        return DatasetClosedError("the reader is closed", path=self._file.path)
