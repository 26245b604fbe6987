from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QMessageBox, QWidget

from napari_scope.widgets.common.closing import (
    ClosingGuard,
    ask_to_cancel,
    main_window_of,
    wait_until,
)

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


class Job:
    """Something that goes on until a while after it was cancelled."""

    def __init__(self) -> None:
        self.busy = True
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
        QTimer.singleShot(80, self._end)

    def _end(self) -> None:
        self.busy = False


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[QMessageBox.StandardButton]:
    """Answer questions with the first of a list; an unexpected question fails."""
    given: list[QMessageBox.StandardButton] = []
    monkeypatch.setattr(QMessageBox, "question", lambda *args, **kwargs: given.pop(0))
    return given


def guarded(window: QMainWindow, job: Job) -> ClosingGuard:
    guard = ClosingGuard(window, lambda: job.busy, job.cancel)
    guard.watch(window)
    return guard


def test_a_window_without_a_run_closes(
    qtbot: QtBot, answers: list[QMessageBox.StandardButton]
) -> None:
    window, job = QMainWindow(), Job()
    qtbot.addWidget(window)
    job.busy = False
    guarded(window, job)
    window.show()
    assert window.close()
    assert not job.cancelled


def test_no_keeps_the_window_and_the_run(
    qtbot: QtBot, answers: list[QMessageBox.StandardButton]
) -> None:
    window, job = QMainWindow(), Job()
    qtbot.addWidget(window)
    guarded(window, job)
    window.show()
    answers.append(QMessageBox.StandardButton.No)
    assert not window.close()
    assert window.isVisible() and not job.cancelled
    job.busy = False


def test_yes_cancels_and_waits_for_the_end(
    qtbot: QtBot,
    answers: list[QMessageBox.StandardButton],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window, job = QMainWindow(), Job()
    qtbot.addWidget(window)
    guarded(window, job)
    window.show()
    answers.append(QMessageBox.StandardButton.Yes)
    beats: list[int] = []
    beat = QTimer()

    def once_more() -> None:
        beats.append(len(beats) + 1)
        if len(beats) == 3:
            beat.stop()
            job.busy = False

    beat.timeout.connect(once_more)
    monkeypatch.setattr(job, "cancel", lambda: setattr(job, "cancelled", True))
    beat.start(10)
    assert window.close()
    assert job.cancelled and not job.busy
    assert beats == [1, 2, 3]  # the GUI was alive meanwhile


def test_a_hidden_window_is_not_asked_about(
    qtbot: QtBot, answers: list[QMessageBox.StandardButton]
) -> None:
    window, job = QMainWindow(), Job()
    qtbot.addWidget(window)
    guarded(window, job)
    assert window.close()
    assert job.cancelled and not job.busy


def test_a_window_that_is_not_watched_any_more_closes(
    qtbot: QtBot, answers: list[QMessageBox.StandardButton]
) -> None:
    window, job = QMainWindow(), Job()
    qtbot.addWidget(window)
    guard = guarded(window, job)
    guard.watch(None)
    window.show()
    assert window.close()
    assert not job.cancelled


def test_no_is_what_return_answers(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def question(*args: object) -> QMessageBox.StandardButton:
        asked.append(args)
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", question)
    assert not ask_to_cancel(None)
    assert asked[0][-1] == QMessageBox.StandardButton.No


def test_wait_until_shows_a_notice_over_a_visible_window(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    polls: list[int] = []
    wait_until(lambda: len(polls) > 3 or polls.append(0) is not None, window)
    assert len(polls) == 4


def test_main_window_of_a_docked_and_a_floating_widget(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    dock, inner = QDockWidget(), QWidget()
    assert main_window_of(inner) is None
    dock.setWidget(inner)
    assert main_window_of(inner) is None
    from qtpy.QtCore import Qt

    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    assert main_window_of(inner) is window
    dock.setFloating(True)
    assert main_window_of(inner) is window


@pytest.mark.parametrize("seen", [True, False])
def test_what_does_not_end_is_not_waited_for_for_ever(
    seen: bool,
    qtbot: QtBot,
    answers: list[QMessageBox.StandardButton],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_scope.widgets.common.closing._LONG_S", 0.05)
    window = QMainWindow()
    qtbot.addWidget(window)
    if seen:
        window.show()
        answers += [QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No]
    assert not wait_until(lambda: False, window)
    assert answers == []
