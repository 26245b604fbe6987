"""The pictures of the page of the Stage and explorer dock, from the real program."""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari

    from napari_scope.widgets.space.explorer_dock import ExplorerDock

__all__ = ["pictures"]

_COLORS = 200
_PATIENCE_S = 60.0
_OUT_OF_RANGE = 'Error in device "XY": the position is out of range (14)'
_OUTLINE = [
    [-800, -1100],
    [-950, 700],
    [100, 1200],
    [700, 500],
    [250, -150],
    [650, -900],
]


def pictures(folder: Path) -> list[Path]:
    """Make the pictures: idle, outlines, while it explores (dark, light), an error.

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
    from napari_scope.widgets.space.explorer_dock import ExplorerDock

    QSettings.setPath(
        QSettings.Format.IniFormat,
        QSettings.Scope.UserScope,
        tempfile.mkdtemp(prefix="napari-scope-pictures-"),
    )
    owner = CoreOwner(CMMCorePlus())
    owner.load()
    core = owner.core
    core.setProperty("Camera", "PixelType", "16bit")
    core.setProperty("Camera", "Mode", "Fluorescent Beads")
    core.setProperty("XY", "Velocity", 2)
    microscope = Microscope(owner)
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(1600, 1000)
    dock = ExplorerDock(viewer, microscope)
    viewer.window.add_dock_widget(dock, name="Stage and explorer", area="right")
    made: list[Path] = []

    def taken(name: str) -> None:
        path = folder / f"explorer-{name}.png"
        pixels = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False))
        pixels.convert("RGB").quantize(_COLORS).save(path, optimize=True)
        made.append(path)

    try:
        _until(lambda: dock.driver.facts.grid is not None and bool(dock.map.layers))
        dock.explore.folder.setText(tempfile.mkdtemp(prefix="napari-scope-pictures-"))
        dock.explore.name.setText("slide")
        viewer.reset_view()
        viewer.scene.camera.zoom /= 3
        _wait(2)
        taken("idle")
        _outline(dock, viewer)
        taken("outlines")
        _explore(dock)
        taken("exploring")
        viewer.theme = "light"
        _wait(1)
        taken("exploring-light")
        viewer.theme = "dark"
        core.setProperty("XY", "Velocity", 100)
        _until(lambda: not _waiting(dock))
        dock.explore.finish_button.click()
        _until(lambda: not dock.session.busy)
        dock.planner.list_button.click()

        def refuse(*_: Any) -> None:
            raise RuntimeError(_OUT_OF_RANGE)

        core.setXYPosition = refuse  # type: ignore[method-assign]
        _until(lambda: not microscope.lock_reason)
        dock.driver.move_to(60_000, 0)
        _until(dock.errors.isVisible)
        _wait(1)
        taken("error")
    finally:
        dock.shut_down()
        microscope.close()
        viewer.close()
        _wait(0.2)
        owner.close()
    return made


def _outline(dock: ExplorerDock, viewer: napari.Viewer) -> None:
    dock.planner.draw("polygon")
    dock.planner.layer.add_polygons(np.array(_OUTLINE), edge_width=8)
    dock.planner.layer.mode = "pan_zoom"
    _until(lambda: dock.planner.plan is not None)
    viewer.reset_view()
    _wait(1)


def _explore(dock: ExplorerDock) -> None:
    dock.planner.explore_button.click()
    _until(lambda: dock.session.running)
    _until(lambda: dock._explored is not None and len(dock._explored.taken) > 7)
    dock.explore.pause_button.click()
    _wait(2)
    dock.explore.pause_button.click()


def _waiting(dock: ExplorerDock) -> bool:
    explored = dock._explored
    return explored is None or bool(explored.waiting)


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
