"""The queue when there is no room: in the middle of a run, and between two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import useq
from tests.stream.fault_layer import FaultyDisk
from tests.widgets.acquiring.dock_runs import (
    ended,
    made_dock,
    no_question,
    small_camera,
)

from napari_scope.errors import DiskSpaceError
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff import Dataset
from napari_scope.stream import recover
from napari_scope.stream import stream as stream_module

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.acquiring.acquire_dock import AcquireDock

__all__ = ["no_question"]
pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_question")]

PLAN = useq.MDASequence(
    time_plan={"interval": 0.03, "loops": 15},
    channels=[{"config": "DAPI", "exposure": 1}],
)

_WRITES = 40


class FullInTheSecond(FaultyDisk):
    """A disk that is full once some frames of the second run are written."""

    writes = 0

    def before(
        self, kind: str, path: str, offset: int = 0, data: bytes = b""
    ) -> int | None:
        self.writes += kind == "write" and "cells_002" in path
        if self.writes == _WRITES and self.at is None:
            self.at = self.count
        return super().before(kind, path, offset, data)


def _states(dock: AcquireDock) -> list[str]:
    return [entry.state for entry in dock.queue.entries]


def _words(dock: AcquireDock, row: int) -> str:
    item = dock.queue_view.list.item(row)
    return f"{item.text()} {item.toolTip()}"


def test_the_queue_stops_says_why_and_keeps_what_was_not_run(
    shown_viewer: napari.Viewer,
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_network: None,
) -> None:
    small_camera(owner.core)
    data = tmp_path / "data"
    dock = made_dock(shown_viewer, owner, data, qtbot)
    dock.save_box.format_boxes["ndtiff"].setChecked(True)
    dock.editor.setValue(PLAN)
    for _ in range(4):
        dock.run_bar.queue_button.click()
    queue, view = dock.queue, dock.queue_view

    # The disk is full in the middle of the second of four.
    disk = FullInTheSecond(tmp_path, None)
    with disk.installed(monkeypatch):
        view.start_button.click()
        qtbot.waitUntil(lambda: dock.reports.count == 2, timeout=60_000)
        ended(dock, qtbot)
    assert disk.fired
    assert _states(dock) == ["finished", "failed", "waiting", "waiting"]
    failed = queue.entries[1]
    assert isinstance(failed.error, DiskSpaceError) and failed.report is not None
    assert "cells_002" in dock.errors.text.text()
    assert "What to do" in dock.errors.text.text()
    qtbot.waitUntil(lambda: "failed" in _words(dock, 1))
    assert str(failed.error) in _words(dock, 1)
    assert dock.tabs.tabText(1) == "Queue (2)"
    # What was saved until then is there, also what was saved before.
    for name, saved in (("cells_001", 15), ("cells_002", failed.report.saved)):
        assert saved > 3
        recover(data / f"{name}.ome.zarr")
        recover(data / f"{name}.ndtiff")
        (image,) = open_dataset(data / f"{name}.ome.zarr").images
        frames = np.asarray(image.levels[0]).reshape(-1, 32, 32)
        assert frames[:saved].any(axis=(1, 2)).all()
        assert (
            len(Dataset(data / f"{name}.ndtiff").get_image_coordinates_list()) >= saved
        )

    # No room at the start of the next: nothing is made of it, and the last still waits.
    with monkeypatch.context() as patch:
        patch.setattr(stream_module, "free_bytes", lambda path: 1000)
        view.start_button.click()
        qtbot.waitUntil(lambda: dock.reports.count == 3, timeout=60_000)
        ended(dock, qtbot)
    assert _states(dock)[3] == "waiting"
    assert isinstance(queue.entries[2].error, DiskSpaceError)
    assert "the disk has 0 MB" in dock.errors.text.text()
    assert not list(data.glob("cells_003*"))
    # What was not run, or not to its end, is kept for tomorrow.
    assert len(queue.to_json()) == 3

    # The pencil puts one that failed back into the editor; the queue keeps it.
    dock.editor.setValue(useq.MDASequence(channels=["FITC"]))
    view.list.setCurrentRow(2)
    view.edit_button.click()
    assert dock.tabs.currentIndex() == 0 and len(queue.entries) == 4
    assert dock.editor.value().time_plan == PLAN.time_plan

    # There is room again: go on, and let the two that failed have another turn.
    view.go_on_box.click()
    for row in (1, 2):
        view.list.setCurrentRow(row)
        view.again_button.click()
    view.start_button.click()
    qtbot.waitUntil(lambda: dock.reports.count == 6, timeout=60_000)
    ended(dock, qtbot)
    assert dock.errors.isHidden() and queue.to_json() == []
    assert _states(dock) == ["finished"] * 4
    assert [entry.report.saved for entry in queue.entries] == [15] * 4
