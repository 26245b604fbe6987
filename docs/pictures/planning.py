"""Makes the pictures of the page on planning from the real program."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtpy.QtWidgets import QWidget

TABLES = """\
time_plan: {interval: 600, loops: 6}
stage_positions:
- {x: 0, y: 0, z: 20, name: soma}
- {x: 340, y: 0, z: 21, name: axon}
z_plan: {range: 8, step: 1}
channels:
- {config: DAPI, exposure: 20}
- {config: FITC, exposure: 50, acquire_every: 2}
"""
WRONG = TABLES.replace("z_plan", "# thick enough for all\nz_plam")
SCRIPT = """\
def plan():
    for angle in range(0, 180, 30):
        yield {"axes": {"angle": angle}}

print(angels)
"""


def pictures(folder: Path) -> list[Path]:
    """Make the pictures; returns their paths."""
    from napari._qt.qt_resources import get_stylesheet
    from napari.qt import get_qapp

    from napari_scope.acquire import CoreOwner
    from napari_scope.events import Estimate
    from napari_scope.widgets.common.icons import serve_shipped_icons
    from napari_scope.widgets.common.microscope import Microscope

    application = get_qapp()  # with the icons of napari's themes
    serve_shipped_icons()
    from pymmcore_plus import CMMCorePlus

    from napari_scope.widgets.acquiring.plan_box import PlanBox
    from napari_scope.widgets.acquiring.save_box import SaveBox

    made: list[Path] = []

    def shoot(widget: QWidget, name: str) -> None:
        _settle(application)
        path = folder / f"planning-{name}.png"
        widget.grab().save(str(path))
        made.append(path)

    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        microscope = Microscope(owner)
        box, save = PlanBox(microscope), SaveBox()
        for widget in (box, save):
            widget.setStyleSheet(get_stylesheet("dark"))
            widget.resize(420, 600)
            widget.show()
        box.set_text(TABLES)
        box.tabs.setCurrentIndex(0)
        box.editor.tab_wdg.setCurrentWidget(box.editor.channels)
        shoot(box, "tables")
        box.tabs.setCurrentIndex(1)
        box.set_text(WRONG)
        shoot(box, "text")
        box.tabs.setCurrentIndex(2)
        box.script.set_text(SCRIPT)
        box.script.check()
        _settle(application, lambda: not box.script.code.busy)
        shoot(box, "script")
        save.options.unfold_button.click()
        save.set_estimate(Estimate(648, 648 * 512 * 512 * 2, 3000))
        save.resize(420, save.sizeHint().height())
        shoot(save, "save")
        save.close_down()
        box.close_down()
        microscope.close()
    return made


def _settle(application: object, done: Callable[[], bool] = lambda: True) -> None:
    end = time.monotonic() + 10
    quiet = time.monotonic() + 0.6
    while time.monotonic() < quiet or (not done() and time.monotonic() < end):
        application.processEvents()  # type: ignore[attr-defined]
        time.sleep(0.01)
