"""Where the record of each frame starts in an index: 16 bytes for each frame.

A writer that runs for days must find any of its millions of frames without keeping
their axes in memory. The newest frames are in a dictionary; older ones are only kept as
a hash of their axes beside their offset, in sorted rows that are merged as they grow.
Two axes may have the same hash, so what is found are candidates: the caller looks into
the index which of them it is.

Examples
--------
>>> table = OffsetTable(recent=2)
>>> for number in range(5):
...     table.add(b'{"time":%d}' % number, 100 * number)
>>> table.add(b'{"time":1}', 500)
>>> list(table.candidates(b'{"time":1}')), list(table.candidates(b'{"time":9}'))
([500, 100], [])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["OffsetTable"]


class OffsetTable:
    """Offsets by axes, newest first. Not thread safe.

    Parameters
    ----------
    recent : int
        How many frames are kept with their axes.
    """

    def __init__(self, *, recent: int = 4096) -> None:
        self._limit = recent
        self._recent: dict[bytes, int] = {}
        # Pairs of hashes, sorted, and offsets: oldest and longest first.
        self._rows: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []

    @property
    def nbytes(self) -> int:
        """Bytes of the rows, without the newest frames."""
        return sum(hashes.nbytes + offsets.nbytes for hashes, offsets in self._rows)

    def add(self, axes: bytes, offset: int) -> None:
        """Remember where the record of a frame starts; offsets grow."""
        self._recent[axes] = offset
        if len(self._recent) >= self._limit:
            self._settle()

    def candidates(self, axes: bytes) -> Iterator[int]:
        """Return where the record may start, the newest first."""
        found = self._recent.get(axes)
        if found is not None:
            yield found
        key = hash(axes)
        for hashes, offsets in reversed(self._rows):
            first, stop = np.searchsorted(hashes, (key, key + 1))
            if key == _LARGEST:
                stop = len(hashes)
            yield from sorted(offsets[first:stop].tolist(), reverse=True)

    def _settle(self) -> None:
        """Move the newest frames into a row; rows at most double from new to old."""
        count = len(self._recent)
        hashes = np.fromiter(map(hash, self._recent), np.int64, count)
        offsets = np.fromiter(self._recent.values(), np.int64, count)
        self._recent = {}
        while self._rows and len(self._rows[-1][0]) <= len(hashes):
            before = self._rows.pop()
            hashes = np.concatenate((before[0], hashes))
            offsets = np.concatenate((before[1], offsets))
        order = np.argsort(hashes, kind="stable")
        self._rows.append((hashes[order], offsets[order]))


_LARGEST = 2**63 - 1
