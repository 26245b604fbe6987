"""Which data sets of a file belong together: full scans and those of their ions.

A scan of the pieces of an ion names the scan that the ion was seen in, or follows it in
the file; the ion lies within its window. Files say the first, the second, or neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi.mzml.scan_types import ScanType

__all__ = ["find_parents"]


def find_parents(
    types: Sequence[ScanType],
    number: npt.NDArray[np.int64],
    ids: Sequence[str],
    refs: Sequence[str],
) -> list[tuple[int, ...]]:
    """Return for each kind of scan the kinds of one level less that it belongs to.

    Parameters
    ----------
    types : sequence of ScanType
        The kinds.
    number : ndarray of int64, (scans,)
        Which of them each scan is.
    ids, refs : sequence of str, (scans,)
        The name of each scan, and that of the scan it refers to.
    """
    parents: list[tuple[int, ...]] = []
    where = {name: n for n, name in enumerate(ids)} if any(refs) else {}
    for index, kind in enumerate(types):
        possible = [
            other
            for other, parent in enumerate(types)
            if parent.level == kind.level - 1 and _could_be(kind, parent)
        ]
        if len(possible) > 1:
            mine = np.flatnonzero(number == index)
            named = {
                int(number[where[refs[n]]]) for n in mine.tolist() if refs[n] in where
            }
            close = [other for other in possible if other in named]
            possible = close or _preceding(possible, number, mine) or possible
        parents.append(tuple(possible))
    return parents


def _could_be(kind: ScanType, parent: ScanType) -> bool:
    if kind.polarity and parent.polarity and kind.polarity != parent.polarity:
        return False
    if kind.precursor_mz is None or parent.window is None:
        return True
    low, high = parent.window
    return low <= kind.precursor_mz <= high


def _preceding(
    possible: list[int],
    number: npt.NDArray[np.int64],
    mine: npt.NDArray[np.int64],
) -> list[int]:
    """Return the kinds of the nearest possible scans before each of some scans."""
    candidate = np.where(np.isin(number, possible), np.arange(len(number)), -1)
    before = np.maximum.accumulate(candidate)[mine]
    found = set(number[before[before >= 0]].tolist())
    return [other for other in possible if other in found]
