"""Make the screenshots of the docs from the real program on the demo microscope.

Run it with a display of at least 1600 x 1000, for example::

    xvfb-run -a -s '-screen 0 1600x1000x24' python docs/make_screenshots.py

It writes ``docs/images/acquire-{before,during,after}.png`` and leaves no other trace:
settings and data go to a temporary folder.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = Path(__file__).parent / "images"
SIZE = (1600, 1000)


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


def main(temporary: Path) -> None:
    """Drive the dock through one run and take a picture at each stage."""
    import napari
    import useq
    from qtpy.QtCore import QSettings

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets import AcquireDock

    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(temporary)
    )
    owner = CoreOwner()
    owner.load()
    # Beads look more like a sample than the waves that the demo camera starts with.
    owner.core.setProperty("Camera", "Mode", "Fluorescent Beads")

    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(*SIZE)
    dock = AcquireDock(viewer, owner)
    viewer.window.add_dock_widget(dock, name="Acquire", area="right")
    dock.save_box.folder_edit.setText("~/data")
    dock.save_box.name_edit.setText("beads")
    dock.save_box.format_boxes["ndtiff"].setChecked(True)
    dock.editor.setValue(
        useq.MDASequence(
            axis_order="tpzc",
            time_plan={"interval": 2, "loops": 4},
            stage_positions=[(0, 0, 0), (540, 0, 0)],
            z_plan={"range": 8, "step": 2},
            channels=[
                {"config": "DAPI", "exposure": 40},
                {"config": "FITC", "exposure": 60},
            ],
        )
    )
    dock.editor.tab_wdg.setCurrentWidget(dock.editor.channels)

    def shoot(name: str) -> None:
        _rest(0.8)
        path = IMAGES / f"acquire-{name}.png"
        viewer.screenshot(str(path), canvas_only=False, flash=False)
        print(path)

    IMAGES.mkdir(exist_ok=True)
    shoot("before")
    dock.start()
    run = dock.run
    if run is None:
        raise RuntimeError(dock.errors.text.text())
    _pump(lambda: run.progress().saved >= 48)
    shoot("during")
    _pump(lambda: not dock.running)
    shoot("after")
    viewer.close()
    owner.close()
    if run.error is not None:
        raise run.error


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        # napari reads this once, when it is imported.
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        os.environ["HOME"] = os.environ["USERPROFILE"] = folder
        main(Path(folder))
    sys.exit(0)
