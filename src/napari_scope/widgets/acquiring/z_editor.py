"""The editor of a z stack: that of pymmcore-widgets, mended and laid out narrower.

What is mended: a stack keeps its direction, colours follow the theme, and its rows are
as narrow as a dock is: one place of the focus a row, with its buttons behind it.

The parts of pymmcore-widgets that have no public name are used here only;
`tests/widgets/acquiring/test_plan_tables.py` holds on to each.

Examples
--------
>>> editor = ZEditor(core)  # doctest: +SKIP
>>> editor.setValue(useq.ZRangeAround(range=4, step=1))  # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any, Final

from pymmcore_widgets.mda._core_z import CoreConnectedZPlanWidget
from pymmcore_widgets.useq_widgets._z import (
    ROW_ABOVE_BELOW,
    ROW_RANGE_AROUND,
    ROW_STEPS,
    ROW_TOP_BOTTOM,
)
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QAbstractSpinBox, QLabel, QWidget

from napari_scope.widgets.common.narrow import keep_narrow

__all__ = ["ZEditor"]

_UNIT: Final = " µm"


class ZEditor(CoreConnectedZPlanWidget):
    """The editor of a z stack.

    Parameters
    ----------
    core : GuiCore
        The core.
    """

    def __init__(self, core: Any) -> None:
        super().__init__(core)
        for radio, text, tip in (
            (self._btn_top_bot, "Top/bottom", "From one place of the focus to another"),
            (self._btn_range, "Around", "As much above the focus as below it"),
            (self._button_above_below, "Above/below", "Unlike parts above and below"),
        ):
            radio.setText(text)
            radio.setToolTip(tip)
            radio.setIcon(QIcon())  # the three in one row would be too wide
            radio.setFocusPolicy(radio.focusPolicy().StrongFocus)
        for radio, text, tip in (
            (self._bottom_to_top, "Bottom to top", "The lowest plane is taken first"),
            (self._top_to_bottom, "Top to bottom", "The highest plane is taken first"),
        ):
            radio.setText(text)
            radio.setToolTip(tip)
        self._name_boxes()
        row = self._btn_top_bot.parentWidget()
        # Their colours are black and grey on any background.
        for part in (row, self._range_readout):
            if part is not None:
                part.setStyleSheet("")
        if row is not None and (modes := row.layout()) is not None:
            row.setStyleSheet("QRadioButton { spacing: 3px }")
            modes.setSpacing(0)
        self._fold()
        self.setMode(self.mode())

    def _name_boxes(self) -> None:
        for box, tip in (
            (self.step, "Distance of two planes"),
            (self.steps, "Number of steps; the step becomes what fits"),
            (self.range, "From the lowest plane to the highest one"),
            (self.bottom, "The lowest place of the focus"),
            (self.top, "The highest place of the focus"),
            (self.below, "How far below the focus the stack begins"),
            (self.above, "How far above the focus the stack ends"),
        ):
            box.setToolTip(tip)
            box.setAccessibleName(tip)
            if box is not self.steps:
                box.setSuffix(_UNIT)
        self.steps.setSuffix(" steps")
        for marks, place in ((self.bottom_btn, "bottom"), (self.top_btn, "top")):
            for button, text, tip in (
                (marks.mark, "Mark", f"The focus is now at the {place} of the stack"),
                (marks.visit, "", f"Move the focus to the {place} of the stack"),
            ):
                button.setText(text)
                button.setToolTip(tip)
                button.setAccessibleName(tip)
        suggested = self._use_suggested_btn
        suggested.setToolTip("The step that the objective asks for (Nyquist)")
        suggested.setAccessibleName("Take the suggested step")

    def _fold(self) -> None:
        """Lay the boxes out one a row; two a row ask for 350 pixels of width."""
        before = self._grid_layout
        texts: dict[tuple[int, int], QLabel] = {}
        for row in range(before.rowCount()):
            for column in range(before.columnCount()):
                item = before.itemAtPosition(row, column)
                widget = None if item is None else item.widget()
                if widget is None:
                    continue
                before.removeWidget(widget)
                if isinstance(widget, QLabel) and widget is not self._range_div2_lbl:
                    widget.hide()
                    texts[row, column] = widget
        for column in range(before.columnCount()):
            before.setColumnMinimumWidth(column, 0)
            before.setColumnStretch(column, 0)
        self._rows: dict[int, list[QWidget]] = {}
        for mode, row, title, box, extra in (
            (ROW_STEPS, 0, texts[ROW_STEPS, 0], self.step, self._use_suggested_btn),
            (ROW_STEPS, 1, None, self.steps, None),
            (
                ROW_RANGE_AROUND,
                2,
                texts[ROW_RANGE_AROUND, 0],
                self.range,
                self._range_div2_lbl,
            ),
            (ROW_TOP_BOTTOM, 4, texts[ROW_TOP_BOTTOM, 3], self.top, self.top_btn),
            (ROW_TOP_BOTTOM, 5, texts[ROW_TOP_BOTTOM, 0], self.bottom, self.bottom_btn),
            (ROW_ABOVE_BELOW, 6, texts[ROW_ABOVE_BELOW, 3], self.above, None),
            (ROW_ABOVE_BELOW, 7, texts[ROW_ABOVE_BELOW, 0], self.below, None),
        ):
            parts = [part for part in (title, box, extra) if part is not None]
            self._rows.setdefault(mode, []).extend(parts)
            if title is not None:
                title.setText(title.text().rstrip(":"))
                title.setBuddy(box)
                before.addWidget(title, row, 0)
                title.show()
            before.addWidget(box, row, 1)
            if extra is not None:
                before.addWidget(extra, row, 2)
        before.setColumnStretch(1, 1)
        before.setSpacing(4)
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(2, 4, 2, 4)
        for label in self.findChildren(QLabel):
            if label.text() == "Direction:":
                label.hide()  # the two choices say it
        for field in self.findChildren(QAbstractSpinBox):
            keep_narrow(field, "--- 00.000 µm +++")

    def _set_row_visible(self, idx: int, visible: bool) -> None:
        if not hasattr(self, "_rows"):
            super()._set_row_visible(idx, visible)
            return
        for part in self._rows.get(idx, ()):
            part.setVisible(visible)

    def setValue(self, value: Any) -> None:
        """Show a stack, with its direction."""
        super().setValue(value)
        self.setGoUp(value.go_up)

    def _visit_bottom(self) -> None:
        self._mmc.setZPosition(self.bottom.value())

    def _visit_top(self) -> None:
        self._mmc.setZPosition(self.top.value())
