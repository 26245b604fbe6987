"""As many points of a spectrum as a screen can show, none of its peaks lost.

A part of a spectrum is drawn into some hundred columns of pixels. Of a profile the
least and the largest value of each column are kept, of peaks the largest: what is
painted looks the same and takes the same time for a thousand and for a million points.

Examples
--------
>>> mz = np.arange(6.0)
>>> thin_sticks(mz, np.array([1.0, 5, 2, 3, 9, 4]), 0, 6, 2)
(array([1., 4.]), array([5., 9.]))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[Any]

__all__ = ["best_of_runs", "thin_line", "thin_sticks"]


def _part(mz: Values, low: float, high: float, margin: int) -> slice:
    first, last = np.searchsorted(mz, (low, high))
    return slice(max(0, int(first) - margin), min(len(mz), int(last) + margin))


def _columns(mz: Values, low: float, high: float, columns: int) -> Values:
    """Return where each column that holds a value begins."""
    edges = np.linspace(low, high, columns + 1)[1:-1]
    starts = np.concatenate([[0], np.searchsorted(mz, edges)])
    starts = np.unique(starts)
    return starts[starts < len(mz)]


def best_of_runs(values: Values, starts: Values) -> Values:
    """Return the place of the largest value of each run, the first of equal ones.

    Parameters
    ----------
    values : ndarray
        The values, at least one.
    starts : ndarray of int
        Where each run begins, ascending; the first at 0.
    """
    largest = np.maximum.reduceat(values, starts)
    lengths = np.diff(np.append(starts, len(values)))
    hits = np.flatnonzero(values == np.repeat(largest, lengths))
    runs = np.searchsorted(starts, hits, "right")
    _, first = np.unique(runs, return_index=True)
    found: Values = hits[first]
    return found


def thin_sticks(
    mz: Values, values: Values, low: float, high: float, columns: int
) -> tuple[Values, Values]:
    """Return the peaks between two m/z values, of each column the highest.

    Parameters
    ----------
    mz, values : ndarray
        The spectrum, m/z ascending.
    low, high : float
        What is shown.
    columns : int
        Into how many columns.
    """
    part = _part(mz, low, high, 0)
    mz, values = mz[part], values[part]
    if len(mz) <= 2 * columns:
        return mz, values
    best = best_of_runs(values, _columns(mz, low, high, columns))
    return mz[best], values[best]


def thin_line(
    mz: Values, values: Values, low: float, high: float, columns: int
) -> tuple[Values, Values]:
    """Return the line between two m/z values, of each column its two extremes.

    One point beyond each end is kept: the line leaves the picture at its edges.
    See `thin_sticks` for the parameters.
    """
    part = _part(mz, low, high, 1)
    mz, values = mz[part], values[part]
    if len(mz) <= 4 * columns:
        return mz, values
    starts = _columns(mz, low, high, columns)
    both = np.concatenate([best_of_runs(values, starts), best_of_runs(-values, starts)])
    kept = np.unique(np.concatenate([both, [0, len(mz) - 1]]))
    return mz[kept], values[kept]
