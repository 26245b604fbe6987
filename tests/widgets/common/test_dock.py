from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.compat import isalive
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QVBoxLayout

from napari_scope.widgets.common.dock import ScopeDock
from napari_scope.widgets.common.microscope import Microscope
from napari_scope.widgets.common.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui


class Dock(ScopeDock):
    """A dock with a timer, a thread and a child, as any has."""

    def __init__(self, viewer: Any, microscope: Microscope | None = None) -> None:
        super().__init__(viewer, "test")
        self.microscope = microscope
        self.shut_downs = 0
        self.number = 1
        self.stays = False
        self.child = QLabel("child")
        QVBoxLayout(self).addWidget(self.child)
        self.timer = QTimer(self)
        self.timer.start(10)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._stop.wait, name="napari-scope test", daemon=True
        )
        self._thread.start()
        if microscope is not None:
            microscope.hold(self)
        self.restore_remembered()

    def state(self) -> dict[str, Any]:
        return {"number": self.number, "text": self.child.text()}

    def restore(self, state: dict[str, Any]) -> None:
        self.number = int(state["number"]) if state else 1

    def may_close(self) -> bool:
        return not self.stays

    def on_shut_down(self) -> None:
        self.shut_downs += 1
        self._stop.set()
        if self.microscope is not None:
            self.microscope.release(self)
        self.timer.stop()


class _Viewer:
    """As much of a viewer as a dock that may not close needs."""

    def __init__(self) -> None:
        self.main = QMainWindow()
        self.window = self

    def add_dock_widget(self, widget: Dock, **_: object) -> QDockWidget:
        frame = QDockWidget(self.main)
        frame.setWidget(widget)
        self.main.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, frame)
        return frame


@pytest.fixture
def viewer(qapp: object, no_thread_is_left: None) -> Iterator[_Viewer]:
    made = _Viewer()
    made.main.show()
    yield made
    if isalive(made.main):  # type: ignore[no-untyped-call]
        made.main.close()
        made.main.deleteLater()


def _docked(viewer: _Viewer, qtbot: QtBot) -> tuple[Dock, QDockWidget]:
    dock = Dock(viewer)
    frame = viewer.add_dock_widget(dock)
    qtbot.waitUntil(lambda: dock._window() is viewer.main)
    return dock, frame


def test_hidden_floated_and_docked_again_it_lives(
    viewer: _Viewer, qtbot: QtBot
) -> None:
    dock, frame = _docked(viewer, qtbot)
    for step in (
        frame.hide,
        frame.show,
        lambda: frame.setFloating(True),
        lambda: frame.setFloating(False),
        viewer.main.hide,
        viewer.main.show,
    ):
        step()
        qtbot.wait(5)
        assert not dock.is_shut_down
    dock.number = 7
    frame.hide()  # ended from outside after this, it still remembers
    assert Remembered().state("test") == {"number": 7, "text": "child"}
    dock.shut_down()
    dock.shut_down()
    assert dock.shut_downs == 1


def test_taken_out_of_its_frame_it_ends(viewer: _Viewer, qtbot: QtBot) -> None:
    dock, _frame = _docked(viewer, qtbot)
    dock.number = 3
    gone: list[bool] = []
    dock.destroyed.connect(lambda: gone.append(True))
    dock.setParent(None)
    qtbot.waitUntil(lambda: gone == [True])
    assert dock.shut_downs == 1
    again = Dock(viewer)
    assert again.number == 3
    again.shut_down()


def test_a_dock_that_must_stay_is_docked_again(viewer: _Viewer, qtbot: QtBot) -> None:
    dock, _frame = _docked(viewer, qtbot)
    dock.stays = True
    dock.setParent(None)
    qtbot.waitUntil(lambda: dock.parentWidget() is not None)
    assert not dock.is_shut_down
    dock.stays = False
    dock.shut_down()


def test_a_window_that_goes_ends_its_docks_while_they_are_whole(
    viewer: _Viewer, qtbot: QtBot
) -> None:
    dock, _frame = _docked(viewer, qtbot)
    dock.number = 11
    viewer.main.deleteLater()
    qtbot.waitUntil(lambda: dock.shut_downs == 1)
    assert Remembered().state("test")["number"] == 11


def test_a_state_that_cannot_be_read_is_forgotten(
    viewer: _Viewer, qtbot: QtBot
) -> None:
    Remembered().set_state("test", {"another": "version"})
    dock = Dock(viewer)
    assert dock.number == 1 and Remembered().state("test") == {}
    dock.shut_down()


def test_an_error_while_qt_deletes_it_stays_inside(
    viewer: _Viewer, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock = Dock(viewer)

    def fail() -> None:
        raise RuntimeError("wrapped C/C++ object of type QLabel has been deleted")

    monkeypatch.setattr(dock, "remember", fail)
    release = dock.on_shut_down
    monkeypatch.setattr(dock, "on_shut_down", lambda: (release(), fail()))
    dock.shut_down()
    assert dock.is_shut_down and dock.shut_downs == 1


def test_nothing_is_left_of_two_hundred(
    viewer: _Viewer, qtbot: QtBot, owner: CoreOwner
) -> None:
    microscope = Microscope(owner)
    left: list[weakref.ref[Dock]] = []
    for _ in range(200):
        dock = Dock(viewer, microscope)
        left.append(weakref.ref(dock))
        dock.shut_down()
        dock.deleteLater()
        del dock
    qtbot.wait(10)
    gc.collect()
    assert [dock for dock in left if dock() is not None] == []
    assert microscope._users == []
    microscope.close()


def test_in_napari(
    make_napari_viewer: Callable[..., napari.Viewer],
    owner: CoreOwner,
    qtbot: QtBot,
    no_thread_is_left: None,
) -> None:
    viewer = make_napari_viewer(show=True)
    microscope = Microscope(owner)
    docks = [Dock(viewer, microscope) for _ in range(2)]
    frames = [
        viewer.window.add_dock_widget(dock, name=f"dock {number}")
        for number, dock in enumerate(docks)
    ]
    qtbot.waitUntil(lambda: all(dock._window() is not None for dock in docks))
    frames[0].setFloating(True)
    qtbot.wait(20)
    frames[0].setFloating(False)
    frames[0].hide()
    qtbot.wait(20)
    frames[0].show()
    assert not docks[0].is_shut_down
    frames[0].destroyOnClose()  # what the cross in its title does
    qtbot.waitUntil(lambda: docks[0].is_shut_down)
    assert not docks[1].is_shut_down and microscope._timer.isActive()
    docks[1].number = 5
    viewer.close()
    qtbot.waitUntil(lambda: docks[1].is_shut_down)
    assert docks[1].shut_downs == 1
    assert Remembered().state("test")["number"] == 5
    qtbot.waitUntil(lambda: microscope._closed)  # the last window with a dock is gone
    assert owner.has_devices  # they are somebody else's
