"""Mosaics taken with the mouse, finished, and gone on with, in a window."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QFileDialog
from tests.widgets.space.test_explorer_dock import (
    WAIT_MS,
    begin,
    click,
    dock,
    finish,
    mosaic,
    taken,
)

from napari_scope.acquire.stored_mosaic import stored_mosaic
from napari_scope.formats.ndtiff import Dataset

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.space.explorer_dock import ExplorerDock

__all__ = ["dock"]  # a fixture

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]

LEFT = Qt.MouseButton.LeftButton


def on_canvas(dock: ExplorerDock, x_um: float, y_um: float) -> QPoint:
    """Return the pixel of the canvas that shows a place of the stage."""
    canvas = dock.viewer.window._qt_viewer.canvas

    def world(*pixel: int) -> Any:
        return np.array(canvas._map_canvas2world(pixel, canvas.view)[-2:])

    zero = world(0, 0)
    columns = [(world(100, 0) - zero) / 100, (world(0, 100) - zero) / 100]
    x, y = np.linalg.solve(np.stack(columns, 1), np.array([y_um, x_um]) - zero)
    return QPoint(round(float(x)), round(float(y)))


def mouse(dock: ExplorerDock, kind: QEvent.Type, at: QPoint, *, down: bool) -> None:
    native = dock.viewer.window._qt_viewer.canvas.native
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else LEFT
    place, there = QPointF(at), QPointF(native.mapToGlobal(at))
    held = LEFT if down else Qt.MouseButton.NoButton
    keys = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(native, QMouseEvent(kind, place, there, button, held, keys))


def double_click(dock: ExplorerDock, x_um: float, y_um: float) -> None:
    at = on_canvas(dock, x_um, y_um)
    mouse(dock, QEvent.Type.MouseMove, at, down=False)
    mouse(dock, QEvent.Type.MouseButtonPress, at, down=True)
    mouse(dock, QEvent.Type.MouseButtonRelease, at, down=False)
    mouse(dock, QEvent.Type.MouseButtonDblClick, at, down=True)
    mouse(dock, QEvent.Type.MouseButtonRelease, at, down=False)


def paint(dock: ExplorerDock, *places_um: tuple[float, float]) -> None:
    first, *others = (on_canvas(dock, *place) for place in places_um)
    mouse(dock, QEvent.Type.MouseMove, first, down=False)
    mouse(dock, QEvent.Type.MouseButtonPress, first, down=True)
    for at in others:
        time.sleep(0.02)  # more of them in so short a time are left out
        mouse(dock, QEvent.Type.MouseMove, at, down=True)
    mouse(dock, QEvent.Type.MouseButtonRelease, at, down=False)


def look_at_all(dock: ExplorerDock) -> None:
    dock.viewer.scene.camera.center = (0, 0)
    dock.viewer.scene.camera.zoom = 0.8


@pytest.mark.parametrize("dock", [True], indirect=True)
def test_a_mosaic_taken_with_the_mouse_goes_on(
    dock: ExplorerDock, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock.explore.channels.item(1).setCheckState(Qt.CheckState.Checked)
    dock.explore.above.setValue(1)
    begin(dock, qtbot)
    grid, path = dock.session.grid, dock.session.path
    assert grid is not None
    assert path is not None
    # Who shows runs of others would add a layer for each tile.
    assert dock.session._explorer is not None
    assert dock.session._explorer.acquisition.run.shown_by
    look_at_all(dock)
    double_click(dock, *grid.stage(0, 0))
    qtbot.waitUntil(lambda: taken(dock) == 1, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: len(mosaic(dock)) == 1, timeout=WAIT_MS)
    look_at_all(dock)
    before = tuple(dock.viewer.scene.camera.center)
    paint(dock, grid.stage(1, -1), grid.stage(1, 1))  # with nothing in between
    assert tuple(dock.viewer.scene.camera.center) == before  # it painted, not panned
    qtbot.waitUntil(lambda: taken(dock) == 4, timeout=WAIT_MS)
    finish(dock, qtbot)
    (layer,) = mosaic(dock)
    layer.contrast_limits = (3, 77)

    # The user has other wishes by now, and the stage is elsewhere.
    dock.explore.channels.item(1).setCheckState(Qt.CheckState.Unchecked)
    dock.explore.channels.item(3).setCheckState(Qt.CheckState.Checked)
    dock.explore.above.setValue(0)
    own = dock.explore.state()
    qtbot.waitUntil(dock.explore.resume_button.isEnabled, timeout=WAIT_MS)
    dock.driver.move_to(333, 444)
    qtbot.waitUntil(lambda: not dock.driver.moving, timeout=WAIT_MS)
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_: str(dock.session.path or path)
    )
    click(qtbot, dock.explore.resume_button)
    qtbot.waitUntil(lambda: dock.session.running, timeout=WAIT_MS)
    assert dock.session.grid == grid
    assert dock.explore.chosen_channels() == ["DAPI"]
    assert dock.explore.above.value() == 1
    assert dock.explore.state() == own  # what is remembered is the user's
    qtbot.waitUntil(lambda: taken(dock) == 4, timeout=WAIT_MS)
    assert len(dock.map._tiles["taken"]) == 4
    look_at_all(dock)
    double_click(dock, *grid.stage(-1, -1))
    qtbot.waitUntil(lambda: taken(dock) == 5, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: np.shape(layer.data[0])[-2:] == (174, 174), timeout=WAIT_MS)
    assert mosaic(dock) == [layer]
    assert list(layer.contrast_limits) == [3, 77]
    finish(dock, qtbot)
    assert dock.explore.state() == own
    assert dock.explore.chosen_channels() == ["Rhodamine"]
    assert {(a["row"], a["column"], a["z"]) for a in stored_mosaic(path).known} == {
        (*tile, z)
        for tile in ((0, 0), (1, -1), (1, 0), (1, 1), (-1, -1))
        for z in (0, 1)
    }
    with Dataset(path) as dataset:
        about = dataset.read_metadata(row=-1, column=-1, channel="DAPI", z=0)
        where = about["XPosition_um_Intended"], about["YPosition_um_Intended"]
        assert where == grid.stage(-1, -1)


def test_what_cannot_go_on_is_said(
    dock: ExplorerDock, qtbot: QtBot, tmp_path: Path
) -> None:
    dock.resume_exploring(tmp_path)
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=WAIT_MS)
    assert not dock.errors.isHidden()
    assert "no mosaic of an explorer" in str(dock.errors.error)
    begin(dock, qtbot)  # another one may begin
    assert dock.errors.isHidden()
    finish(dock, qtbot)
