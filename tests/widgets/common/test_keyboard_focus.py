"""Tab goes through a dock as it is laid out, and one sees where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QGridLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QStackedLayout,
    QTabBar,
    QTableWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.common.keyboard_focus import KeyboardFocus, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot
    from qtpy.QtGui import QImage

pytestmark = pytest.mark.gui


class Dock(QWidget):
    """Its parts are made in another order than they are laid out in."""

    def __init__(self) -> None:
        super().__init__()
        below, right, left = (QPushButton(t) for t in ("below", "right", "left"))
        self.last, self.first, self.table = QSpinBox(), QLineEdit(), QTableWidget(3, 2)
        self.tabs = QTabWidget()
        page = QWidget()
        inside = QPushButton("inside")
        stack = QStackedLayout()
        stack.addWidget(inside)
        QVBoxLayout(page).addLayout(stack)
        self.tabs.addTab(page, "page")
        bar = self.tabs.tabBar()
        assert bar is not None
        self.use = QCheckBox()
        bar.setTabButton(0, QTabBar.ButtonPosition.LeftSide, self.use)
        grid = QGridLayout()
        grid.addWidget(below, 1, 0)
        grid.addWidget(right, 0, 1)
        grid.addWidget(left, 0, 0)
        scrolled = QWidget()
        inner = QVBoxLayout(scrolled)
        inner.addLayout(grid)
        area = QScrollArea()
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(scrolled)
        column = QVBoxLayout(self)
        for widget in (self.first, area, self.tabs, self.table, self.last):
            column.addWidget(widget)
        self.wanted: list[QWidget] = [
            self.first,
            left,
            right,
            below,
            bar,
            self.use,
            inside,
            self.table,
            self.last,
        ]
        self.focus = KeyboardFocus(self)


@pytest.fixture
def dock(qtbot: QtBot) -> Iterator[Dock]:
    outer = QWidget()
    qtbot.addWidget(outer)
    column = QVBoxLayout(outer)
    column.addWidget(QPushButton("elsewhere"))
    made = Dock()
    column.addWidget(made)
    outer.resize(400, 500)
    outer.show()
    outer.activateWindow()
    qtbot.waitActive(outer)
    yield made
    outer.close()


def frames(widget: QWidget) -> list[QWidget]:
    return [one for one in widget.findChildren(QWidget) if one.isVisible()]


def take_focus(widget: QWidget, qtbot: QtBot) -> None:
    """Give a widget the keyboard, also where windows of other programs take it away."""

    def has_it() -> bool:
        widget.clearFocus()
        widget.window().activateWindow()
        widget.setFocus()
        return widget.hasFocus()

    qtbot.waitUntil(has_it)


def picture(widget: QWidget) -> QImage:
    return widget.grab().toImage()


def test_tab_goes_from_above_to_below(dock: Dock) -> None:
    # Buttons that scroll the tabs are hidden here.
    assert [one for one in in_order(dock) if one.isVisible()] == dock.wanted
    dock.first.setFocus()  # the keyboard comes into the dock: it is put into order
    reached = []
    for _ in dock.wanted:
        now = QApplication.focusWidget()
        reached.append(now)
        QTest.keyClick(now, Qt.Key.Key_Tab)
    assert reached == dock.wanted


def test_the_focus_is_seen_where_it_was_not_clicked(dock: Dock) -> None:
    left, right = dock.wanted[1], dock.wanted[2]
    # As napari's style sheet: nothing is drawn where the focus is.
    dock.setStyleSheet("QPushButton {background: #414851; border: 0; outline: 0}")
    plain = picture(left)
    left.setFocus()
    seen = picture(left)
    assert seen != plain
    left.resize(left.width() + 20, left.height())
    edge = picture(left).pixelColor(left.width() - 1, 5)
    assert edge == picture(left).pixelColor(0, 5)  # the frame goes along
    right.setFocus()
    assert not frames(left) and frames(right)
    assert picture(right) != plain
    QTest.mouseClick(left, Qt.MouseButton.LeftButton)
    assert left.hasFocus()
    assert not frames(left) and not frames(right)


def test_a_frame_may_go_with_its_widget(dock: Dock, qtbot: QtBot) -> None:
    take_focus(dock.last, qtbot)
    (frame,) = (w for w in dock.last.children() if type(w).__name__ == "_Frame")
    with qtbot.waitSignal(frame.destroyed):
        dock.last.deleteLater()
    take_focus(dock.first, qtbot)
    assert any(type(w).__name__ == "_Frame" for w in dock.first.children())
