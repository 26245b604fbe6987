"""The spectra of an imzML file, read from its .ibd file at positions.

Whatever lies close together is read in one piece. Of continuous files a window of m/z
is read alone, a few bytes of each spectrum. What cannot be unpacked is an empty
spectrum among many, and an error when it is asked for alone.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import DatasetClosedError, FormatError
from napari_scope.formats.msi.blocks import (
    CommonBlock,
    RaggedBlock,
    Spectrum,
    columns_in,
    reduce_columns,
)
from napari_scope.formats.msi.imzml.scan import can_scan, scan_window
from napari_scope.formats.msi.spectra import BLOCK_BYTES, Spectra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.fileio import DataFile
    from napari_scope.formats.msi.blocks import (
        Block,
        Floats,
        How,
        Numbers,
        Values,
    )
    from napari_scope.formats.msi.imzml.layout import Arrays, Layout

__all__ = ["ImzMLSpectra"]

# Two arrays are read in one piece if no more lies between them than they have.
_WASTE: Final = 2
_SAMPLE: Final = 64  # spectra that are looked at for the range of m/z
_MOST_DAMAGED: Final = 1000


class ImzMLSpectra(Spectra):
    """The spectra of an imzML file.

    Parameters
    ----------
    file : DataFile
        The .ibd file; closed by whoever opened it.
    layout : Layout
        Where the spectra lie in it.
    **known
        What else is known, see `Spectra`.

    Attributes
    ----------
    damaged : dict of int to str
        Spectra that could not be unpacked so far, and why.
    """

    def __init__(self, file: DataFile, layout: Layout, **known: Any) -> None:
        super().__init__(
            "",
            layout.pixels,
            layout.intensity.dtype,
            layout.mz.dtype,
            **known,
        )
        self._file = file
        self._layout = layout
        self.damaged: dict[int, str] = {}
        if layout.mz.all_the_same:
            self.common_mz = self._unpacked(0, layout.mz, "m/z")

    def spectrum(self, number: int) -> Spectrum:
        """See `Spectra.spectrum`."""
        intensities = self._unpacked(number, self._layout.intensity, "intensity")
        if self.common_mz is not None:
            if not len(intensities):
                return Spectrum(self.common_mz[:0], intensities)
            return Spectrum(self.common_mz, intensities)
        return Spectrum(self._unpacked(number, self._layout.mz, "m/z"), intensities)

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """See `Spectra.blocks`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        mz, intensity = self._layout.mz, self._layout.intensity
        common = self.common_mz
        width = intensity.length * intensity.dtype.itemsize
        if common is None:
            width = width + mz.length * mz.dtype.itemsize
        ends = np.cumsum(width[wanted])
        begin = 0
        while begin < len(wanted):
            limit = BLOCK_BYTES + (int(ends[begin - 1]) if begin else 0)
            end = max(begin + 1, int(np.searchsorted(ends, limit, "right")))
            part = wanted[begin:end]
            begin = end
            if common is not None:
                yield CommonBlock(part, common, self._rows(part, len(common)))
            else:
                yield self._ragged(part)

    def window(
        self,
        low: float,
        high: float,
        how: How = "sum",
        numbers: Numbers | None = None,
    ) -> Floats:
        """See `Spectra.window`."""
        if self.common_mz is None and can_scan(self._layout):
            wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
            found = scan_window(self._read_into, self._layout, wanted, low, high, how)
            return super().window(low, high, how, numbers) if found is None else found
        if self.common_mz is None or self._layout.intensity.compression != "none":
            return super().window(low, high, how, numbers)
        bins = np.arange(len(self.common_mz))[columns_in(self.common_mz, low, high)]
        n = len(self) if numbers is None else len(numbers)
        if len(bins) * n * self.intensity_dtype.itemsize > BLOCK_BYTES:
            return super().window(low, high, how, numbers)
        return reduce_columns(self.columns(bins, numbers), how)

    def columns(self, bins: Numbers, numbers: Numbers | None = None) -> Values:
        """See `Spectra.columns`."""
        arrays = self._layout.intensity
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        if not len(bins) or not len(wanted):
            return np.zeros((len(wanted), len(bins)), arrays.dtype)
        first, last = int(bins.min()), int(bins.max())
        width = (last + 1 - first) * arrays.dtype.itemsize
        # One read a spectrum costs about as much as copying 4 kB more.
        small = width < arrays.length[0] * arrays.dtype.itemsize - 4096
        if arrays.compression != "none" or not small:
            return super().columns(bins, numbers)
        filled = arrays.length[wanted] > last
        offsets = arrays.offset[wanted[filled]] + first * arrays.dtype.itemsize
        pieces = self._pieces(offsets.tolist(), width)
        found = np.frombuffer(pieces, arrays.dtype).reshape(-1, last + 1 - first)
        values = found if len(bins) == found.shape[1] else found[:, bins - first]
        if filled.all():
            return values
        every = np.zeros((len(wanted), len(bins)), arrays.dtype)
        every[filled] = values
        return every

    def mz_range(self) -> tuple[float, float]:
        """Return the range of the axis, or of a sample of the spectra.

        Of spectra with m/z values of their own the first and the last value of each
        are looked at; where they are compressed, those of a sample.
        """
        if self.common_mz is not None:
            filled = self.common_mz
            return (float(filled.min()), float(filled.max())) if len(filled) else (0, 0)
        numbers = np.flatnonzero(self._layout.mz.length)
        if not len(numbers):
            return 0.0, 0.0
        if self._layout.mz.compression == "none":
            return self._range_of_ends(numbers)
        step = max(1, len(numbers) // _SAMPLE)
        ranges = [
            (float(values.min()), float(values.max()))
            for number in numbers[::step].tolist()
            if len(values := self.spectrum(number).mz)
        ]
        return min(r[0] for r in ranges), max(r[1] for r in ranges)

    def _range_of_ends(self, numbers: Numbers) -> tuple[float, float]:
        arrays = self._layout.mz
        width = arrays.dtype.itemsize
        first = arrays.offset[numbers]
        last = first + (arrays.length[numbers] - 1) * width
        pieces = self._pieces([*first.tolist(), *last.tolist()], width)
        ends = np.frombuffer(pieces, arrays.dtype)
        return float(ends.min()), float(ends.max())

    # Reading

    def _rows(self, numbers: Numbers, bins: int) -> Values:
        """Return intensities over the common axis, (spectra, bins)."""
        arrays = self._layout.intensity
        width = bins * arrays.dtype.itemsize
        offset = arrays.offset[numbers]
        even = bool((np.diff(offset) == width).all())
        if arrays.compression == "none" and even and arrays.length[numbers].all():
            whole = self._piece(int(offset[0]), width * len(numbers))
            return np.frombuffer(whole, arrays.dtype).reshape(len(numbers), bins)
        rows = np.zeros((len(numbers), bins), arrays.dtype)
        for row, values in zip(rows, self._values(numbers, [arrays]), strict=True):
            row[: len(values[0])] = values[0]
        return rows

    def _ragged(self, numbers: Numbers) -> RaggedBlock:
        kinds = [self._layout.mz, self._layout.intensity]
        found = self._values(numbers, kinds)
        mz = [values[0] for values in found]
        intensities = [values[1] for values in found]
        starts = np.zeros(len(found) + 1, np.int64)
        np.cumsum([len(values) for values in mz], out=starts[1:])
        return RaggedBlock(
            numbers, starts, np.concatenate(mz), np.concatenate(intensities)
        )

    def _values(self, numbers: Numbers, kinds: list[Arrays]) -> list[list[Values]]:
        """Return the arrays of each spectrum; empty ones where they are damaged."""
        offset = np.stack([arrays.offset[numbers] for arrays in kinds], axis=1)
        size = np.stack([arrays.size[numbers] for arrays in kinds], axis=1)
        filled = size > 0
        found: list[list[Values]] = []
        whole, begin = b"", 0
        if filled.any():
            begin = int(offset[filled].min())
            span = int((offset + size)[filled].max()) - begin
            if span <= _WASTE * int(size.sum()):
                whole = self._piece(begin, span)
        for number, places, sizes in zip(
            numbers.tolist(), offset.tolist(), size.tolist(), strict=True
        ):
            one: list[Values] = []
            for arrays, place, n in zip(kinds, places, sizes, strict=True):
                if not n:
                    one.append(np.zeros(0, arrays.dtype))
                    continue
                data, at = (whole, place - begin) if whole else (b"", 0)
                if not whole:
                    data = self._piece(place, n)
                if arrays.compression == "none":
                    count = n // arrays.dtype.itemsize
                    one.append(np.frombuffer(data, arrays.dtype, count, at))
                    continue
                try:
                    one.append(self._inflated(number, arrays, data[at : at + n]))
                except FormatError as error:
                    if len(self.damaged) < _MOST_DAMAGED:
                        self.damaged[number] = error.message
                    one.append(np.zeros(0, arrays.dtype))
            shortest = min(len(values) for values in one)
            found.append([values[:shortest] for values in one])
        return found

    def _unpacked(self, number: int, arrays: Arrays, words: str) -> Values:
        """Return one array of one spectrum."""
        size = int(arrays.size[number])
        if not size:
            return np.zeros(0, arrays.dtype)
        data = self._piece(int(arrays.offset[number]), size)
        if arrays.compression == "none":
            return np.frombuffer(data, arrays.dtype)
        return self._inflated(number, arrays, data, words)

    def _inflated(
        self, number: int, arrays: Arrays, data: bytes, words: str = ""
    ) -> Values:
        length = int(arrays.length[number])
        size = length * arrays.dtype.itemsize
        place = f"spectrum {number}, byte {int(arrays.offset[number]):,}"
        try:
            # A damaged array must not unpack to more than it should.
            plain = zlib.decompressobj().decompress(data, size + 1)
        except zlib.error as error:
            raise FormatError(
                f"an array {words} cannot be unpacked at {place}: {error}".replace(
                    "  ", " "
                ),
                path=self._file.path,
            ) from error
        if len(plain) != size:
            raise FormatError(
                f"an array unpacks to {len(plain)} bytes at {place}, {length} values "
                f"have {size}",
                path=self._file.path,
            )
        return np.frombuffer(plain, arrays.dtype)

    def _read_into(self, offset: int, target: memoryview) -> None:
        try:
            count = self._file.read_into(offset, target)
        except ValueError as error:
            raise DatasetClosedError(
                "the reader is closed", path=self._file.path
            ) from error
        if count < target.nbytes:
            raise self._shrunk(offset + count)

    def _piece(self, offset: int, size: int) -> bytes:
        try:
            data = self._file.read_at(offset, size)
        except ValueError as error:
            raise DatasetClosedError(
                "the reader is closed", path=self._file.path
            ) from error
        if len(data) < size:
            raise self._shrunk(offset + len(data))
        return data

    def _pieces(self, offsets: list[int], size: int) -> bytes:
        try:
            pieces = self._file.read_pieces(offsets, size)
        except ValueError as error:
            raise DatasetClosedError(
                "the reader is closed", path=self._file.path
            ) from error
        data = b"".join(pieces)
        if len(data) < size * len(offsets):
            raise self._shrunk(max(offsets))
        return data

    def _shrunk(self, offset: int) -> FormatError:
        return FormatError(
            f"the file has no byte {offset:,} any more",
            path=self._file.path,
            hint="it was cut off since it was opened",
        )
