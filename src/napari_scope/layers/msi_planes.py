"""Channels of a mass-spectrometry image, a few neighbours in one go.

A channel is a bin of the m/z axis of the cube (`MSIData.axis`), so that what a slider
shows is what a slice of the cube returns. Neighbours cost little where they lie side by
side in the file, or where each spectrum has to be read whole; elsewhere only the
channel that is asked for is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.msi.axes import InterpolatedAxis
from napari_scope.formats.msi.blocks import finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi import MSIData

    Planes = npt.NDArray[np.float32]

__all__ = ["neighbours", "part", "planes"]

_AROUND = 8
_MOST_BYTES = 32 << 20
_MOST_AT_ONCE = 256 << 20  # bytes that are read in one pass over the spectra


def neighbours(data: MSIData, channel: int) -> range:
    """Return the channels that are best read together with one."""
    width, height, depth = data.pixels.shape
    common = data.spectra.common_mz is not None
    if not (common or isinstance(data.axis, InterpolatedAxis)):
        return range(channel, channel + 1)
    around = min(_AROUND, _MOST_BYTES // max(1, 8 * width * height * depth))
    return range(max(0, channel - around), min(len(data.axis), channel + around + 1))


def planes(data: MSIData, channels: range) -> Planes:
    """Return some channels, (channels, y, x) or (channels, z, y, x).

    Raises
    ------
    ScopeError
        If the spectra cannot be read.
    """
    axis = data.axis
    if data.spectra.common_mz is not None:
        bins = np.arange(channels.start, channels.stop)
        values = data.spectra.columns(bins, data.numbers).T
    elif isinstance(axis, InterpolatedAxis):
        values = _interpolated(data, axis.mz[channels.start : channels.stop])
    else:
        values = np.stack([data.window(*axis.window(c)) for c in channels])
    return np.stack([data.image(finite(row.astype(np.float32))) for row in values])


def part(data: MSIData, wanted: Sequence[range]) -> Planes:
    """Return a part of many channels, in as few passes over the spectra as memory lets.

    Parameters
    ----------
    data : MSIData
        The data set.
    wanted : sequence of range
        Channels, z if it is a volume, y, x.

    Returns
    -------
    ndarray of float32, (channels, y, x) or (channels, z, y, x)
        The values; 0 for what is no finite number.

    Raises
    ------
    ScopeError
        If the spectra cannot be read.
    """
    channels, *places = wanted
    out = np.zeros(tuple(map(len, wanted)), np.float32)
    each = max(1, _MOST_AT_ONCE // max(1, 8 * int(np.prod(out.shape[1:]))))
    where = [slice(p.start, p.stop, p.step) for p in reversed(places)]
    for first in range(0, len(channels), each):
        some = channels[first : first + each]
        cube = data[(*where, slice(some.start, some.stop, some.step))]
        out[first : first + each] = finite(cube.astype(np.float32)).T
    return out


def _interpolated(data: MSIData, at: npt.NDArray[np.float64]) -> Planes:
    """Return the profiles' values at some m/z, (m/z, spectra); 0 outside of them."""
    values = np.zeros((len(at), len(data)), np.float32)
    done = 0
    for block in data.spectra.blocks(data.numbers):
        for k in range(len(block)):
            mz, heights = block.spectrum(k)
            if len(mz):
                # What lies around the values, not the whole of a long profile.
                first = max(0, int(np.searchsorted(mz, at[0])) - 1)
                last = int(np.searchsorted(mz, at[-1], "right")) + 1
                part = slice(first, last)
                values[:, done] = np.interp(
                    at, mz[part], heights[part], left=0.0, right=0.0
                )
            done += 1
    return values
