"""Some of the spectra of a data set as if they were all there are.

Examples
--------
>>> Subset(spectra, spectra.pixels.numbers_of([0]))  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.msi.blocks import CommonBlock, RaggedBlock
from napari_scope.formats.msi.spectra import Spectra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.formats.msi.blocks import (
        Block,
        Floats,
        How,
        Numbers,
        Spectrum,
        Values,
    )

__all__ = ["Subset"]


class Subset(Spectra):
    """Some spectra of others.

    Parameters
    ----------
    whole : Spectra
        All of them.
    numbers : ndarray of int64
        Which ones.
    """

    def __init__(self, whole: Spectra, numbers: Numbers) -> None:
        super().__init__(
            whole.name,
            whole.pixels.only(numbers),
            whole.intensity_dtype,
            whole.mz_dtype,
            common_mz=whole.common_mz,
            is_profile=whole.is_profile,
            pixel_size=whole.pixel_size,
            metadata=whole.metadata,
            totals=None if whole.totals is None else whole.totals[numbers],
            cube_ppm=whole.cube_ppm,
        )
        self._whole = whole
        self._numbers = numbers

    def spectrum(self, number: int) -> Spectrum:
        """See `Spectra.spectrum`."""
        return self._whole.spectrum(int(self._numbers[number]))

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """See `Spectra.blocks`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        done = 0
        for block in self._whole.blocks(self._numbers[wanted]):
            own = wanted[done : done + len(block)]
            done += len(block)
            assert isinstance(block, CommonBlock | RaggedBlock)
            yield replace(block, numbers=own)

    def mz_range(self) -> tuple[float, float]:
        """See `Spectra.mz_range`."""
        return self._whole.mz_range()

    def window(
        self, low: float, high: float, how: How = "sum", numbers: Numbers | None = None
    ) -> Floats:
        """See `Spectra.window`."""
        return self._whole.window(low, high, how, self._of(numbers))

    def columns(self, bins: Numbers, numbers: Numbers | None = None) -> Values:
        """See `Spectra.columns`."""
        return self._whole.columns(bins, self._of(numbers))

    def _of(self, numbers: Numbers | None) -> Numbers:
        return self._numbers if numbers is None else self._numbers[numbers]
