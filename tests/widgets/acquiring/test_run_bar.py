from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_scope.acquire import RunProgress, RunReport, RunState, SkippedFrame
from napari_scope.widgets.acquiring.run_bar import RunBar, state_text
from napari_scope.widgets.common.icons import RED

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
    assert bar.pause_button.text() == "&Pause"
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
            skipped_reasons=("the camera failed",),
        )
    )
    assert (bar.progress.value(), bar.progress.maximum()) == (303, 1200)
    assert bar.progress.text() == "303 of 1,200 frames  (25 %)"
    assert bar.left_label.text() == "1:15 min left"
    assert bar.rate_label.text() == "28.4 frames/s · 14.9 MB/s"
    assert bar.buffer_label.text() == "buffer 25%"
    counts = bar.counts_label.text()
    assert "saved <b>290</b>" in counts
    # What is missing is red, what is not missing is not.
    assert f'<span style="color:{RED}">skipped <b>3</b></span>' in counts
    assert counts.endswith("dropped <b>0</b>")
    assert bar.counts_label.toolTip() == "the camera failed"


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
    assert bar.rate_label.text().startswith("4.0 MB/s · 1 warning")
    assert bar.counts_label.toolTip() == "{'time': 3}: no focus\na lamp was slow"


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
    from qtpy.QtCore import Qt

    for button in (
        bar.run_button,
        bar.pause_button,
        bar.cancel_button,
        bar.follow_button,
    ):
        assert button.toolTip()
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert "&" in button.text()
