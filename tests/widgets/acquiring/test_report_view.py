"""Reports in words, and the view that keeps them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from qtpy.QtWidgets import QApplication

from napari_scope.acquire import Output, RunReport, RunState, SkippedFrame
from napari_scope.widgets.acquiring.report_view import ReportView
from napari_scope.widgets.acquiring.report_words import report_text

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui

PATHS = (Path("data/a.ome.zarr"), Path("data/a.ndtiff"))
REPORT = RunReport(
    RunState.FINISHED,
    10,
    7,
    0,
    tuple(SkippedFrame({"time": t}, "no focus") for t in range(1, 3)),
    (Output(PATHS[0], "ome-zarr"), Output(PATHS[1], "ndtiff")),
    2.0,
    8_000_000,
    ("a lamp was slow",),
    finished_after="t",
    left_out=1,
)


@pytest.fixture
def view(qtbot: QtBot) -> ReportView:
    made = ReportView()
    qtbot.addWidget(made)
    return made


def test_a_report_says_all_there_is_to_say() -> None:
    assert report_text("a_001", REPORT, "the disk is full").splitlines() == [
        "a_001: finished",
        "7 of 10 frames saved, 8.0 MB",
        "2.0 s, 4.0 MB/s on average",
        "error: the disk is full",
        "ended after a time point on purpose; left out: 1",
        "2 frames skipped:",
        "  time 1; time 2: no focus",
        "1 warning:",
        "  a lamp was slow",
        f"ome-zarr: {PATHS[0]}",
        f"ndtiff: {PATHS[1]}",
    ]


def test_data_are_opened_and_the_report_is_copied(
    view: ReportView, qtbot: QtBot
) -> None:
    assert not view.open_button.isEnabled() and not view.copy_button.isEnabled()
    view.add("a_001", REPORT)
    with qtbot.waitSignal(view.open_requested) as caught:
        view.open_button.click()
    assert caught.args == [PATHS[0]]
    view.file_choice.setCurrentIndex(1)
    with qtbot.waitSignal(view.open_requested) as caught:
        view.open_button.click()
    assert caught.args == [PATHS[1]]
    view.copy_button.click()
    clipboard = QApplication.clipboard()
    assert clipboard is not None and clipboard.text() == report_text("a_001", REPORT)


def test_the_latest_report_is_in_front_and_earlier_ones_are_kept(
    view: ReportView,
) -> None:
    in_memory = RunReport(RunState.CANCELLED, 3, 1, 0, (), (), 1.0, 10)
    view.add("a_001", REPORT)
    view.add("b", in_memory)
    assert view.count == 2 and view.text.toPlainText().startswith("b: cancelled")
    assert not view.open_button.isEnabled()  # nothing was written
    view.choice.setCurrentIndex(1)
    assert view.text.toPlainText().startswith("a_001: finished")
    assert view.open_button.isEnabled()
    for _ in range(120):
        view.add("c", in_memory)
    assert view.count == view.choice.count() == 100


def test_a_run_that_goes_on_tells_what_it_left_out(view: ReportView) -> None:
    run = SimpleNamespace(name="a", skipped=REPORT.skipped, warnings=("slow",))
    view.show_running(run)  # type: ignore[arg-type]
    words = view.now_label.text()
    assert "2 frames skipped so far" in words and "no focus" in words
    assert "Warning: slow" in words
    view.add("a", REPORT)
    assert view.now_label.isHidden()
