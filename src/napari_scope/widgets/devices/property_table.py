"""Device properties: one with its editor, and the table of all."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from pymmcore_widgets import PropertyWidget
from pymmcore_widgets._icons import StandardIcon
from pymmcore_widgets.device_properties import DevicePropertyTable
from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractScrollArea,
    QHeaderView,
    QLabel,
    QTableWidgetItem,
    QWidget,
)

from napari_scope.widgets.devices.shielding import GONE, shielded

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus, DeviceProperty
    from qtpy.QtGui import QResizeEvent

    from napari_scope.widgets.devices.table_core import PropertyReading, TableCore

__all__ = ["PropertyBox", "PropertyTable", "color_again"]

_NAME_PART = 0.5
_SLICE_S = 0.02
_PAUSE_MS = 5


def color_again(parent: QWidget) -> None:
    """Give the names in checkable tables the colour of the theme.

    They take the colour of text when they are made, before the style sheet of the
    window holds for them: black on a dark ground.

    Parameters
    ----------
    parent : QWidget
        A widget with such tables, shown already.
    """
    for table in parent.findChildren(DevicePropertyTable):
        for row in range(table.rowCount()):
            item = table.item(row, 0)
            if item is not None:
                table._on_item_changed(item)


class PropertyBox(PropertyWidget):
    """One property with the editor that suits it."""

    def __init__(self, device: str, name: str, core: TableCore) -> None:
        super().__init__(device, name, mmcore=cast("CMMCorePlus", core))
        self.inner_widget.setAccessibleName(f"{device} {name}")
        self.setToolTip(f"{device}-{name}")

    @shielded
    def show_truth(self) -> None:
        """Show what is set, whatever was entered."""
        self.refresh()

    @shielded
    def _try_update_from_core(self) -> Any:
        return super()._try_update_from_core()

    @shielded
    def _on_core_changed(self, device: str, prop: str, value: Any) -> None:
        super()._on_core_changed(device, prop, value)


class PropertyTable(DevicePropertyTable):
    """All properties of all devices.

    Names are there at once, their editors in the next turns of the GUI: hundreds of
    them would hold up the window.

    Attributes
    ----------
    completed : Signal
        All editors are made.
    """

    completed = Signal()

    def __init__(self, core: TableCore) -> None:
        self._unmade: deque[int] = deque()
        super().__init__(mmcore=cast("CMMCorePlus", core))
        self.setMinimumWidth(0)
        self.setSizeAdjustPolicy(QAbstractScrollArea.SizeAdjustPolicy.AdjustIgnored)
        self.setAccessibleName("Properties of the devices")
        self.setTextElideMode(Qt.TextElideMode.ElideLeft)
        self.setHorizontalHeaderLabels(["Property", "Value"])
        header = self.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Share the width between names and editors."""
        super().resizeEvent(event)
        self.setColumnWidth(0, int(self.viewport_width * _NAME_PART))

    @property
    def viewport_width(self) -> int:
        """Width of what is seen of the table."""
        viewport = self.viewport()
        return self.width() if viewport is None else int(viewport.width())

    def rows_of(self, device: str, name: str) -> list[int]:
        """Return the rows that show a property."""
        return [
            row
            for row in range(self.rowCount())
            if (prop := self._property_of(row)) is not None
            and (prop.device, prop.name) == (device, name)
        ]

    def setPropertyWidgetsEnabled(self, enabled: bool) -> None:
        """Lock or unlock the editors; the table itself can still be scrolled."""
        self._prop_widgets_enabled = enabled
        for row in range(self.rowCount()):
            widget = self.cellWidget(row, 1)
            if isinstance(widget, PropertyWidget):
                fixed = widget._is_pre_init_and_initialized()
                widget.setEnabled(enabled and not fixed)

    @shielded
    def show_truth(self) -> None:
        """Show what is set, whatever was entered."""
        for row in range(self.rowCount()):
            widget = self.cellWidget(row, 1)
            if isinstance(widget, PropertyWidget):
                with contextlib.suppress(*GONE):
                    widget.refresh()

    def show_readings(self, readings: list[PropertyReading]) -> int:
        """Show what the devices said; returns how many could not be read."""
        said = {(found.device, found.name): found for found in readings}
        unread = 0
        for row in range(self.rowCount()):
            prop, item = self._property_of(row), self.item(row, 0)
            found = said.get((prop.device, prop.name)) if prop is not None else None
            if found is None or item is None:
                continue
            unread += bool(found.problem)
            item.setToolTip(
                f"Cannot be read: {found.problem}" if found.problem else item.text()
            )
            font = item.font()
            font.setItalic(bool(found.problem))
            item.setFont(font)
            widget = self.cellWidget(row, 1)
            if isinstance(widget, PropertyWidget) and not found.problem:
                with contextlib.suppress(*GONE):
                    widget._on_core_changed(found.device, found.name, found.value)
        return unread

    def _property_of(self, row: int) -> DeviceProperty | None:
        item = self.item(row, 0)
        return None if item is None else item.data(self.PROP_ROLE)

    def _rebuild_table(self) -> None:
        # Once: for other devices the page makes another table.
        if not self.rowCount():
            super()._rebuild_table()

    def _rebuild_table_inner(self) -> None:
        """Show all names at once; their editors are made a few at a time."""
        core = cast("Any", self._mmc)
        props = list(core.iterProperties(as_object=True))
        self.setRowCount(len(props))
        for row, prop in enumerate(props):
            extra = " 🅿" if prop.isPreInit() else ""
            item = QTableWidgetItem(f"{prop.device}-{prop.name}{extra}")
            item.setData(self.PROP_ROLE, prop)
            drawing = StandardIcon.for_device_type(prop.deviceType())
            if drawing:
                item.setIcon(drawing.icon())
            item.setToolTip(item.text())
            self.setItem(row, 0, item)
        self.setRowsCheckable(self._rows_checkable)
        self._unmade.extend(range(len(props)))
        self._slices = QTimer(self)
        self._slices.setInterval(_PAUSE_MS)
        self._slices.timeout.connect(self._make_some)
        self._slices.start()

    @property
    def complete(self) -> bool:
        """Whether all editors are made."""
        return not self._unmade

    def _make_some(self) -> None:
        end = time.perf_counter() + _SLICE_S
        while self._unmade and time.perf_counter() < end:
            self._make(self._unmade.popleft())
        if not self._unmade:
            self._slices.stop()
            self.completed.emit()

    def _make(self, row: int) -> None:
        prop, item = self._property_of(row), self.item(row, 0)
        if prop is None or item is None:
            return
        try:
            box = PropertyWidget(
                prop.device, prop.name, mmcore=self._mmc, connect_core=True
            )
        except Exception as error:  # whatever a driver tells of its property
            shown = QLabel("cannot be shown")
            shown.setToolTip(" ".join(str(error).split()))
            self.setCellWidget(row, 1, shown)
            return
        box.inner_widget.setAccessibleName(item.text())
        if not self._prop_widgets_enabled:
            box.setEnabled(False)
        self.setCellWidget(row, 1, box)
