"""Arrays of many spectra that are read in one piece and laid one behind the other.

Examples
--------
>>> buffer = np.arange(8, dtype=np.uint8)
>>> flat = np.empty(4, np.uint8)
>>> flatten(buffer, np.array([6, 1]), np.array([2, 2]), flat)
>>> flat.tolist()
[6, 7, 1, 2]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from napari_scope.formats.msi.blocks import Numbers, Values
    from napari_scope.formats.msi.imzml.arrays import Arrays

    Bytes = npt.NDArray[np.uint8]

__all__ = ["flatten", "runs", "span_of"]

# Bytes that are read at once: what is done with them is done in the processor's cache.
_PIECE: Final = 2 << 20
# Bytes that are read in vain, as a part of those that are needed.
_WASTE: Final = 2


def runs(mz: Arrays, intensity: Arrays, chosen: Numbers) -> Iterator[slice]:
    """Yield runs of spectra that are read in one piece."""
    ends = np.cumsum(mz.size[chosen] + intensity.size[chosen])
    begin = 0
    while begin < len(chosen):
        limit = _PIECE + (int(ends[begin - 1]) if begin else 0)
        end = max(begin + 1, int(np.searchsorted(ends, limit, "right")))
        yield slice(begin, end)
        begin = end


def span_of(mz: Arrays, intensity: Arrays, numbers: Numbers) -> tuple[int, int] | None:
    """Return where in the file the arrays of some spectra begin and end.

    None if they lie so far apart that they are not to be read in one piece. None of
    the spectra is empty.
    """
    begin = int(min(mz.offset[numbers].min(), intensity.offset[numbers].min()))
    end = int(
        max(
            (mz.offset[numbers] + mz.size[numbers]).max(),
            (intensity.offset[numbers] + intensity.size[numbers]).max(),
        )
    )
    needed = int((mz.size[numbers] + intensity.size[numbers]).sum())
    return None if end - begin > _WASTE * needed + (1 << 16) else (begin, end)


def flatten(buffer: Bytes, offset: Numbers, length: Numbers, flat: Values) -> None:
    """Copy arrays that begin somewhere in a buffer one behind the other.

    Parameters
    ----------
    buffer : ndarray of uint8
        What was read.
    offset : ndarray of int64
        Where in it each array begins, in bytes.
    length : ndarray of int64
        Number of values of each.
    flat : ndarray, (sum of all lengths,)
        Where they go.
    """
    width = flat.dtype.itemsize
    pieces = [
        buffer[at:stop]
        for at, stop in zip(
            offset.tolist(), (offset + length * width).tolist(), strict=True
        )
    ]
    np.concatenate(pieces, out=flat.view(np.uint8))
