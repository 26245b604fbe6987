"""What a plan has besides its tables: shutter, autofocus and its offset, axis order.

The parts are pymmcore-widgets' own; here they get the words of the dock, tips, names
and a row that is as narrow as a dock. Which of them are allowed is the editor's matter.

Examples
--------
>>> row = AutofocusRow(editor.af_axis)  # doctest: +SKIP
>>> row.set_offset(12.5)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_scope.widgets.acquiring.number_box import NumberBox

if TYPE_CHECKING:
    from qtpy.QtWidgets import QComboBox

__all__ = ["AutofocusRow", "name_axes", "name_axis_order"]

_NOW: Final = -1e6  # the offset that stands for "as it is now"
_AXES: Final = {"t": "time", "z": "z", "p": "position", "g": "field"}


class AutofocusRow(QWidget):
    """Where the autofocus is used, and with which offset.

    Parameters
    ----------
    axes : QWidget
        pymmcore-widgets' choice of axes.

    Attributes
    ----------
    offset : NumberBox
        The offset in micrometers; its lowest value stands for the present one.
    note : QLabel
        Why there is no autofocus. It belongs beneath the row, also where that is
        hidden.
    """

    def __init__(self, axes: Any) -> None:
        super().__init__()
        self._axes = axes
        tip = "Offset of the autofocus; lowest: as it is at the start"
        self.offset = NumberBox(_NOW, 1e6, 1, " µm", tip)
        self.offset.setSpecialValueText("as it is now")
        self.offset.setValue(_NOW)
        self.note = QLabel("No autofocus: top and bottom are places of the focus.")
        self.note.setWordWrap(True)
        below = QWidget()
        row = QHBoxLayout(below)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Its offset"))
        row.addWidget(self.offset, 1)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(axes)
        rows.addWidget(below)
        below.setVisible(False)
        axes.valueChanged.connect(lambda: below.setVisible(bool(axes.value())))

    def offset_um(self) -> float | None:
        """Return the offset, None for that of the start."""
        offset = float(self.offset.value())
        return offset if offset > _NOW else None

    def set_offset(self, offset_um: float | None) -> None:
        """Show an offset, None for that of the start."""
        self.offset.setValue(_NOW if offset_um is None else offset_um)

    def set_allowed(self, allowed: bool) -> None:
        """Say whether the z stack leaves the focus to the autofocus."""
        self.offset.setEnabled(allowed)
        self.note.setVisible(not allowed)


def name_axes(part: QWidget, words: str) -> None:
    """Give a choice of axes its words, and names instead of letters."""
    label = part.findChild(QLabel)
    if label is not None:
        label.setText(words)
    if (row := part.layout()) is not None:
        row.setSpacing(3)
    for box in part.findChildren(QCheckBox):
        box.setText(_AXES[box.text()])
    part.setAccessibleName(words)


def name_axis_order(title: QWidget | None, combo: QComboBox) -> None:
    """Give the choice of the order of the axes its words."""
    if isinstance(title, QLabel):
        title.setText("Axis order")
    combo.setAccessibleName("Axis order")
    combo.setToolTip(
        "Order of the axes from the slowest to the fastest: t time, p position, "
        "g grid, c channel, z stack"
    )
