"""The page of all properties: search them, filter them by kind of device, set them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymmcore_plus import DeviceType
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.devices.pages import Page
from napari_scope.widgets.devices.property_table import PropertyTable
from napari_scope.widgets.devices.table_core import read_properties

if TYPE_CHECKING:
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["PropertiesPage"]

_KINDS: dict[str, tuple[DeviceType, ...]] = {
    "Cameras": (DeviceType.Camera,),
    "Shutters": (DeviceType.Shutter,),
    "Stages": (DeviceType.Stage, DeviceType.XYStage),
    "Wheels and turrets": (DeviceType.State,),
}
_OTHERS = "Other devices"
_READ_ONLY = "Read-only properties"
_PRE_INIT = "Set before initialization"


class PropertiesPage(Page):
    """All properties of all devices."""

    title = "Properties"
    tip = "All properties of all devices"

    def __init__(self, microscope: Microscope, core: TableCore) -> None:
        super().__init__(microscope, core)
        self._table: PropertyTable | None = None
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search device or property")
        self.search.setAccessibleName("Search properties")
        self.search.setToolTip("Show only rows that contain this text")
        self.search.setClearButtonEnabled(True)
        self.filters: dict[str, QAction] = {}
        menu = QMenu(self)
        for name in (*_KINDS, _OTHERS, _READ_ONLY, _PRE_INIT):
            if name == _READ_ONLY:
                menu.addSeparator()
            action = QAction(name, self)
            action.setCheckable(True)
            action.setChecked(name != _PRE_INIT)
            action.toggled.connect(self._filter)
            menu.addAction(action)
            self.filters[name] = action
        self.show_button = QToolButton()
        self.show_button.setText("Show")
        self.show_button.setIcon(icon("filter"))
        self.show_button.setMenu(menu)
        self.show_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.show_button.setToolTip("Which kinds of devices and properties to show")
        self.read_button = QToolButton()
        self.read_button.setIcon(icon("refresh"))
        self.read_button.setAccessibleName("Read from the devices")
        self.read_button.setToolTip("Ask all devices for all their properties")
        self.count = QLabel()
        row = QHBoxLayout()
        row.addWidget(self.search, 1)
        row.addWidget(self.show_button)
        row.addWidget(self.read_button)
        self._layout.insertLayout(0, row)
        self._layout.addWidget(self.count)
        self.search.textChanged.connect(self._filter)
        self.read_button.clicked.connect(self._read)

    @property
    def table(self) -> PropertyTable | None:
        """The table, while it is there."""
        return self._table

    def make_body(self) -> QWidget:
        """Return the table of properties."""
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        self._table = PropertyTable(self.core)
        self._table.completed.connect(self._on_completed)
        layout.addWidget(self._table)
        self._filter()
        return body

    def discard(self) -> None:
        """Throw the table away."""
        self._table = None
        self.count.clear()
        super().discard()

    def set_locked(self, reason: str) -> None:
        """Let no property be set; they can still be searched."""
        if self._table is not None:
            self._table.setPropertyWidgetsEnabled(not reason)
        self.read_button.setEnabled(not reason)

    def show_truth(self) -> None:
        """Show the properties that are set."""
        if self._table is not None:
            self._table.show_truth()

    def state(self) -> dict[str, Any]:
        """Return search and filters."""
        hidden = [name for name, act in self.filters.items() if not act.isChecked()]
        return {"search": self.search.text(), "hidden": hidden}

    def restore(self, state: dict[str, Any]) -> None:
        """Take them up."""
        self.search.setText(str(state.get("search", "")))
        hidden = state.get("hidden", [_PRE_INIT])
        for name, action in self.filters.items():
            action.setChecked(name not in hidden)

    def _on_completed(self) -> None:
        # A run may have begun while the editors were made.
        self.set_locked(self.microscope.lock_reason)

    def _filter(self, _: object = None) -> None:
        table = self._table
        if table is None:
            return
        known = {kind for kinds in _KINDS.values() for kind in kinds}
        excluded = {
            kind
            for name, kinds in _KINDS.items()
            if not self.filters[name].isChecked()
            for kind in kinds
        }
        if not self.filters[_OTHERS].isChecked():
            excluded |= set(DeviceType) - known
        table.filterDevices(
            self.search.text().strip(),
            exclude_devices=excluded,
            include_read_only=self.filters[_READ_ONLY].isChecked(),
            include_pre_init=self.filters[_PRE_INIT].isChecked(),
        )
        rows = table.rowCount()
        seen = sum(not table.isRowHidden(row) for row in range(rows))
        self.count.setText(f"{seen} of {rows} properties")

    def _read(self) -> None:
        core = self.microscope.real_core
        self.read_button.setEnabled(False)
        self.microscope.do(
            "read all properties",
            lambda: read_properties(core),
            then=self._show_readings,
            key=("read all properties", id(self)),
        )

    def _show_readings(self, readings: Any) -> None:
        self.read_button.setEnabled(not self.microscope.lock_reason)
        if self._table is None:
            return
        unread = self._table.show_readings(readings)
        self._filter()
        if unread:
            self.count.setText(f"{self.count.text()}; {unread} cannot be read")
