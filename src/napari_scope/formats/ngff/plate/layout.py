"""Where the wells of a plate and the fields of a well lie in one large plane.

Pure arithmetic in pixels of full resolution. Every well has a cell of the same size,
in a grid of rows and columns with a gap between cells. In the cell the fields lie as
they lay on the stage, if the positions are known and close enough together; otherwise
they are put in a grid that is as square as it can be, line by line.

The distance of two cells is a multiple of the coarsest factor, so a cell begins at a
whole pixel on every level and levels lie exactly on top of each other.

Examples
--------
>>> cell = grid_cell(["0", "1", "2"], 3, (100, 100))
>>> cell.shape, cell.slots
((202, 202), ((0, 0), (0, 102), (102, 0), (102, 102)))
>>> cell.fit(["2", "7"], [None, None])
[(102, 0), (0, 0)]
>>> plane = PlaneLayout(2, 3, cell, 4)
>>> plane.pitch, plane.shape
((216, 216), (432, 648))
>>> plane.cell_at(230, 10)
(1, 0, 14, 10)
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["CellLayout", "Place", "PlaneLayout", "grid_cell", "placed_cell"]

Place: TypeAlias = tuple[int, int]
"""Row and column of a pixel."""

_FIELD_GAP = 0.015  # of a field, between fields that were put in a grid
_WELL_GAP = 0.06  # of a cell, between cells
_LEAST_FILLED = 0.25


@dataclass(frozen=True, slots=True)
class CellLayout:
    """Where fields lie in the cell of a well.

    Parameters
    ----------
    shape : (int, int)
        Height and width of a cell.
    names : tuple of str
        Fields of the well that was looked at.
    slots : tuple of (int, int)
        Where a field begins: those of ``names`` first, then free ones.
    limit : (int, int)
        How large a field may be at its slot; larger ones are cut.
    anchors : tuple of (float, float)
        Positions of the fields of ``names`` where fields lie as on the stage, empty
        where they lie in a grid.
    """

    shape: Place
    names: tuple[str, ...]
    slots: tuple[Place, ...]
    limit: Place
    anchors: tuple[tuple[float, float], ...] = ()

    @property
    def as_on_stage(self) -> bool:
        """Whether fields lie as their positions say."""
        return bool(self.anchors)

    def fit(
        self, names: Sequence[str], positions: Sequence[tuple[float, float] | None]
    ) -> list[Place | None]:
        """Return where the fields of a well begin; None for those without room.

        Parameters
        ----------
        names : sequence of str
            The fields.
        positions : sequence of ((float, float) or None)
            Where each begins on the stage, in pixels.
        """
        if self.anchors:
            known = [p for p in positions if p is not None]
            if len(known) == len(positions):
                found = self._as_on_stage(names, known)
                if found is not None:
                    return list(found)
        return self._in_slots(names)

    def _as_on_stage(
        self, names: Sequence[str], positions: Sequence[tuple[float, float]]
    ) -> list[Place] | None:
        """Return places by positions, or None if they do not fit the cell."""
        if not positions:
            return []
        known = zip(self.names, self.slots, self.anchors, strict=False)
        anchors = {name: slot for name, slot, _ in known}
        # A well that lacks its first field still has the others at their places.
        shared = next((n for n, name in enumerate(names) if name in anchors), None)
        origins: list[tuple[float, float]] = []
        if shared is not None:
            y, x = anchors[names[shared]]
            origins.append((positions[shared][0] - y, positions[shared][1] - x))
        origins.append((min(p[0] for p in positions), min(p[1] for p in positions)))
        for top, left in origins:
            places = [(round(y - top), round(x - left)) for y, x in positions]
            if all(
                -1 <= p <= size - limit + 1
                for place in places
                for p, size, limit in zip(place, self.shape, self.limit, strict=True)
            ):
                return [(max(0, y), max(0, x)) for y, x in places]
        return None

    def _in_slots(self, names: Sequence[str]) -> list[Place | None]:
        """Return the slots by name, or the free ones in order."""
        own = dict(zip(self.names, self.slots, strict=False))
        used = {own[name] for name in names if name in own}
        free = iter([slot for slot in self.slots if slot not in used])
        return [own[name] if name in own else next(free, None) for name in names]


@dataclass(frozen=True, slots=True)
class PlaneLayout:
    """The plane of a plate: equal cells in rows and columns.

    Parameters
    ----------
    rows, columns : int
        Number of cells.
    cell : CellLayout
        What a cell looks like.
    step : int
        The distance of cells is a multiple of it.
    """

    rows: int
    columns: int
    cell: CellLayout
    step: int = 1

    @property
    def pitch(self) -> Place:
        """Distance of two cells."""
        gap = math.ceil(_WELL_GAP * min(self.cell.shape)) if self._several else 0
        height, width = (
            math.ceil((size + gap) / self.step) * self.step for size in self.cell.shape
        )
        return height, width

    @property
    def _several(self) -> bool:
        return self.rows * self.columns > 1

    @property
    def shape(self) -> Place:
        """Height and width of the plane."""
        return self.rows * self.pitch[0], self.columns * self.pitch[1]

    def origin(self, row: int, column: int) -> Place:
        """Return where a cell begins."""
        return row * self.pitch[0], column * self.pitch[1]

    def cells(self, rows: range, columns: range) -> Iterator[Place]:
        """Yield the cells that a rectangle of pixels touches, line by line."""
        if not rows or not columns:
            return
        height, width = self.pitch
        across = range(
            max(0, columns[0] // width), min(self.columns, columns[-1] // width + 1)
        )
        down = range(max(0, rows[0] // height), min(self.rows, rows[-1] // height + 1))
        yield from itertools.product(down, across)

    def cell_at(self, y: int, x: int) -> tuple[int, int, int, int] | None:
        """Return row and column of the cell at a pixel, and the pixel within it.

        None outside of the plane and in the gap between cells.
        """
        row, inside_y = divmod(y, self.pitch[0])
        column, inside_x = divmod(x, self.pitch[1])
        if not (0 <= row < self.rows and 0 <= column < self.columns):
            return None
        if inside_y >= self.cell.shape[0] or inside_x >= self.cell.shape[1]:
            return None
        return row, column, inside_y, inside_x


def grid_cell(names: Sequence[str], count: int, field: Place) -> CellLayout:
    """Return a cell with room for a number of fields, in a grid.

    Parameters
    ----------
    names : sequence of str
        Fields of the well that was looked at; they come first.
    count : int
        Room for at least so many fields.
    field : (int, int)
        Height and width of a field.
    """
    count = max(1, count, len(names))
    columns = math.isqrt(count - 1) + 1
    rows = -(-count // columns)
    gap = math.ceil(_FIELD_GAP * min(field)) if count > 1 else 0
    height, width = field[0] + gap, field[1] + gap
    slots = [(r * height, c * width) for r in range(rows) for c in range(columns)]
    shape = rows * height - gap, columns * width - gap
    return CellLayout(shape, tuple(names), tuple(slots), field)


def placed_cell(
    names: Sequence[str],
    positions: Sequence[tuple[float, float] | None],
    field: Place,
) -> CellLayout | None:
    """Return a cell with fields as they lay on the stage, or None if that is no use.

    It is of no use where a position is unknown, where two fields have the same one,
    and where fields lie so far apart that they fill less than a quarter of the cell.

    Parameters
    ----------
    names : sequence of str
        Fields of the well that was looked at.
    positions : sequence of ((float, float) or None)
        Where each begins, in pixels.
    field : (int, int)
        Height and width of a field.
    """
    known = [p for p in positions if p is not None and all(map(math.isfinite, p))]
    if len(known) < 2 or len(known) < len(positions):
        return None
    top, left = min(p[0] for p in known), min(p[1] for p in known)
    slots = [(y - top, x - left) for y, x in known]
    height, width = (max(s[i] for s in slots) + field[i] for i in (0, 1))
    if height * width * _LEAST_FILLED > len(slots) * field[0] * field[1]:
        return None
    whole = [(round(y), round(x)) for y, x in slots]
    if len(set(whole)) < len(whole):
        return None
    shape = math.ceil(height), math.ceil(width)
    return CellLayout(shape, tuple(names), tuple(whole), field, tuple(known))
