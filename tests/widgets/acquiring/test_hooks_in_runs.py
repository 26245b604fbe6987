"""Hooks chosen from files, in real runs through the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import useq
from qtpy.QtCore import Qt
from tests.widgets.acquiring.dock_runs import (
    begun,
    ended,
    made_dock,
    no_question,
    small_camera,
)

from napari_scope.acquire import RunState
from napari_scope.acquire.hooks import HookError
from napari_scope.errors import PlanError, SettingsError
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff import Dataset

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.acquiring.acquire_dock import AcquireDock

__all__ = ["no_question"]
pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_question")]

PLAN = useq.MDASequence(
    time_plan={"interval": 0.01, "loops": 4},
    channels=[{"config": "DAPI", "exposure": 3}, {"config": "FITC", "exposure": 3}],
)

CHANGING = """
def pre_hardware_hook_fn(event):
    if event["axes"]["time"] == 1:
        return None
    event["exposure"] = 7
    return event

def image_process_fn(image, metadata):
    image = image * 0 + 11 + metadata["Axes"]["time"]
    return image, metadata
"""
RAISING = """
def post_hardware_hook_fn(event):
    if event["axes"]["time"] == 2:
        focus = event["no such thing"]
    return event
"""
RAISING_IMAGES = """
def image_process_fn(image, metadata):
    if metadata["Axes"]["time"] == 2:
        raise ValueError("no cell in this image")
    return image, metadata
"""


def _read(dock: AcquireDock, qtbot: QtBot, words: str = "") -> None:
    """Wait until a changed file is read again, and until it is said what is wrong."""
    chooser = dock.plan_box.hook_files
    (row,) = chooser._rows
    before = (row.file, row.problem)
    chooser.look()
    qtbot.waitUntil(
        lambda: (row.file or row.problem) not in (None, *before), timeout=15_000
    )
    assert words in dock.plan_box.why_not
    assert bool(words) == bool(dock.plan_box.why_not)


def test_hooks_take_part_fail_are_edited_and_go_missing(
    shown_viewer: napari.Viewer,
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    no_network: None,
) -> None:
    small_camera(owner.core)
    data = tmp_path / "data"
    dock = made_dock(shown_viewer, owner, data, qtbot)
    dock.save_box.format_boxes["ndtiff"].setChecked(True)
    dock.editor.setValue(PLAN)
    file = tmp_path / "hooks.py"

    # Events are changed and dropped, images changed: in the files, and in the report.
    file.write_text(CHANGING)
    dock.plan_box.hook_files.add([file])
    qtbot.waitUntil(lambda: dock.plan_box.ready)
    begun(dock, qtbot)
    report = ended(dock, qtbot)
    assert dock.errors.isHidden(), dock.errors.text.text()
    assert report.state is RunState.FINISHED
    assert (report.saved, len(report.skipped)) == (6, 2)
    assert {s.reason for s in report.skipped} == {"dropped by pre_hardware_hook_fn"}
    assert "dropped by pre_hardware_hook_fn" in dock.reports.text.toPlainText()
    (image,) = open_dataset(data / "cells_001.ome.zarr").images
    values = np.asarray(image.levels[0])[..., 5, 5].reshape(4, 2)
    assert values.tolist() == [[11, 11], [0, 0], [13, 13], [14, 14]]
    stored = Dataset(data / "cells_001.ndtiff")
    axes = stored.get_image_coordinates_list()
    assert sorted({a["time"] for a in axes}) == [0, 2, 3]
    assert {stored.read_metadata(**a)["Exposure"] for a in axes} == {7.0}

    # It is edited: no run starts with what it was, not even at once.
    file.write_text(RAISING_IMAGES)
    begun(dock, qtbot)
    assert not dock.running and isinstance(dock.errors.error, SettingsError)
    assert "has changed" in dock.errors.text.text()

    # The next run has the new one, without a click.
    for number, (text, words, line) in enumerate(
        (
            (RAISING, "KeyError: 'no such thing'", 'focus = event["no such thing"]'),
            (RAISING_IMAGES, "no cell in this image", "raise ValueError"),
        ),
        start=2,
    ):
        file.write_text(text + "\n")
        _read(dock, qtbot)
        begun(dock, qtbot)
        report = ended(dock, qtbot)
        assert report.state is RunState.FAILED
        assert isinstance(dock.errors.error, HookError)
        assert words in dock.errors.text.text().replace("&#x27;", "'")
        dock.errors.details_button.click()
        assert not dock.errors.details.isHidden()
        details = dock.errors.details.toPlainText()
        assert line in details and str(file) in details
        # What came before is saved as it was.
        assert report.saved == 4
        (image,) = open_dataset(data / f"cells_00{number}.ome.zarr").images
        taken = np.asarray(image.levels[0])[:2].reshape(4, -1)
        assert taken.any(axis=1).all()

    # A file that is wrong, or gone, lets no run start; it says where.
    runs = dock.reports.count
    file.write_text("def pre_hardware_hook_fn(event):\n    retrun event\n")
    _read(dock, qtbot, "SyntaxError")
    dock.start()
    assert not dock.running and isinstance(dock.errors.error, PlanError)
    assert str(file) in dock.errors.text.text() and "line 2" in dock.errors.text.text()
    file.unlink()
    _read(dock, qtbot, "no such file")
    dock.start()
    assert "no such file" in dock.errors.text.text()
    assert dock.reports.count == runs and not list(data.glob("cells_004*"))

    # It cannot wait in the queue; unticked, the plan runs without it.
    file.write_text(CHANGING)
    _read(dock, qtbot)
    dock.run_bar.queue_button.click()
    assert "cannot wait in the queue" in dock.errors.text.text()
    assert dock.queue.entries == ()
    dock.plan_box.hook_files.tree.topLevelItem(0).setCheckState(
        0, Qt.CheckState.Unchecked
    )
    begun(dock, qtbot)
    assert ended(dock, qtbot).saved == 8 and dock.errors.isHidden()
