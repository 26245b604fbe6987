"""The whole dock on the demo microscope: what a user does, with real files."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtWidgets import QMessageBox, QScrollArea, QToolButton

from napari_scope.acquire import Run, RunState
from napari_scope.acquire import planned_run as planned_run_module
from napari_scope.acquire.registry import add_guest, remove_guest, watch_runs
from napari_scope.errors import (
    ConfigurationError,
    DiskSpaceError,
    OutputExistsError,
    PlanError,
    ScopeError,
)
from napari_scope.formats import open_dataset
from napari_scope.widgets.acquiring import plan_estimate as plan_estimate_module
from napari_scope.widgets.acquiring.acquire_dock import AcquireDock
from napari_scope.widgets.common.microscope import Microscope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot
    from qtpy.QtGui import QAction

    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui

LONG = useq.MDASequence(
    time_plan={"interval": 0, "loops": 400},
    channels=[{"config": "DAPI", "exposure": 20}],
)
SHORT = useq.MDASequence(
    axis_order="tpzc",
    time_plan={"interval": 0, "loops": 2},
    stage_positions=[(0, 0, 0), (600, 0, 0)],
    z_plan={"range": 2, "step": 1},
    channels=[{"config": "DAPI", "exposure": 2}, {"config": "FITC", "exposure": 2}],
)


@pytest.fixture(autouse=True)
def no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test that fails in the middle of a run end, not wait for an answer."""
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *args, **kwargs: yes)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[QMessageBox.StandardButton]:
    """Answer questions with the first of a list; an unexpected question fails."""
    given: list[QMessageBox.StandardButton] = []
    monkeypatch.setattr(QMessageBox, "question", lambda *args, **kwargs: given.pop(0))
    return given


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., napari.Viewer]) -> napari.Viewer:
    return make_napari_viewer(show=True)


@pytest.fixture
def dock(
    viewer: napari.Viewer,
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    no_network: None,
) -> AcquireDock:
    made = AcquireDock(viewer, owner)
    viewer.window.add_dock_widget(made, name="Acquire", area="right")
    made.save_box.folder_edit.setText(str(tmp_path / "data"))
    made.save_box.name_edit.setText("cells")
    qtbot.waitUntil(made.run_bar.run_button.isEnabled, timeout=10_000)
    return made


def _begin(dock: AcquireDock, qtbot: QtBot) -> None:
    """Start a run and wait until it has begun or could not."""
    dock.start()
    qtbot.waitUntil(lambda: not dock._starting, timeout=20_000)


def _end(dock: AcquireDock, qtbot: QtBot, timeout: int = 60_000) -> None:
    qtbot.waitUntil(lambda: not dock.running and not dock.live.active, timeout=timeout)


def _acquired(dock: AcquireDock) -> int:
    return -1 if dock.run is None else int(dock.run.progress().acquired)


def _press(action: QAction, table: Any, qtbot: QtBot) -> None:
    """Press the toolbar button of a table."""
    button = table.toolBar().widgetForAction(action)
    assert isinstance(button, QToolButton)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def _tick_tab(dock: AcquireDock, page: Any, qtbot: QtBot) -> None:
    """Click the check box in the tab of a page."""
    tabs = dock.editor.tab_wdg
    bar = tabs.tabBar()
    box = bar.tabButton(tabs.indexOf(page), bar.ButtonPosition.LeftSide)
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(6, box.height() // 2))
    assert tabs.isChecked(page)


def _type(widget: Any, text: str, qtbot: QtBot) -> None:
    """Replace what a spin box holds, with the keyboard."""
    editor = widget.lineEdit() if hasattr(widget, "lineEdit") else widget
    editor.setFocus()
    editor.selectAll()
    qtbot.keyClicks(editor, text)
    qtbot.keyClick(editor, Qt.Key.Key_Return)


def _cell(table: Any, row: int, column: Any) -> Any:
    inner = table.table()
    return inner.cellWidget(row, inner.indexOf(column))


def test_a_sequence_built_by_clicking_is_acquired_and_reopened(
    dock: AcquireDock, viewer: napari.Viewer, qtbot: QtBot, tmp_path: Path
) -> None:
    editor = dock.editor
    # Two channels: the second row proposes the next preset by itself.
    _press(editor.channels.act_add_row, editor.channels, qtbot)
    for row in range(2):
        exposure = _cell(editor.channels, row, editor.channels.EXPOSURE)
        _type(exposure, "3", qtbot)
    # Two positions, the second 600 um to the right.
    _tick_tab(dock, editor.stage_positions, qtbot)
    for _ in range(2):
        _press(editor.stage_positions.act_add_row, editor.stage_positions, qtbot)
    _type(_cell(editor.stage_positions, 1, editor.stage_positions.X), "600", qtbot)
    # Three planes, two time points.
    _tick_tab(dock, editor.z_plan, qtbot)
    _type(editor.z_plan.range, "2", qtbot)
    _tick_tab(dock, editor.time_plan, qtbot)
    _type(_cell(editor.time_plan, 0, editor.time_plan.LOOPS), "2", qtbot)
    qtbot.mouseClick(
        dock.save_box.format_boxes["ndtiff"],
        Qt.MouseButton.LeftButton,
        pos=QPoint(8, dock.save_box.format_boxes["ndtiff"].height() // 2),
    )
    qtbot.waitUntil(
        lambda: "24 frames" in dock.save_box.estimate_label.text(), timeout=5000
    )

    qtbot.mouseClick(dock.run_bar.run_button, Qt.MouseButton.LeftButton)
    assert dock.running, dock.errors.text.text()
    _end(dock, qtbot)

    assert dock.errors.isHidden(), dock.errors.text.text()
    assert dock.run is not None and dock.run.state is RunState.FINISHED
    assert dock.run_bar.state_label.text() == "Finished"
    assert dock.run_bar.progress.text().startswith("24 of 24 frames")
    data = tmp_path / "data"
    assert sorted(path.name for path in data.iterdir()) == [
        "cells_001.ndtiff",
        "cells_001.ome.zarr",
    ]
    qtbot.waitUntil(lambda: "cells_002" in dock.save_box.path_label.text())
    live = list(viewer.layers)
    assert len(live) == 4
    assert {layer.data.shape for layer in live} == {(2, 3, 512, 512)}
    assert live[2].translate[-1] - live[0].translate[-1] == 600
    assert tuple(viewer.dims.current_step[:2]) == (1, 2)

    # What was shown live is what is in the files.
    shown = [np.asarray(layer.data[1, 2]) for layer in live]
    assert all(frame.max() > 0 for frame in shown)
    viewer.layers.clear()
    for name in ("cells_001.ome.zarr", "cells_001.ndtiff"):
        opened = viewer.open(data / name, plugin="napari-scope")
        assert len(opened) == 4
        for layer, frame in zip(opened, shown, strict=True):
            stored = layer.data[0] if layer.multiscale else layer.data
            np.testing.assert_array_equal(np.asarray(stored[1, 2]), frame)
        viewer.layers.clear()


def test_a_run_that_ended_a_moment_ago_is_in_nobodys_way(
    dock: AcquireDock, qtbot: QtBot
) -> None:
    dock.editor.setValue(SHORT)
    dock.microscope._lock_reason = "A run goes on"  # as long as nobody looks again
    dock.start()
    assert dock.errors.isHidden()
    _end(dock, qtbot)
    assert dock.run is not None and dock.run.state is RunState.FINISHED


def test_a_run_is_paused_resumed_and_another_cancelled(
    dock: AcquireDock, qtbot: QtBot, tmp_path: Path
) -> None:
    # Events of different channels cannot be merged by the hardware, so a pause is real.
    # There are enough for a window that stands still while its first layer is made.
    plan = useq.MDASequence(
        time_plan={"interval": 0, "loops": 150},
        channels=[{"config": "DAPI", "exposure": 5}, {"config": "FITC", "exposure": 5}],
    )
    dock.editor.setValue(plan)
    dock.run_bar.run_button.click()
    qtbot.waitUntil(lambda: _acquired(dock) > 4, timeout=30_000)
    dock.run_bar.pause_button.click()
    assert dock.run is not None
    qtbot.waitUntil(lambda: dock.run.state is RunState.PAUSED)
    qtbot.waitUntil(lambda: dock.run_bar.state_label.text() == "Paused")
    count = _acquired(dock)
    qtbot.wait(300)
    assert _acquired(dock) == count
    assert dock.run_bar.pause_button.text() == "&Resume"
    dock.run_bar.pause_button.click()
    _end(dock, qtbot)
    assert dock.run.report is not None and dock.run.report.saved == 300

    dock.editor.setValue(LONG)
    dock.run_bar.run_button.click()
    qtbot.waitUntil(lambda: _acquired(dock) > 5, timeout=30_000)
    dock.run_bar.cancel_button.click()
    _end(dock, qtbot)
    assert dock.run.state is RunState.CANCELLED
    assert dock.errors.isHidden()
    assert "Cancelled" in dock.run_bar.state_label.text()
    assert dock.run.report is not None and 5 < dock.run.report.saved < 400
    # What was taken until then opens.
    dataset = open_dataset(tmp_path / "data" / "cells_002.ome.zarr")
    assert np.asarray(dataset.images[0].levels[0][3]).max() > 0


def test_what_would_disturb_a_run_is_locked(dock: AcquireDock, qtbot: QtBot) -> None:
    dock.editor.setValue(LONG)
    loaders = (dock.hardware.load_button, dock.hardware.choice)
    assert all(widget.isEnabled() for widget in loaders)
    _begin(dock, qtbot)
    qtbot.waitUntil(lambda: not any(w.isEnabled() for w in loaders), timeout=5000)
    assert not dock.run_bar.run_button.isEnabled()
    # The next plan may be made meanwhile, and wait in the queue.
    assert dock.plan_box.isEnabled() and dock.save_box.isEnabled()
    first = dock.run
    dock.start()  # a second start is ignored
    assert dock.run is first
    dock.run_bar.queue_button.click()
    assert dock.queue.waiting == 1 and dock.tabs.tabText(1) == "Queue (1)"
    assert dock.run_bar.follow_button.isEnabled()
    dock.cancel()
    _end(dock, qtbot)
    qtbot.waitUntil(lambda: all(w.isEnabled() for w in loaders), timeout=5000)


def test_the_queue_is_run_and_restored(
    dock: AcquireDock, viewer: napari.Viewer, qtbot: QtBot, tmp_path: Path
) -> None:
    dock.save_box.format_boxes["ome-zarr"].setChecked(True)
    dock.editor.setValue(SHORT)
    for _ in range(2):
        dock.run_bar.queue_button.click()
    assert not dock.running  # nothing starts by itself
    dock.queue_view.start_button.click()
    qtbot.waitUntil(lambda: dock.reports.count == 2, timeout=60_000)
    names = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert names == ["cells_001.ome.zarr", "cells_002.ome.zarr"]
    # The second run begins while layers of the first are still being made.
    qtbot.waitUntil(lambda: len(viewer.layers) == 8, timeout=20_000)
    dock.run_bar.queue_button.click()
    state = dock.state()
    other = AcquireDock(viewer, dock.microscope.owner)  # another microscope object
    other.restore(state)
    waiting = [e.planned.name for e in other.queue.entries]
    assert waiting == ["cells"] and not other.queue.working
    assert other.save_box.name_edit.text() == "cells"
    other.shut_down()


def test_a_wait_is_skipped_and_a_run_ended_after_a_time_point(
    dock: AcquireDock, qtbot: QtBot
) -> None:
    dock.editor.setValue(
        useq.MDASequence(
            time_plan={"interval": 600, "loops": 3},
            channels=[{"config": "DAPI", "exposure": 2}],
        )
    )
    bar = dock.run_bar
    _begin(dock, qtbot)
    for taken in (1, 2):
        qtbot.waitUntil(bar.skip_button.isEnabled, timeout=20_000)
        qtbot.waitUntil(lambda n=taken: _acquired(dock) == n, timeout=20_000)
        assert "Waiting" in bar.state_label.text()
        if taken == 1:
            bar.skip_button.click()
            qtbot.waitUntil(lambda: _acquired(dock) == 2, timeout=20_000)
    bar.finish_actions["t"].trigger()
    _end(dock, qtbot)
    assert dock.run.report.left_out == 1
    assert bar.state_label.text() == "Finished after a time point, as wished"
    assert "left out: 1" in dock.reports.text.toPlainText()


def test_the_data_of_a_report_are_opened_from_the_disk(
    dock: AcquireDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    dock.editor.setValue(SHORT)
    _begin(dock, qtbot)
    _end(dock, qtbot)
    live = list(viewer.layers)
    dock.reports.open_button.click()
    assert len(viewer.layers) == 2 * len(live)
    assert not any(layer.visible for layer in live)


def test_memory_only_writes_nothing(
    dock: AcquireDock, viewer: napari.Viewer, qtbot: QtBot, tmp_path: Path
) -> None:
    dock.save_box.format_boxes["ome-zarr"].click()
    dock.editor.setValue(SHORT)
    _begin(dock, qtbot)
    _end(dock, qtbot)
    assert dock.errors.isHidden()
    assert not (tmp_path / "data").exists()
    assert len(viewer.layers) == 4
    assert all(np.asarray(layer.data[1, 2]).max() > 0 for layer in viewer.layers)


def test_follow_ends_with_a_slider_and_begins_with_the_button(
    dock: AcquireDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    dock.editor.setValue(LONG)
    _begin(dock, qtbot)
    qtbot.waitUntil(lambda: viewer.dims.current_step[0] > 5, timeout=30_000)
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: not dock.run_bar.follow_button.isChecked(), timeout=5000)
    count = _acquired(dock)
    qtbot.waitUntil(lambda: _acquired(dock) > count + 10, timeout=30_000)
    assert viewer.dims.current_step[0] == 1
    dock.run_bar.follow_button.click()
    qtbot.waitUntil(lambda: viewer.dims.current_step[0] > 5, timeout=5000)
    dock.cancel()
    _end(dock, qtbot)


# ---- faults


def test_a_bad_configuration_is_shown_and_the_dock_goes_on(
    dock: AcquireDock, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "broken.cfg"
    path.write_text("Device,Cam,NoSuchLibrary,NoDevice\n")
    dock.hardware.load(path)
    assert not dock.run_bar.run_button.isEnabled()
    qtbot.waitUntil(lambda: not dock.microscope.is_loading, timeout=20_000)
    assert isinstance(dock.errors.error, ConfigurationError)
    assert not dock.errors.isHidden()
    assert str(path) in dock.errors.text.text()
    assert "What to do" in dock.errors.text.text()
    assert not dock.run_bar.run_button.isEnabled()
    dock.hardware.load(None)
    qtbot.waitUntil(lambda: not dock.microscope.is_loading, timeout=20_000)
    assert dock.errors.isHidden()
    qtbot.waitUntil(dock.run_bar.run_button.isEnabled, timeout=10_000)


def test_an_existing_output_is_never_overwritten(
    dock: AcquireDock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    # Somebody else takes the name between the look and the start.
    taken = tmp_path / "data" / "cells_001.ome.zarr"
    taken.mkdir(parents=True)
    (taken / "zarr.json").write_text("precious")
    monkeypatch.setattr(planned_run_module, "next_free_name", lambda *_: "cells_001")
    _begin(dock, qtbot)
    assert not dock.running
    assert isinstance(dock.errors.error, OutputExistsError)
    assert "What to do" in dock.errors.text.text()
    assert (taken / "zarr.json").read_text() == "precious"
    assert dock.editor.isEnabled() and dock.run_bar.run_button.isEnabled()


def test_a_folder_that_cannot_be_made_is_named(
    dock: AcquireDock, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    dock.save_box.folder_edit.setText(str(tmp_path / "file" / "below"))
    _begin(dock, qtbot)
    _end(dock, qtbot)
    assert isinstance(dock.errors.error, (ScopeError, OSError))
    assert str(tmp_path / "file") in dock.errors.text.text()
    assert "What to do" in dock.errors.text.text()
    assert dock.run_bar.state_label.text() == "Failed"
    assert (tmp_path / "file").read_text() == "not a folder"


def test_a_folder_without_permission_is_named(
    dock: AcquireDock, qtbot: QtBot, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if os.access(closed, os.W_OK):
        pytest.skip("this user may write everywhere")
    dock.save_box.folder_edit.setText(str(closed))
    _begin(dock, qtbot)
    _end(dock, qtbot)
    assert isinstance(dock.errors.error, (ScopeError, OSError))
    assert str(closed) in dock.errors.text.text()


def test_a_preset_that_is_gone_ends_in_the_panel(
    dock: AcquireDock, owner: CoreOwner, qtbot: QtBot
) -> None:
    dock.editor.setValue(SHORT)
    owner.core.deleteConfig("Channel", "FITC")
    _begin(dock, qtbot)
    _end(dock, qtbot)
    assert isinstance(dock.errors.error, PlanError)
    assert "FITC" in dock.errors.text.text()
    qtbot.waitUntil(dock.run_bar.run_button.isEnabled, timeout=10_000)


def test_a_camera_that_fails_stops_the_run_and_keeps_what_was_saved(
    dock: AcquireDock,
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    snaps: list[int] = []
    snap = owner.core.snapImage

    def failing() -> None:
        snaps.append(1)
        if len(snaps) == 4:
            raise RuntimeError("the cable came loose")
        snap()

    monkeypatch.setattr(owner.core, "snapImage", failing)
    owner.core.setProperty("Camera", "Exposure", "2")
    dock.editor.setValue(SHORT)
    _begin(dock, qtbot)
    _end(dock, qtbot)
    assert dock.run is not None and dock.run.state is RunState.FAILED
    assert "the cable came loose" in dock.errors.text.text()
    assert "Failed" in dock.run_bar.state_label.text()
    dataset = open_dataset(tmp_path / "data" / "cells_001.ome.zarr")
    assert np.asarray(dataset.images[0].levels[0][0, 0, 0]).max() > 0


def test_a_disk_with_too_little_room_is_named(
    dock: AcquireDock, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari_scope.stream.stream as stream_module

    monkeypatch.setattr(stream_module, "free_bytes", lambda path: 1000)
    dock.editor.setValue(SHORT)
    _begin(dock, qtbot)
    _end(dock, qtbot)
    error = dock.errors.error
    causes = [error, getattr(error, "__cause__", None)]
    assert any(isinstance(cause, DiskSpaceError) for cause in causes), error


def test_an_error_goes_away_with_the_next_run(
    dock: AcquireDock, owner: CoreOwner, qtbot: QtBot
) -> None:
    dock.errors.show_error(PlanError("old"), "Old")
    dock.editor.setValue(SHORT)
    _begin(dock, qtbot)
    assert dock.errors.isHidden()
    _end(dock, qtbot)


# ---- beginnings and ends


def test_the_demo_is_loaded_when_nothing_is(
    viewer: napari.Viewer, empty_owner: CoreOwner, qtbot: QtBot, no_network: None
) -> None:
    made = AcquireDock(viewer, empty_owner)
    viewer.window.add_dock_widget(made, name="Acquire")
    assert not made.run_bar.run_button.isEnabled()
    qtbot.waitUntil(lambda: not made.microscope.is_loading, timeout=20_000)
    qtbot.waitUntil(made.run_bar.run_button.isEnabled, timeout=10_000)
    qtbot.waitUntil(
        lambda: [c.config for c in made.editor.value().channels] == ["Cy5"],
        timeout=2000,
    )
    qtbot.waitUntil(
        lambda: "1 frame" in made.save_box.estimate_label.text(), timeout=5000
    )


def test_napari_makes_the_dock_from_the_manifest(
    viewer: napari.Viewer, qtbot: QtBot, no_network: None
) -> None:
    _, made = viewer.window.add_plugin_dock_widget("napari-scope", "Acquire")
    assert isinstance(made, AcquireDock)
    qtbot.waitUntil(lambda: not made.microscope.is_loading, timeout=20_000)
    qtbot.waitUntil(made.run_bar.run_button.isEnabled, timeout=10_000)


def test_closing_the_window_during_a_run_asks(
    dock: AcquireDock,
    viewer: napari.Viewer,
    qtbot: QtBot,
    answers: list[QMessageBox.StandardButton],
    tmp_path: Path,
) -> None:
    window = dock.window()
    assert window is not None
    dock.editor.setValue(LONG)
    _begin(dock, qtbot)
    run = dock.run
    assert run is not None
    qtbot.waitUntil(lambda: _acquired(dock) > 3, timeout=30_000)
    answers.append(QMessageBox.StandardButton.No)
    assert not window.close()
    assert dock.running and window.isVisible()
    answers.append(QMessageBox.StandardButton.Yes)
    viewer.close()
    assert answers == []
    assert run.done and run.state is RunState.CANCELLED
    dataset = open_dataset(tmp_path / "data" / "cells_001.ome.zarr")
    assert np.asarray(dataset.images[0].levels[0][0]).max() > 0


def test_a_hidden_window_closes_without_a_question(
    make_napari_viewer: Callable[..., napari.Viewer],
    owner: CoreOwner,
    qtbot: QtBot,
    answers: list[QMessageBox.StandardButton],
    tmp_path: Path,
) -> None:
    viewer = make_napari_viewer(show=False)
    dock = AcquireDock(viewer, owner)
    viewer.window.add_dock_widget(dock, name="Acquire")
    dock.save_box.folder_edit.setText(str(tmp_path))
    dock.editor.setValue(LONG)
    qtbot.wait(20)
    _begin(dock, qtbot)
    run = dock.run
    assert run is not None
    viewer.close()
    assert run.done and run.state is RunState.CANCELLED


def test_a_dock_that_is_closed_lets_go_of_everything(
    dock: AcquireDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(dock.destroyed, timeout=5000):
        viewer.window.remove_dock_widget(dock)
    assert not [t for t in threading.enumerate() if t.name == "warm up"]


def test_closing_the_dock_does_not_wait_for_an_estimate(
    dock: AcquireDock,
    viewer: napari.Viewer,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, gate = threading.Event(), threading.Event()

    def endless(*args: object) -> None:
        begun.set()
        gate.wait(30)

    monkeypatch.setattr(plan_estimate_module, "estimate", endless)
    dock.editor.setValue(SHORT)
    qtbot.waitUntil(begun.is_set, timeout=5000)
    (thread,) = (t for t in threading.enumerate() if t.name == "estimate")
    try:
        with qtbot.waitSignal(dock.destroyed, timeout=20_000):
            viewer.window.remove_dock_widget(dock)
        assert thread.is_alive()
    finally:
        gate.set()
        thread.join()


def test_closing_an_idle_dock_leaves_the_run_of_another_alone(
    viewer: napari.Viewer,
    empty_owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    answers: list[QMessageBox.StandardButton],
    monkeypatch: pytest.MonkeyPatch,
    no_network: None,
) -> None:
    core = empty_owner.core
    microscope = Microscope(empty_owner)
    idle = AcquireDock(viewer, microscope)
    viewer.window.add_dock_widget(idle, name="Idle")
    qtbot.waitUntil(lambda: not idle.microscope.is_loading, timeout=20_000)
    active = AcquireDock(viewer, microscope)
    viewer.window.add_dock_widget(active, name="Active")
    active.save_box.folder_edit.setText(str(tmp_path))
    active.editor.setValue(LONG)
    qtbot.wait(20)
    _begin(active, qtbot)
    qtbot.waitUntil(lambda: _acquired(active) > 3, timeout=30_000)
    assert active.errors.isHidden()
    with qtbot.waitSignal(idle.destroyed, timeout=10_000):
        viewer.window.remove_dock_widget(idle)
    count = _acquired(active)
    qtbot.waitUntil(lambda: _acquired(active) > count + 10, timeout=30_000)
    assert active.running
    assert core.getCameraDevice() == "Camera"  # loaded by the dock that is gone
    active.cancel()
    _end(active, qtbot)
    assert active.errors.isHidden()


def test_a_run_of_a_script_is_shown_and_can_be_controlled(
    dock: AcquireDock, viewer: napari.Viewer, owner: CoreOwner, qtbot: QtBot
) -> None:
    bar = dock.run_bar
    run = Run(owner, LONG, name="script").start()
    qtbot.waitUntil(lambda: dock.run is run, timeout=5000)
    assert dock.running and not dock.is_own
    assert not bar.run_button.isEnabled() and bar.cancel_button.isEnabled()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=20_000)
    bar.cancel_button.click()
    _end(dock, qtbot)
    assert run.state is RunState.CANCELLED
    assert dock.reports.choice.currentText().endswith("script  (cancelled)")
    qtbot.waitUntil(bar.run_button.isEnabled, timeout=10_000)


def test_closing_the_dock_leaves_the_run_of_a_script_alone(
    dock: AcquireDock,
    viewer: napari.Viewer,
    owner: CoreOwner,
    qtbot: QtBot,
    answers: list[QMessageBox.StandardButton],
) -> None:
    run = Run(owner, LONG).start()
    qtbot.waitUntil(lambda: dock.running, timeout=5000)
    with qtbot.waitSignal(dock.destroyed, timeout=10_000):
        viewer.window.remove_dock_widget(dock)
    assert not run.done and run.state is not RunState.CANCELLING
    run.cancel()
    run.wait(30)


def test_a_run_that_is_shown_elsewhere_gets_no_layers(
    dock: AcquireDock, viewer: napari.Viewer, owner: CoreOwner, qtbot: QtBot
) -> None:
    run = Run(owner, SHORT)
    run.shown_by = "Explorer"
    run.start()
    qtbot.waitUntil(lambda: dock.run is run and not dock.running, timeout=30_000)
    assert len(viewer.layers) == 0
    assert dock.run_bar.note_label.text() == "Shown by: Explorer"


def test_two_docks_of_a_viewer_make_layers_once(
    dock: AcquireDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    other = AcquireDock(viewer, dock.microscope)
    viewer.window.add_dock_widget(other, name="Other")
    dock.editor.setValue(SHORT)
    _begin(dock, qtbot)
    _end(dock, qtbot)
    qtbot.waitUntil(lambda: not other.running, timeout=20_000)
    assert other.run is dock.run and len(viewer.layers) == 4
    assert other.run_bar.state_label.text() == "Finished"
    assert other.reports.count == 1


def test_a_note_about_the_layers_is_shown(dock: AcquireDock) -> None:
    assert dock.run_bar.note_label.isHidden()
    dock.live.note_changed.emit("too many")
    assert not dock.run_bar.note_label.isHidden()
    assert dock.run_bar.note_label.text() == "too many"
    dock.live.note_changed.emit("")
    assert dock.run_bar.note_label.isHidden()


def test_shutting_down_stops_every_timer(dock: AcquireDock, qtbot: QtBot) -> None:
    dock.editor.setValue(LONG)
    _begin(dock, qtbot)
    run = dock.run
    assert run is not None
    dock.shut_down()
    dock.shut_down()
    qtbot.waitUntil(lambda: run.done, timeout=20_000)
    assert [t for t in dock.findChildren(QTimer) if t.isActive()] == []
    assert run.state is RunState.CANCELLED


@pytest.mark.parametrize("cancel", [True, False])
def test_closing_the_dock_during_a_run_asks(
    cancel: bool,
    dock: AcquireDock,
    viewer: napari.Viewer,
    qtbot: QtBot,
    answers: list[QMessageBox.StandardButton],
) -> None:
    button = QMessageBox.StandardButton
    dock.editor.setValue(LONG)
    _begin(dock, qtbot)
    run = dock.run
    assert run is not None
    answers.append(button.Yes if cancel else button.No)
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: not answers, timeout=5000)
    if cancel:
        qtbot.waitUntil(lambda: run.done, timeout=20_000)
        assert run.state is RunState.CANCELLED
        return
    # It is back in its place, and the run was not disturbed.
    qtbot.waitUntil(dock.isVisible, timeout=5000)
    assert dock.running
    dock.cancel()
    _end(dock, qtbot)


class SlowGuest:
    """A live view that takes its time to make way."""

    def __init__(self, core: Any) -> None:
        self.core = core
        self.asked, self.free = threading.Event(), threading.Event()
        add_guest(self)

    def make_way(self) -> None:
        self.asked.set()
        assert self.free.wait(30)


@pytest.mark.parametrize("how", ["cancel", "dock", "window"])
def test_a_run_that_is_about_to_start_is_not_left_behind(
    how: str,
    dock: AcquireDock,
    viewer: napari.Viewer,
    owner: CoreOwner,
    qtbot: QtBot,
    answers: list[QMessageBox.StandardButton],
) -> None:
    made: list[Any] = []
    stop = watch_runs(lambda what, run: made.append(run))
    slow = SlowGuest(owner.core)
    dock.editor.setValue(LONG)
    dock.start()
    assert slow.asked.wait(30)
    threading.Timer(0.3, slow.free.set).start()
    if how == "cancel":
        dock.cancel()
        _end(dock, qtbot)
    else:
        answers.append(QMessageBox.StandardButton.Yes)
        if how == "dock":
            viewer.window.remove_dock_widget(dock)
            qtbot.waitUntil(lambda: not answers and dock.is_shut_down, timeout=30_000)
        else:
            viewer.close()
    remove_guest(slow)
    stop()
    qtbot.waitUntil(lambda: all(run.done for run in made), timeout=30_000)
    assert made and made[0].state is RunState.CANCELLED
    assert made[0].progress().acquired < 400


@pytest.mark.parametrize("answer", ["No", "Yes"])
def test_closing_during_the_run_of_somebody_else(
    answer: str,
    dock: AcquireDock,
    viewer: napari.Viewer,
    owner: CoreOwner,
    qtbot: QtBot,
    answers: list[QMessageBox.StandardButton],
) -> None:
    window, core = dock.window(), owner.core
    assert window is not None
    thread = core.run_mda(LONG)
    qtbot.waitUntil(lambda: dock.running and _acquired(dock) > 3, timeout=30_000)
    assert not dock.is_own and dock.run.is_foreign
    answers.append(getattr(QMessageBox.StandardButton, answer))
    if answer == "Yes":
        viewer.close()
        assert answers == []
        thread.join(30)
        assert str(core.mda.status.finish_reason.value) == "canceled"
        return
    assert not window.close()
    with qtbot.waitSignal(dock.destroyed, timeout=10_000):
        viewer.window.remove_dock_widget(dock)  # is not asked about
    assert thread.is_alive() and not core.mda.status.cancel_requested
    core.mda.cancel()
    thread.join(30)


def test_the_dock_fits_beside_the_viewer(dock: AcquireDock, qtbot: QtBot) -> None:
    assert dock.minimumSizeHint().width() <= 520
    assert dock.minimumSizeHint().height() <= 700


def test_nothing_is_cut_off_beside_the_scroll_bar(
    dock: AcquireDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    viewer.window.resize(1200, 600)
    dock.save_box.options.unfold_button.click()
    (area,) = (
        a
        for a in dock.findChildren(QScrollArea)
        if a.widget() is not None and a.widget().isAncestorOf(dock.save_box)
    )
    qtbot.waitUntil(area.verticalScrollBar().isVisible)
    inner = area.widget()
    assert area.viewport().width() >= inner.minimumSizeHint().width()


def test_several_formats_are_saved_packed_as_chosen(
    dock: AcquireDock, tmp_path: Path, qtbot: QtBot
) -> None:
    box = dock.save_box
    box.format_boxes["ome-tiff"].setChecked(True)
    for name, codec in (("ome-zarr", "blosc-lz4"), ("ome-tiff", "zlib")):
        codecs = box.options.compression_boxes[name]
        codecs.setCurrentIndex(codecs.findData(codec))
    dock.editor.setValue(SHORT)
    _begin(dock, qtbot)
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert dock.errors.error is None
    report = dock.run.report if dock.run is not None else None
    assert report is not None
    zarr, tiff = report.outputs
    assert len(open_dataset(zarr.path).images) == 2
    assert (zarr.compression, tiff.compression) == ("blosc-lz4", "zlib")
    # Several positions are a folder, whose name has no suffix.
    assert tiff.path.suffix == ""
    assert len([*tiff.path.glob("*.ome.tif*")]) == 2
    # The next name is free for the folder, too.
    assert box.next_name().endswith("_002")


def test_everything_can_be_reached_with_the_keyboard(
    dock: AcquireDock, qtbot: QtBot
) -> None:
    wanted = {
        dock.hardware.choice,
        dock.hardware.load_button,
        dock.editor.axis_order,
        dock.save_box.folder_edit,
        dock.save_box.name_edit,
        dock.run_bar.run_button,
        dock.run_bar.follow_button,
        *dock.save_box.format_boxes.values(),
    }
    dock.editor.setValue(SHORT)
    chain: set[Any] = set()
    widget = dock.nextInFocusChain()
    while widget is not None and widget not in chain:
        chain.add(widget)
        widget = widget.nextInFocusChain()
    reached = {w for w in chain if w.focusPolicy() & Qt.FocusPolicy.TabFocus}
    assert wanted <= reached


def test_the_gui_stays_alive_during_a_run(
    dock: AcquireDock, qtbot: QtBot, record_property: Callable[[str, object], None]
) -> None:
    dock.editor.setValue(SHORT)
    gaps: list[float] = []
    last = [time.perf_counter()]

    def beat() -> None:
        now = time.perf_counter()
        gaps.append(now - last[0])
        last[0] = now

    timer = QTimer()
    timer.timeout.connect(beat)
    timer.start(10)
    _begin(dock, qtbot)
    _end(dock, qtbot)
    timer.stop()
    # A figure for the reader of the report; a time is never a reason to fail.
    record_property("longest_stall_ms", round(max(gaps) * 1000))
    assert len(gaps) > 5
