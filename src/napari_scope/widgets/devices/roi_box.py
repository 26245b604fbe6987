"""The region of the chip that a camera reads out.

`read_regions` asks the cameras, off the GUI thread; `RoiBox` shows what they said and
sets it. How large the whole chip is no camera says outright: the box takes what most
adapters tell as a property, divided by the binning, and never less than the region.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pymmcore_plus import DeviceType
from pymmcore_widgets import CameraRoiWidget
from pymmcore_widgets.control._camera_roi_widget import (
    CUSTOM_ROI,
    FULL,
    ROI,
    CameraInfo,
)
from qtpy.QtCore import QSize, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QGroupBox, QLabel, QSizePolicy, QWidget

from napari_scope.widgets.devices.shielding import guard_wheel, shielded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymmcore_plus import CMMCorePlus

    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["CameraRegion", "RoiBox", "read_regions"]

# Four numbers side by side in a narrow dock; their tooltips say it in full.
_SHORT = {"Start x:": "x", "Start y:": "y", "Width:": "w", "Height:": "h"}
_CHIP = ("OnCameraCCDXSize", "OnCameraCCDYSize")


@dataclass(frozen=True, slots=True)
class CameraRegion:
    """What a camera reads out, in its (binned) pixels.

    Parameters
    ----------
    camera : str
        Label of the device.
    chip : tuple of int
        Width and height of the whole chip.
    region : tuple of int
        x, y, width and height of what is read out.
    """

    camera: str
    chip: tuple[int, int]
    region: tuple[int, int, int, int]


def read_regions(core: CMMCorePlus) -> list[CameraRegion]:
    """Ask all cameras but those that only gather others; not for the GUI thread."""
    found: list[CameraRegion] = []
    for camera in core.getLoadedDevicesOfType(DeviceType.Camera):
        # A camera that is unplugged has no region; the others still have theirs.
        with contextlib.suppress(RuntimeError, ValueError):
            names = core.getDevicePropertyNames(camera)
            if any("Physical Camera" in name for name in names):
                continue
            x, y, width, height = core.getROI(camera)
            chip = _chip(core, camera, names)
            chip = (max(chip[0], x + width), max(chip[1], y + height))
            found.append(CameraRegion(camera, chip, (x, y, width, height)))
    return found


def _chip(core: CMMCorePlus, camera: str, names: Sequence[str]) -> tuple[int, int]:
    if not set(_CHIP) <= set(names):
        return 0, 0
    width, height = (int(float(core.getProperty(camera, name))) for name in _CHIP)
    binning = 1
    if "Binning" in names:
        # Some say "2", some "2x2".
        text = str(core.getProperty(camera, "Binning")).partition("x")[0]
        binning = int(text) if text.isdigit() and int(text) else 1
    return width // binning, height // binning


class RoiBox(CameraRoiWidget):
    """Shows and sets the region of each camera.

    Parameters
    ----------
    core : TableCore
        The core.
    regions : sequence of CameraRegion
        What the cameras read out now.

    Attributes
    ----------
    stale : Signal
        A region is not what was shown: the cameras should be asked again.
    """

    stale = Signal()

    def __init__(
        self,
        core: TableCore,
        regions: Sequence[CameraRegion],
    ) -> None:
        self._regions = {found.camera: found for found in regions}
        super().__init__(mmcore=cast("CMMCorePlus", core))
        # Snapping belongs to the strip above; the box shows its checkbox by itself.
        self._attic = QWidget(self)
        self._attic.hide()
        self.snap_checkbox.setParent(self._attic)
        self.snap_checkbox.setChecked(False)
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)
        for frame in self.findChildren(QGroupBox):
            frame.setFlat(True)
        self.lbl_info.setWordWrap(True)
        self.crop_btn.setIconSize(QSize(16, 16))
        self.crop_btn.setToolTip("Read out this region only")
        self.camera_combo.setToolTip("Whose region is shown")
        self.camera_roi_combo.setToolTip("The whole chip, its middle, or any part")
        for widget, name in (
            (self.camera_combo, "Camera of the region"),
            (self.camera_roi_combo, "Kind of region"),
            (self.start_x, "Left edge of the region"),
            (self.start_y, "Upper edge of the region"),
            (self.roi_width, "Width of the region"),
            (self.roi_height, "Height of the region"),
        ):
            widget.setAccessibleName(name)
            widget.setToolTip(widget.toolTip() or name)
            guard_wheel(widget)
            widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.center_checkbox.setText("In the &middle of the chip")
        for label in self._custom_roi_wdg.findChildren(QLabel):
            label.setText(_SHORT.get(label.text(), label.text()))

    def set_regions(self, regions: Sequence[CameraRegion]) -> None:
        """Show what the cameras said."""
        before = self.camera
        self._regions = {found.camera: found for found in regions}
        self._on_sys_cfg_loaded()
        if before in self._regions and before != self.camera:
            self.camera_combo.setCurrentText(before)

    def show_truth(self) -> None:
        """Ask for the regions again."""
        self.stale.emit()

    # ---- what the widget asks and hears

    def _get_loaded_cameras(self) -> list[str]:
        return list(self._regions)

    def _store_camera_info(self, cameras: list[str]) -> None:
        self._cameras.clear()
        for camera in cameras:
            found = self._regions[camera]
            (width, height), (x, y, w, h) = found.chip, found.region
            middle = (x, y) == ((width - w) // 2, (height - h) // 2)
            whole = CameraInfo(width, height, FULL, ROI(x, y, w, h, middle))
            self._cameras[camera] = whole
            mode = self._get_updated_crop_mode(camera, x, y, w, h)
            self._cameras[camera] = whole.replace(crop_mode=mode)

    @shielded
    def _on_sys_cfg_loaded(self) -> None:
        super()._on_sys_cfg_loaded()
        several = len(self._regions) > 1
        for widget in (self.camera_combo, *self._camera_label()):
            widget.setVisible(several)
        if self._regions:
            self._show_camera()
        else:
            self._update_lbl_info()

    def _camera_label(self) -> list[QLabel]:
        labels = self._selector_wdg.findChildren(QLabel)
        return [label for label in labels if label.text() == "Camera:"]

    @shielded
    def _on_camera_changed(self, _camera: str) -> None:
        self._show_camera()

    def _show_camera(self) -> None:
        """Show the region of the chosen camera without setting anything."""
        combo, info = self.camera_roi_combo, self._cameras[self.camera]
        blocked = [combo, self.start_x, self.start_y, self.roi_width, self.roi_height]
        for widget in (*blocked, self.center_checkbox):
            widget.blockSignals(True)
        try:
            self._reset_crop_mode_combo()
            combo.setCurrentText(info.crop_mode)
            self._update_roi_values()
        finally:
            for widget in (*blocked, self.center_checkbox):
                widget.blockSignals(False)
        self._allow_editing(info.crop_mode == CUSTOM_ROI)
        self._update_lbl_info()

    def _allow_editing(self, custom: bool) -> None:
        self._custom_roi_wdg.setEnabled(custom)
        self.crop_btn.setEnabled(custom)
        self._hide_spinbox_button(not custom)
        middle = self.center_checkbox.isChecked()
        for spin in (self.start_x, self.start_y):
            spin.setEnabled(not middle)

    @shielded
    def _on_roi_set(self, camera: str, x: int, y: int, width: int, height: int) -> None:
        info = self._cameras.get(camera)
        if info is None:
            return
        if x + width > info.pixel_width or y + height > info.pixel_height:
            self.stale.emit()
            return
        found = self._regions[camera]
        region = (x, y, width, height)
        self._regions[camera] = CameraRegion(camera, found.chip, region)
        super()._on_roi_set(camera, x, y, width, height)

    @shielded
    def _on_property_changed(self, device: str, prop: str, value: str) -> None:
        super()._on_property_changed(device, prop, value)

    @shielded
    def _on_crop_roi_mode_change(self, value: str) -> None:
        super()._on_crop_roi_mode_change(value)
        if value == CUSTOM_ROI:
            self._allow_editing(True)

    @shielded
    def _on_center_checkbox(self, state: bool) -> None:
        super()._on_center_checkbox(state)

    @shielded
    def _on_crop_button_clicked(self) -> None:
        self._mmc.setROI(self.camera, *self._get_roi_values())

    def _clearROI(self) -> None:
        camera = self.camera
        # Only the camera that is in use can be asked for its whole chip.
        if camera == self._mmc.getCameraDevice():
            self._mmc.clearROI()
        else:
            self._mmc.setROI(camera, 0, 0, *self._regions[camera].chip)

    @shielded
    def _update_lbl_info(self, *_: Any) -> None:
        if self.camera not in self._regions:
            self.lbl_info.setText("No camera that can be used.")
            return
        x, y, width, height = self._get_roi_values()
        text = f"{width} × {height} px"
        size = self._mmc.getPixelSizeUm() or 0.0
        if size:
            text += f", {width * size:.4g} × {height * size:.4g} µm"
        if self._regions[self.camera].region != (x, y, width, height):
            text += " (not set yet: Crop)"
        self.lbl_info.setText(text)
