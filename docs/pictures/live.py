"""The pictures of the page of the live view, from the real program."""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from pymmcore_plus import CMMCorePlus

__all__ = ["pictures"]

_COLORS = 200
_PATIENCE_S = 30.0
_SILENT = 'Error in device "Camera": the camera does not answer (16)'


def pictures(folder: Path) -> list[Path]:
    """Make the pictures: live in the dark and the light theme, and after an error.

    Parameters
    ----------
    folder : Path
        Where they are written.

    Returns
    -------
    list of Path
        What was written.
    """
    import napari
    from pymmcore_plus import CMMCorePlus
    from qtpy.QtCore import QSettings
    from qtpy.QtWidgets import QVBoxLayout, QWidget

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.live_strip import LiveStrip

    QSettings.setPath(
        QSettings.Format.IniFormat,
        QSettings.Scope.UserScope,
        tempfile.mkdtemp(prefix="napari-scope-pictures-"),
    )
    owner = CoreOwner(CMMCorePlus())
    owner.load()
    _beads(owner.core)
    microscope = Microscope(owner)
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(1280, 800)
    strip = LiveStrip(microscope, viewer)
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.addWidget(strip)
    layout.addStretch()
    viewer.window.add_dock_widget(page, name="Live", area="right")
    made: list[Path] = []

    def taken(name: str) -> None:
        path = folder / f"live-{name}.png"
        pixels = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False))
        pixels.convert("RGB").quantize(_COLORS).save(path, optimize=True)
        made.append(path)

    try:
        strip.set_live(True)
        _until(lambda: strip.view.shown_fps > 0)
        _wait(3)
        taken("on")
        viewer.theme = "light"
        _wait(2)
        taken("on-light")
        viewer.theme = "dark"

        def silent() -> int:
            raise RuntimeError(_SILENT)

        owner.core.getRemainingImageCount = silent  # type: ignore[method-assign]
        _until(strip.error_panel.isVisible)
        _wait(1)
        taken("error")
    finally:
        strip.shut_down()
        microscope.close()
        _close(viewer)
        owner.close()
    return made


def _beads(core: CMMCorePlus) -> None:
    """Let the demo camera see something that looks like a sample."""
    core.setProperty("Camera", "PixelType", "16bit")
    core.setProperty("Camera", "Mode", "Fluorescent Beads")
    core.setExposure(20)


def _wait(seconds: float) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.002)


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        _wait(0.05)


def _close(viewer: napari.Viewer) -> None:
    viewer.close()
    _wait(0.2)
