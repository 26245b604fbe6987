"""The page of the cameras: which one is used, its region, binning, pixels and gain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pymmcore_plus import DeviceType
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.devices.pages import Page, scrolling
from napari_scope.widgets.devices.property_table import PropertyBox
from napari_scope.widgets.devices.roi_box import RoiBox, read_regions
from napari_scope.widgets.devices.shielding import GONE, guard_wheel

if TYPE_CHECKING:
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["CameraPage", "camera_settings"]

# What users of cameras set every day, by the names that device adapters give it
# (without spaces and signs), in the order in which it is shown.
_SETTINGS = {
    "binning": "Binning",
    "pixeltype": "Pixel type",
    "bitdepth": "Bit depth",
    "readoutmode": "Readout mode",
    "readoutrate": "Readout rate",
    "sensormode": "Sensor mode",
    "scanmode": "Scan mode",
    "gain": "Gain",
    "emgain": "EM gain",
    "multiplier": "EM gain",
    "conversiongain": "Conversion gain",
    "offset": "Offset",
    "ccdtemperature": "Temperature (°C)",
    "ccdtemperaturesetpoint": "Set temperature (°C)",
    "triggermode": "Trigger mode",
}
_PHYSICAL = "Physical Camera"
_SOON_MS = 150


def camera_settings(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the everyday settings among the properties of a camera.

    Parameters
    ----------
    names : tuple of str
        Names of its properties.

    Returns
    -------
    list of (str, str)
        Name of the property and what it is called for the user.

    Examples
    --------
    >>> camera_settings(("Gain", "Vendor", "Binning"))
    [('Binning', 'Binning'), ('Gain', 'Gain')]
    """
    known = {re.sub(r"[^a-z]", "", name.lower()): name for name in names}
    found = [(known[key], text) for key, text in _SETTINGS.items() if key in known]
    return [*found, *((name, name) for name in names if name.startswith(_PHYSICAL))]


class CameraPage(Page):
    """Cameras, their settings and regions."""

    title = "Camera"
    tip = "Which camera is used, its region, binning, pixel type and gain"

    def __init__(self, microscope: Microscope, core: TableCore) -> None:
        super().__init__(microscope, core)
        self.camera: QComboBox | None = None
        self.roi: RoiBox | None = None
        self.settings: dict[tuple[str, str], PropertyBox] = {}
        self._roi_place: QVBoxLayout | None = None
        self._locked: list[QWidget] = []
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self._ask)
        events = microscope.core.events
        events.propertyChanged.connect(self._on_property_changed)
        events.roiSet.connect(self._ask_soon)
        events.pixelSizeChanged.connect(self._ask_soon)

    def make_body(self) -> QWidget:
        """Return the settings of the camera that is used, and the regions of all."""
        cameras = list(self.core.getLoadedDevicesOfType(DeviceType.Camera))
        if not cameras:
            return QLabel("This configuration has no camera.")
        body = QWidget()
        layout = QVBoxLayout(body)
        gap = layout.spacing()
        layout.setContentsMargins(0, 0, gap, 0)  # beside the scroll bar

        self.camera = choice = QComboBox()
        choice.addItems(cameras)
        choice.setAccessibleName("Camera that is used")
        choice.setToolTip("The camera that snaps, shows live and acquires")
        choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        guard_wheel(choice)
        used = self.core.getCameraDevice()
        choice.setCurrentIndex(choice.findText(used))
        choice.textActivated.connect(self._use)
        form = QFormLayout()
        form.addRow("Ca&mera", choice)
        layout.addLayout(form)

        for camera in (used, *self._parts_of(used)):
            if camera in cameras:
                layout.addWidget(self._settings_of(camera))
        region = QGroupBox("Region of the chip")
        self._roi_place = QVBoxLayout(region)
        self._roi_place.setContentsMargins(gap, gap, gap, gap)
        layout.addWidget(region)
        layout.addStretch()
        self._locked = [choice, *self.settings.values()]
        self._ask()
        return scrolling(body)

    def discard(self) -> None:
        """Throw everything away."""
        self._soon.stop()
        self.camera = self.roi = self._roi_place = None
        self.settings = {}
        self._locked = []
        super().discard()

    def set_locked(self, reason: str) -> None:
        """Let nothing of the cameras be changed."""
        for widget in self._locked:
            widget.setEnabled(not reason)
            if isinstance(widget, PropertyBox) and not reason:
                widget.show_truth()  # it keeps locked what a device never lets change
        if self.roi is not None:
            self.roi.setEnabled(not reason)

    def show_truth(self) -> None:
        """Show what is set."""
        if self.camera is not None:
            used = self.core.getCameraDevice()
            self.camera.setCurrentIndex(self.camera.findText(used))
        for box in self.settings.values():
            box.show_truth()
        self._ask_soon()

    def close_down(self) -> None:
        """Listen no longer; idempotent."""
        self._soon.stop()
        events = self.microscope.core.events
        for signal, slot in (
            (events.propertyChanged, self._on_property_changed),
            (events.roiSet, self._ask_soon),
            (events.pixelSizeChanged, self._ask_soon),
        ):
            try:
                signal.disconnect(slot)
            except (RuntimeError, TypeError):
                return  # closed before

    # ---- inside

    def _parts_of(self, camera: str) -> list[str]:
        """Return the cameras that a camera gathers, as Multi Camera does."""
        if not camera:
            return []
        names = self.core.getDevicePropertyNames(camera)
        parts = [name for name in names if name.startswith(_PHYSICAL)]
        return [self.core.getProperty(camera, name) for name in parts]

    def _settings_of(self, camera: str) -> QGroupBox:
        group = QGroupBox(camera)
        form = QFormLayout(group)
        names = tuple(self.core.getDevicePropertyNames(camera))
        for name, text in camera_settings(names):
            try:
                box = PropertyBox(camera, name, self.core)
            except GONE:
                form.addRow(text, QLabel("cannot be read"))
                continue
            form.addRow(text, box)
            self.settings[camera, name] = box
        if not form.rowCount():
            form.addRow(QLabel("See its properties."))
        return group

    def _use(self, camera: str) -> None:
        self.core.setCameraDevice(camera)

    def _on_property_changed(self, device: str, name: str, _value: object) -> None:
        if not self.built:
            return
        if (device, name) == ("Core", "Camera"):
            self.rebuild()
        elif any(device == camera for camera, _name in self.settings):
            self._ask_soon()

    def _ask_soon(self, *_: object) -> None:
        if self.built:
            self._soon.start()

    def _ask(self) -> None:
        core = self.microscope.real_core
        self.microscope.do(
            "read the cameras",
            lambda: read_regions(core),
            then=self._show_regions,
            key=("read the cameras", id(self)),
        )

    def _show_regions(self, regions: Any) -> None:
        if self.roi is not None:
            self.roi.set_regions(regions)
        elif self._roi_place is not None:
            self.roi = RoiBox(self.core, regions)
            self.roi.stale.connect(self._ask_soon)
            self.roi.setEnabled(not self.microscope.lock_reason)
            self._roi_place.addWidget(self.roi)
