"""A spectrum as it is drawn, and its peaks.

Examples
--------
>>> trace = Trace("mean", Spectrum(np.array([1.0, 2.0]), np.array([5.0, 9.0])))
>>> nearest_peak([trace], 1.8, 0.5)
2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.formats.msi import Spectrum
from napari_scope.widgets.common.plotting import CURVE_COLORS
from napari_scope.widgets.spectrum.thinning import best_of_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    Values = npt.NDArray[Any]

__all__ = [
    "Trace",
    "highest_peaks",
    "legend_of",
    "nearest_peak",
    "next_color",
    "peak_beside",
]


_LONG: Final = 26  # letters of a name in the legend


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
    owner, own : str
        If it is put aside: which data set it is of, and its name there.
    """

    name: str
    spectrum: Spectrum
    color: str = CURVE_COLORS[0]
    is_profile: bool = False
    shown: bool = True
    owner: str = ""
    own: str = ""

    @staticmethod
    def of(
        name: str,
        spectrum: Spectrum,
        color: str = CURVE_COLORS[0],
        is_profile: bool = False,
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

    @cached_property
    def highest(self) -> float:
        """The highest of its intensities, 0 if it has none."""
        return float(self.intensities.max(initial=0.0))

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
    return min(CURVE_COLORS, key=taken.count)


def legend_of(traces: Iterable[Trace], most: int = 5) -> str:
    """Return names and colours as rich text."""
    words = [
        f'<span style="color:{trace.color}">\u25a0</span> {escape(_short(trace.name))}'
        for trace in traces
    ]
    more = [f"and {len(words) - most} more"] if len(words) > most else []
    return " &nbsp; ".join([*words[:most], *more])


def _short(name: str) -> str:
    """Leave out the middle of a long name: data set and kind stand at its ends."""
    return name if len(name) <= _LONG else f"{name[: _LONG // 2]}…{name[-_LONG // 2 :]}"


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


def peak_beside(
    traces: Iterable[Trace], mz: float, forward: bool, reach: float
) -> float | None:
    """Return the m/z of the next peak on one side of a place, None if there is none.

    A peak is the highest value within reach of itself, and not a thousand times lower
    than the highest of its spectrum.

    Parameters
    ----------
    traces : iterable of Trace
        Spectra that are shown.
    mz : float
        The place; it must be left by more than the reach.
    forward : bool
        Whether to higher m/z.
    reach : float
        Half of the least distance of peaks, in m/z.
    """
    found: list[float] = []
    for trace in traces:
        values = trace.intensities
        if forward:
            first, last = (
                int(np.searchsorted(trace.mz, mz + reach, "right")),
                len(values),
            )
        else:
            first, last = 0, int(np.searchsorted(trace.mz, mz - reach))
        high = first + np.flatnonzero(
            (values[first:last] > 0) & (values[first:last] >= trace.highest / 1000)
        )
        for place in high if forward else high[::-1]:
            at = trace.mz[place]
            low, end = np.searchsorted(trace.mz, (at - reach, at + reach))
            if values[place] >= values[low : max(end, place + 1)].max():
                found.append(float(at))
                break
    if not found:
        return None
    return min(found) if forward else max(found)


def highest_peaks(
    spectra: Sequence[tuple[Values, Values]], low: float, high: float, most: int
) -> list[tuple[float, float]]:
    """Return m/z and intensity of the highest peaks between two m/z values.

    They lie apart by at least a fourteenth of the way, so that there is room for words,
    and what is not a twentieth as high as the highest is noise to the eye.

    Parameters
    ----------
    spectra : sequence of (ndarray, ndarray)
        m/z, ascending, and intensities of each.
    low, high : float
        The part in sight.
    most : int
        How many there may be.
    """
    mz = np.concatenate([mz for mz, _ in spectra]) if spectra else np.zeros(0)
    values = np.concatenate([v for _, v in spectra]) if spectra else np.zeros(0)
    if len(spectra) > 1:
        order = np.argsort(mz, kind="stable")
        mz, values = mz[order], values[order]
    first, last = np.searchsorted(mz, (low, high))
    mz, values = mz[first:last], values[first:last]
    apart = (high - low) / 14
    found: list[tuple[float, float]] = []
    if not len(mz):
        return found
    # The highest of each piece is enough to find the highest of all.
    edges = np.linspace(low, high, 160)
    starts = np.unique(np.searchsorted(mz, edges[:-1]))
    starts = starts[starts < len(mz)]
    starts = np.unique(np.append(starts, 0))
    best = best_of_runs(values, starts)
    for place in best[np.argsort(values[best])[::-1]]:
        least = found[0][1] / 20 if found else 0.0
        if len(found) >= most or values[place] <= least:
            break
        if all(abs(mz[place] - other) >= apart for other, _ in found):
            found.append((float(mz[place]), float(values[place])))
    return found
