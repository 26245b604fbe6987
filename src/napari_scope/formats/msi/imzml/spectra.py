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
from napari_scope.formats.msi.imzml.gather import flatten, runs, span_of
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
    from napari_scope.formats.msi.imzml.arrays import Arrays
    from napari_scope.formats.msi.imzml.layout import Part
    from napari_scope.formats.msi.pixels import PixelTable

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
    part : Part
        Where the arrays lie in it.
    pixels : PixelTable
        Where the spectra lie in the image.
    **known
        What else is known, see `Spectra`.

    Attributes
    ----------
    damaged : dict of int to str
        Spectra that could not be unpacked so far, and why.
    """

    def __init__(
        self, file: DataFile, part: Part, pixels: PixelTable, **known: Any
    ) -> None:
        super().__init__("", pixels, part.intensity.dtype, part.mz.dtype, **known)
        self._file = file
        self._mz, self._intensity = part.mz, part.intensity
        self._part = part
        self.damaged: dict[int, str] = {}
        shared = part.mz.shared
        if shared is not None:
            self.common_mz = self._unpacked(shared, part.mz, "m/z")

    @property
    def largest(self) -> int:
        """Bytes of the largest spectrum, not packed."""
        width = self._intensity.dtype.itemsize + self._mz.dtype.itemsize
        return int(self._intensity.length.max(initial=0)) * width

    def spectrum(self, number: int) -> Spectrum:
        """See `Spectra.spectrum`."""
        intensities = self._unpacked(number, self._intensity, "intensity")
        mz = self.common_mz
        if mz is None:
            mz = self._unpacked(number, self._mz, "m/z")
        n = min(len(mz), len(intensities))
        return Spectrum(mz[:n], intensities[:n])

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """See `Spectra.blocks`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        mz, intensity = self._mz, self._intensity
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
        if self.common_mz is None and can_scan(self._part):
            wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
            found = scan_window(self._read_into, self._part, wanted, low, high, how)
            return super().window(low, high, how, numbers) if found is None else found
        if self.common_mz is None or self._intensity.compression != "none":
            return super().window(low, high, how, numbers)
        bins = np.arange(len(self.common_mz))[columns_in(self.common_mz, low, high)]
        n = len(self) if numbers is None else len(numbers)
        if len(bins) * n * self.intensity_dtype.itemsize > BLOCK_BYTES:
            return super().window(low, high, how, numbers)
        return reduce_columns(self.columns(bins, numbers), how)

    def columns(self, bins: Numbers, numbers: Numbers | None = None) -> Values:
        """See `Spectra.columns`."""
        arrays = self._intensity
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        if not len(bins) or not len(wanted):
            return np.zeros((len(wanted), len(bins)), arrays.dtype)
        first, last = int(bins.min()), int(bins.max())
        width = (last + 1 - first) * arrays.dtype.itemsize
        # One read a spectrum costs about as much as copying 4 kB more.
        small = width < int(arrays.length.max()) * arrays.dtype.itemsize - 4096
        length = arrays.length[wanted]
        cut = bool(((length > first) & (length <= last)).any())
        if arrays.compression != "none" or not small or cut:
            return super().columns(bins, numbers)
        filled = length > last
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
        numbers = np.flatnonzero(self._mz.length)
        if not len(numbers):
            return 0.0, 0.0
        if self._mz.compression == "none":
            return self._range_of_ends(numbers)
        step = max(1, len(numbers) // _SAMPLE)
        sample = [
            (float(values.min()), float(values.max()))
            for (values,) in self._values(numbers[::step], [self._mz])
            if len(values)
        ]
        if not sample:
            return 0.0, 0.0
        return min(low for low, _ in sample), max(high for _, high in sample)

    def _range_of_ends(self, numbers: Numbers) -> tuple[float, float]:
        arrays = self._mz
        width = arrays.dtype.itemsize
        first = arrays.offset[numbers]
        last = first + (arrays.length[numbers] - 1) * width
        pieces = self._pieces([*first.tolist(), *last.tolist()], width)
        ends = np.frombuffer(pieces, arrays.dtype)
        return float(ends.min()), float(ends.max())

    # Reading

    def _rows(self, numbers: Numbers, bins: int) -> Values:
        """Return intensities over the common axis, (spectra, bins)."""
        arrays = self._intensity
        width = bins * arrays.dtype.itemsize
        offset = arrays.offset[numbers]
        even = bool((np.diff(offset) == width).all())
        whole_rows = bool((arrays.length[numbers] == bins).all())
        if arrays.compression == "none" and even and whole_rows:
            rows = np.empty((len(numbers), bins), arrays.dtype)
            self._read_into(int(offset[0]), rows.reshape(-1).view(np.uint8).data)
            return rows
        rows = np.zeros((len(numbers), bins), arrays.dtype)
        for row, values in zip(rows, self._values(numbers, [arrays]), strict=True):
            n = min(bins, len(values[0]))
            row[:n] = values[0][:n]
        return rows

    def _ragged(self, numbers: Numbers) -> RaggedBlock:
        if can_scan(self._part) and (block := self._gathered(numbers)) is not None:
            return block
        found = self._values(numbers, [self._mz, self._intensity])
        mz = [values[0] for values in found]
        intensities = [values[1] for values in found]
        starts = np.zeros(len(found) + 1, np.int64)
        np.cumsum([len(values) for values in mz], out=starts[1:])
        return RaggedBlock(
            numbers, starts, np.concatenate(mz), np.concatenate(intensities)
        )

    def _gathered(self, numbers: Numbers) -> RaggedBlock | None:
        """Return spectra that are not packed; None if they lie far apart."""
        mz, intensity = self._mz, self._intensity
        starts = np.zeros(len(numbers) + 1, np.int64)
        np.cumsum(mz.length[numbers], out=starts[1:])
        filled = np.flatnonzero(mz.length[numbers])
        flat_mz = np.empty(int(starts[-1]), mz.dtype)
        flat = np.empty(int(starts[-1]), intensity.dtype)
        buffer = np.empty(0, np.uint8)
        for run in runs(mz, intensity, numbers[filled]):
            mine = numbers[filled[run]]
            span = span_of(mz, intensity, mine)
            if span is None:
                return None
            begin, end = span
            if len(buffer) < end - begin:
                buffer = np.empty(end - begin, np.uint8)
            self._read_into(begin, buffer[: end - begin].data)
            part = slice(int(starts[filled[run][0]]), int(starts[filled[run][-1] + 1]))
            length = mz.length[mine]
            flatten(buffer, mz.offset[mine] - begin, length, flat_mz[part])
            flatten(buffer, intensity.offset[mine] - begin, length, flat[part])
        return RaggedBlock(numbers, starts, flat_mz, flat)

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
        name = f"{words} array".strip()
        place = f"spectrum {number}, byte {int(arrays.offset[number]):,}"
        try:
            # A damaged array must not unpack to more than it should.
            plain = zlib.decompressobj().decompress(data, size + 1)
        except zlib.error as error:
            raise FormatError(
                f"the {name} cannot be unpacked at {place}: {error}",
                path=self._file.path,
            ) from error
        if len(plain) != size:
            raise FormatError(
                f"the {name} unpacks to {len(plain)} bytes at {place}, {length} values "
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
