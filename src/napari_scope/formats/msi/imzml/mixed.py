"""Spectra of one file whose arrays are stored in several ways, as if it were one way.

Some programs choose the type of the values, or whether to pack them, for each spectrum.
Each way is a part with spectra of its own; here they are put together in the order of
the file. Values get a type that holds those of all parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.formats.msi.blocks import CommonBlock, RaggedBlock, Spectrum
from napari_scope.formats.msi.spectra import BLOCK_BYTES, Spectra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_scope.formats.msi.blocks import Block, Floats, How, Numbers
    from napari_scope.formats.msi.imzml.spectra import ImzMLSpectra
    from napari_scope.formats.msi.pixels import PixelTable

__all__ = ["MixedSpectra"]

_MOST = 4096  # spectra of a block


class MixedSpectra(Spectra):
    """Several parts as one.

    Parameters
    ----------
    parts : sequence of ImzMLSpectra
        The parts.
    numbers : sequence of ndarray of int64
        Which spectra of the file those of each part are.
    pixels : PixelTable
        Where all spectra lie in the image.
    **known
        What else is known, see `Spectra`.
    """

    def __init__(
        self,
        parts: Sequence[ImzMLSpectra],
        numbers: Sequence[Numbers],
        pixels: PixelTable,
        **known: Any,
    ) -> None:
        super().__init__(
            "",
            pixels,
            np.result_type(*(part.intensity_dtype for part in parts)),
            np.result_type(*(part.mz_dtype for part in parts)),
            **known,
        )
        self._parts = tuple(parts)
        self._numbers = tuple(numbers)
        # Which part each spectrum is of, and which one it is there.
        self._part = np.zeros(len(pixels), np.int64)
        self._row = np.zeros(len(pixels), np.int64)
        for which, mine in enumerate(numbers):
            self._part[mine] = which
            self._row[mine] = np.arange(len(mine))
        axes = [part.common_mz for part in parts]
        if axes[0] is not None and all(
            axis is not None and np.array_equal(axis, axes[0]) for axis in axes
        ):
            self.common_mz = axes[0].astype(self.mz_dtype)

    @property
    def damaged(self) -> dict[int, str]:
        """Spectra that could not be unpacked so far, and why."""
        return {
            int(mine[row]): why
            for part, mine in zip(self._parts, self._numbers, strict=True)
            for row, why in part.damaged.items()
        }

    def spectrum(self, number: int) -> Spectrum:
        """See `Spectra.spectrum`."""
        part = self._parts[int(self._part[number])]
        mz, intensities = part.spectrum(int(self._row[number]))
        return Spectrum(
            mz.astype(self.mz_dtype), intensities.astype(self.intensity_dtype)
        )

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """See `Spectra.blocks`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        largest = max(part.largest for part in self._parts)
        step = max(1, min(_MOST, BLOCK_BYTES // max(1, largest)))
        for begin in range(0, len(wanted), step):
            yield self._block(wanted[begin : begin + step])

    def _block(self, numbers: Numbers) -> Block:
        found: list[Spectrum] = [Spectrum(np.zeros(0), np.zeros(0))] * len(numbers)
        for part, places in self._split(numbers):
            at = 0
            for block in part.blocks(self._row[numbers[places]]):
                for k in range(len(block)):
                    found[int(places[at + k])] = block.spectrum(k)
                at += len(block)
        if self.common_mz is not None:
            rows = np.zeros((len(numbers), len(self.common_mz)), self.intensity_dtype)
            for row, one in zip(rows, found, strict=True):
                row[: len(one.intensities)] = one.intensities
            return CommonBlock(numbers, self.common_mz, rows)
        starts = np.zeros(len(found) + 1, np.int64)
        np.cumsum([len(one.mz) for one in found], out=starts[1:])
        return RaggedBlock(
            numbers,
            starts,
            np.concatenate([one.mz for one in found]).astype(self.mz_dtype),
            np.concatenate([one.intensities for one in found]).astype(
                self.intensity_dtype
            ),
        )

    def _split(self, numbers: Numbers) -> Iterator[tuple[ImzMLSpectra, Numbers]]:
        """Yield each part, and which places of some numbers are spectra of it."""
        which = self._part[numbers]
        for index, part in enumerate(self._parts):
            places = np.flatnonzero(which == index)
            if len(places):
                yield part, places

    def window(
        self,
        low: float,
        high: float,
        how: How = "sum",
        numbers: Numbers | None = None,
    ) -> Floats:
        """See `Spectra.window`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        values = np.zeros(len(wanted))
        for part, places in self._split(wanted):
            values[places] = part.window(low, high, how, self._row[wanted[places]])
        return values

    def mz_range(self) -> tuple[float, float]:
        """See `Spectra.mz_range`."""
        ranges = [part.mz_range() for part in self._parts]
        return min(low for low, _ in ranges), max(high for _, high in ranges)
