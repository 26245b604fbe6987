"""One number for each spectrum that no window of m/z decides on: sums, highest peaks.

Examples
--------
>>> totals_of(spectra).shape  # doctest: +SKIP
(20000,)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.msi.passes import never, silent, watched

if TYPE_CHECKING:
    from napari_scope.formats.msi.blocks import Floats, Numbers
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["base_peaks_of", "totals_of"]


def totals_of(
    spectra: Spectra,
    numbers: Numbers | None = None,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> Floats:
    """Return the sum of all intensities of each spectrum.

    What the file tells is taken; what it does not tell of a spectrum is summed up.

    Parameters
    ----------
    spectra : Spectra
        The data set.
    numbers : ndarray of int64, optional
        Which spectra; all if not given.
    cancelled, progress : callable
        See `napari_scope.formats.msi.passes`.

    Raises
    ------
    CancelledError
        If it was cancelled.
    """
    wanted = np.arange(len(spectra)) if numbers is None else numbers
    known = spectra.totals
    totals = np.full(len(wanted), np.nan) if known is None else known[wanted]
    unknown = np.flatnonzero(~np.isfinite(totals))
    if len(unknown):
        every = numbers is None and len(unknown) == len(totals)
        blocks = spectra.blocks(None if every else wanted[unknown])
        found = watched(
            blocks, len(unknown), "adding up the spectra", cancelled, progress
        )
        totals[unknown] = np.concatenate([block.totals() for block in found])
    progress(1.0)
    return totals


def base_peaks_of(
    spectra: Spectra,
    numbers: Numbers | None = None,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> tuple[Floats, Floats]:
    """Return m/z and intensity of the highest value of each spectrum; 0 of empty ones.

    See `totals_of`.
    """
    count = len(spectra) if numbers is None else len(numbers)
    blocks = watched(
        spectra.blocks(numbers), count, "finding the base peaks", cancelled, progress
    )
    parts = [block.base_peaks() for block in blocks]
    if not parts:
        return np.zeros(0), np.zeros(0)
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
