"""What the mouse and the keys mean in the canvas, and that it is given back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_double_click_callbacks,
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from napari.utils.key_bindings import coerce_keybinding

from napari_scope.widgets.space.canvas_clicks import CanvasClicks

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


class Heard:
    """What was told."""

    def __init__(self, clicks: CanvasClicks) -> None:
        self.pointed: list[tuple[float, float]] = []
        self.painted: list[Any] = []
        self.stepped: list[Any] = []
        clicks.pointed.connect(lambda x, y: self.pointed.append((x, y)))
        clicks.painted.connect(self.painted.append)
        clicks.stepped.connect(lambda *a: self.stepped.append(a))


def event(kind: str, *position: float) -> Any:
    made = SimpleNamespace(
        type=kind,
        position=position,
        modifiers=[],
        button=1,
        handled=False,
        dims_displayed=[0, 1],
        is_dragging=True,
    )
    return ReadOnlyWrapper(made, exceptions=("handled",))


@pytest.fixture
def viewer() -> Any:
    return ViewerModel()


def double_click(viewer: Any, *position: float) -> Any:
    clicked = event("mouse_double_click", *position)
    mouse_double_click_callbacks(viewer, clicked)
    return clicked


def drag(viewer: Any, *places: tuple[float, float]) -> None:
    mouse_press_callbacks(viewer, event("mouse_press", *places[0]))
    for place in places[1:]:
        mouse_move_callbacks(viewer, event("mouse_move", *place))
    mouse_release_callbacks(viewer, event("mouse_release", *places[-1]))


def test_a_double_click_names_a_place(viewer: Any, qtbot: QtBot) -> None:
    clicks = CanvasClicks(viewer)
    heard = Heard(clicks)
    before = list(viewer.mouse_double_click_callbacks)
    double_click(viewer, 2.0, 5.0, 7.0)
    assert heard.pointed == []
    zoom = viewer.scene.camera.zoom
    clicks.set_mode("move")
    assert double_click(viewer, 2.0, 5.0, 7.0).handled
    assert heard.pointed == [(7.0, 5.0)]
    assert viewer.scene.camera.zoom == zoom
    clicks.set_mode("")
    assert list(viewer.mouse_double_click_callbacks) == before
    double_click(viewer, 5.0, 7.0)
    assert len(heard.pointed) == 1
    assert viewer.scene.camera.zoom != zoom


def test_not_while_a_layer_is_edited_or_in_three_dimensions(
    viewer: Any, qtbot: QtBot
) -> None:
    clicks = CanvasClicks(viewer)
    heard = Heard(clicks)
    clicks.set_mode("explore")
    shapes = viewer.add_shapes()
    shapes.mode = "add_polygon"
    double_click(viewer, 5.0, 7.0)
    drag(viewer, (0, 0), (1, 1), (2, 2))
    shapes.mode = "pan_zoom"
    viewer.add_image(np.zeros((4, 4, 4)))
    viewer.dims.ndisplay = 3
    double_click(viewer, 1.0, 5.0, 7.0)
    assert heard.pointed == heard.painted == []
    viewer.dims.ndisplay = 2
    double_click(viewer, 1.0, 5.0, float("nan"))
    assert heard.pointed == []
    double_click(viewer, 1.0, 5.0, 7.0)
    assert heard.pointed == [(7.0, 5.0)]


def test_dragging_paints_and_the_view_stays(viewer: Any, qtbot: QtBot) -> None:
    clicks = CanvasClicks(viewer)
    heard = Heard(clicks)
    clicks.set_mode("explore")
    assert not viewer.scene.camera.mouse_pan
    viewer.add_image(np.zeros((4, 4)))
    assert not viewer.scene.camera.mouse_pan
    drag(viewer, (0, 1), (10, 11), (20, 21))
    assert heard.painted == [[(1.0, 0.0), (11.0, 10.0), (21.0, 20.0)]]
    drag(viewer, (0, 0))  # a click
    assert len(heard.painted) == 1
    clicks.set_mode("")
    assert viewer.scene.camera.mouse_pan
    drag(viewer, (0, 1), (10, 11))
    assert len(heard.painted) == 1


def test_keys_of_the_canvas(viewer: Any, qtbot: QtBot) -> None:
    clicks = CanvasClicks(viewer)
    heard = Heard(clicks)
    clicks.set_mode("move")
    keys = viewer.keymap
    keys[coerce_keybinding("Right")](viewer)
    keys[coerce_keybinding("Shift-PageUp")](viewer)
    assert heard.stepped == [(1, 0, 0, False), (0, 0, 1, True)]
    clicks.set_mode("explore")
    assert not keys
    clicks.close()
    clicks.close()
    assert clicks.mode == ""


def test_a_world_in_millimeters(viewer: Any, qtbot: QtBot) -> None:
    clicks = CanvasClicks(viewer)
    heard = Heard(clicks)
    viewer.add_image(np.zeros((4, 4)), units=("mm", "mm"))
    clicks.set_mode("move")
    double_click(viewer, 0.5, 2.0)
    assert heard.pointed == [pytest.approx((2000.0, 500.0))]
    clicks.close()
