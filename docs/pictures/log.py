"""The pictures of the page of the Log dock, from the real program."""

from __future__ import annotations

import logging
import tempfile
import time
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["pictures"]

_SIZE = (1600, 1000)
_COLORS = 200
_PATIENCE_S = 60.0


def pictures(folder: Path) -> list[Path]:
    """Make the pictures: a session, and an error with all that is known of it."""
    import napari
    from pymmcore_plus import CMMCorePlus
    from qtpy.QtCore import QSettings

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.log.log_dock import LogDock

    QSettings.setPath(
        QSettings.Format.IniFormat,
        QSettings.Scope.UserScope,
        tempfile.mkdtemp(prefix="napari-scope-pictures-"),
    )
    # A log of its own: the usual file has what other programs say as well.
    core = CMMCorePlus()
    logs = tempfile.mkdtemp(prefix="napari-scope-pictures-")
    core.setPrimaryLogFile(f"{logs}/core.log", True)
    owner = CoreOwner(core)
    microscope = Microscope(owner)
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(*_SIZE)
    dock = LogDock(viewer, microscope)
    viewer.window.add_dock_widget(dock, name="Log", area="right")
    made: list[Path] = []

    def shoot(name: str) -> None:
        _wait(0.8)
        path = folder / f"{name}.png"
        pixels = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False))
        pixels.convert("RGB").quantize(_COLORS).save(path, optimize=True)
        made.append(path)

    try:
        microscope.load(None)
        _until(lambda: owner.has_devices and not microscope.is_loading)
        microscope.core.setProperty("Camera", "Binning", "2")
        _until(lambda: not microscope.calls.busy)
        shoot("log")

        def refuse(*_: object) -> None:
            raise RuntimeError('Error in device "XY": no answer (cable loose?)')

        core.setXYPosition = refuse  # type: ignore[method-assign]
        microscope.core.setXYPosition(100, 0)
        _until(lambda: any(x.level >= logging.ERROR for x in dock.model.lines))
        rows = range(len(dock.model.lines))
        row = next(n for n in rows if dock.model.lines[n].level >= logging.ERROR)
        dock.table.selectRow(row)
        shoot("log-error")
    finally:
        dock.shut_down()
        microscope.close()
        viewer.close()
        _wait(0.2)
        owner.close()
    return made


def _wait(seconds: float) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.002)


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        _wait(0.02)
