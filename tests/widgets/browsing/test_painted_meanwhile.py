from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_scope.widgets.browsing.painted_meanwhile import painted_meanwhile

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


def test_the_window_lives_while_it_is_waited_for(qtbot: QtBot) -> None:
    painted = threading.Event()
    QTimer.singleShot(0, painted.set)

    def call() -> tuple[bool, bool]:
        in_main = threading.current_thread() is threading.main_thread()
        return painted.wait(30), in_main

    assert painted_meanwhile(call, "test call") == (True, False)


def test_what_is_raised_comes_out(qtbot: QtBot) -> None:
    def call() -> None:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        painted_meanwhile(call, "test call")


def test_what_is_raised_keeps_nothing_of_the_call(qtbot: QtBot) -> None:
    class File:
        pass

    opened: list[weakref.ref[File]] = []

    def call() -> None:
        file = File()
        opened.append(weakref.ref(file))
        raise ValueError("no such thing")

    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            painted_meanwhile(call, "test call")
        assert opened[0]() is None
    finally:
        gc.enable()


def test_the_cursor_says_that_something_is_under_way(qtbot: QtBot) -> None:
    shapes: list[Qt.CursorShape] = []

    def look() -> None:
        cursor = QApplication.overrideCursor()
        if cursor is not None:
            shapes.append(cursor.shape())
        gone.set()

    gone = threading.Event()
    QTimer.singleShot(80, look)
    painted_meanwhile(lambda: gone.wait(30), "test call")
    assert shapes == [Qt.CursorShape.WaitCursor]
    assert QApplication.overrideCursor() is None
