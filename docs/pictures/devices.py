"""The pictures of the page of the Devices dock, from the real program."""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari

    from napari_scope.widgets.devices.devices_dock import DevicesDock

__all__ = ["pictures"]

_LARGE, _SMALL = (1600, 1000), (1280, 800)
_COLORS = 200
_SILENT = 'Error in device "Objective": COM3 does not answer within 500 ms'


def pictures(folder: Path) -> list[Path]:
    """Make the pictures.

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

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.devices_dock import DevicesDock

    QSettings.setPath(
        QSettings.Format.IniFormat,
        QSettings.Scope.UserScope,
        tempfile.mkdtemp(prefix="napari-scope-pictures-"),
    )
    owner = CoreOwner(CMMCorePlus())
    owner.load()
    # Beads look more like a sample than the waves that the demo camera starts with.
    owner.core.setProperty("Camera", "Mode", "Fluorescent Beads")
    microscope = Microscope(owner)
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    dock = DevicesDock(viewer, microscope)
    viewer.window.add_dock_widget(dock, name="Devices", area="right")

    def shoot(name: str, size: tuple[int, int], theme: str = "dark") -> Path:
        viewer.theme = theme
        viewer.window.resize(*size)
        _rest(0.8)
        return _shoot(viewer, folder / f"{name}.png")

    made: list[Path] = []
    try:
        _see(dock, "Presets")
        dock.live.live_button.click()
        _pump(lambda: bool(viewer.layers))
        made.append(shoot("devices", _LARGE))
        _see(dock, "Camera")
        made.append(shoot("devices-camera-light", _SMALL, "light"))
        dock.live.live_button.click()
        _see(dock, "Pixel size")
        made.append(shoot("devices-pixel-size", _SMALL))
        _see(dock, "Properties")
        _fail(dock)
        made.append(shoot("devices-error", _SMALL))
    finally:
        viewer.close()
        dock.shut_down()
        microscope.close()
        owner.close()
    return made


def _fail(dock: DevicesDock) -> None:
    """Let the objective be unplugged while somebody turns it."""
    core, box = dock.microscope.real_core, dock.quick.objective
    turn = core.setProperty

    def silent(*args: object) -> None:
        raise RuntimeError(_SILENT)

    core.setProperty = silent
    try:
        box.setCurrentIndex(3)
        box.textActivated.emit(box.currentText())
        _pump(lambda: dock.errors.isVisible())
    finally:
        core.setProperty = turn


def _see(dock: DevicesDock, title: str) -> None:
    dock.show_page(title)
    _pump(lambda: dock.tabs.page.built and not dock.microscope.calls.busy)


def _shoot(viewer: napari.Viewer, path: Path) -> Path:
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    with Image.open(path) as opened:
        picture = opened.convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    return path


def _pump(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Keep the program alive until a condition is met."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the program did not get there")
        QApplication.processEvents()
        time.sleep(0.005)


def _rest(seconds: float) -> None:
    end = time.monotonic() + seconds
    _pump(lambda: time.monotonic() > end)
