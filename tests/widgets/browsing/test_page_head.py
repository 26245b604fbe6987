"""The place and the filter above a page, and their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_scope.widgets.browsing.page_head import PageHead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


class Page(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.head = PageHead(
            self,
            again="Read again",
            filter_name="Filter of the list",
            filter_hint="Filter, for example DAPI",
            filter_tip="Shows what has all words",
        )
        self.below = QLineEdit()
        column = QVBoxLayout(self)
        column.addWidget(self.head)
        column.addWidget(self.below)


@pytest.fixture
def page(qtbot: QtBot) -> Iterator[Page]:
    made = Page()
    qtbot.addWidget(made)
    made.show()
    made.activateWindow()
    qtbot.waitActive(made)
    yield made
    made.head.close_down()
    made.head.close_down()


def test_its_keys_count_anywhere_in_the_page(page: Page, qtbot: QtBot) -> None:
    head, control = page.head, Qt.KeyboardModifier.ControlModifier
    head.filter_edit.setText("old")
    told: list[object] = []
    head.again_wanted.connect(lambda *_: told.append(None))

    def press(key: Qt.Key) -> None:
        # Tests beside this one have windows on the same screen, which become active.
        page.activateWindow()
        page.below.setFocus()
        QTest.keyClick(page.below, key, control)

    def found() -> bool:
        press(Qt.Key.Key_F)
        return page.focusWidget() is head.filter_edit

    def read() -> bool:
        press(Qt.Key.Key_R)
        return bool(told)

    qtbot.waitUntil(found)
    assert head.filter_edit.selectedText() == "old"
    qtbot.waitUntil(read)
    assert head.again_action in page.actions()
    assert head.again_action.text() == "Read again"


def test_what_is_typed_is_told(page: Page) -> None:
    told: list[str] = []
    page.head.filter_changed.connect(told.append)
    QTest.keyClicks(page.head.filter_edit, "ab")
    assert told == ["a", "ab"]
    assert page.head.filter_edit.accessibleName() == "Filter of the list"
    assert page.head.filter_edit.toolTip() == "Shows what has all words (Ctrl+F)"


def test_a_place_is_shown_without_being_told(page: Page) -> None:
    told: list[str] = []
    page.head.place_chosen.connect(told.append)
    page.head.show_place("/data/run")
    assert not told
    page.head.place_field.place_chosen.emit("/data/other")
    assert told == ["/data/other"]


def test_another_choice_stands_beside_the_filter(page: Page, qtbot: QtBot) -> None:
    button = QPushButton("Sort")
    page.head.add_choice(button)
    qtbot.waitUntil(lambda: button.x() > page.head.filter_edit.x())
    assert button.parentWidget() is page.head
