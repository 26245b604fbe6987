"""A window of m/z over spectra with m/z values of their own, in one pass over the file.

Nothing is taken for granted of the order of the m/z values. The file is read in large
pieces into one buffer, the m/z values of a piece are compared at once, and intensities
are looked at where they lie in the window only.

Examples
--------
>>> scan_window(file, layout, np.arange(20000), 500.0, 500.5, "sum")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.formats.msi.blocks import reduce_owned
from napari_scope.formats.msi.spectra import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from napari_scope.formats.msi.blocks import Floats, How, Numbers, Values
    from napari_scope.formats.msi.imzml.layout import Arrays, Layout

    Bytes = npt.NDArray[np.uint8]
    ReadInto = Callable[[int, memoryview], None]

__all__ = ["can_scan", "scan_window"]

# Bytes that are read in vain, as a part of those that are needed.
_WASTE: Final = 2


def can_scan(layout: Layout) -> bool:
    """Return whether the arrays are stored as they are."""
    return layout.mz.compression == layout.intensity.compression == "none"


def scan_window(
    read_into: ReadInto,
    layout: Layout,
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
    layout : Layout
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
    mz, intensity = layout.mz, layout.intensity
    filled = np.flatnonzero(mz.size[numbers])
    chosen = numbers[filled]
    # In the order of the file, whatever the order of the numbers is.
    order = np.argsort(mz.offset[chosen], kind="stable")
    filled, chosen = filled[order], chosen[order]
    values = np.zeros(len(numbers))
    buffer = np.empty(0, np.uint8)
    flat = np.empty(0, mz.dtype)
    for part in _parts(mz, intensity, chosen):
        mine = chosen[part]
        begin = int(min(mz.offset[mine].min(), intensity.offset[mine].min()))
        end = int(
            max(
                (mz.offset[mine] + mz.size[mine]).max(),
                (intensity.offset[mine] + intensity.size[mine]).max(),
            )
        )
        needed = int((mz.size[mine] + intensity.size[mine]).sum())
        if end - begin > _WASTE * needed + (1 << 16):
            return None
        if len(buffer) < end - begin:
            buffer = np.empty(end - begin, np.uint8)
        read_into(begin, buffer[: end - begin].data)
        starts = np.zeros(len(mine) + 1, np.int64)
        np.cumsum(mz.length[mine], out=starts[1:])
        if len(flat) < starts[-1]:
            flat = np.empty(int(starts[-1]), mz.dtype)
        _flatten(buffer, mz.offset[mine] - begin, mz.length[mine], flat[: starts[-1]])
        inside = _inside(flat[: starts[-1]], low, high)
        owner = np.searchsorted(starts, inside, "right") - 1
        places = inside - starts[owner]
        at = intensity.offset[mine][owner] - begin
        heights = _gathered(buffer, at, places, intensity)
        values[filled[part]] = reduce_owned(heights, owner, len(mine), how)
    return values


def _parts(mz: Arrays, intensity: Arrays, chosen: Numbers) -> Iterator[slice]:
    """Yield runs of spectra that are read in one piece."""
    ends = np.cumsum(mz.size[chosen] + intensity.size[chosen])
    begin = 0
    while begin < len(chosen):
        limit = BLOCK_BYTES + (int(ends[begin - 1]) if begin else 0)
        end = max(begin + 1, int(np.searchsorted(ends, limit, "right")))
        yield slice(begin, end)
        begin = end


def _flatten(buffer: Bytes, offset: Numbers, length: Numbers, flat: Values) -> None:
    """Copy the m/z values of all spectra one behind the other."""
    width = flat.dtype.itemsize
    target = flat.view(np.uint8)
    pieces = [
        buffer[at:stop]
        for at, stop in zip(
            offset.tolist(), (offset + length * width).tolist(), strict=True
        )
    ]
    np.concatenate(pieces, out=target)


def _inside(mz: Values, low: float, high: float) -> Numbers:
    inside = mz >= low
    np.logical_and(inside, mz <= high, out=inside)
    return np.flatnonzero(inside)


def _gathered(buffer: Bytes, at: Numbers, places: Numbers, intensity: Arrays) -> Values:
    """Return the intensities at some places of arrays that begin somewhere."""
    width = intensity.dtype.itemsize
    rows = (at + places * width)[:, np.newaxis] + np.arange(width)
    return np.ascontiguousarray(buffer[rows]).view(intensity.dtype).ravel()
