"""From the axes of an image to its row in the index, fast and without dictionaries.

The codes of an image's axes are digits of one number (mixed radix). Where the numbers
are dense a table of them answers, otherwise a sorted list. A few bytes for each image,
where a dictionary of axes takes hundreds.

Examples
--------
>>> import numpy as np
>>> lookup = RowLookup(np.array([[0, 0], [0, 1], [1, -1], [0, 0]]), (2, 2))
>>> lookup.row((0, 0)), lookup.row((1, -1)), lookup.row((1, 1))
(3, 2, None)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["RowLookup"]

_LARGEST = 2**62  # keys stay inside int64
_SPARSE = 8  # table entries for each image that a table may cost


class RowLookup:
    """Finds the row of an image; of rows with equal axes the last one counts.

    Parameters
    ----------
    codes : ndarray of int, shape (images, axes)
        Code of each axis of each image, -1 where the image lacks the axis.
    sizes : sequence of int
        Number of values of each axis.
    """

    def __init__(self, codes: npt.NDArray[np.int32], sizes: Sequence[int]) -> None:
        self._bases = [size + 1 for size in sizes]
        self._empty = not len(codes)
        # Where keys would grow too large they are replaced by their rank.
        self._ranked: dict[int, npt.NDArray[np.int64]] = {}
        keys = np.zeros(len(codes), np.int64)
        span = 1
        for axis, base in enumerate(self._bases):
            if span * base > _LARGEST:
                self._ranked[axis], keys = np.unique(keys, return_inverse=True)
                span = max(1, len(self._ranked[axis]))
            keys = keys * base + (codes[:, axis].astype(np.int64) + 1)
            span *= base
        self._table: npt.NDArray[np.int32] | None = None
        if span <= _SPARSE * len(codes) + 1024:
            self._table = np.full(span, -1, np.int32)
            self._table[keys] = np.arange(len(codes), dtype=np.int32)
        else:
            order = np.argsort(keys, kind="stable")
            self._rows = order.astype(np.int32)
            self._keys = keys[order]

    def row(self, codes: Sequence[int]) -> int | None:
        """Return the row of the image with these codes, or None."""
        key = 0
        table = self._table
        if table is not None and not self._ranked:
            for base, code in zip(self._bases, codes, strict=True):
                key = key * base + code + 1
            row = table.item(key)
            return row if row >= 0 else None
        for axis, (base, code) in enumerate(zip(self._bases, codes, strict=True)):
            if axis in self._ranked:
                ranks = self._ranked[axis]
                rank = int(np.searchsorted(ranks, key))
                if rank == len(ranks) or ranks[rank] != key:
                    return None
                key = rank
            key = key * base + code + 1
        if self._table is not None:
            row = int(self._table[key])
            return row if row >= 0 else None
        place = int(np.searchsorted(self._keys, key, side="right")) - 1
        if place < 0 or self._keys[place] != key:
            return None
        return int(self._rows[place])

    def rows(self, codes: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
        """Return the rows of all combinations of codes, -1 where there is none.

        Parameters
        ----------
        codes : sequence of (sequence of int)
            For each axis the codes asked for.

        Returns
        -------
        ndarray of int64
            One axis for each axis, as long as its codes.
        """
        if self._empty:
            return np.full(tuple(map(len, codes)), -1, np.int64)
        keys = np.zeros((), np.int64)
        known = np.ones((), bool)
        for axis, (base, chosen) in enumerate(zip(self._bases, codes, strict=True)):
            if axis in self._ranked:
                ranks = self._ranked[axis]
                rank = np.minimum(np.searchsorted(ranks, keys), len(ranks) - 1)
                known = known & (ranks[rank] == keys)
                keys = rank.astype(np.int64)
            keys = keys[..., None] * base + (np.asarray(chosen, np.int64) + 1)
            known = known[..., None]
        if self._table is not None:
            found = self._table[keys].astype(np.int64)
        else:
            place = np.maximum(np.searchsorted(self._keys, keys, side="right") - 1, 0)
            found = np.where(self._keys[place] == keys, self._rows[place], -1)
        return np.asarray(np.where(known, found, -1), np.int64)

    def last_rows(self) -> npt.NDArray[np.int32]:
        """Return the rows that count, one for each set of axes, in index order."""
        if self._table is not None:
            return np.sort(self._table[self._table >= 0])
        last = np.append(self._keys[1:] != self._keys[:-1], True)
        return np.sort(self._rows[last[: len(self._rows)]])
