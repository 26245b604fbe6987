"""The columns of a table of frames: which there are, and their numbers.

Which columns there are, and which hold numbers, is only known when all rows were seen.
`FrameColumns` sees them a few hundred at a time, keeps the numbers (eight bytes each),
and goes on where it stopped when the store has grown.

Examples
--------
>>> from napari_scope.formats.frame_records import ListRecords
>>> from napari_scope.formats.frame_table import FrameSheet
>>> sheet = FrameSheet(ListRecords([{"axes": {"t": n}, "gain": n * 2} for n in (0, 1)]))
>>> columns = FrameColumns(sheet)
>>> columns.update()
True
>>> [column.name for column in columns.columns], columns.numbers("gain").tolist()
(['axes.t', 'gain'], [0.0, 2.0])
"""

from __future__ import annotations

import threading
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.formats.frame_records import (
    KNOWN_FACTS,
    as_number,
    cells,
    unit_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from napari_scope.formats.frame_table import FrameSheet

__all__ = ["INTERVAL", "Column", "FrameColumns"]

_MOST_COLUMNS: Final = 1000
_STEP: Final = 256  # frames between two looks at whether to go on
INTERVAL: Final = "interval_ms"
"""A column that no store has: time since the frame before."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Parameters
    ----------
    name : str
        Its name, dotted where facts are nested.
    filled : int
        In how many frames there is a value.
    numeric : bool
        Whether all of them are numbers (or numbers written as text).
    varies : bool
        Whether they differ.
    unit : str
        The unit, as far as the name says.
    """

    name: str
    filled: int
    numeric: bool
    varies: bool
    unit: str = ""


class _Growing:
    """One column while rows come in."""

    __slots__ = ("filled", "first", "numbers", "numeric", "varies")

    def __init__(self) -> None:
        self.filled = 0
        self.numeric = True
        self.varies = False
        self.first: object = None
        self.numbers: list[npt.NDArray[np.float64]] = []


class FrameColumns:
    """The columns of a table, as far as its rows were seen.

    One thread may see rows while others look at the numbers so far.

    Parameters
    ----------
    sheet : FrameSheet
        The table.

    Attributes
    ----------
    count : int
        Rows that were seen.
    left_out : int
        Columns beyond the thousand that are kept.
    """

    def __init__(self, sheet: FrameSheet) -> None:
        self._sheet = sheet
        self._columns: dict[str, _Growing] = {}
        self._groups: dict[str, dict[object, int]] = {}
        self._codes: dict[str, array[int]] = {}
        self._lock = threading.RLock()
        self.count = 0
        self.left_out = 0

    def update(
        self,
        progress: Callable[[int, int], object] = lambda done, of: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> bool:
        """See the rows that were not seen yet.

        Parameters
        ----------
        progress : callable
            Told how many rows are seen, of how many.
        cancelled : callable
            Asked every few hundred rows; what was seen until then is kept.

        Returns
        -------
        bool
            Whether all rows were seen.
        """
        total = len(self._sheet)
        while self.count < total:
            if cancelled():
                return False
            stop = min(self.count + _STEP, total)
            rows = [cells(r) for r in self._sheet.records(self.count, stop)]
            with self._lock:
                self._take(rows)
            progress(self.count, total)
        return True

    def _take(self, rows: list[dict[str, object]]) -> None:
        length = len(rows)
        blocks: dict[str, npt.NDArray[np.float64]] = {}
        for place, row in enumerate(rows):
            self._take_axes(self.count + place, row)
            for name, value in row.items():
                if value is None or value == "":
                    continue
                column = self._columns.get(name)
                if column is None:
                    if len(self._columns) >= _MOST_COLUMNS:
                        self.left_out += 1
                        continue
                    column = self._columns[name] = _Growing()
                    column.first = value
                column.filled += 1
                column.varies = column.varies or value != column.first
                if not column.numeric:
                    continue
                number = as_number(value)
                if number is None:
                    column.numeric = False
                    column.numbers.clear()
                    blocks.pop(name, None)
                    continue
                if name not in blocks:
                    blocks[name] = np.full(length, np.nan)
                blocks[name][place] = number
        for name, column in self._columns.items():
            if column.numeric:
                missing = self.count - sum(map(len, column.numbers))
                if missing and name in blocks:
                    column.numbers.append(np.full(missing, np.nan))
                if name in blocks:
                    column.numbers.append(blocks[name])
                if len(column.numbers) > 64:
                    column.numbers = [np.concatenate(column.numbers)]
        self.count += length

    def _take_axes(self, number: int, row: Mapping[str, object]) -> None:
        """Note which value of each axis a frame has."""
        for name, value in row.items():
            if not name.startswith("axes."):
                break  # they come first
            codes = self._codes.setdefault(name, array("i"))
            values = self._groups.setdefault(name, {})
            codes.extend([-1] * (number - len(codes)))
            codes.append(values.setdefault(value, len(values)))

    def groups(self, name: str) -> tuple[npt.NDArray[np.int32], tuple[object, ...]]:
        """Return which value of an axis each frame has, and the values.

        Parameters
        ----------
        name : str
            Column of an axis, ``axes.channel``.

        Returns
        -------
        codes : ndarray of int32, shape (frames,)
            Number of the value of each frame; -1 where it lacks the axis.
        values : tuple
            The values, in the order of appearance.
        """
        with self._lock:
            found = np.full(self.count, -1, np.int32)
            codes = self._codes.get(name, array("i"))
            found[: len(codes)] = codes
            return found, tuple(self._groups.get(name, {}))

    def __contains__(self, name: object) -> bool:
        """Return whether frames have such a value; what is only computed does not."""
        return name in self._columns

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns: axes, then the facts that everyone notes, then the rest."""
        place = {name: i for i, name in enumerate(KNOWN_FACTS)}

        def key(name: str) -> tuple[int, int]:
            if name.startswith("axes."):
                return 0, 0
            return (1, place[name]) if name in place else (2, 0)

        with self._lock:
            found = [
                Column(name, c.filled, c.numeric, c.varies, unit_of(name))
                for name in sorted(self._columns, key=key)
                for c in [self._columns[name]]
            ]
        numeric = [c.name for c in found if c.numeric]
        if "elapsed_ms" in numeric and self.count > 1:
            after = next(i for i, c in enumerate(found) if c.name == "elapsed_ms")
            extra = Column(INTERVAL, self.count - 1, True, True, "ms")
            found.insert(after + 1, extra)
        return tuple(found)

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Return the numbers of a column, NaN where there is none.

        Raises
        ------
        KeyError
            There is no such column, or it does not hold numbers.
        """
        if name == INTERVAL:
            elapsed = self.numbers("elapsed_ms")
            return np.diff(elapsed, prepend=np.nan)
        with self._lock:
            column = self._columns[name]
            if not column.numeric:
                raise KeyError(name)
            found = np.full(self.count, np.nan)
            start = 0
            for block in column.numbers:
                found[start : start + len(block)] = block
                start += len(block)
            return found
