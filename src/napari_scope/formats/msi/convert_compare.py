"""Whether spectra that were written are those that were to be written.

Compared is what images show: of each pixel its spectrum, value by value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.passes import never, refuse, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.formats.msi.blocks import Numbers, Spectrum, Values
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["compare_spectra"]


def compare_spectra(
    source: Spectra,
    written: Spectra,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> int:
    """Compare each pixel's spectrum.

    Parameters
    ----------
    source, written : Spectra
        What was to be written, and what was read back.
    cancelled, progress : callable
        See `napari_scope.formats.msi.passes`.

    Returns
    -------
    int
        How many pixels there are.

    Raises
    ------
    FormatError
        If a spectrum differs, with its place.
    """
    table, other = source.pixels, written.pixels
    if table.shape != other.shape:
        raise FormatError(f"the image has the shape {other.shape}, not {table.shape}")
    ours, theirs = table.grid.reshape(-1), other.grid.reshape(-1)
    places = np.flatnonzero(ours >= 0)
    if (theirs[places] < 0).any() or (theirs >= 0).sum() != len(places):
        raise FormatError("other pixels have a spectrum than in the source")
    # In the order of the new file, which is read for the first time.
    places = places[np.argsort(theirs[places])]
    pairs = zip(
        _each(source, ours[places]), _each(written, theirs[places]), strict=True
    )
    for done, (one, two) in enumerate(pairs):
        if not _same(one, two):
            number = int(ours[places[done]])
            x, y, z = (int(c[number]) for c in (table.x, table.y, table.z))
            raise FormatError(f"the spectrum at x {x}, y {y}, z {z} differs")
        if done % 256 == 0:
            refuse(cancelled, "the conversion")
            progress(done / len(places))
    progress(1.0)
    return len(places)


def _each(spectra: Spectra, numbers: Numbers) -> Iterator[Spectrum]:
    for block in spectra.blocks(numbers):
        for k in range(len(block)):
            yield block.spectrum(k)


def _same(one: Spectrum, two: Spectrum) -> bool:
    if not len(one.mz) or not len(two.mz):
        # Where all others share an axis, a spectrum of no values is read as zeros.
        return not one.intensities.any() and not two.intensities.any()
    return _equal(one.mz, two.mz) and _equal(one.intensities, two.intensities)


def _equal(one: Values, two: Values) -> bool:
    floats = one.dtype.kind == "f" and two.dtype.kind == "f"
    return bool(np.array_equal(one, two, equal_nan=floats))
