"""The pictures of the page of the Devices dock, from the real program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import stage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["pictures"]


def pictures(folder: Path) -> list[Path]:
    """Show the tabs of a small window."""
    made: list[Path] = []
    with (
        stage.demo_microscope() as microscope,
        stage.window(size=stage.SMALL) as viewer,
    ):
        from napari_scope.widgets.devices.devices_dock import DevicesDock

        dock = stage.docked(viewer, DevicesDock(viewer, microscope), "Devices")
        _see(dock, "Camera")
        dock.live.live_button.click()
        stage.until(lambda: bool(viewer.layers))
        path = folder / "devices-camera-light.png"
        made.append(stage.shoot(viewer, path, theme="light"))
        dock.live.live_button.click()
        _see(dock, "Pixel size")
        path = folder / "devices-pixel-size.png"
        made.append(stage.shoot(viewer, path, theme="dark"))
    return made


def _see(dock: Any, title: str) -> None:
    dock.show_page(title)
    stage.until(lambda: dock.tabs.page.built and not dock.microscope.calls.busy)
