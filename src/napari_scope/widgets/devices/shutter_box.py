"""One shutter: open it, close it, or let the camera do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pymmcore_widgets import ShuttersWidget
from qtpy.compat import isalive

from napari_scope.widgets.devices.shielding import shielded

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["ShutterBox"]


class ShutterBox(ShuttersWidget):
    """Opens and closes a shutter; whether it is open is asked off the GUI thread."""

    def __init__(self, shutter: str, microscope: Microscope, core: TableCore) -> None:
        self._microscope = microscope
        super().__init__(
            shutter,
            mmcore=cast("CMMCorePlus", core),
            button_text_open="Open",
            button_text_closed="Closed",
            icon_size=16,
        )
        self.shutter_button.setAccessibleName(f"Shutter {shutter}")
        self.shutter_button.setToolTip(f"Open or close {shutter}")
        self.autoshutter_checkbox.setToolTip(
            "Open the shutter for each exposure by itself"
        )
        self.autoshutter_checkbox.setAccessibleName("Automatic shutter")

    def show_truth(self) -> None:
        """Show what is set, whatever was clicked."""
        self._refresh()

    @shielded
    def _refresh(self) -> None:
        loaded = self.shutter_device in self._mmc.getLoadedDevices()
        self.setEnabled(loaded)
        if not loaded:
            return
        self.autoshutter_checkbox.blockSignals(True)
        self.autoshutter_checkbox.setChecked(self._mmc.getAutoShutter())
        self.autoshutter_checkbox.blockSignals(False)
        self._update_button_enabled()
        core, device = self._microscope.real_core, self.shutter_device
        self._microscope.do(
            f"read {device}",
            lambda: core.getShutterOpen(device),
            then=self._show_open,
            key=("read a shutter", id(self)),
        )

    def _show_open(self, is_open: object) -> None:
        if isalive(self):  # type: ignore[no-untyped-call]
            self._is_open = bool(is_open)
            self._update_ui()

    @shielded
    def _update_button_enabled(self) -> None:
        super()._update_button_enabled()
