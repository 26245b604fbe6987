"""The pictures of the page of the live view, from the real program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import stage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["pictures"]

_SILENT = 'Error in device "Camera": the camera does not answer (16)'


def pictures(folder: Path) -> list[Path]:
    """Show the strip alone: live in both themes, and after an error."""
    made: list[Path] = []
    with (
        stage.demo_microscope(Camera_PixelType="16bit") as microscope,
        stage.window(size=stage.SMALL) as viewer,
    ):
        from qtpy.QtWidgets import QVBoxLayout, QWidget

        from napari_scope.widgets.devices.live_strip import LiveStrip

        microscope.real_core.setExposure(20)
        strip, page = LiveStrip(microscope, viewer), QWidget()
        layout = QVBoxLayout(page)
        layout.addWidget(strip)
        layout.addStretch()
        stage.docked(viewer, page, "Live")
        try:
            strip.set_live(True)
            stage.until(lambda: strip.view.shown_fps > 0)
            stage.rest(2)
            made.append(stage.shoot(viewer, folder / "live-on.png"))
            path = folder / "live-on-light.png"
            made.append(stage.shoot(viewer, path, theme="light"))
            with stage.broken(microscope.real_core, "getRemainingImageCount", _SILENT):
                stage.until(strip.error_panel.isVisible)
            path = folder / "live-error.png"
            made.append(stage.shoot(viewer, path, theme="dark"))
        finally:
            strip.shut_down()
    return made
