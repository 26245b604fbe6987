"""Outlines to tiles, against clipping each tile by itself."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_scope.acquire.regions import (
    ORDERS,
    Outline,
    TileOrder,
    TilePlan,
    ellipse,
    footprint,
    laid_over,
    ordered,
    overlap_in_pixels,
    tiles_of,
    under_path,
)
from napari_scope.acquire.tiling import TileGrid
from napari_scope.errors import PlanError, SettingsError

PLAIN = TileGrid((0.0, 0.0), (100, 80), (20, 10), (0.5, 0.0, 0.0, 0.5))
TURNED = TileGrid((70.0, -30.0), (100, 80), (20, 10), (0.1, -0.5, 0.45, 0.2))
Points = list[tuple[float, float]]


def in_steps(grid: TileGrid, points: Points) -> np.ndarray:
    """Solve the equations of the grid for right and down, in steps."""
    a, b, d, e = grid.affine
    pixels = np.linalg.solve([[a, b], [d, e]], (np.asarray(points) - grid.origin_um).T)
    return (pixels.T / grid.step_px).astype(float)


def area_in_cell(polygon: np.ndarray, row: int, column: int) -> float:
    """Cut a polygon at the sides of a cell, one after the other."""
    for axis, limit, sign in (
        (0, column - 0.5, 1),
        (0, column + 0.5, -1),
        (1, row - 0.5, 1),
        (1, row + 0.5, -1),
    ):
        kept: list[np.ndarray] = []
        for p, q in zip(polygon, np.roll(polygon, -1, 0), strict=True):
            inside = sign * (p[axis] - limit) >= 0, sign * (q[axis] - limit) >= 0
            if inside[0]:
                kept.append(p)
            if inside[0] != inside[1]:
                kept.append(p + (q - p) * (limit - p[axis]) / (q[axis] - p[axis]))
        if not kept:
            return 0.0
        polygon = np.array(kept)
    x, y = polygon.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


@st.composite
def stars(draw: st.DrawFn) -> Points:
    """Polygons around a middle, concave ones too."""
    count = draw(st.integers(3, 9))
    x, y = draw(st.floats(-300, 300)), draw(st.floats(-300, 300))
    radii = draw(st.lists(st.floats(5, 250), min_size=count, max_size=count))
    return [
        (
            x + r * math.cos(2 * math.pi * n / count),
            y + r * math.sin(2 * math.pi * n / count),
        )
        for n, r in enumerate(radii)
    ]


@given(points=stars(), grid=st.sampled_from([PLAIN, TURNED]))
@settings(max_examples=60, deadline=None)
def test_exactly_the_tiles_that_an_outline_touches(
    points: Points, grid: TileGrid
) -> None:
    polygon = in_steps(grid, points)
    low, high = np.floor(polygon.min(0)) - 1, np.ceil(polygon.max(0)) + 1
    found = set(tiles_of(grid, [Outline(tuple(points))]))
    for column, row in product(
        range(int(low[0]), int(high[0]) + 1), range(int(low[1]), int(high[1]) + 1)
    ):
        area = area_in_cell(polygon, row, column)
        if area > 1e-4:
            assert (row, column) in found
        elif area == 0:
            assert (row, column) not in found
    for row, column in found:
        assert low[1] <= row <= high[1]
        assert low[0] <= column <= high[0]


def rectangle(left: float, top: float, right: float, bottom: float) -> Outline:
    return Outline(((left, top), (right, top), (right, bottom), (left, bottom)))


def test_borders_points_and_paths() -> None:
    # Steps of 40 x 35 um: cells from -20 to 20 and from -17.5 to 17.5.
    assert tiles_of(PLAIN, [rectangle(-20, -17.5, 20, 17.5)]) == [(0, 0)]
    assert tiles_of(PLAIN, [rectangle(-21, -17.5, 20, 17.5)]) == [(0, -1), (0, 0)]
    assert tiles_of(PLAIN, [Outline(((41.0, 1.0),))]) == [(0, 1)]
    path = Outline(((0, 0), (80, 0), (80, 70)), closed=False)
    assert tiles_of(PLAIN, [path]) == [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2)]
    assert tiles_of(PLAIN, [Outline(())]) == []
    # A frame drawn as one polygon that goes out and in has a hole.
    ring = ((0, 0), (200, 0), (200, 175), (0, 175), (0, 0))
    hole = ((60, 52), (60, 123), (140, 123), (140, 52), (60, 52))
    assert (2, 2) in tiles_of(PLAIN, [Outline(ring)])
    holed = tiles_of(PLAIN, [Outline((*ring, *hole))])
    assert not {(r, c) for r in (2, 3) for c in (2, 3)} <= set(holed)


def test_a_path_has_all_tiles_under_it_in_the_order_of_the_path() -> None:
    grid = TileGrid((0.0, 0.0), (100, 100), (0, 0), (1.0, 0.0, 0.0, 1.0))
    # Three places, as a mouse that moves fast tells them, and back.
    path = [(0.0, 0.0), (310.0, 20.0), (310.0, 190.0), (0.0, 190.0)]
    assert under_path(grid, path) == [
        *((0, column) for column in range(4)),
        *((row, 3) for row in (1, 2)),
        *((2, column) for column in (2, 1, 0)),
    ]
    assert under_path(grid, [(120.0, -80.0)]) == [(-1, 1)]
    assert under_path(grid, [(50.0, 0.0), (50.0, 0.0)])  # between two tiles
    with pytest.raises(PlanError, match="nowhere"):
        under_path(grid, [(0.0, math.nan), (1.0, 1.0)])
    with pytest.raises(PlanError, match="rows and"):
        under_path(grid, [(0.0, 0.0), (1e9, 1e9)])


def test_several_outlines_one_after_the_other_and_no_tile_twice() -> None:
    one, two = rectangle(101, 0, 139, 0.1), rectangle(0, 0, 120, 0.1)
    expected = [(0, 3), (0, 0), (0, 1), (0, 2)]
    assert tiles_of(PLAIN, [one, two], "rows") == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("rows", [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]),
        ("rows, snake", [(0, 0), (0, 1), (0, 2), (1, 2), (1, 1), (1, 0)]),
        ("columns", [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]),
        ("columns, snake", [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)]),
        ("spiral", [(0, 1), (0, 2), (1, 2), (1, 1), (1, 0), (0, 0)]),
    ],
)
def test_orders(order: TileOrder, expected: list[tuple[int, int]]) -> None:
    assert order in ORDERS
    assert ordered(reversed(expected), order) == expected
    assert ordered([], order) == []


def test_an_ellipse_has_the_area_of_one() -> None:
    outline = ellipse([(0, 0), (40, 0), (40, 20), (0, 20)])
    x, y = np.array(outline.points_um).T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert area == pytest.approx(math.pi * 20 * 10, rel=0.01)
    assert (x.min(), x.max()) == pytest.approx((0, 40))
    turned = ellipse([(0, 0), (10, 10), (0, 20), (-10, 10)])
    assert np.hypot(*(np.array(turned.points_um) - (0, 10)).T) == pytest.approx(
        math.sqrt(50)
    )


@given(points=stars(), grid=st.sampled_from([PLAIN, TURNED]))
@settings(max_examples=40, deadline=None)
def test_a_grid_laid_over_outlines_covers_them_with_no_more(
    points: Points, grid: TileGrid
) -> None:
    outline = Outline(tuple(points))
    over = laid_over(grid, [outline])
    assert over.affine == grid.affine
    spread = np.ptp(in_steps(grid, points), 0)
    assume((abs(spread - np.round(spread)) > 1e-3).all())
    tiles = tiles_of(over, [outline])
    rows, columns = {r for r, _ in tiles}, {c for _, c in tiles}
    assert min(rows) == 0
    assert min(columns) == 0
    assert (len(columns), len(rows)) == tuple(np.ceil(spread))


def test_what_cannot_be_tiled() -> None:
    with pytest.raises(PlanError, match="no outline"):
        laid_over(PLAIN, [])
    with pytest.raises(PlanError, match="nowhere"):
        tiles_of(PLAIN, [rectangle(0, 0, math.nan, 5)])
    with pytest.raises(PlanError, match="drawn in micrometers") as error:
        tiles_of(PLAIN, [rectangle(0, 0, 1e6, 1e6)])
    assert "25001" in str(error.value)


def test_overlaps() -> None:
    assert overlap_in_pixels((512, 256), 10, percent=True) == (51, 26)
    assert overlap_in_pixels((512, 256), 32, percent=False) == (32, 32)
    for value, percent in ((100, True), (256, False), (-1, False)):
        with pytest.raises(SettingsError, match="cannot overlap"):
            overlap_in_pixels((512, 256), value, percent=percent)


def test_a_plan_of_tiles() -> None:
    plan = TilePlan(TURNED, ((-1, 2), (0, 2), (0, 1)))
    places = plan.positions(z_um=5.0)
    assert [(p.grid_row, p.grid_col) for p in places] == [(0, 1), (1, 1), (1, 0)]
    assert [(p.x, p.y) for p in places] == [TURNED.stage(*t) for t in plan.tiles]
    assert {p.z for p in places} == {5.0}
    assert len({p.name for p in places}) == 3
    assert [e.pos_name for e in plan.sequence()] == [p.name for p in places]
    assert plan.n_bytes(2, 2) == 3 * 2 * 100 * 80 * 2
    assert plan.without([(0, 2)]).tiles == ((-1, 2), (0, 1))
    one = TilePlan(PLAIN, ((0, 0),))
    assert one.size_um() == (50, 40)
    nothing = TilePlan(PLAIN, ())
    assert nothing.positions() == ()
    assert nothing.size_um() == (0, 0)
    with pytest.raises(PlanError, match="no tiles"):
        nothing.sequence()


def test_the_footprint_of_a_turned_camera() -> None:
    corners = np.array(footprint(TURNED, 10, 20))
    np.testing.assert_allclose(corners.mean(0), (10, 20))
    a, b, d, e = TURNED.affine
    np.testing.assert_allclose(corners[1] - corners[0], (100 * a, 100 * d))
    np.testing.assert_allclose(corners[3] - corners[0], (80 * b, 80 * e))
