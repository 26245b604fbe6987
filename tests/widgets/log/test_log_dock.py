from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_scope.widgets.common.log_book import LogBook, LogLine
from napari_scope.widgets.common.microscope import Microscope
from napari_scope.widgets.log.log_dock import LogDock
from napari_scope.widgets.log.log_model import MESSAGE, LogModel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui
_log = logging.getLogger("napari_scope.test")


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> Iterator[LogBook]:
    """Give the test a book of its own."""
    monkeypatch.setattr(LogBook, "_shared", None)
    loggers = [logging.getLogger(name) for name in ("napari_scope", "pymmcore-plus")]
    before = [list(logger.handlers) for logger in loggers]
    yield LogBook.shared()
    for logger, handlers in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers


@pytest.fixture
def dock(
    book: LogBook, empty_owner: CoreOwner, qtbot: QtBot, no_thread_is_left: None
) -> Iterator[LogDock]:
    microscope = Microscope(empty_owner)
    made = LogDock(None, microscope)  # type: ignore[arg-type]
    made.core.setChecked(False)
    qtbot.addWidget(made)
    made.resize(380, 500)
    made.show()
    yield made
    made.shut_down()
    microscope.close()


def _shown(dock: LogDock) -> list[str]:
    model = dock.model
    return [model.index(row, MESSAGE).data() for row in range(model.rowCount())]


def test_what_was_said_before_and_what_is_said_now(dock: LogDock, qtbot: QtBot) -> None:
    dock.hide()
    _log.info("while it was hidden")
    _log.debug("of no interest")
    qtbot.wait(5)
    dock.show()
    _log.warning("now")
    qtbot.waitUntil(lambda: _shown(dock) == ["while it was hidden", "now"])
    assert dock.model.index(1, 1).data() == "test"
    accessible = Qt.ItemDataRole.AccessibleTextRole
    assert dock.model.index(1, MESSAGE).data(accessible) == "Warning: now"
    assert dock.status.text() == "2 messages"


def test_level_search_pause_and_clear(dock: LogDock, qtbot: QtBot) -> None:
    _log.info("the stage moves")
    _log.error("the LAMP is dead")
    qtbot.waitUntil(lambda: len(_shown(dock)) == 2)
    dock.level.setCurrentText("Error")
    assert _shown(dock) == ["the LAMP is dead"]
    dock.level.setCurrentText("Info")
    qtbot.keyClicks(dock.search, "lamp")
    assert _shown(dock) == ["the LAMP is dead"]
    dock.search.clear()
    qtbot.mouseClick(dock.pause, Qt.MouseButton.LeftButton)
    _log.info("later")
    qtbot.wait(300)
    assert len(_shown(dock)) == 2 and dock.status.text() == "2 messages, paused"
    qtbot.mouseClick(dock.pause, Qt.MouseButton.LeftButton)
    assert _shown(dock)[-1] == "later"
    qtbot.mouseClick(dock.clear, Qt.MouseButton.LeftButton)
    assert _shown(dock) == []
    _log.info("anew")
    qtbot.waitUntil(lambda: _shown(dock) == ["anew"])
    dock.level.setCurrentText("Debug")  # what was cleared does not come back
    assert _shown(dock) == ["anew"]


def test_a_message_is_read_whole_copied_and_saved(
    dock: LogDock, qtbot: QtBot, tmp_path: Path
) -> None:
    _log.error("first line\nsecond line")
    _log.info("another")
    qtbot.waitUntil(lambda: len(_shown(dock)) == 2)
    assert _shown(dock)[0] == "first line …"
    dock.table.selectRow(0)
    about, _, text = dock.details.toPlainText().partition("\n")
    assert about.endswith("Error, from test") and text == "first line\nsecond line"
    dock.table.setFocus()
    qtbot.keyClick(dock.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    dock.copy_lines()
    assert clipboard.text().endswith("Error   [test] first line\nsecond line")
    assert "another" not in clipboard.text()
    target = tmp_path / "my.log"
    dock.save_as(target)
    qtbot.waitUntil(lambda: not dock._saver.busy)
    text = target.read_text(encoding="utf-8")
    assert "second line" in text and text.endswith("[test] another\n")


def test_a_file_that_cannot_be_written(
    dock: LogDock, qtbot: QtBot, tmp_path: Path
) -> None:
    dock.save_as(tmp_path / "no" / "such" / "folder.log")
    qtbot.waitUntil(lambda: dock.error_panel.error is not None)
    assert "Saving the log" in dock.error_panel.text.text()


def test_the_core_writes_too(dock: LogDock, qtbot: QtBot, tmp_path: Path) -> None:
    core = dock.microscope.real_core
    core.setPrimaryLogFile(str(tmp_path / "core.log"))
    dock.core.setChecked(True)
    core.logMessage("said by the core")
    qtbot.waitUntil(lambda: "said by the core" in " ".join(_shown(dock)))
    dock.core.setChecked(False)
    assert "said by the core" not in " ".join(_shown(dock))
    LogBook.shared().add(LogLine(0, logging.WARNING, "Core", "it is hot"))
    qtbot.waitUntil(lambda: "it is hot" in _shown(dock))


def test_what_fails_in_docks_is_in_the_log(dock: LogDock, qtbot: QtBot) -> None:
    def fail() -> None:
        raise RuntimeError("the cable is out")

    dock.microscope.do("move the stage", fail)
    qtbot.waitUntil(lambda: len(_shown(dock)) == 1)
    assert _shown(dock) == ["could not move the stage: the cable is out"]


def test_who_said_it_is_shown_where_there_is_room(dock: LogDock, qtbot: QtBot) -> None:
    assert dock.table.isColumnHidden(1)
    dock.resize(1200, 300)
    qtbot.waitUntil(lambda: not dock.table.isColumnHidden(1))


def test_space_pauses(dock: LogDock, qtbot: QtBot) -> None:
    dock.activateWindow()
    dock.table.setFocus()
    qtbot.waitUntil(dock.table.hasFocus)
    qtbot.keyClick(dock.table, Qt.Key.Key_Space)
    assert dock.pause.isChecked()


def test_its_state_is_remembered(
    book: LogBook, empty_owner: CoreOwner, qtbot: QtBot
) -> None:
    microscope = Microscope(empty_owner)
    first = LogDock(None, microscope)  # type: ignore[arg-type]
    first.level.setCurrentText("Warning")
    first.core.setChecked(False)
    first.shut_down()
    second = LogDock(None, microscope)  # type: ignore[arg-type]
    assert second.level.currentText() == "Warning" and not second.core.isChecked()
    second.shut_down()
    microscope.close()


def test_the_table_is_bounded_and_scrolls_on(dock: LogDock, qtbot: QtBot) -> None:
    for number in range(300):
        _log.info("line %d", number)
    qtbot.waitUntil(lambda: len(_shown(dock)) == 300)
    bar = dock.table.verticalScrollBar()
    assert bar is not None
    qtbot.waitUntil(lambda: bar.value() == bar.maximum() > 0)
    bar.setValue(3)  # who reads is left in peace
    _log.info("more")
    qtbot.waitUntil(lambda: len(_shown(dock)) == 301)
    assert bar.value() == 3


def test_a_model_keeps_no_more_than_the_book(qapp: Any) -> None:
    book = LogBook(most_lines=5)
    model = LogModel(book)
    for number in range(20):
        book.add(LogLine(0, 20, "x", str(number)))
        model.take_new()
    assert [line.text for line in model.lines] == ["15", "16", "17", "18", "19"]
