"""What the tests of whole runs through the dock share: starting, ending, looking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtWidgets import QMessageBox

from napari_scope.widgets.acquiring.acquire_dock import AcquireDock

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from pymmcore_plus import CMMCorePlus
    from pytestqt.qtbot import QtBot

__all__ = [
    "begun",
    "ended",
    "frames_of",
    "made_dock",
    "no_question",
    "numbered_images",
    "small_camera",
]


@pytest.fixture
def no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test that fails in the middle of a run end, not wait for an answer."""
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *args, **kwargs: yes)


def small_camera(core: CMMCorePlus, camera: str = "Camera", size: int = 32) -> None:
    """Let a demo camera make small, quick images."""
    for name in ("OnCameraCCDXSize", "OnCameraCCDYSize"):
        core.setProperty(camera, name, str(size))
    core.setProperty(camera, "Exposure", "1")


def numbered_images(core: CMMCorePlus, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the first pixel of each image that is snapped be its number.

    The demo camera repeats itself after two images.
    """
    taken: list[int] = []
    snap, get = core.snapImage, core.getImage

    def snapped() -> None:
        snap()
        taken.append(len(taken))

    def numbered(*args: Any, **more: Any) -> Any:
        image = get(*args, **more).copy()
        image[0, 0] = taken[-1]
        return image

    monkeypatch.setattr(core, "snapImage", snapped)
    monkeypatch.setattr(core, "getImage", numbered)
    return taken


def made_dock(
    viewer: napari.Viewer, microscope: Any, folder: Path, qtbot: QtBot
) -> AcquireDock:
    """Return a dock in the window of a viewer that can run."""
    dock = AcquireDock(viewer, microscope)
    viewer.window.add_dock_widget(dock, name="Acquire", area="right")
    dock.save_box.folder_edit.setText(str(folder))
    dock.save_box.name_edit.setText("cells")
    qtbot.waitUntil(dock.run_bar.run_button.isEnabled, timeout=20_000)
    return dock


def begun(dock: AcquireDock, qtbot: QtBot) -> Any:
    """Press Run; returns the run once it has begun, or could not."""
    button, microscope = dock.run_bar.run_button, dock.microscope
    # The button hears of the end of a run a moment after it.
    qtbot.waitUntil(
        lambda: button.isEnabled() and not microscope.lock_reason, timeout=30_000
    )
    dock.run_bar.run_button.click()
    qtbot.waitUntil(lambda: not dock._starting, timeout=30_000)
    return dock.run


def ended(dock: AcquireDock, qtbot: QtBot) -> Any:
    """Wait until the run is over and its layers are made; returns its report."""
    qtbot.waitUntil(lambda: not dock.running and not dock.live.active, timeout=60_000)
    return dock.run.report


def frames_of(run: Any) -> Any:
    """Return the pixels of the first image of a run."""
    return run.stream.view().images[0].levels[0]
