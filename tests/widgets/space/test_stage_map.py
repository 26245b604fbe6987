"""The map in a viewer: where it is, what it costs the user, how it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_scope.errors import SettingsError
from napari_scope.layers.helping import is_helping
from napari_scope.layers.saving_plan import read_layers
from napari_scope.widgets.space.stage_map import StageMap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui

CORNERS = [(-10.0, -5.0), (10.0, -5.0), (10.0, 5.0), (-10.0, 5.0)]


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 2, 8, 8)), name="data", scale=(1, 1, 1, 1))
    return viewer


@pytest.fixture
def stage_map(viewer: ViewerModel, qtbot: QtBot) -> Iterator[StageMap]:
    made = StageMap(viewer)  # type: ignore[arg-type]
    yield made
    made.close()


def named(viewer: ViewerModel, name: str) -> Any:
    return next((layer for layer in viewer.layers if layer.name == name), None)


def world(layer: Any) -> np.ndarray:
    return np.asarray(layer.extent.world)


def test_nothing_is_drawn_before_something_is_known(
    viewer: ViewerModel, stage_map: StageMap
) -> None:
    stage_map.set_field(3, 4)
    stage_map.set_tiles("planned", [(0, 0)])
    stage_map.redraw()
    assert len(viewer.layers) == 1
    stage_map.set_shape(CORNERS)
    assert len(stage_map.layers) == 2


def test_the_field_follows_the_stage(viewer: ViewerModel, stage_map: StageMap) -> None:
    stage_map.set_shape(CORNERS)
    stage_map.set_field(100, 50)
    field = named(viewer, "Field of view")
    np.testing.assert_allclose(world(field), [[45, 90], [55, 110]])
    vertices = field.vertices
    stage_map.set_field(-7, 2)
    np.testing.assert_allclose(world(field), [[-3, -17], [7, 3]])
    assert field.vertices is vertices  # it is moved, not drawn anew


def test_tiles_of_all_kinds(
    viewer: ViewerModel, stage_map: StageMap, qtbot: QtBot
) -> None:
    stage_map.set_shape(CORNERS)
    stage_map.set_tiles("planned", [(0, 0), (100, 0)])
    stage_map.set_tiles("taken", [(0, 200)])
    qtbot.waitUntil(lambda: named(viewer, "Stage map") is not None)
    layer = named(viewer, "Stage map")
    stage_map.redraw()
    np.testing.assert_allclose(world(layer), [[-5, -10], [205, 110]])
    assert set(layer.vertex_values) == {0, 4, 5}
    stage_map.set_tiles("planned", [])
    stage_map.set_tiles("taken", [])
    qtbot.waitUntil(lambda: len(layer.faces) == 1)


def test_the_users_layers_and_selection_stay(
    viewer: ViewerModel, stage_map: StageMap, qtbot: QtBot
) -> None:
    data = viewer.layers[0]
    stage_map.set_shape(CORNERS)
    stage_map.set_tiles("position", [(5, 5)])
    stage_map.set_field(0, 0)
    stage_map.redraw()
    assert viewer.layers.selection.active is data
    assert (viewer.dims.ndim, viewer.dims.nsteps[:2]) == (4, (3, 2))
    image = viewer.add_image(np.zeros((8, 8)), name="more")
    qtbot.waitUntil(lambda: viewer.layers.index(image) == 1)
    assert [is_helping(layer.metadata) for layer in viewer.layers] == [
        False,
        False,
        True,
        True,
    ]
    # Saving all layers saves the data.
    tuples = [layer.as_layer_data_tuple() for layer in viewer.layers]
    assert [found.name for found in read_layers(tuples)] == ["data", "more"]
    with pytest.raises(SettingsError, match="no layer"):
        read_layers(tuples[2:])
    viewer.dims.ndisplay = 3


def test_hidden_and_shown(viewer: ViewerModel, stage_map: StageMap) -> None:
    stage_map.set_shape(CORNERS)
    stage_map.set_field(0, 0)
    stage_map.set_tiles("taken", [(0, 0)])
    stage_map.redraw()
    stage_map.set_visible(False)
    assert not any(layer.visible for layer in stage_map.layers)
    stage_map.set_field(5, 5)
    stage_map.set_tiles("taken", [(0, 9)])
    stage_map.redraw()
    assert not any(layer.visible for layer in stage_map.layers)
    stage_map.set_visible(True)
    assert [layer.visible for layer in stage_map.layers] == [True, True]
    np.testing.assert_allclose(named(viewer, "Stage map").extent.world[0], [4, -10])
    stage_map.set_shape(None)  # a microscope without a pixel size
    assert not any(layer.visible for layer in stage_map.layers)


def test_a_layer_that_the_user_removes(
    viewer: ViewerModel, stage_map: StageMap, qtbot: QtBot
) -> None:
    stage_map.set_shape(CORNERS)
    stage_map.set_tiles("taken", [(0, 0)])
    stage_map.set_field(0, 0)
    stage_map.redraw()
    with qtbot.waitSignal(stage_map.removed):
        viewer.layers.remove(named(viewer, "Stage map"))
    assert not stage_map.visible
    stage_map.set_field(1, 1)
    stage_map.set_tiles("taken", [(0, 0), (1, 1)])
    stage_map.redraw()
    assert named(viewer, "Stage map") is None
    assert not named(viewer, "Field of view").visible
    stage_map.set_visible(True)
    assert named(viewer, "Stage map").visible


def test_lines_stay_as_wide_on_the_screen(
    viewer: ViewerModel, stage_map: StageMap, qtbot: QtBot
) -> None:
    stage_map.set_shape(CORNERS)
    stage_map.set_field(0, 0)
    field = named(viewer, "Field of view")

    def width() -> float:
        return float(field.vertices[4, 0] - field.vertices[0, 0])

    viewer.scene.camera.zoom = 10
    qtbot.waitUntil(lambda: width() == pytest.approx(0.25))
    viewer.scene.camera.zoom = 40
    qtbot.waitUntil(lambda: width() == pytest.approx(0.0625))


def test_closing_leaves_nothing(viewer: ViewerModel, qtbot: QtBot) -> None:
    stage_map = StageMap(viewer)  # type: ignore[arg-type]
    stage_map.set_shape(CORNERS)
    stage_map.set_field(0, 0)
    stage_map.close()
    assert [layer.name for layer in viewer.layers] == ["data"]
    viewer.scene.camera.zoom = 3
    viewer.layers.clear()
