"""The stage at the top of the dock: its control, and what clicks in the viewer do.

The box only arranges and names; what its buttons do is connected by the dock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QGroupBox, QHBoxLayout, QPushButton, QVBoxLayout

from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.space.tall_area import narrow

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_scope.widgets.space.stage_control import StageControl

__all__ = ["StageBox", "mode_button"]


class StageBox(QGroupBox):
    """The control of the stage and the buttons below it.

    Parameters
    ----------
    control : StageControl
        The control.
    parent : QWidget, optional
        Owner.

    Attributes
    ----------
    move_button, map_button : QPushButton
        Clicks in the viewer move the stage; the map is shown.
    snap_box : QCheckBox
        A picture is taken when the stage has arrived.
    """

    def __init__(self, control: StageControl, parent: QWidget | None = None) -> None:
        super().__init__("Stage", parent)
        self.move_button = mode_button(
            "Click to move",
            "stage-point",
            "A double click in the viewer centres the stage there, and the arrow keys "
            "move it while the viewer has the focus (F7)",
        )
        self.map_button = mode_button(
            "Map",
            "stage-map",
            "Show the map in the viewer (F8)",
        )
        self.map_button.setChecked(True)
        self.snap_box = QCheckBox("Snap")
        self.snap_box.setToolTip("Take a picture when a click has moved the stage")
        modes = QHBoxLayout()
        modes.addWidget(self.move_button, 1)
        modes.addWidget(self.snap_box)
        modes.addWidget(self.map_button)
        column = narrow(QVBoxLayout(self))
        column.addWidget(control)
        column.addLayout(modes)


def mode_button(text: str, name: str, tip: str) -> QPushButton:
    """Return a button that stays down while its mode is on."""
    button = QPushButton(icon(name), text)
    button.setCheckable(True)
    button.setToolTip(tip)
    return button
