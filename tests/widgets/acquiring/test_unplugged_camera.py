"""A camera that is gone in the middle of a run of the dock, and what comes after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import useq
from tests.widgets.acquiring.dock_runs import (
    begun,
    ended,
    made_dock,
    no_question,
    small_camera,
)

from napari_scope.acquire import RunState
from napari_scope.errors import HardwareError
from napari_scope.formats import open_dataset

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from pymmcore_plus import CMMCorePlus
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

__all__ = ["no_question"]
pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_question")]

SNAPS = useq.MDASequence(
    time_plan={"interval": 0.02, "loops": 500},
    channels=[{"config": "DAPI", "exposure": 1}, {"config": "FITC", "exposure": 1}],
)
BURST = useq.MDASequence(
    time_plan={"interval": 0, "loops": 4000},
    channels=[{"config": "DAPI", "exposure": 5}],
)


def unplug(core: CMMCorePlus, running: bool) -> None:
    """Take the camera away; one that runs gives no more images first."""
    if running:
        core.stopSequenceAcquisition()
    core.unloadDevice("Camera")


def test_the_run_ends_with_the_reason_and_the_next_one_works(
    shown_viewer: napari.Viewer,
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    no_network: None,
) -> None:
    core = owner.core
    small_camera(core)
    dock = made_dock(shown_viewer, owner, tmp_path / "data", qtbot)
    for number, plan in enumerate((SNAPS, BURST), start=1):
        dock.editor.setValue(plan)
        run = begun(dock, qtbot)
        qtbot.waitUntil(lambda r=run: r.progress().saved > 5, timeout=30_000)
        if number == 1:
            # The numbers below say which and why, also while it goes on.
            dock.run_bar.details_requested.emit()
            assert dock.tabs.currentIndex() == 2
            assert "cells_001 goes on" in dock.reports.now_label.text()
            dock.tabs.setCurrentIndex(0)
        unplug(core, plan is BURST)
        report = ended(dock, qtbot)
        assert run.state is RunState.FAILED
        assert isinstance(dock.errors.error, HardwareError)
        assert 5 < report.saved < report.planned
        (image,) = open_dataset(report.outputs[0].path).images
        frames = np.asarray(image.levels[0]).reshape(-1, 32, 32)
        assert frames[: report.saved].any(axis=(1, 2)).all()
        # Plugged in again, and the configuration loaded: the next run works.
        qtbot.waitUntil(dock.hardware.load_button.isEnabled, timeout=10_000)
        with qtbot.waitSignal(dock.microscope.loaded, timeout=20_000):
            dock.hardware.load(None)
        small_camera(core)
        qtbot.waitUntil(dock.run_bar.run_button.isEnabled, timeout=10_000)
    dock.editor.setValue(SNAPS.replace(time_plan={"interval": 0, "loops": 2}))
    begun(dock, qtbot)
    assert ended(dock, qtbot).saved == 4 and dock.errors.isHidden()
