"""The page of the light: switches and intensities of the lamps, on one sheet.

Which properties these are is guessed, and chosen by the user; the choice is kept for
each configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire.light_sources import LightControl, controls_of, likely
from napari_scope.widgets.devices.pages import Page, scrolling
from napari_scope.widgets.devices.plain_list import PlainList
from napari_scope.widgets.devices.property_table import PropertyBox
from napari_scope.widgets.devices.shielding import GONE

if TYPE_CHECKING:
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["LightPage"]

_WORDS = {"switch": "on or off", "amount": "intensity", "choice": "choice"}
_NONE = (
    "No light source was found among the devices. Press <i>Choose</i> and tick the "
    "properties that switch or dim your light."
)


class LightPage(Page):
    """Switches and intensities of light sources."""

    title = "Light"
    tip = "Switch and dim the light sources"

    def __init__(self, microscope: Microscope, core: TableCore) -> None:
        super().__init__(microscope, core)
        self._chosen: dict[str, list[tuple[str, str]]] = {}
        self._controls: list[LightControl] = []
        self._rows: QWidget | None = None
        self.boxes: dict[tuple[str, str], QWidget] = {}
        self.tree: PlainList | None = None
        self.off_button = QPushButton("All &off")
        self.off_button.setToolTip("Switch off everything that has a switch here")
        self.off_button.clicked.connect(self.switch_off)
        self.choose_button = QPushButton("Choose …")
        self.choose_button.setCheckable(True)
        self.choose_button.setToolTip("Choose which properties are shown here")
        self.choose_button.toggled.connect(self._on_choose)
        self._events = microscope.core.events
        self._events.shutterOpenChanged.connect(self._on_shutter)
        self._listening = True
        row = QHBoxLayout()
        row.addWidget(self.off_button)
        row.addStretch()
        row.addWidget(self.choose_button)
        self._layout.insertLayout(0, row)

    # ---- what a page does

    def make_body(self) -> QWidget:
        """Return the switches and intensities that are chosen."""
        self._controls = controls_of(self.core)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        self._rows = QWidget()
        layout.addWidget(scrolling(self._rows), 1)
        self.tree = tree = PlainList(
            ["Show", "Kind"], "Properties that can be shown", stretched=0
        )
        shown = {(control.device, control.name) for control in self.shown}
        for control in self._controls:
            name = f"{control.device} {control.name}"
            item = QTreeWidgetItem([name, _WORDS[control.kind]])
            item.setToolTip(0, name)
            item.setData(0, Qt.ItemDataRole.UserRole, (control.device, control.name))
            is_shown = (control.device, control.name) in shown
            item.setCheckState(
                0, Qt.CheckState.Checked if is_shown else Qt.CheckState.Unchecked
            )
            tree.addTopLevelItem(item)
        tree.itemChanged.connect(self._on_ticked)
        tree.setVisible(self.choose_button.isChecked())
        layout.addWidget(tree, 1)
        self._fill()
        return body

    def discard(self) -> None:
        """Throw the controls away."""
        self._rows = self.tree = None
        self._controls, self.boxes = [], {}
        self.off_button.setEnabled(False)
        super().discard()

    def set_locked(self, reason: str) -> None:
        """Let no light be switched."""
        for box in self.boxes.values():
            box.setEnabled(not reason)
        switches = [c for c in self.shown if c.kind == "switch"]
        self.off_button.setEnabled(bool(switches) and not reason)

    def show_truth(self) -> None:
        """Show what is set."""
        for box in self.boxes.values():
            if isinstance(box, PropertyBox):
                box.show_truth()
        self._ask_shutters()

    def state(self) -> dict[str, Any]:
        """Return what was chosen, for each configuration."""
        return {"chosen": {key: list(map(list, x)) for key, x in self._chosen.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Take it up."""
        self._chosen = {
            str(key): [(str(device), str(name)) for device, name in pairs]
            for key, pairs in state.get("chosen", {}).items()
        }

    def close_down(self) -> None:
        """Listen no longer; idempotent."""
        if self._listening:
            self._listening = False
            self._events.shutterOpenChanged.disconnect(self._on_shutter)

    # ---- the light

    @property
    def shown(self) -> list[LightControl]:
        """The controls that are shown: those that were chosen, else the likely ones."""
        chosen = self._chosen.get(self._key)
        if chosen is None:
            return likely(self._controls)
        return [c for c in self._controls if (c.device, c.name) in chosen]

    def switch_off(self) -> None:
        """Switch off all switches that are shown; intensities stay."""
        for control in self.shown:
            if control.kind == "switch":
                self.core.setProperty(control.device, control.name, control.off)

    # ---- inside

    @property
    def _key(self) -> str:
        return self.microscope.owner.config or ""

    def _fill(self) -> None:
        """Show the controls in place of those that are shown."""
        assert self._rows is not None
        self.boxes = {}
        old = self._rows.layout()
        if old is not None:
            while (item := old.takeAt(0)) is not None:
                widget = item.widget()
                if widget is not None:
                    widget.hide()
                    widget.deleteLater()
        grid = old if isinstance(old, QGridLayout) else QGridLayout(self._rows)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        shown, before = self.shown, ""
        for number in range(grid.rowCount()):
            grid.setRowStretch(number, 0)
        row = 0
        for control in shown:
            if control.device != before:
                before = control.device
                title = QLabel(f"<b>{control.device}</b>")
                grid.addWidget(title, row, 0, 1, 2)
                row += 1
            grid.addWidget(_name(control), row, 0)
            grid.addWidget(self._box(control), row, 1)
            row += 1
        if not shown:
            note = QLabel(_NONE)
            note.setWordWrap(True)
            grid.addWidget(note, 0, 0, 1, 2)
            row = 1
        grid.setRowStretch(row, 1)
        self.set_locked(self.microscope.lock_reason)
        self._ask_shutters()

    def _ask_shutters(self) -> None:
        """Ask how shutters stand: the camera moves them without a word."""
        core = self.microscope.real_core
        devices = [c.device for c in self.shown if c.device_type == "Shutter"]
        if devices:
            self.microscope.do(
                "read the shutters",
                lambda: [(device, core.getShutterOpen(device)) for device in devices],
                then=self._show_shutters,
                key=("read the shutters", id(self)),
            )

    def _show_shutters(self, found: object) -> None:
        if isinstance(found, list):
            for device, is_open in found:
                self._on_shutter(device, is_open)

    def _on_shutter(self, device: str, is_open: bool) -> None:
        for control in self.shown:
            box = self.boxes.get((control.device, control.name))
            if (
                (control.device, control.device_type) == (device, "Shutter")
                and control.kind == "switch"
                and isinstance(box, PropertyBox)
            ):
                value = control.on if is_open else control.off
                box._on_core_changed(device, control.name, value)

    def _box(self, control: LightControl) -> QWidget:
        try:
            box: QWidget = PropertyBox(control.device, control.name, self.core)
        except GONE as error:
            box = QLabel("cannot be shown")
            box.setToolTip(" ".join(str(error).split()))
        self.boxes[control.device, control.name] = box
        return box

    def _on_choose(self, on: bool) -> None:
        self.choose_button.setText("&Done" if on else "Choose …")
        if self.tree is not None:
            self.tree.setVisible(on)

    def _on_ticked(self, _item: QTreeWidgetItem, _column: int) -> None:
        tree = self.tree
        if tree is None:
            return
        items = [tree.topLevelItem(row) for row in range(tree.topLevelItemCount())]
        self._chosen[self._key] = [
            item.data(0, Qt.ItemDataRole.UserRole)
            for item in items
            if item is not None and item.checkState(0) == Qt.CheckState.Checked
        ]
        self._fill()


def _name(control: LightControl) -> QLabel:
    label = QLabel(control.name)
    label.setToolTip(f"{control.device}-{control.name}")
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
    return label
