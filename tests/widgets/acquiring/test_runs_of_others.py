"""Runs that the console starts with ``core.run_mda`` while the dock is open."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
import zarr
from tests.widgets.acquiring.dock_runs import (
    begun,
    ended,
    frames_of,
    made_dock,
    no_question,
    numbered_images,
    small_camera,
)

from napari_scope.acquire import RunState
from napari_scope.formats import open_dataset
from napari_scope.widgets.acquiring import run_watch
from napari_scope.widgets.common.preferences import preferences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.acquiring.acquire_dock import AcquireDock

__all__ = ["no_question"]
pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_question")]

PLAN = useq.MDASequence(
    axis_order="tpcz",
    time_plan={"interval": 0, "loops": 3},
    stage_positions=[(0, 0, 0), (600, 0, 0)],
    channels=[{"config": "DAPI", "exposure": 1}, {"config": "FITC", "exposure": 1}],
)


@pytest.fixture
def dock(
    shown_viewer: napari.Viewer,
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    no_network: None,
) -> AcquireDock:
    small_camera(owner.core)
    return made_dock(shown_viewer, owner, tmp_path / "ours", qtbot)


class Handler:
    """An output of a script: keeps what it gets."""

    def __init__(self) -> None:
        self.frames: list[np.ndarray[Any, Any]] = []
        self.index: list[dict[str, int]] = []

    def frameReady(self, image: Any, event: useq.MDAEvent, meta: Any) -> None:
        self.frames.append(image.copy())
        self.index.append(dict(event.index))


def test_runs_with_outputs_and_of_generators_are_shown_and_left_whole(
    dock: AcquireDock,
    shown_viewer: napari.Viewer,
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core, viewer = owner.core, shown_viewer
    numbered_images(core, monkeypatch)
    # A path and a handler at once: both have each frame once.
    handler = Handler()
    path = tmp_path / "theirs.ome.zarr"
    core.run_mda(PLAN, output=[path, handler])
    qtbot.waitUntil(lambda: dock.reports.count == 1, timeout=60_000)
    ended(dock, qtbot)
    first = dock.run
    assert first.is_foreign and not dock.is_own
    assert (first.report.saved, first.report.dropped, first.report.planned) == (
        12,
        0,
        12,
    )
    assert [int(frame[0, 0]) for frame in handler.frames] == list(range(12))
    assert len(viewer.layers) == 4
    saved = [
        np.asarray(array)
        for _, array in sorted(zarr.open_group(path, mode="r").members(max_depth=None))
        if isinstance(array, zarr.Array)
    ]
    for image, index in zip(handler.frames, handler.index, strict=True):
        t, p, c = index["t"], index["p"], index["c"]
        np.testing.assert_array_equal(saved[p][t, c].squeeze(), image)
        layer = viewer.layers[f"Pos00{p} - {'DAPI FITC'.split()[c]}"]
        np.testing.assert_array_equal(np.asarray(layer.data[t]).squeeze(), image)
    assert dock.run_bar.state_label.text() == "Finished"

    # A generator, which may wait as long as it likes: nothing is known beforehand.
    def events() -> Iterator[useq.MDAEvent]:
        for t in range(5):
            yield useq.MDAEvent(index={"t": t}, exposure=1)

    handler = Handler()
    core.run_mda(events(), output=handler)
    qtbot.waitUntil(lambda: dock.reports.count == 2, timeout=60_000)
    ended(dock, qtbot)
    second = dock.run
    assert second is not first and second.plan is None
    assert second.report.saved == 5 and len(viewer.layers) == 5
    shown = np.asarray(frames_of(second)).reshape(5, 32, 32)
    np.testing.assert_array_equal(shown, np.array(handler.frames))

    # The next run of the dock works, and saves.
    dock.editor.setValue(PLAN)
    run = begun(dock, qtbot)
    assert ended(dock, qtbot).saved == 12 and dock.is_own
    assert len(open_dataset(run.outputs[0].path).images) == 2
    assert dock.errors.isHidden()
    assert len(viewer.layers) == 9

    # Who does not want to see the runs of scripts has their numbers all the same.
    off = replace(preferences(), show_other_runs=False)
    monkeypatch.setattr(run_watch, "preferences", lambda: off)
    core.run_mda(PLAN)
    qtbot.waitUntil(lambda: dock.reports.count == 4, timeout=60_000)
    assert dock.run.report.saved == 12 and len(viewer.layers) == 9


def test_a_run_of_the_console_is_steered_and_its_errors_are_shown(
    dock: AcquireDock,
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core, bar = owner.core, dock.run_bar
    taken = numbered_images(core, monkeypatch)
    handler = Handler()
    long = useq.MDASequence(time_plan=useq.TIntervalLoops(interval=0.03, loops=2000))
    thread = core.run_mda(long, output=[tmp_path / "long.ome.zarr", handler])
    qtbot.waitUntil(lambda: dock.running and dock.run.progress().saved > 2)
    assert not bar.run_button.isEnabled() and bar.pause_button.isEnabled()
    assert not bar.skip_button.isEnabled()
    bar.pause_button.click()
    qtbot.waitUntil(lambda: bar.state_label.text() == "Paused")
    count = len(taken)
    qtbot.wait(150)
    assert len(taken) <= count + 1
    bar.pause_button.click()
    qtbot.waitUntil(lambda: len(handler.frames) > count + 3)
    bar.cancel_button.click()
    ended(dock, qtbot)
    thread.join(30)
    assert dock.run.state is RunState.CANCELLED
    assert dock.run.report.saved == len(handler.frames) < 2000
    array = zarr.open_array(tmp_path / "long.ome.zarr" / "0", mode="r")
    np.testing.assert_array_equal(
        np.asarray(array[: len(handler.frames)]).reshape(-1, 32, 32),
        np.array(handler.frames),
    )

    # A camera that fails is passed over by their engine: the report has it.
    real = core.snapImage

    def failing() -> None:
        if len(taken) % 4 == 3:
            taken.append(len(taken))
            raise RuntimeError("the cable came loose")
        real()

    with monkeypatch.context() as patch:
        patch.setattr(core, "snapImage", failing)
        core.run_mda(PLAN).join(60)
    qtbot.waitUntil(lambda: dock.reports.count == 2, timeout=30_000)
    report = ended(dock, qtbot)
    assert (report.saved, report.planned) == (9, 12)
    assert "3 of 12 planned frames did not come" in dock.reports.text.toPlainText()

    # A generator that raises ends it; whoever wrote it was told what.
    def events() -> Iterator[useq.MDAEvent]:
        yield useq.MDAEvent(index={"t": 0}, exposure=1)
        yield useq.MDAEvent(index={"t": 1}, exposure=1)
        raise ValueError("no cells found")

    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args))
    thread = core.run_mda(events(), output=handler)
    thread.join(60)
    qtbot.waitUntil(lambda: dock.reports.count == 3, timeout=30_000)
    assert ended(dock, qtbot).saved == 2 and dock.run.state is RunState.FAILED
    assert str(told.pop().exc_value) == "no cells found"
    assert "stopped with an error" in dock.errors.text.text()
    assert bar.state_label.text().startswith("Failed")
    # An output that is there already: it does not begin, so nothing is shown.
    core.run_mda(PLAN, output=tmp_path / "long.ome.zarr").join(60)
    assert told.pop().exc_type is FileExistsError
    qtbot.wait(200)
    assert dock.reports.count == 3 and not dock.running

    dock.editor.setValue(PLAN)
    qtbot.waitUntil(bar.run_button.isEnabled, timeout=10_000)
    begun(dock, qtbot)
    assert ended(dock, qtbot).saved == 12 and dock.errors.isHidden()
