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

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.msi import MSIData

    Planes = npt.NDArray[np.float32]

__all__ = ["neighbours", "planes"]

_AROUND = 8
_MOST_BYTES = 32 << 20


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
    return np.stack([data.image(row.astype(np.float32)) for row in values])


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
