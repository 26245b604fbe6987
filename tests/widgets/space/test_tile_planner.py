"""Tiles over shapes of napari: drawn, moved, turned, in other layers, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_scope.acquire.regions import Outline
from napari_scope.acquire.stage_moves import StageFacts
from napari_scope.acquire.tiling import TileGrid
from napari_scope.widgets.space.tile_planner import PLAN_LAYER, TilePlanner
from napari_scope.widgets.space.world import outlines_of, points_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]

GRID = TileGrid((1000.0, 1000.0), (100, 50), (0, 0), (1.0, 0.0, 0.0, 1.0))
FACTS = StageFacts(grid=GRID, bytes_per_pixel=2, exposure_ms=100.0)
SQUARE = [[0, 0], [0, 200], [200, 200], [200, 0]]


@pytest.fixture
def viewer() -> Any:
    return ViewerModel()


@pytest.fixture
def planner(viewer: Any, qtbot: QtBot) -> Iterator[TilePlanner]:
    made = TilePlanner(viewer)
    qtbot.addWidget(made)
    made.set_facts(FACTS)
    made.overlap.setValue(0)
    yield made
    made.close_down()


def count(planner: TilePlanner) -> int:
    return 0 if planner.plan is None else len(planner.plan.tiles)


def test_drawing(planner: TilePlanner, viewer: Any, qtbot: QtBot) -> None:
    qtbot.mouseClick(planner.draw_buttons["polygon"], Qt.MouseButton.LeftButton)
    layer = planner.layer
    assert (layer.name, str(layer.mode)) == (PLAN_LAYER, "add_polygon")
    assert viewer.layers.selection.active is layer
    assert not planner.explore_button.isEnabled()
    layer.add_rectangles(np.array(SQUARE))
    qtbot.waitUntil(lambda: count(planner) == 8)
    plan = planner.plan
    assert plan is not None
    assert plan.grid.stage(*plan.tiles[0]) == (50, 25)  # evenly over the square
    assert planner.summary.text() == (
        "8 tiles, 0.20 x 0.20 mm, 80.0 kB, 0.8 s of exposure"
    )
    planner.set_images_per_tile(3)
    assert "8 tiles x 3 images" in planner.summary.text()
    assert planner.explore_button.isEnabled()
    layer.add_polygons(np.array([[300, 0], [310, 90], [310, 0]]))
    qtbot.waitUntil(lambda: count(planner) > 8)
    planner.draw("ellipse")
    assert planner.layer is layer
    assert len(viewer.layers) == 1
    layer.data = []
    qtbot.waitUntil(lambda: count(planner) == 0)
    assert planner.summary.text() == "Draw what is to be tiled."


def test_moved_turned_and_scaled(
    planner: TilePlanner, viewer: Any, qtbot: QtBot
) -> None:
    planner.draw("rectangle")
    layer = planner.layer
    layer.add_rectangles(np.array(SQUARE))
    qtbot.waitUntil(lambda: count(planner) == 8)
    layer.translate = (1000, 500)
    qtbot.waitUntil(
        lambda: (
            planner.plan is not None and planner.plan.grid.stage(0, 0) == (550, 1025)
        )
    )
    layer.scale = (2, 2)
    qtbot.waitUntil(lambda: count(planner) == 32)
    layer.rotate = 45
    qtbot.waitUntil(lambda: count(planner) not in (0, 32))


def test_overlap_order_and_a_fixed_grid(planner: TilePlanner, qtbot: QtBot) -> None:
    planner.draw("rectangle")
    planner.layer.add_rectangles(np.array(SQUARE))
    planner.overlap.setValue(10)
    qtbot.waitUntil(lambda: planner.plan is not None)
    qtbot.waitUntil(lambda: planner.plan.grid.overlap_px == (10, 5))  # type: ignore[union-attr]
    planner.unit.setCurrentText("px")
    qtbot.waitUntil(lambda: planner.plan.grid.overlap_px == (10, 10))  # type: ignore[union-attr]
    planner.overlap.setValue(60)
    qtbot.waitUntil(lambda: "cannot overlap" in planner.summary.text())
    assert planner.plan is None
    planner.overlap.setValue(0)
    planner.order.setCurrentText("columns")
    qtbot.waitUntil(lambda: count(planner) == 8)
    tiles = planner.plan.tiles  # type: ignore[union-attr]
    assert tiles[:4] == ((0, 0), (1, 0), (2, 0), (3, 0))
    planner.set_fixed_grid(GRID)
    qtbot.waitUntil(lambda: planner.plan is not None and planner.plan.grid == GRID)
    assert not planner.overlap.isEnabled()
    assert min(planner.plan.tiles)[0] == -20  # type: ignore[union-attr]


def test_layers_of_the_user(planner: TilePlanner, viewer: Any, qtbot: QtBot) -> None:
    assert planner.layer is None
    mine = viewer.add_shapes([np.array(SQUARE)], name="mine")
    qtbot.waitUntil(lambda: count(planner) == 8)
    planner.show()
    assert not planner.source.isVisible()
    other = viewer.add_shapes(
        [np.array([[0, 0], [0, 90], [40, 90], [40, 0]])], name="other"
    )
    assert planner.layer is mine
    assert planner.source.isVisible()
    planner.source.setCurrentIndex(1)
    planner.source.activated.emit(1)
    qtbot.waitUntil(lambda: count(planner) == 1)
    viewer.layers.remove(other)
    qtbot.waitUntil(lambda: count(planner) == 8)
    viewer.layers.remove(mine)
    qtbot.waitUntil(lambda: count(planner) == 0)
    assert planner.layer is None


def test_what_cannot_be_tiled(planner: TilePlanner, viewer: Any, qtbot: QtBot) -> None:
    planner.set_facts(StageFacts(why_not="there is no camera"))
    planner.draw("rectangle")
    planner.layer.add_rectangles(np.array(SQUARE))
    qtbot.waitUntil(lambda: "there is no camera" in planner.summary.text())
    planner.set_facts(FACTS)
    qtbot.waitUntil(lambda: count(planner) == 8)
    with qtbot.waitSignal(planner.failed) as told:
        planner.layer.scale = (1e6, 1e6)
    assert "rows" in str(told.args[0])
    assert planner.plan is None


def test_tiles_are_offered(planner: TilePlanner, qtbot: QtBot) -> None:
    planner.draw("rectangle")
    planner.layer.add_rectangles(np.array(SQUARE))
    qtbot.waitUntil(lambda: count(planner) == 8)
    for button, signal in (
        (planner.explore_button, planner.explore_requested),
        (planner.offer_button, planner.offered),
        (planner.list_button, planner.listed),
    ):
        with qtbot.waitSignal(signal) as told:
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert told.args == [planner.plan]
    planner.set_takeable(False)
    assert not planner.explore_button.isEnabled()
    assert planner.offer_button.isEnabled()


def test_the_state_comes_back(planner: TilePlanner, viewer: Any, qtbot: QtBot) -> None:
    planner.overlap.setValue(12)
    planner.order.setCurrentText("spiral")
    planner.unit.setCurrentText("px")
    other = TilePlanner(viewer)
    qtbot.addWidget(other)
    other.restore(planner.state())
    assert other.state() == {"overlap": 12.0, "unit": "px", "order": "spiral"}
    other.restore({"overlap": "?", "order": "no"})
    assert other.overlap.value() == 12
    other.close_down()


def test_shapes_on_the_stage(viewer: Any) -> None:
    layer = viewer.add_shapes(scale=(0.5, 2), translate=(10, 20))
    layer.add_paths(np.array([[0, 0], [10, 10], [20, 0]]))
    layer.add_ellipses(np.array([[0, 0], [0, 4], [8, 4], [8, 0]]))
    path, ellipse = outlines_of(viewer, layer)
    assert path == Outline(((20, 10), (40, 15), (20, 20)), closed=False)
    x, y = np.array(ellipse.points_um).T
    assert (x.min(), x.max()) == pytest.approx((20, 28))
    assert (y.min(), y.max()) == pytest.approx((10, 14))
    deep = viewer.add_shapes(
        [np.array([[3.0, 0, 0], [3, 0, 5], [3, 5, 5]])], shape_type="polygon"
    )
    assert outlines_of(viewer, deep)[0].points_um[1] == (5, 0)
    points = viewer.add_points([[1, 2, 3]], scale=(1, 10, 10))
    assert points_of(viewer, points) == [(30, 20)]
    viewer.layers.clear()
    metric = viewer.add_points([[1.0, 2.0]], units=("mm", "mm"))
    assert points_of(viewer, metric) == [(2000, 1000)]
