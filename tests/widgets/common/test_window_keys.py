"""Keys of the whole window: they work while their dock is hidden, and go with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QApplication, QMainWindow, QWidget

from napari_scope.widgets.common.window_keys import window_key

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.mark.parametrize("proxied", [False, True])
def test_a_key_works_while_its_owner_is_hidden_and_goes_with_it(
    qtbot: QtBot, proxied: bool
) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    canvas, owner = QWidget(), QWidget(window)
    window.setCentralWidget(canvas)
    pressed: list[int] = []
    viewer = SimpleNamespace(window=SimpleNamespace(_qt_window=window))
    # Docks that are opened from napari's menus get a proxy of their viewer.
    given = PublicOnlyProxy(viewer) if proxied else viewer
    window_key(owner, given, "F9", lambda: pressed.append(1))
    with qtbot.waitExposed(window):
        window.show()
    owner.hide()
    window.activateWindow()
    canvas.setFocus()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(canvas, Qt.Key.Key_F9)
    assert pressed == [1]

    owner.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qtbot.keyClick(canvas, Qt.Key.Key_F9)
    assert pressed == [1]
