"""The display range of each channel, measured on its first frame.

A store whose display settings are the full range of the camera opens nearly black.
The first frame of a channel is sampled sparsely, so this costs nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from napari_scope.model import Channel

__all__ = ["ContrastMeter", "display_range"]

_SAMPLES = 256  # in each direction


def display_range(frame: npt.NDArray[np.generic]) -> tuple[float, float] | None:
    """Return the range from the 0.1 to the 99.9 percentile of a sample of a frame.

    None where the frame is flat or has infinite pixels: it says nothing about the
    range.
    """
    rows = max(1, frame.shape[0] // _SAMPLES)
    columns = max(1, frame.shape[1] // _SAMPLES)
    sample = frame[::rows, ::columns].ravel().astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinite pixels
        low, high = np.percentile(sample, (0.1, 99.9))
    if not np.isfinite((low, high)).all() or high <= low:
        return None
    return float(low), float(high)


class ContrastMeter:
    """Remembers the display range of the first telling frame of each channel."""

    def __init__(self) -> None:
        self._ranges: dict[str | int, tuple[float, float]] = {}
        self._flat: dict[str | int, int] = {}

    def add(self, channel: str | int, frame: npt.NDArray[np.generic]) -> None:
        """Look at a frame, unless its channel is known already."""
        if channel in self._ranges:
            return
        # Looking takes a millisecond. While a channel stays flat, its frames 1, 2, 4,
        # 8, ... are looked at: a run in the dark must not cost that for each.
        number = self._flat[channel] = self._flat.get(channel, 0) + 1
        if number & (number - 1):
            return
        found = display_range(frame)
        if found is not None:
            self._ranges[channel] = found

    def know(self, names: Iterable[str | int], limits: tuple[float, float]) -> None:
        """Take the range of a channel as known, by all its names."""
        for name in names:
            self._ranges.setdefault(name, limits)

    def apply(self, channels: Sequence[Channel]) -> tuple[Channel, ...]:
        """Return the channels with the ranges found, where they state none."""
        result = []
        for number, channel in enumerate(channels):
            found = self._ranges.get(channel.name, self._ranges.get(number))
            if channel.contrast_limits is None and found is not None:
                channel = replace(channel, contrast_limits=found)
            result.append(channel)
        return tuple(result)
