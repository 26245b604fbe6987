"""Two windows of napari on the one microscope: who runs, who may close."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from qtpy.QtWidgets import QMessageBox
from tests.widgets.acquiring.dock_runs import (
    begun,
    ended,
    made_dock,
    no_question,
    small_camera,
)

from napari_scope.acquire import RunState, registry
from napari_scope.errors import AcquisitionError
from napari_scope.formats import open_dataset
from napari_scope.widgets.common.microscope import Microscope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

__all__ = ["no_question"]
pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_question")]

LONG = useq.MDASequence(
    time_plan={"interval": 0.05, "loops": 2000},
    channels=[{"config": "DAPI", "exposure": 1}],
)
SHORT = useq.MDASequence(
    time_plan={"interval": 0, "loops": 3},
    channels=[{"config": "DAPI", "exposure": 1}],
)


@pytest.mark.parametrize("shared", [True, False], ids=["one-microscope", "two"])
def test_both_press_run_at_once_and_one_window_closes(
    shared: bool,
    make_napari_viewer: Callable[..., napari.Viewer],
    owner: CoreOwner,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_network: None,
) -> None:
    """With one microscope object, as napari's menu gives them, and with two of them."""
    small_camera(owner.core)
    microscope = Microscope(owner)
    viewers = [make_napari_viewer(show=True) for _ in range(2)]
    docks = [
        made_dock(viewer, microscope if shared else owner, tmp_path / name, qtbot)
        for viewer, name in zip(viewers, "ab", strict=True)
    ]
    for dock in docks:
        dock.editor.setValue(LONG)

    # Both have looked whether the microscope is free before either has claimed it.
    both = threading.Barrier(2, timeout=30)
    claim = registry.claim_core

    def claimed(run: Any) -> None:
        both.wait()
        claim(run)

    monkeypatch.setattr("napari_scope.acquire.run.claim_core", claimed)
    for dock in docks:
        dock.run_bar.run_button.click()
    qtbot.waitUntil(lambda: not any(d._starting for d in docks), timeout=30_000)
    monkeypatch.setattr("napari_scope.acquire.run.claim_core", claim)
    refused = [d for d in docks if isinstance(d.errors.error, AcquisitionError)]
    assert len(refused) == 1
    (active,) = (d for d in docks if d not in refused)
    (idle,) = refused
    qtbot.waitUntil(lambda: idle.run is active.run, timeout=10_000)
    run = active.run
    assert active.is_own and not idle.is_own
    assert idle.running
    qtbot.waitUntil(lambda: not idle.run_bar.run_button.isEnabled(), timeout=10_000)
    # What is shown is the run of the other; why not ours is still said.
    assert "Another run goes on" in idle.errors.text.text()
    assert active.errors.isHidden()
    qtbot.waitUntil(lambda: run.progress().saved > 3, timeout=30_000)

    # Its window closes without a question and without harm: the run is another's.
    asked: list[bool] = []

    def question(*args: Any, **more: Any) -> QMessageBox.StandardButton:
        asked.append(True)
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", question)
    viewers[docks.index(idle)].close()
    assert not asked and idle.is_shut_down
    count = run.progress().saved
    qtbot.waitUntil(lambda: run.progress().saved > count + 3, timeout=30_000)
    assert run.state is not RunState.CANCELLING and active.running
    # The last window, whose run it is, asks.
    assert not active.window().close() and asked == [True]
    active.run_bar.cancel_button.click()
    report = ended(active, qtbot)
    (output,) = report.outputs
    (image,) = open_dataset(output.path).images
    frames = np.asarray(image.levels[0]).reshape(-1, 32, 32)
    assert frames[: report.saved].any(axis=(1, 2)).all()
    # And it goes on running.
    active.editor.setValue(SHORT)
    begun(active, qtbot)
    assert ended(active, qtbot).saved == 3
