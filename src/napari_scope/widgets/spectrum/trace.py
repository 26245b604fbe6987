"""A spectrum as it is drawn, and its peaks.

Examples
--------
>>> trace = Trace("mean", Spectrum(np.array([1.0, 2.0]), np.array([5.0, 9.0])))
>>> nearest_peak([trace], 1.8, 0.5)
2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.formats.msi import Spectrum

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = [
    "COLORS",
    "Trace",
    "highest_peaks",
    "legend_of",
    "nearest_peak",
    "next_color",
]

COLORS: Final = (
    "#3d8fd1",
    "#e08a2e",
    "#3fa45b",
    "#c65bb0",
    "#d9534f",
    "#8a7be0",
    "#2ba8a8",
    "#a08a2c",
)
"""Readable on napari's dark and on its light background, told apart by most eyes."""


@dataclass(frozen=True, eq=False)
class Trace:
    """A spectrum with a name.

    Parameters
    ----------
    name : str
        What it is of; traces of one name replace each other.
    spectrum : Spectrum
        The values; m/z ascending.
    color : str
        Its colour.
    is_profile : bool
        Whether it is drawn as a line; otherwise each value is a stick.
    shown : bool
        Whether it is drawn at all.
    """

    name: str
    spectrum: Spectrum
    color: str = COLORS[0]
    is_profile: bool = False
    shown: bool = True

    @staticmethod
    def of(
        name: str, spectrum: Spectrum, color: str = COLORS[0], is_profile: bool = False
    ) -> Trace:
        """Return a trace of a spectrum as a file has it, in whatever order."""
        mz = np.asarray(spectrum.mz, np.float64)
        values = np.asarray(spectrum.intensities, np.float64)
        kept = np.isfinite(mz) & np.isfinite(values)
        if not kept.all():
            mz, values = mz[kept], values[kept]
        if len(mz) > 1 and (mz[1:] < mz[:-1]).any():
            order = np.argsort(mz, kind="stable")
            mz, values = mz[order], values[order]
        return Trace(name, Spectrum(mz, values), color, is_profile)

    @property
    def mz(self) -> npt.NDArray[Any]:
        """Its m/z values."""
        return self.spectrum.mz

    @property
    def intensities(self) -> npt.NDArray[Any]:
        """Its intensities."""
        return self.spectrum.intensities


def next_color(used: Iterable[str]) -> str:
    """Return the colour that is used least."""
    taken = list(used)
    return min(COLORS, key=taken.count)


def legend_of(traces: Iterable[Trace], most: int = 5) -> str:
    """Return names and colours as rich text."""
    words = [
        f'<span style="color:{trace.color}">\u25a0</span> {escape(trace.name)}'
        for trace in traces
    ]
    more = [f"and {len(words) - most} more"] if len(words) > most else []
    return " &nbsp; ".join([*words[:most], *more])


def nearest_peak(traces: Iterable[Trace], mz: float, reach: float) -> float | None:
    """Return the m/z of the peak that is meant by a place.

    The highest value within reach; beyond it the nearest value above 0 within ten
    times the reach. None if there is nothing.

    Parameters
    ----------
    traces : iterable of Trace
        Spectra that are shown.
    mz : float
        The place.
    reach : float
        How far the hand may be off, in m/z.
    """
    found: list[tuple[float, float]] = []
    near: list[tuple[float, float]] = []
    for trace in traces:
        low, high = np.searchsorted(trace.mz, (mz - reach, mz + reach))
        if high > low:
            best = int(low + np.argmax(trace.intensities[low:high]))
            if trace.intensities[best] > 0:
                found.append((float(trace.intensities[best]), float(trace.mz[best])))
                continue
        low, high = np.searchsorted(trace.mz, (mz - 10 * reach, mz + 10 * reach))
        places = low + np.flatnonzero(trace.intensities[low:high] > 0)
        if len(places):
            values = trace.mz[places]
            nearest = float(values[np.argmin(np.abs(values - mz))])
            near.append((abs(nearest - mz), nearest))
    if found:
        return max(found)[1]
    return min(near)[1] if near else None


def highest_peaks(
    trace: Trace, low: float, high: float, most: int
) -> list[tuple[float, float]]:
    """Return m/z and intensity of the highest peaks between two m/z values.

    They lie apart by at least a fourteenth of the way, so that there is room for words,
    and what is not a twentieth as high as the highest is noise to the eye.
    """
    first, last = np.searchsorted(trace.mz, (low, high))
    mz, values = trace.mz[first:last], trace.intensities[first:last]
    apart = (high - low) / 14
    found: list[tuple[float, float]] = []
    if not len(mz):
        return found
    # The highest of each piece is enough to find the highest of all.
    edges = np.linspace(low, high, 160)
    starts = np.unique(np.searchsorted(mz, edges[:-1]))
    starts = starts[starts < len(mz)]
    ends = [*starts[1:].tolist(), len(mz)]
    best = np.array(
        [s + int(np.argmax(values[s:e])) for s, e in zip(starts, ends, strict=True)]
    )
    for place in best[np.argsort(values[best])[::-1]]:
        least = found[0][1] / 20 if found else 0.0
        if len(found) >= most or values[place] <= least:
            break
        if all(abs(mz[place] - other) >= apart for other, _ in found):
            found.append((float(mz[place]), float(values[place])))
    return found
