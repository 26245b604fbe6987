"""Places that are dropped on the dock and on the canvas, and what is opened of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.layers.preferences import CONFIG_VARIABLE
from napari_scope.stream.jobs import Job, JobResult
from napari_scope.widgets.browsing.browse_dock import BrowseDock
from napari_scope.widgets.browsing.folder_model import PLACES_MIME
from napari_scope.widgets.browsing.place_drops import canvas_of, places_in
from napari_scope.widgets.common.closing import main_window_of

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QWidget

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


@pytest.fixture(autouse=True)
def preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "preferences"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        with NDTiffWriter(tmp_path / "data" / name) as writer:
            for t in range(4):
                for channel in ("A", "B"):
                    frame = np.full((8, 8), 10 * t + ord(channel), "u2")
                    writer.put({"time": t, "channel": channel}, frame)
    return tmp_path / "data"


def drop(widget: QWidget, mime: QMimeData) -> bool:
    """Drop something on a widget as the window system does; return if it was taken."""
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    plain = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), copy, mime, left, plain)
    QApplication.sendEvent(widget, enter)
    if not enter.isAccepted():
        return False
    event = QDropEvent(QPointF(5, 5), copy, mime, left, plain)
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def urls(*places: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(place)) for place in places])
    return mime


def names(viewer: napari.Viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_drops_on_the_dock_and_on_the_canvas(
    browse_dock: BrowseDock, shown_viewer: napari.Viewer, qtbot: QtBot, folder: Path
) -> None:
    dock, page = browse_dock, browse_dock.folder_page
    assert drop(dock, urls(folder))
    qtbot.waitUntil(lambda: page.model.count == 2)
    assert dock.tabs.currentWidget() is page and page.folder == str(folder)
    assert not shown_viewer.layers

    assert drop(dock, urls(folder / "a"))
    qtbot.waitUntil(lambda: len(shown_viewer.layers) == 2, timeout=20_000)
    shown_viewer.layers.clear()

    # Out of the list to the canvas: both, without a question of napari's.
    window: Any = main_window_of(dock)
    canvas: Any = canvas_of(window)
    page.view.icon_view.selectAll()
    selection: Any = page.view.icon_view.selectionModel()
    mime = page.model.mimeData(selection.selectedIndexes())
    assert drop(canvas, mime)
    qtbot.waitUntil(lambda: len(shown_viewer.layers) == 4, timeout=20_000)
    # On the dock itself that means nothing.
    qtbot.waitUntil(lambda: not dock._care.busy)
    drop(dock, mime)
    qtbot.wait(50)
    assert len(shown_viewer.layers) == 4 and not dock._sorter.busy


def test_a_part_is_opened(
    browse_dock: BrowseDock, shown_viewer: napari.Viewer, qtbot: QtBot, folder: Path
) -> None:
    dock, tree = browse_dock, browse_dock.tree
    tree.show_place(str(folder / "a"))
    qtbot.waitUntil(lambda: tree.root is not None)
    top = tree.filtered.index(0, 0)
    tree.view.setCurrentIndex(tree.filtered.index(0, 0, top))
    qtbot.waitUntil(tree.chooser.channel_button.isVisible)
    tree.chooser.channel_menu.actions()[0].trigger()
    tree.chooser.times.first.setValue(2)
    tree.open_button.click()
    qtbot.waitUntil(lambda: len(shown_viewer.layers) == 1, timeout=20_000)
    layer = shown_viewer.layers[0]
    assert "B" in layer.name
    values = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    assert values[..., 0, 0].ravel().tolist() == [20 + ord("B"), 30 + ord("B")]
    dock.frame_tab.look()
    qtbot.waitUntil(lambda: bool(dock.frame_view.rows))


def test_the_state_is_remembered(
    browse_dock: BrowseDock, shown_viewer: napari.Viewer, qtbot: QtBot, folder: Path
) -> None:
    browse_dock.show_folder(str(folder))
    browse_dock.folder_page.set_mode("list")
    browse_dock.folder_page.filter_edit.setText("a")
    browse_dock.shut_down()
    assert browse_dock.is_shut_down
    again = BrowseDock(shown_viewer)
    qtbot.addWidget(again)
    try:
        assert again.folder_page.folder == str(folder)
        assert again.folder_page.view.mode == "list"
        assert again.tabs.currentWidget() is again.folder_page
        qtbot.waitUntil(lambda: len(again.folder_page.model.rows) == 1)
    finally:
        again.shut_down()


def test_closing_asks_while_a_job_writes(
    browse_dock: BrowseDock, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def run(tell: Any, cancelled: Any) -> JobResult:
        while not gate.wait(0.01) and not cancelled():
            pass
        return JobResult("over", (), "cancelled" if cancelled() else "finished")

    asked: list[str] = []

    def answer(parent: object, title: str, *_: object) -> Any:
        asked.append(title)
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", answer)
    queued = browse_dock.activity.queue.add(Job("Convert", "/d/a", run))
    window: Any = main_window_of(browse_dock)
    assert not window.close() and window.isVisible()
    assert asked == ["Cancel the jobs?"] and queued.state == "running"
    gate.set()
    qtbot.waitUntil(lambda: queued.state == "finished")
    assert browse_dock.may_close() and len(asked) == 1


def test_what_is_dragged() -> None:
    mime = QMimeData()
    mime.setText("https://example.org/a.zarr")
    assert places_in(mime) == ["https://example.org/a.zarr"]
    mime.setText("a word")
    assert places_in(mime) == []
    mime.setUrls([QUrl("https://example.org/b.zarr"), QUrl.fromLocalFile("/d/c d")])
    assert places_in(mime) == ["https://example.org/b.zarr", "/d/c d"]
    mime.setData(PLACES_MIME, "/d/ä\n/d/b".encode())
    assert places_in(mime) == ["/d/ä", "/d/b"]
