"""Spectra that are in memory: computed ones, and those of other programs.

Examples
--------
>>> from napari_scope.formats.msi.pixels import PixelTable
>>> table = PixelTable.of([0, 1], [0, 0])
>>> spectra = MemorySpectra.over([100.0, 101.0], [[1, 2], [3, 4]], table)
>>> spectra.window(101.0, 101.0).tolist()
[2.0, 4.0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.blocks import CommonBlock, RaggedBlock, Spectrum
from napari_scope.formats.msi.spectra import BLOCK_BYTES, Spectra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi.blocks import Block, Numbers, Values
    from napari_scope.formats.msi.pixels import PixelTable

__all__ = ["MemorySpectra"]


class MemorySpectra(Spectra):
    """Spectra that are in memory.

    Parameters
    ----------
    name : str
        Name of the data set.
    pixels : PixelTable
        Where each spectrum lies.
    spectra : sequence of Spectrum
        The values; those over one axis share it.
    common_mz : ndarray, (bins,), optional
        The axis that all of them have.
    **known
        What else is known, see `Spectra`.

    Raises
    ------
    FormatError
        If there are more or fewer spectra than pixels, or a spectrum has more or fewer
        intensities than m/z values.
    """

    def __init__(
        self,
        name: str,
        pixels: PixelTable,
        spectra: Sequence[Spectrum],
        *,
        common_mz: Values | None = None,
        **known: Any,
    ) -> None:
        if len(pixels) != len(spectra):
            raise FormatError(f"{len(spectra)} spectra for {len(pixels)} pixels")
        for number, one in enumerate(spectra):
            if len(one.mz) != len(one.intensities):
                raise FormatError(
                    f"spectrum {number} has {len(one.mz)} m/z values and "
                    f"{len(one.intensities)} intensities"
                )
        each = spectra or [Spectrum(np.zeros(0), np.zeros(0))]
        super().__init__(
            name,
            pixels,
            np.result_type(*{np.asarray(one.intensities).dtype for one in each}),
            np.result_type(*{np.asarray(one.mz).dtype for one in each}),
            common_mz=common_mz,
            **known,
        )
        self._of_each = tuple(spectra)

    @classmethod
    def over(
        cls,
        mz: npt.ArrayLike,
        intensities: npt.ArrayLike,
        pixels: PixelTable,
        name: str = "",
        **known: Any,
    ) -> MemorySpectra:
        """Return spectra over one axis.

        Parameters
        ----------
        mz : array_like, (bins,)
            The axis.
        intensities : array_like, (spectra, bins)
            The values.
        pixels : PixelTable
            Where each spectrum lies.
        name : str
            Name of the data set.
        **known
            What else is known, see `Spectra`.
        """
        axis, values = np.asarray(mz), np.asarray(intensities)
        spectra = [Spectrum(axis, row) for row in values]
        return cls(name, pixels, spectra, common_mz=axis, **known)

    def spectrum(self, number: int) -> Spectrum:
        """See `Spectra.spectrum`."""
        return self._of_each[number]

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """See `Spectra.blocks`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        begin = size = 0
        for end, number in enumerate(wanted.tolist(), start=1):
            one = self._of_each[number]
            size += one.intensities.nbytes
            size += 0 if self.common_mz is not None else one.mz.nbytes
            if size >= BLOCK_BYTES or end == len(wanted):
                yield self._block(wanted[begin:end])
                begin, size = end, 0

    def _block(self, wanted: Numbers) -> Block:
        chosen = [self._of_each[number] for number in wanted.tolist()]
        values = [one.intensities for one in chosen]
        if self.common_mz is not None:
            return CommonBlock(wanted, self.common_mz, np.stack(values))
        starts = np.concatenate([[0], np.cumsum([len(v) for v in values])])
        mz = np.concatenate([one.mz for one in chosen])
        return RaggedBlock(wanted, starts, mz, np.concatenate(values))

    def mz_range(self) -> tuple[float, float]:
        """See `Spectra.mz_range`."""
        filled = [one.mz for one in self._of_each if len(one.mz)]
        if not filled:
            return 0.0, 0.0
        return float(min(m.min() for m in filled)), float(max(m.max() for m in filled))
