"""Do what the tutorial says, with the real program, and make its pictures.

What the page states is asserted on the way, and its Python code is run.
``python docs/pictures/tutorial.py FOLDER`` walks through the page without pictures; the
data go to FOLDER.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import stage

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["pictures", "walk"]

_PAGE = Path(__file__).parents[1] / "tutorial.md"
# Corners of the region, in micrometers of the stage.
_REGION = ((-200.0, -180.0), (1100.0, 620.0))


def pictures(folder: Path) -> list[Path]:
    """Walk through the tutorial and make its pictures."""
    made: list[Path] = []

    def shoot(viewer: Any, name: str) -> None:
        made.append(stage.shoot(viewer, folder / f"tutorial-{name}.png"))

    with tempfile.TemporaryDirectory() as data:
        walk(Path(data), shoot)
    return made


def walk(data: Path, shoot: Callable[[Any, str], None] | None = None) -> None:
    """Do all steps of the page.

    Parameters
    ----------
    data : Path
        Where the data are saved.
    shoot : callable, optional
        Called with the viewer and a name where the page has a picture.
    """
    stage.keep_away()
    # A small window is drawn in less time.
    size = stage.SMALL if shoot is None else stage.LARGE
    shoot = shoot or (lambda viewer, name: None)
    path = _acquire(data, shoot, size)
    _look_again(path, shoot, size)


# ---- the first session: from an empty window to a file


def _acquire(
    data: Path, shoot: Callable[[Any, str], None], size: tuple[int, int]
) -> Path:
    viewer = _napari(size)
    docks = _open_docks(viewer)
    devices, explorer, acquire = (
        docks[name] for name in ("Devices", "Stage and explorer", "Acquire")
    )
    core = devices.microscope.real_core
    stage.until(lambda: core.getCameraDevice() == "Camera")
    stage.until(lambda: not devices.microscope.is_loading)
    stage.until(lambda: devices.tabs.page.built)
    shoot(viewer, "docks")
    _see(viewer, devices)
    shoot(viewer, "live")
    click(devices.live.live_button)
    stage.until(lambda: not devices.microscope.live.going_on)
    _move(viewer, devices, explorer)
    _draw(viewer, explorer)
    shoot(viewer, "region")
    click(explorer.planner.offer_button)
    path = _run(viewer, acquire, data, shoot)
    viewer.close()
    stage.rest(0.2)
    return path


def _napari(size: tuple[int, int]) -> Any:
    import napari

    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(*size)
    stage.rest(0.2)
    return viewer


def _open_docks(viewer: Any) -> dict[str, Any]:
    """File > Acquire > Open the microscope's docks."""
    menu = viewer.window._qt_window.menuBar()
    for words in ("File", "Acquire", "Open the microscope's docks"):
        action = next(a for a in menu.actions() if _plain(a.text()).startswith(words))
        menu = action.menu()
        if menu is not None:
            menu.aboutToShow.emit()
    action.trigger()
    docks = viewer.window._wrapped_dock_widgets
    return {
        name.removesuffix(" (napari-scope)"): dock.inner_widget()
        for name, dock in docks.items()
        if "napari-scope" in name
    }


def _width(viewer: Any) -> int:
    return int(viewer.window._qt_window.width())


def _see(viewer: Any, devices: Any) -> None:
    """Choose a sample, look at it live, snap."""
    from qtpy.QtWidgets import QComboBox

    core = devices.microscope.real_core
    devices.show_page("Properties")
    page = devices.page("Properties")
    stage.until(lambda: page.table is not None)
    keys(page.search, "Camera-Mode")
    table = page.table
    (row,) = table.rows_of("Camera", "Mode")
    stage.until(lambda: not table.isRowHidden(row) and table.cellWidget(row, 1))
    (choice,) = table.cellWidget(row, 1).findChildren(QComboBox)
    pick(choice, "Fluorescent Beads")
    stage.until(lambda: core.getProperty("Camera", "Mode") == "Fluorescent Beads")
    keys(devices.live.exposure_box.lineEdit(), "20\r")
    stage.until(lambda: core.getExposure() == 20)
    click(devices.live.live_button)
    stage.until(
        lambda: "Live" in viewer.layers and viewer.layers["Live"].data.max() > 0
    )
    click(devices.live.snap_button)
    stage.rest(0.5)
    layer = viewer.layers["Live"]
    assert layer.data.shape == (512, 512), layer.data.shape
    assert str(layer.data.dtype) == "uint16"
    states("512 x 512")


def _move(viewer: Any, devices: Any, explorer: Any) -> None:
    """Go two steps to the right, and home again by typing."""
    stage.to_front(viewer, explorer)
    core = devices.microscope.real_core
    stage.until(lambda: explorer.driver.facts.grid is not None)
    control = explorer.control
    keys(control.xy_step.lineEdit(), "100\r")
    from qtpy.QtCore import Qt

    for _ in range(2):
        keys(control, Qt.Key.Key_Right)
    stage.until(lambda: round(core.getXPosition()) == 200)
    states("x = 200")
    stage.until(control.x_box.isEnabled)
    keys(control.x_box.lineEdit(), "0\r")
    stage.until(lambda: round(core.getXPosition()) == 0 and not core.systemBusy())


def _draw(viewer: Any, explorer: Any) -> None:
    """Draw a rectangle with the mouse; tiles lie over it."""
    viewer.scene.camera.center = (0, 250, 450)
    viewer.scene.camera.zoom = 0.5 * _width(viewer) / stage.LARGE[0]
    stage.rest(0.3)
    click(explorer.planner.draw_buttons["rectangle"])
    drag(viewer, *_REGION)
    stage.until(lambda: explorer.planner.plan is not None)
    tiles = explorer.planner.plan.tiles
    assert len(tiles) == 6, len(tiles)
    states("6 tiles")
    assert explorer.planner.summary.text().startswith("6 tiles")
    explorer.planner.layer.mode = "pan_zoom"


def _run(
    viewer: Any, acquire: Any, data: Path, shoot: Callable[[Any, str], None]
) -> Path:
    stage.to_front(viewer, acquire)
    editor, save = acquire.editor, acquire.save_box
    stage.until(lambda: len(editor.value().stage_positions) == 6)
    tabs = editor.tab_wdg
    assert tabs.isChecked(editor.stage_positions) and tabs.isChecked(editor.channels)
    tabs.setCurrentWidget(editor.channels)
    assert len(editor.value().channels) == 1
    editor.channels.act_add_row.trigger()
    table = editor.channels.table()
    for row, channel in enumerate(("DAPI", "FITC")):
        _choose_channel(table, row, channel)
        exposure = table.cellWidget(row, table.indexOf(editor.channels.EXPOSURE))
        keys(exposure.lineEdit(), "20\r")
    chosen = [(c.config, c.exposure) for c in editor.value().channels]
    assert chosen == [("DAPI", 20), ("FITC", 20)], chosen
    states("DAPI and FITC, with 20 ms each")
    keys(save.folder_edit, f"{data}\t")
    keys(save.name_edit, "beads\t")
    stage.until(lambda: "12 frames" in save.estimate_label.text())
    stage.until(acquire.run_bar.run_button.isEnabled)
    shoot(viewer, "plan")
    click(acquire.run_bar.run_button)
    stage.until(lambda: acquire.run is not None and acquire.run.progress().saved >= 5)
    viewer.reset_view()
    stage.until(lambda: not acquire.running and not acquire.live.active)
    report = acquire.run.report
    assert (report.state.value, report.saved) == ("finished", 12), report
    states("12 frames")
    layers = [layer for layer in viewer.layers if "DAPI" in layer.name]
    assert len(layers) == 6, [layer.name for layer in viewer.layers]
    acquire.tabs.setCurrentWidget(acquire.reports)
    assert "12 of 12 frames saved" in acquire.reports.text.toPlainText()
    states("12 of 12 frames saved")
    for name in ("Live", "Tile plan"):
        viewer.layers[name].visible = False
    viewer.reset_view()
    shoot(viewer, "after")
    return data / "beads_001.ome.zarr"


def _choose_channel(table: Any, row: int, channel: str) -> None:
    from qtpy.QtWidgets import QComboBox

    for column in range(table.columnCount()):
        cell = table.cellWidget(row, column)
        lists = [] if cell is None else [cell, *cell.findChildren(QComboBox)]
        for choice in lists:
            if isinstance(choice, QComboBox):
                pick(choice, channel)
                return
    raise AssertionError("no list of channels")


# ---- the second session: from the file to a table


def _look_again(
    path: Path, shoot: Callable[[Any, str], None], size: tuple[int, int]
) -> None:
    viewer = _napari(size)
    docks = _open_docks(viewer)
    browse, metadata = docks["Browse data"], docks["Metadata"]
    stage.to_front(viewer, browse)
    page = browse.folder_page
    browse.tabs.setCurrentWidget(page)
    keys(page.place_field.box.lineEdit(), f"{path.parent}\r")
    stage.until(lambda: page.model.count == 1 and page.model.rows[0].looked)
    page.view.icon_view.setCurrentIndex(page.model.index(0, 0))
    click(page.open_button)
    stage.until(lambda: sum("DAPI" in layer.name for layer in viewer.layers) == 6)
    viewer.reset_view()
    shoot(viewer, "browse")
    stage.to_front(viewer, metadata)
    viewer.layers.selection.active = next(
        layer for layer in viewer.layers if "DAPI" in layer.name
    )
    stage.until(lambda: metadata.frame_tab.shown.facts.get("exposure_ms") == 20)
    states("exposure_ms")
    shoot(viewer, "metadata")
    metadata.frame_tab.export(path.parent / "frames.csv")
    stage.until(lambda: not metadata.frame_tab.busy)
    lines = (path.parent / "frames.csv").read_text("utf-8").splitlines()
    assert len(lines) == 1 + 12, lines
    _measure(path.parent, viewer)
    viewer.reset_view()
    stage.to_front(viewer, browse)
    shoot(viewer, "measured")
    viewer.close()
    stage.rest(0.2)


def _measure(data: Path, viewer: Any) -> None:
    """Run the page's code, as in napari's console, in the folder of the data."""
    from napari_scope.formats import open_dataset

    names: dict[str, Any] = {"viewer": viewer}
    said = io.StringIO()
    with contextlib.chdir(data), contextlib.redirect_stdout(said):
        for code in re.findall(r"```python\n(.*?)```", _page(), re.DOTALL):
            exec(compile(code, str(_PAGE), "exec"), names)
    for expected in re.findall(r"print\(.*\)  # (.+)$", _page(), re.MULTILINE):
        assert expected in said.getvalue(), (expected, said.getvalue())
    assert 450 < names["count"] < 550, names["count"]
    assert 38 <= median(names["area_um2"]) <= 44, said.getvalue()
    states("about 500 beads of 41")
    assert len(open_dataset(data / "beads_001.ome.zarr").images) == 6
    assert viewer.layers["beads"].data.max() == names["count"]
    table = (data / "beads.csv").read_text("utf-8").splitlines()
    assert len(table) == 1 + names["count"]


# ---- hands


def click(button: Any) -> None:
    """Click a button that can be clicked."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    stage.until(button.isEnabled)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def keys(widget: Any, what: Any) -> None:
    """Press a key, or type a text over what is there."""
    from qtpy.QtTest import QTest

    if not isinstance(what, str):
        QTest.keyClick(widget, what)
        return
    widget.selectAll()
    QTest.keyClicks(widget, what)


def pick(choice: Any, text: str) -> None:
    """Choose a line of a list with the keyboard."""
    from qtpy.QtTest import QTest

    choice.setFocus()
    QTest.keyClicks(choice, text[:8])
    stage.until(lambda: choice.currentText() == text)


def drag(viewer: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag the mouse over the canvas, from one place (x, y) on the stage to another."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    canvas = viewer.window._qt_viewer.canvas.native
    camera = viewer.scene.camera

    def pixel(place: tuple[float, float]) -> QPoint:
        x = (place[0] - camera.center[-1]) * camera.zoom + canvas.width() / 2
        y = (place[1] - camera.center[-2]) * camera.zoom + canvas.height() / 2
        return QPoint(round(x), round(y))

    left = Qt.MouseButton.LeftButton
    QTest.mouseMove(canvas, pixel(start))
    QTest.mousePress(canvas, left, Qt.KeyboardModifier.NoModifier, pixel(start))
    for part in (0.3, 0.6, 1.0):
        x, y = (a + part * (b - a) for a, b in zip(start, end, strict=True))
        QTest.mouseMove(canvas, pixel((x, y)))
        stage.rest(0.05)
    QTest.mouseRelease(canvas, left, Qt.KeyboardModifier.NoModifier, pixel(end))
    stage.rest(0.1)


def states(*words: str) -> None:
    """Fail unless the page says these words."""
    for word in words:
        assert word in _page(), f"the page does not say {word!r}"


def _plain(text: str) -> str:
    return text.replace("&", "")


def _page() -> str:
    return _PAGE.read_text("utf-8")


if __name__ == "__main__":
    walk(Path(sys.argv[1]))
