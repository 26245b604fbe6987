"""How many peaks a data set has, and where: what a table of them needs to be made.

Examples
--------
>>> counted = PeakCount.of(spectra)  # doctest: +SKIP
>>> counted.total, counted.table_bytes  # doctest: +SKIP
(10000000, 140000000)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.formats.msi.passes import never, silent, watched
from napari_scope.formats.msi.peak_store import Peaks

if TYPE_CHECKING:
    from napari_scope.formats.msi.blocks import Numbers, Values
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["PeakCount", "types_of"]

_BINS: Final = 1 << 16  # of m/z, to find buckets of equal size
_BUCKETS: Final = 64


def types_of(spectra: Spectra) -> Peaks:
    """Return the types of the columns of a table."""
    few = len(spectra) <= 1 << 16
    owner = np.dtype(np.uint16 if few else np.uint32)
    return Peaks(spectra.mz_dtype, owner, spectra.intensity_dtype)


class PeakCount:
    """How many peaks lie where, and buckets of about equal size.

    Parameters
    ----------
    spectra : Spectra
        The data set; `of` counts its peaks.
    """

    def __init__(self, spectra: Spectra) -> None:
        low, high = spectra.mz_range()
        self._low = low
        self._scale = (_BINS - 1) / (high - low) if high > low else 0.0
        self._counts = np.zeros(_BINS, np.int64)
        self.types = types_of(spectra)

    @classmethod
    def of(
        cls,
        spectra: Spectra,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> PeakCount:
        """Go through all spectra once.

        Raises
        ------
        CancelledError
            If it was cancelled.
        """
        found = cls(spectra)
        blocks = spectra.blocks()
        what = "sorting the peaks"
        for block in watched(blocks, len(spectra), what, cancelled, progress):
            # Without a common axis there are no other blocks.
            mz: Values = block.mz  # type: ignore[attr-defined]
            found._counts += np.bincount(found.bins_of(mz), minlength=_BINS)
        return found

    @property
    def total(self) -> int:
        """Number of all peaks."""
        return int(self._counts.sum())

    @property
    def table_bytes(self) -> int:
        """How large the table is."""
        return self.total * self.types.width

    def bins_of(self, mz: Values) -> Numbers:
        """Return the bin of each m/z; those above the known range are in the last."""
        places = (mz.astype(np.float64) - self._low) * self._scale
        # What is no number is sorted behind all numbers.
        places = np.nan_to_num(np.clip(places, 0, _BINS - 1), nan=_BINS - 1)
        bins: Numbers = places.astype(np.int64)
        return bins

    def buckets(self) -> tuple[Numbers, Values]:
        """Return where each bucket begins and ends, and the bucket of each bin."""
        ends = np.cumsum(self._counts)
        size = max(1, -(-self.total // _BUCKETS))
        bucket = ((ends - self._counts) // size).astype(np.uint16)
        n = int(bucket[-1]) + 1
        sizes = np.bincount(bucket, self._counts, minlength=n).astype(np.int64)
        return np.concatenate([[0], np.cumsum(sizes)]), bucket
