"""The page of what is needed rarely: the wizard, the installer, the list of devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QGroupBox,
    QLabel,
    QPushButton,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire import DEMO
from napari_scope.errors import HardwareError
from napari_scope.widgets.devices.device_tools import DeviceTools
from napari_scope.widgets.devices.pages import Page
from napari_scope.widgets.devices.plain_list import PlainList

if TYPE_CHECKING:
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["MorePage"]


class MorePage(Page):
    """Wizard, installer and list of devices.

    Attributes
    ----------
    failed : Signal
        A tool could not be used; carries the exception.
    """

    title = "More"
    tip = "Set up a microscope, install device adapters, see what is loaded"

    failed = Signal(object)

    def __init__(self, microscope: Microscope, core: TableCore) -> None:
        super().__init__(microscope, core)
        self.tools = DeviceTools(microscope, self)
        self._before: str | None = None
        self.wizard_button = QPushButton("Hardware confi&guration wizard …")
        self.wizard_button.setToolTip(
            "Make or change a configuration, in a window of its own; the devices are "
            "let go meanwhile"
        )
        self.install_button = QPushButton("&Install device adapters …")
        self.install_button.setToolTip(
            "Download Micro-Manager's device adapters, choose the version to use"
        )
        self.status = QLabel()
        self.status.setWordWrap(True)
        box = QGroupBox("Set up")
        layout = QVBoxLayout(box)
        layout.addWidget(self.wizard_button)
        layout.addWidget(self.install_button)
        layout.addWidget(self.status)
        self._layout.insertWidget(0, box)
        self._layout.addStretch()
        self.wizard_button.clicked.connect(self._open_wizard)
        self.install_button.clicked.connect(self.tools.install)
        self.tools.changed.connect(self._update)
        self.tools.failed.connect(self.failed)
        self.tools.ended.connect(self._on_wizard_ended)
        microscope.lock_changed.connect(self._update)
        self._update()

    def make_body(self) -> QWidget:
        """Return the list of devices."""
        tree = PlainList(["Device", "Kind", "Adapter"], "Devices that are loaded")
        core = self.core
        for device in core.getLoadedDevices():
            kind = str(core.getDeviceType(device).name).removesuffix("Device")
            adapter = f"{core.getDeviceLibrary(device)} {core.getDeviceName(device)}"
            item = QTreeWidgetItem([device, kind, adapter.strip()])
            item.setToolTip(0, core.getDeviceDescription(device))
            tree.addTopLevelItem(item)
        return tree

    def close_down(self) -> None:
        """End a tool that is open; idempotent."""
        if not self._closed:
            self._closed = True
            self.microscope.lock_changed.disconnect(self._update)
            self.tools.close_down()

    _closed = False

    def _open_wizard(self) -> None:
        config = self.microscope.owner.config
        path = Path(config) if config and Path(config).is_file() else None
        if config is not None and config != DEMO and path is None:
            self.failed.emit(
                HardwareError(
                    "these devices were not loaded from a file",
                    hint="save the configuration first: it is loaded again when the "
                    "wizard is closed",
                )
            )
            return
        self._before = config
        self.tools.wizard(path)

    def _on_wizard_ended(self, saved: object) -> None:
        """Load what was made, else what was there before."""
        if isinstance(saved, Path):
            self.microscope.load(saved)
        elif self._before == DEMO:
            self.microscope.load(None)
        elif self._before:
            self.microscope.load(Path(self._before))

    def _update(self, _reason: str = "") -> None:
        tool, locked = self.tools.tool, self.microscope.lock_reason
        self.wizard_button.setEnabled(not tool and not locked)
        self.install_button.setEnabled(not tool)
        self.status.setVisible(bool(tool))
        self.status.setText(
            "The wizard is open and has the devices. Close it to go on here."
            if tool == "wizard"
            else "The installer is open."
        )
