"""What is used every minute: channel, objective and shutter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymmcore_plus import DeviceType
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.devices.preset_box import ChannelGroupBox, PresetBox
from napari_scope.widgets.devices.shielding import GONE, guard_wheel, shielded
from napari_scope.widgets.devices.shutter_box import ShutterBox

if TYPE_CHECKING:
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["ObjectiveBox", "QuickBox"]


class ObjectiveBox(QComboBox):
    """The positions of a turret; choosing one turns it.

    Unlike `pymmcore_widgets.ObjectivesWidget` it does not move the focus, asks nothing
    in a box, and does not wait for the turret.

    Parameters
    ----------
    device : str
        The turret.
    core : TableCore
        The core.
    """

    def __init__(self, device: str, core: TableCore) -> None:
        super().__init__()
        self._device, self._core = device, core
        self.addItems(core.getStateLabels(device))
        self.setAccessibleName("Objective")
        self.setToolTip(f"Objective ({device})")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        guard_wheel(self)
        self.textActivated.connect(self._turn)
        core.events.propertyChanged.connect(self._on_property_changed)
        self.show_truth()

    @shielded
    def show_truth(self) -> None:
        """Show where the turret is."""
        label = self._core.getProperty(self._device, "Label")
        self.setCurrentIndex(self.findText(label))

    def _turn(self, label: str) -> None:
        self._core.setProperty(self._device, "Label", label)

    def _on_property_changed(self, device: str, name: str, value: object) -> None:
        if device != self._device:
            return
        if name == "Label":
            self.setCurrentIndex(self.findText(str(value)))
        elif name == "State" and str(value).isdigit():
            self.setCurrentIndex(int(str(value)))


def _label(text: str, widget: QWidget | None) -> QLabel:
    """Return a label whose mnemonic leads to a widget in a row of several."""
    label = QLabel(text)
    label.setBuddy(widget)
    return label


class QuickBox(QWidget):
    """Channel group and preset, objective, shutter and auto-shutter.

    Parameters
    ----------
    microscope : Microscope
        The microscope.
    core : TableCore
        Its core, as tables may read it.
    """

    def __init__(self, microscope: Microscope, core: TableCore) -> None:
        super().__init__()
        self._microscope, self._core = microscope, core
        self.group: ChannelGroupBox | None = None
        self.preset: PresetBox | None = None
        self.objective: ObjectiveBox | PresetBox | None = None
        self.shutter_choice: QComboBox | None = None
        self.shutter: ShutterBox | None = None
        self._preset_place: QHBoxLayout | None = None
        self._shutter_place: QHBoxLayout | None = None
        self._body: QWidget | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        events = microscope.core.events
        events.channelGroupChanged.connect(self._show_preset)
        events.configGroupDeleted.connect(self._show_preset)
        events.configDefined.connect(self._on_config_defined)
        events.propertyChanged.connect(self._on_property_changed)
        self._listening = True

    def rebuild(self) -> None:
        """Build everything for the devices that are loaded now."""
        self.discard()
        self._body = body = QWidget()
        form = QFormLayout(body)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        core = self._core
        if core.getAvailableConfigGroups():
            self._preset_place = row = QHBoxLayout()
            self.group = ChannelGroupBox(core)
            row.addWidget(self.group, 2)
            form.addRow(_label("Cha&nnel", self.group), row)
            self._show_preset()
        self.objective = self._make_objective()
        if self.objective is not None:
            form.addRow("&Objective", self.objective)
        shutters = list(core.getLoadedDevicesOfType(DeviceType.Shutter))
        if shutters:
            row = self._make_shutter(shutters)
            form.addRow(_label("Sh&utter", self.shutter_choice), row)
        self._layout.addWidget(body)
        self.set_locked(self._microscope.lock_reason)

    def discard(self) -> None:
        """Throw everything away: its devices are gone."""
        self.group = self.preset = self.objective = None
        self.shutter_choice = self.shutter = None
        self._preset_place = self._shutter_place = None
        body, self._body = self._body, None
        if body is not None:
            self._layout.removeWidget(body)
            body.hide()
            body.deleteLater()

    def set_locked(self, reason: str) -> None:
        """Let nothing be changed."""
        if self._body is not None:
            self._body.setEnabled(not reason)
            self._body.setToolTip(reason)

    def show_truth(self) -> None:
        """Show what is set after a call has failed."""
        for box in (self.group, self.preset, self.objective, self.shutter):
            if box is not None:
                box.show_truth()
        self._show_used_shutter()

    def close_down(self) -> None:
        """Listen no longer; idempotent."""
        if not self._listening:
            return
        self._listening = False
        events = self._microscope.core.events
        events.channelGroupChanged.disconnect(self._show_preset)
        events.configGroupDeleted.disconnect(self._show_preset)
        events.configDefined.disconnect(self._on_config_defined)
        events.propertyChanged.disconnect(self._on_property_changed)

    # ---- channel

    @shielded
    def _show_preset(self, _group: str = "") -> None:
        """Show the presets of the group that is the channel group now."""
        place = self._preset_place
        if place is None:
            return
        old, self.preset = self.preset, None
        if old is not None:
            place.removeWidget(old)
            old.hide()
            old.deleteLater()
        group = self._core.getChannelGroup()
        if group and self._core.getAvailableConfigs(group):
            self.preset = PresetBox(group, self._core)
            self.preset.setEnabled(not self._microscope.lock_reason)
            place.addWidget(self.preset, 3)

    def _on_config_defined(self, group: str, *_setting: str) -> None:
        if self.preset is None:
            self._show_preset(group)

    # ---- objective

    def _make_objective(self) -> ObjectiveBox | PresetBox | None:
        try:
            for device in self._core.guessObjectiveDevices():
                return ObjectiveBox(device, self._core)
            for group in self._core.getAvailableConfigGroups():
                if "objective" in group.lower():
                    return PresetBox(group, self._core)
        except GONE:
            pass
        return None

    # ---- shutter

    def _make_shutter(self, shutters: list[str]) -> QHBoxLayout:
        self.shutter_choice = choice = QComboBox()
        choice.addItems(shutters)
        choice.setAccessibleName("Shutter that is used")
        choice.setToolTip("The shutter that images are taken with")
        choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        guard_wheel(choice)
        choice.textActivated.connect(self._use_shutter)
        self._shutter_place = row = QHBoxLayout()
        row.addWidget(choice, 1)
        self._show_used_shutter()
        return row

    def _use_shutter(self, shutter: str) -> None:
        self._core.setShutterDevice(shutter)

    @shielded
    def _show_used_shutter(self) -> None:
        choice, place = self.shutter_choice, self._shutter_place
        if choice is None or place is None:
            return
        used = self._core.getShutterDevice()
        choice.setCurrentIndex(choice.findText(used))
        if self.shutter is not None and self.shutter.shutter_device == used:
            return
        old, self.shutter = self.shutter, None
        if old is not None:
            place.removeWidget(old)
            old.hide()
            old.deleteLater()
        if used:
            self.shutter = ShutterBox(used, self._microscope, self._core)
            place.addWidget(self.shutter)

    def _on_property_changed(self, device: str, name: str, _value: object) -> None:
        if (device, name) == ("Core", "Shutter"):
            self._show_used_shutter()
