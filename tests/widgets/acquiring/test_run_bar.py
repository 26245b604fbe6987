from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QApplication

from napari_scope.acquire import RunProgress, RunReport, RunState, SkippedFrame
from napari_scope.widgets.acquiring.run_bar import RunBar
from napari_scope.widgets.acquiring.run_words import state_text

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture
def bar(qtbot: QtBot) -> RunBar:
    made = RunBar()
    qtbot.addWidget(made)
    made.set_runnable(True)
    return made


def report(**changes: object) -> RunReport:
    values: dict[str, object] = {
        "state": RunState.FINISHED,
        "planned": 10,
        "saved": 10,
        "dropped": 0,
        "skipped": (),
        "outputs": (),
        "duration_s": 2.0,
        "saved_bytes": 8_000_000,
    }
    return RunReport(**{**values, **changes})  # type: ignore[arg-type]


def buttons(bar: RunBar) -> tuple[bool, bool, bool]:
    return (
        bar.run_button.isEnabled(),
        bar.pause_button.isEnabled(),
        bar.cancel_button.isEnabled(),
    )


def test_every_state_has_words() -> None:
    for state in RunState:
        assert state_text(state.value) != state.value
    assert state_text("waiting", 12) == "Waiting for the next time point, in 12 s"


def test_run_waits_for_a_microscope(bar: RunBar, qtbot: QtBot) -> None:
    bar.set_runnable(False, "load one first")
    assert buttons(bar) == (False, False, False)
    assert bar.run_button.toolTip() == bar.state_label.text() == "load one first"
    bar.set_runnable(True)
    assert buttons(bar) == (True, False, False)
    assert bar.state_label.text() == "Ready"
    with qtbot.waitSignal(bar.run_requested):
        bar.run_button.click()


@pytest.mark.parametrize(
    ("state", "pause", "cancel"),
    [
        (RunState.PREPARING, True, True),
        (RunState.WAITING, True, True),
        (RunState.ACQUIRING, True, True),
        (RunState.PAUSING, True, True),
        (RunState.PAUSED, True, True),
        (RunState.CANCELLING, False, False),
        (RunState.CLOSING, False, False),
    ],
)
def test_buttons_of_a_run(
    state: RunState, pause: bool, cancel: bool, bar: RunBar
) -> None:
    bar.show_progress(RunProgress(state, planned=10))
    assert buttons(bar) == (False, pause, cancel)


def test_a_wish_to_pause_and_a_real_pause_are_told_apart(
    bar: RunBar, qtbot: QtBot
) -> None:
    bar.show_progress(RunProgress(RunState.ACQUIRING, planned=10))
    with qtbot.waitSignal(bar.pause_requested):
        bar.pause_button.click()
    bar.show_progress(RunProgress(RunState.PAUSING, planned=10))
    assert "Pausing" in bar.state_label.text()
    assert bar.pause_button.text() == "&Resume"
    bar.show_progress(RunProgress(RunState.PAUSED, planned=10))
    assert bar.state_label.text() == "Paused"
    with qtbot.waitSignal(bar.resume_requested):
        bar.pause_button.click()
    bar.show_progress(RunProgress(RunState.ACQUIRING, planned=10))
    assert bar.pause_button.text() == "Pa&use"
    with qtbot.waitSignal(bar.cancel_requested):
        bar.cancel_button.click()


def test_progress_is_shown_in_numbers(bar: RunBar) -> None:
    bar.show_progress(
        RunProgress(
            RunState.ACQUIRING,
            planned=1200,
            acquired=300,
            saved=290,
            skipped=3,
            eta_s=75,
            fps=28.44,
            mb_per_s=14.9,
            ring_fill=0.25,
            warnings=2,
        )
    )
    assert (bar.progress.value(), bar.progress.maximum()) == (303, 1200)
    assert bar.progress.text() == "303 of 1,200 frames  (25 %)"
    assert bar.left_label.text().startswith("0.0 s so far · 1:15 min left · ends ")
    assert bar.rate_label.text() == "28.4 frames/s · 14.9 MB/s"
    assert bar.ring_bar.text() == "buffer 25 %"
    assert bar.saved_label.text() == "saved 290"
    assert bar.skipped_label.text() == "skipped 3"
    assert bar.dropped_label.text() == "dropped 0"
    assert bar.warnings_label.text() == "2 warnings"


def test_skip_and_finish_are_offered_when_they_make_sense(
    bar: RunBar, qtbot: QtBot
) -> None:
    waiting = RunProgress(RunState.WAITING, planned=10, next_event_s=5.0)
    bar.show_progress(waiting, {"t": 0, "c": 0})
    assert bar.skip_button.isEnabled() and bar.finish_button.isEnabled()
    with qtbot.waitSignal(bar.skip_wait_requested):
        bar.skip_button.click()
    actions = bar.finish_actions
    assert [actions[axis].isEnabled() for axis in ("t", "p", None)] == [
        True,
        False,
        False,
    ]
    with qtbot.waitSignal(bar.finish_requested) as caught:
        actions["t"].trigger()
    assert caught.args == ["t"]
    finishing = RunProgress(RunState.FINISHING, planned=10, finish_after="t")
    bar.show_progress(finishing, {"t": 0})
    assert "ends after this time point" in bar.state_label.text()
    assert not bar.skip_button.isEnabled()
    assert actions[None].isEnabled()
    bar.show_progress(waiting, steerable=False)  # somebody else's run
    assert not bar.skip_button.isEnabled() and not bar.finish_button.isEnabled()


def test_a_run_that_was_ended_on_purpose_says_so(bar: RunBar) -> None:
    ended = report(saved=4, finished_after="t", left_out=6)
    bar.show_report(ended, "finished", saving=True)
    assert bar.state_label.text() == "Finished after a time point, as wished"


def test_a_click_on_what_is_missing_asks_for_details(bar: RunBar, qtbot: QtBot) -> None:
    with qtbot.waitSignal(bar.details_requested):
        qtbot.mouseClick(bar.skipped_label, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(bar.details_requested):
        bar.details_button.click()


def test_a_snapshot_lays_nothing_out_anew(bar: RunBar, qtbot: QtBot) -> None:
    bar.resize(380, bar.sizeHint().height())
    bar.show()
    qtbot.waitExposed(bar)
    bar.show_progress(RunProgress(RunState.ACQUIRING, planned=10))
    QApplication.sendPostedEvents()
    asked: list[int] = []

    class Watch(QObject):
        def eventFilter(self, watched: Any, event: Any) -> bool:
            if event.type() == QEvent.Type.LayoutRequest:
                asked.append(1)
            return False

    watch = Watch()
    bar.installEventFilter(watch)
    for number in range(5):
        snapshot = RunProgress(
            RunState.ACQUIRING, planned=10**6, saved=10**number, fps=10.0**number
        )
        bar.show_progress(snapshot)
        QApplication.sendPostedEvents()
    assert asked == []


def test_a_run_without_a_known_end_shows_a_moving_bar(bar: RunBar) -> None:
    bar.show_progress(RunProgress(RunState.ACQUIRING, planned=None, acquired=7))
    assert (bar.progress.minimum(), bar.progress.maximum()) == (0, 0)
    bar.show_report(report(planned=None, saved=7), "finished", saving=True)
    assert bar.progress.maximum() == bar.progress.value() == 7


def test_the_end_of_a_run(bar: RunBar) -> None:
    bar.show_progress(RunProgress(RunState.ACQUIRING, planned=10))
    skipped = (SkippedFrame({"time": 3}, "no focus"),)
    bar.show_report(
        report(saved=9, skipped=skipped, warnings=("a lamp was slow",)),
        "finished",
        saving=True,
    )
    assert buttons(bar) == (True, False, False)
    assert bar.state_label.text() == "Finished"
    assert bar.left_label.text() == "in 2.0 s"
    assert bar.rate_label.text() == "4.0 MB/s on average"
    assert bar.skipped_label.text() == "skipped 1"
    assert bar.warnings_label.text() == "1 warning"


def test_a_cancelled_run_says_where_its_frames_are(bar: RunBar) -> None:
    cancelled = report(state=RunState.CANCELLED, saved=4)
    bar.show_report(cancelled, "cancelled", saving=True)
    assert "saved" in bar.state_label.text()
    assert (bar.progress.value(), bar.progress.maximum()) == (4, 10)
    bar.show_report(cancelled, "cancelled", saving=False)
    assert "memory" in bar.state_label.text()


def test_a_run_that_failed_at_once_says_so_and_stays(bar: RunBar) -> None:
    failed = report(state=RunState.FAILED, planned=None, saved=0)
    bar.show_report(failed, "failed", saving=True)
    bar.set_runnable(True)
    assert bar.state_label.text() == "Failed"
    assert bar.progress.text() == "nothing was acquired"
    bar.set_runnable(False, "loading")
    assert bar.state_label.text() == "loading"
    bar.show_idle()
    bar.set_runnable(True)
    assert bar.state_label.text() == "Ready"


def test_the_end_of_a_run_is_shown_again_after_a_pause_in_between(bar: RunBar) -> None:
    bar.show_report(report(), "finished", True)
    bar.set_runnable(False, "somebody else runs")
    assert bar.state_label.text() == "somebody else runs"
    bar.set_runnable(True)
    assert bar.state_label.text() == "Finished"


def test_follow_can_be_shown_without_asking_for_it(bar: RunBar, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(bar.follow_toggled):
        bar.set_following(False)
    assert not bar.follow_button.isChecked()
    with qtbot.waitSignal(bar.follow_toggled) as caught:
        bar.follow_button.click()
    assert caught.args == [True]


def test_every_button_has_a_tooltip_and_takes_the_keyboard(bar: RunBar) -> None:
    for button in (
        bar.run_button,
        bar.pause_button,
        bar.cancel_button,
        bar.skip_button,
        bar.finish_button,
        bar.queue_button,
        bar.follow_button,
    ):
        assert button.toolTip()
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert "&" in button.text()
