"""The calm line of text and the calm progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import Qt

from napari_scope.widgets.acquiring.calm_bar import CalmBar
from napari_scope.widgets.acquiring.text_line import TextLine

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


def test_a_line_keeps_its_size_whatever_it_says(qtbot: QtBot) -> None:
    line = TextLine("saved 888")
    qtbot.addWidget(line)
    before = line.sizeHint()
    line.setText("saved 123,456,789,012")
    assert line.sizeHint() == line.minimumSizeHint() == before
    assert line.text() == line.accessibleName() == "saved 123,456,789,012"
    line.clear()
    assert line.text() == ""


def test_a_line_is_painted_and_clicked(qtbot: QtBot) -> None:
    line = TextLine(right=True)
    qtbot.addWidget(line)
    line.resize(120, 20)
    empty = line.grab().toImage()
    line.setText("dropped 3")
    plain = line.grab().toImage()
    line.set_color("#ff0000")
    red = line.grab().toImage()
    assert empty != plain and plain != red
    line.set_color("")
    assert line.grab().toImage() == plain
    with qtbot.waitSignal(line.clicked):
        qtbot.mouseClick(line, Qt.MouseButton.LeftButton)


def test_a_calm_bar_shows_what_it_is_told(qtbot: QtBot) -> None:
    bar = CalmBar()
    qtbot.addWidget(bar)
    bar.show_value(3, 12, "%v of %m")
    assert bar.text() == "3 of 12"
    bar.show_value(0, 0)
    assert (bar.minimum(), bar.maximum()) == (0, 0)
    assert bar.updatesEnabled()
