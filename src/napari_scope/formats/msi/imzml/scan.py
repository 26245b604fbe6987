"""A window of m/z over spectra with m/z values of their own, in one pass over the file.

Nothing is taken for granted of the order of the m/z values. The file is read in
pieces into one buffer, the m/z values of a piece are compared at once, and intensities
are looked at where they lie in the window only.

Examples
--------
>>> scan_window(
...     read_into, part, np.arange(20000), 500.0, 500.5, "sum"
... )  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.msi.blocks import reduce_owned
from napari_scope.formats.msi.imzml.gather import flatten, runs, span_of
from napari_scope.formats.msi.windows import edges_in

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from napari_scope.formats.msi.blocks import Floats, How, Numbers, Values
    from napari_scope.formats.msi.imzml.arrays import Arrays
    from napari_scope.formats.msi.imzml.layout import Part

    Bytes = npt.NDArray[np.uint8]
    ReadInto = Callable[[int, memoryview], None]

__all__ = ["can_scan", "scan_window"]


def can_scan(part: Part) -> bool:
    """Return whether the arrays are stored as they are."""
    return part.mz.compression == part.intensity.compression == "none"


def scan_window(
    read_into: ReadInto,
    part: Part,
    numbers: Numbers,
    low: float,
    high: float,
    how: How,
) -> Floats | None:
    """Return one number for each spectrum from low <= m/z <= high.

    Parameters
    ----------
    read_into : callable
        Fills a buffer from an offset of the file on, or raises.
    part : Part
        Where the spectra lie.
    numbers : ndarray of int64
        Which spectra.
    low, high, how
        See `Spectra.window`.

    Returns
    -------
    ndarray of float64, (spectra,) or None
        None if the arrays lie too far apart for this way.
    """
    mz, intensity = part.mz, part.intensity
    filled = np.flatnonzero(mz.size[numbers])
    chosen = numbers[filled]
    # In the order of the file, whatever the order of the numbers is.
    order = np.argsort(mz.offset[chosen], kind="stable")
    filled, chosen = filled[order], chosen[order]
    values = np.zeros(len(numbers))
    buffer = np.empty(0, np.uint8)
    flat = np.empty(0, mz.dtype)
    for run in runs(mz, intensity, chosen):
        mine = chosen[run]
        span = span_of(mz, intensity, mine)
        if span is None:
            return None
        begin, end = span
        if len(buffer) < end - begin:
            buffer = np.empty(end - begin, np.uint8)
        read_into(begin, buffer[: end - begin].data)
        starts = np.zeros(len(mine) + 1, np.int64)
        np.cumsum(mz.length[mine], out=starts[1:])
        if len(flat) < starts[-1]:
            flat = np.empty(int(starts[-1]), mz.dtype)
        flatten(buffer, mz.offset[mine] - begin, mz.length[mine], flat[: starts[-1]])
        inside = _inside(flat[: starts[-1]], *edges_in(mz.dtype, low, high))
        owner = np.searchsorted(starts, inside, "right") - 1
        places = inside - starts[owner]
        at = intensity.offset[mine][owner] - begin
        heights = _gathered(buffer, at, places, intensity)
        values[filled[run]] = reduce_owned(heights, owner, len(mine), how)
    return values


def _inside(mz: Values, low: float, high: float) -> Numbers:
    inside = mz >= low
    np.logical_and(inside, mz <= high, out=inside)
    return np.flatnonzero(inside)


def _gathered(buffer: Bytes, at: Numbers, places: Numbers, intensity: Arrays) -> Values:
    """Return the intensities at some places of arrays that begin somewhere."""
    width = intensity.dtype.itemsize
    rows = (at + places * width)[:, np.newaxis] + np.arange(width)
    return np.ascontiguousarray(buffer[rows]).view(intensity.dtype).ravel()
