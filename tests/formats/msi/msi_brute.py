"""The plainest way to get what the readers get: loops over spectra, for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi import Spectrum


def window(
    spectra: Sequence[Spectrum], low: float, high: float, how: str
) -> npt.NDArray[np.float64]:
    values = np.zeros(len(spectra))
    for number, (mz, intensities) in enumerate(spectra):
        inside = [
            float(v) for m, v in zip(mz, intensities, strict=True) if low <= m <= high
        ]
        if inside:
            total = {"sum": sum, "max": max, "mean": np.mean}[how]
            values[number] = total(inside)
    return values


def image(
    values: npt.NDArray[np.float64], x: Sequence[int], y: Sequence[int]
) -> npt.NDArray[np.float64]:
    found = np.zeros((max(y) - min(y) + 1, max(x) - min(x) + 1))
    for value, column, row in zip(values, x, y, strict=True):
        found[row - min(y), column - min(x)] = value
    return found
