"""The pictures of the page on planning: the parts of the dock, by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import stage

if TYPE_CHECKING:
    from pathlib import Path

    from qtpy.QtWidgets import QWidget

__all__ = ["pictures"]

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
    """Show a plan as tables, as text, as a script, and the advanced options."""
    stage.keep_away()
    from napari._qt.qt_resources import get_stylesheet
    from napari.qt import get_qapp

    from napari_scope.events import Estimate
    from napari_scope.widgets.common.icons import serve_shipped_icons

    application = get_qapp()  # with the icons of napari's themes
    serve_shipped_icons()
    from napari_scope.widgets.acquiring.plan_box import PlanBox
    from napari_scope.widgets.acquiring.save_box import SaveBox

    made: list[Path] = []

    def shoot(widget: QWidget, name: str) -> None:
        stage.rest(0.6)
        made.append(stage.save_widget(widget, folder / f"planning-{name}.png"))

    with stage.demo_microscope() as microscope:
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
        stage.rest(0.6)
        stage.until(lambda: not box.script.code.busy)
        shoot(box, "script")
        save.options.unfold_button.click()
        save.set_estimate(Estimate(648, 648 * 512 * 512 * 2, 3000))
        save.resize(420, save.sizeHint().height())
        shoot(save, "save")
        save.close_down()
        box.close_down()
        application.processEvents()
    return made
