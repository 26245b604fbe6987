"""Making spectra comparable: one factor for each, by which its intensities are scaled.

A factor is the mean norm of all spectra divided by the norm of its own: intensities
keep their order of magnitude. A spectrum whose norm is 0 (it is empty, or lacks the
reference) gets the factor 0, so no image has values that are no numbers.

==============  ======================================================================
``none``        nothing is scaled
``tic``         sum of the intensities
``rms``         root of the mean square of the intensities
``median``      median of the intensities above 0
`Reference`     sum of the intensities in a window, of an internal standard for example
==============  ======================================================================

Examples
--------
>>> factors_of(np.array([2.0, 0.0, 4.0])).tolist()
[1.5, 0.0, 0.75]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from napari_scope.formats.msi.maps import totals_of
from napari_scope.formats.msi.passes import never, silent, watched
from napari_scope.formats.msi.windows import ToleranceUnit, mz_window

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.msi.blocks import Block, Floats, Numbers
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["Normalisation", "Reference", "factors_of", "norms"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A peak that is to be equally high in all spectra.

    Parameters
    ----------
    mz : float
        Its m/z.
    tolerance : float
        Half of the width of its window.
    unit : {"Da", "ppm"}
        Unit of the tolerance.
    """

    mz: float
    tolerance: float = 0.25
    unit: ToleranceUnit = "Da"


Normalisation: TypeAlias = Literal["none", "tic", "rms", "median"] | Reference


def factors_of(norm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the factor for each norm: mean of those above 0, divided by it; or 0."""
    above = (norm > 0) & np.isfinite(norm)
    factors = np.zeros(len(norm))
    if above.any():
        factors[above] = norm[above].mean() / norm[above]
    return factors


def norms(
    spectra: Spectra,
    kind: Normalisation,
    numbers: Numbers | None = None,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> Floats:
    """Return the norm of each spectrum.

    Parameters
    ----------
    spectra : Spectra
        The data set.
    kind : {"none", "tic", "rms", "median"} or Reference
        Which norm.
    numbers : ndarray of int64, optional
        Which spectra; all if not given.
    cancelled, progress : callable
        See `napari_scope.formats.msi.passes`.

    Raises
    ------
    ValueError
        If there is no such norm.
    CancelledError
        If it was cancelled.
    """
    if isinstance(kind, Reference):
        low, high = mz_window(kind.mz, kind.tolerance, kind.unit)
        return spectra.window(low, high, "sum", numbers)
    if kind == "none":
        return np.ones(len(spectra) if numbers is None else len(numbers))
    if kind == "tic":
        return totals_of(spectra, numbers, cancelled, progress)
    of_block = {"rms": _root_mean_squares, "median": _medians}
    if kind not in of_block:
        raise ValueError(
            f"no normalisation {kind!r}; there are none, tic, {', '.join(of_block)} "
            "and Reference"
        )
    count = len(spectra) if numbers is None else len(numbers)
    blocks = watched(
        spectra.blocks(numbers), count, "normalising the spectra", cancelled, progress
    )
    parts = [of_block[kind](block) for block in blocks]
    return np.concatenate(parts) if parts else np.zeros(0)


def _root_mean_squares(block: Block) -> Floats:
    return np.sqrt(block.squares() / np.maximum(block.counts(), 1))


def _medians(block: Block) -> Floats:
    medians = np.zeros(len(block))
    for k in range(len(block)):
        values = block.spectrum(k).intensities
        above = values[values > 0]
        if len(above):
            # Several times as quick as `np.median`, which is made for many axes.
            above.sort()
            middle = len(above) // 2
            both = above[middle - 1 + len(above) % 2 : middle + 1]
            medians[k] = both.mean(dtype=np.float64)
    return medians
