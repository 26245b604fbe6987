from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.ngff.plate.layout import (
    PlaneLayout,
    grid_cell,
    placed_cell,
)

SIZES = st.tuples(st.integers(1, 300), st.integers(1, 300))


@given(st.integers(1, 40), SIZES)
def test_fields_in_a_grid_do_not_touch_and_fill_the_cell(
    count: int, field: tuple[int, int]
) -> None:
    cell = grid_cell(["0"], count, field)
    seen = np.zeros(cell.shape, int)
    for y, x in cell.slots:
        seen[y : y + field[0], x : x + field[1]] += 1
    assert seen.max() == 1
    assert seen.sum() == len(cell.slots) * field[0] * field[1]
    assert len(cell.slots) >= count
    rows, columns = (len({s[i] for s in cell.slots}) for i in (0, 1))
    assert 0 <= columns - rows <= 1


@given(st.integers(1, 9), st.integers(1, 9), SIZES, st.sampled_from([1, 2, 8, 64]))
def test_cells_begin_at_whole_pixels_of_all_levels(
    rows: int, columns: int, field: tuple[int, int], step: int
) -> None:
    plane = PlaneLayout(rows, columns, grid_cell(["0"], 1, field), step)
    for row in range(rows):
        for column in range(columns):
            y, x = plane.origin(row, column)
            assert y % step == x % step == 0
            assert plane.cell_at(y, x) == (row, column, 0, 0)
            last = y + field[0] - 1, x + field[1] - 1
            assert plane.cell_at(*last) == (row, column, field[0] - 1, field[1] - 1)
    assert plane.cell_at(-1, 0) is None
    assert plane.cell_at(*plane.shape) is None
    if rows * columns > 1:
        assert plane.cell_at(field[0], 0) is None  # the gap


@given(st.data())
def test_the_cells_of_a_rectangle(data: st.DataObject) -> None:
    plane = PlaneLayout(3, 4, grid_cell(["0"], 1, (10, 7)), 4)
    ys, xs = (
        sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))
        for n in plane.shape
    )
    rows, columns = range(*ys), range(*xs)
    expected = {
        (y // plane.pitch[0], x // plane.pitch[1]) for y in rows for x in columns
    }
    found = list(plane.cells(rows, columns))
    assert sorted(expected) == found


def test_a_well_with_other_fields_takes_the_slots_of_its_names_then_free_ones() -> None:
    cell = grid_cell(["0", "1", "2", "3"], 4, (10, 10))
    nowhere = [None] * 5
    a, b, c, d = cell.slots
    assert cell.fit(["3", "1"], nowhere[:2]) == [d, b]
    assert cell.fit(["x", "0", "y"], nowhere[:3]) == [b, a, c]
    assert cell.fit(list("vwxyz"), nowhere) == [a, b, c, d, None]


def test_fields_lie_as_on_the_stage() -> None:
    cell = placed_cell(
        ["0", "1", "2"], [(50.0, 20.0), (50.2, 29.6), (61.0, 20)], (9, 8)
    )
    assert cell is not None
    assert cell.as_on_stage
    assert cell.slots == ((0, 0), (0, 10), (11, 0))
    assert cell.shape == (20, 18)
    # Another well, elsewhere on the stage, without its first field.
    assert cell.fit(["1", "2"], [(0.2, 9.6), (11, 0)]) == [(0, 10), (11, 0)]
    # Other names: what lies outermost is at the border.
    assert cell.fit(["a", "b"], [(100, 100), (111, 109)]) == [(0, 0), (11, 9)]
    # Too far apart for the cell, or not known: in the slots.
    assert cell.fit(["1", "2"], [(0, 0), (500, 0)]) == [(0, 10), (11, 0)]
    assert cell.fit(["2", "9"], [(0, 0), None]) == [(11, 0), (0, 0)]
    assert cell.fit([], []) == []


@pytest.mark.parametrize(
    "positions",
    [
        [(0, 0)],
        [(0, 0), None],
        [(0, 0), (float("nan"), 0)],
        [(0, 0), (0, 0)],
        [(0, 0), (0.2, 0.2)],
        [(0, 0), (1000, 1000)],
        [(0, 0), (1e300, 0)],
    ],
)
def test_positions_that_are_no_use(positions: list[tuple[float, float] | None]) -> None:
    names = [str(n) for n in range(len(positions))]
    assert placed_cell(names, positions, (10, 10)) is None
