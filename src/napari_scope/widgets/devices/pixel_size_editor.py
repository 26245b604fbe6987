"""The pixel sizes and affine transforms of all configurations, in a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pymmcore_widgets import PixelConfigurationWidget
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDoubleSpinBox, QWidget

from napari_scope.widgets.devices.property_table import color_again
from napari_scope.widgets.devices.shielding import shielded

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus
    from qtpy.QtGui import QShowEvent

    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["PixelSizeEditor"]

_DECIMALS = 6


class PixelSizeEditor(PixelConfigurationWidget):
    """The pixel sizes and affine transforms of all configurations, in a window.

    Attributes
    ----------
    applied : Signal
        They were changed.
    failed : Signal
        They could not be; carries the exception.
    """

    applied = Signal()
    failed = Signal(object)

    def __init__(self, core: TableCore, parent: QWidget | None = None) -> None:
        super().__init__(parent, mmcore=cast("CMMCorePlus", core))
        self.setWindowFlag(Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Pixel sizes")
        for cell in self._affine_table.findChildren(QDoubleSpinBox):
            cell.setDecimals(_DECIMALS)
        # What was read with three decimals is read again with all of them.
        self._on_sys_config_loaded()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Take the colours of the theme."""
        super().showEvent(event)
        color_again(self)

    @shielded
    def _on_rows_inserted(self, parent: Any, start: int, end: int) -> None:
        size = self._px_table.table().cellWidget(end, 1)
        if isinstance(size, QDoubleSpinBox):
            size.setDecimals(_DECIMALS)
        super()._on_rows_inserted(parent, start, end)

    def _on_apply(self) -> None:
        try:
            super()._on_apply()
        except (RuntimeError, ValueError) as error:
            self.failed.emit(error)
        else:
            self.applied.emit()
