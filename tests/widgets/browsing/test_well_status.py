from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.formats.ngff.plate_stores import PlateStore

from napari_scope.formats.ngff.plate.view import open_plate
from napari_scope.layers.plate import plate_to_layers
from napari_scope.widgets.browsing.well_status import WellStatus, show_wells

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(tmp_path: Path, make_napari_viewer: Callable[..., Any]) -> Any:
    store = PlateStore(tmp_path / "p.zarr")
    store.add_well("A/1", ["0", "1"])
    store.add_well("B/3", ["x"])
    viewer = make_napari_viewer()
    for data, arguments, kind in plate_to_layers(open_plate(store.root)):
        viewer._add_layer_from_data(data, arguments, kind)
    for _ in range(2):
        show_wells(viewer)
    viewer.mouse_over_canvas = True
    return viewer


def status_at(viewer: Any, y: float, x: float) -> str:
    """Return the status with the cursor at a pixel, as napari's thread sets it."""
    viewer.cursor.position = (y / 2, x / 2)
    viewer.window._qt_window.set_status_and_tooltip(viewer._calc_status_from_cursor())
    status = viewer.status
    return str(status if isinstance(status, str) else status["coordinates"])


def shown(viewer: Any) -> str:
    return str(viewer.window._status_bar._coordinates.text())


def test_the_status_bar_names_well_and_field(viewer: Any) -> None:
    assert status_at(viewer, 1, 1).startswith("well A1, field 0  ·  [")
    assert shown(viewer).startswith("well A1, field 0  ·  [")
    assert status_at(viewer, 2, 14).startswith("well A1, field 1")
    assert status_at(viewer, 11, 53).startswith("well B3, field x")
    assert status_at(viewer, 11, 70).startswith("well B3  ·")
    for y, x in ((9, 1), (1, 30), (-5, 1), (1, -5), (500, 500)):
        assert status_at(viewer, y, x).startswith("["), (y, x)


def test_several_selected_layers_and_other_layers(viewer: Any) -> None:
    viewer.layers.selection = set(viewer.layers[1:])
    assert status_at(viewer, 1, 1).startswith("well A1, field 0  ·  ")
    assert "GFP" in viewer.status
    for layer in viewer.layers:
        layer.visible = False
    assert not status_at(viewer, 2, 2).startswith("well")
    viewer.status = "Ready"
    assert viewer.status == "Ready"


def test_there_is_one_for_a_viewer_and_it_can_be_stopped(viewer: Any) -> None:
    window = viewer.window.main_menu.window()
    (status,) = window.findChildren(WellStatus)
    for _ in range(2):
        status.stop()
    assert status_at(viewer, 1, 1).startswith("[")


def test_without_a_window_nothing_happens() -> None:
    from napari.components import ViewerModel

    show_wells(ViewerModel())  # type: ignore[arg-type]
