"""Choice of the hardware configuration, and what is loaded now.

A configuration is loaded in a thread of its own; until it is done nobody asks the core
anything. A core that somebody has already set up is taken as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire import DEMO, camera_frame
from napari_scope.errors import HardwareError
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.remembered import Remembered

if TYPE_CHECKING:
    import numpy as np
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire import CoreOwner

__all__ = ["CameraFacts", "HardwareBox", "read_camera"]

_DEMO_TEXT = "Demo microscope"
_PRESENT_TEXT = "As it is now"


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What the current camera delivers.

    Parameters
    ----------
    name : str
        Label of the device.
    frame_shape : tuple of int
        Shape of a frame as it is saved: (height, width), or (height, width, 3).
    dtype : numpy.dtype
        Type of its pixels.
    bit_depth : int
        Significant bits of one component.
    pixel_size_um : float
        Size of a pixel in the sample; 0 where it is not calibrated.
    """

    name: str
    frame_shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    bit_depth: int
    pixel_size_um: float


def read_camera(core: CMMCorePlus) -> CameraFacts | None:
    """Return what the current camera delivers, None without one that can be used."""
    try:
        shape, dtype = camera_frame(core)
    except HardwareError:
        return None
    size = core.getPixelSizeUm()
    return CameraFacts(
        name=core.getCameraDevice(),
        frame_shape=shape,
        dtype=dtype,
        bit_depth=core.getImageBitDepth(),
        pixel_size_um=size if math.isfinite(size) else 0.0,
    )


class HardwareBox(QGroupBox):
    """Chooses and loads hardware configurations.

    Parameters
    ----------
    owner : CoreOwner
        Loads configurations; its core may be set up already.
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    loading : Signal
        A configuration has begun to load.
    loaded : Signal
        It has been loaded.
    failed : Signal
        It could not be loaded; carries the exception.
    """

    loading = Signal()
    loaded = Signal()
    failed = Signal(object)

    def __init__(
        self,
        owner: CoreOwner,
        remembered: Remembered | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Microscope", parent)
        self._owner = owner
        self._remembered = remembered or Remembered()
        self._call = BackgroundCall(self)
        self._call.finished.connect(self._on_loaded)
        self._call.failed.connect(self._on_failed)
        self._wanted: Path | None = None
        self._locked_because = ""

        self.choice = QComboBox()
        self.choice.setAccessibleName("Hardware configuration")
        self.choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.browse_button = QPushButton(icon("folder"), "")
        self.browse_button.setAccessibleName("Browse for a configuration")
        self.load_button = QPushButton(icon("load"), "&Load")
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.busy_bar = QProgressBar()
        self.busy_bar.setRange(0, 0)
        self.busy_bar.setTextVisible(False)
        self.busy_bar.setVisible(False)

        row = QHBoxLayout()
        row.addWidget(self.choice, 1)
        row.addWidget(self.browse_button)
        row.addWidget(self.load_button)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addWidget(self.busy_bar)
        layout.addWidget(self.status)

        self._fill_choice()
        self._update_enabled()
        self.browse_button.clicked.connect(self._browse)
        self.load_button.clicked.connect(self._load_choice)
        self.show_status()

    @property
    def busy(self) -> bool:
        """Whether a configuration is being loaded."""
        return self._call.busy

    def camera(self) -> CameraFacts | None:
        """Return what the camera delivers; None while loading or without a camera."""
        return None if self.busy else read_camera(self._owner.core)

    def load(self, path: Path | None) -> None:
        """Load a configuration in the background.

        Parameters
        ----------
        path : Path, optional
            The configuration file; None for the demo microscope.
        """
        if self.busy:
            return
        self._wanted = path
        name = _DEMO_TEXT if path is None else path.name
        self.status.setText(f"Loading {name} …")
        self._set_busy(True)
        self._call.start(lambda: self._owner.load(path), "load configuration")
        self.loading.emit()

    def show_status(self) -> None:
        """Show what is loaded now."""
        self.status.setText(self._describe())

    def set_in_use(self, reason: str) -> None:
        """Allow no loading while somebody else uses the microscope.

        Parameters
        ----------
        reason : str
            Who uses it, in words; empty when nobody does.
        """
        self._locked_because = reason
        self._update_enabled()

    def close_down(self) -> None:
        """Wait for a load that is under way; idempotent."""
        self._call.close()

    def _describe(self) -> str:
        if not self._owner.has_devices:
            return "Nothing is loaded yet."
        camera = read_camera(self._owner.core)
        if camera is None:
            return "This configuration has no camera that can be used."
        height, width = camera.frame_shape[:2]
        kind = f"{camera.bit_depth} bit" if len(camera.frame_shape) == 2 else "colour"
        size = (
            f"{camera.pixel_size_um:g} µm per pixel"
            if camera.pixel_size_um
            else "pixel size not calibrated"
        )
        return f"{camera.name}: {width} × {height}, {kind}, {size}"

    def _fill_choice(self) -> None:
        """List the demo microscope, what is loaded, and what was loaded before."""
        self.choice.clear()
        self.choice.addItem(_DEMO_TEXT, None)
        for path in self._remembered.configurations:
            self._add(path)
        if self._owner.has_devices:
            self._select_current()

    def _add(self, path: Path) -> int:
        place = self.choice.findData(str(path))
        if place < 0:
            self.choice.addItem(path.name, str(path))
            place = self.choice.count() - 1
            self.choice.setItemData(place, str(path), Qt.ItemDataRole.ToolTipRole)
        return place

    def _select_current(self) -> None:
        """Select what is loaded; a core set up by others has no name."""
        config = self._owner.config
        if config == DEMO:
            self.choice.setCurrentIndex(0)
        elif config and Path(config).is_file():
            self.choice.setCurrentIndex(self._add(Path(config)))
        else:
            place = self.choice.findText(_PRESENT_TEXT)
            if place < 0:
                self.choice.insertItem(0, _PRESENT_TEXT, "")
                place = 0
            self.choice.setCurrentIndex(place)

    def _browse(self) -> None:
        start = str(self._wanted.parent) if self._wanted else ""
        chosen, _ = QFileDialog.getOpenFileName(
            self,
            "Choose a hardware configuration",
            start,
            "Micro-Manager configurations (*.cfg);;All files (*)",
        )
        if chosen:
            path = Path(chosen)
            self.choice.setCurrentIndex(self._add(path))
            self.load(path)

    def _load_choice(self) -> None:
        data = self.choice.currentData()
        if data == "":
            self.show_status()
            return
        self.load(None if data is None else Path(data))

    def _on_loaded(self, _result: object) -> None:
        if self._wanted is not None:
            self._remembered.add_configuration(self._wanted)
        place = self.choice.findText(_PRESENT_TEXT)
        if place >= 0:
            self.choice.removeItem(place)
        self._set_busy(False)
        self.show_status()
        self.loaded.emit()

    def _on_failed(self, error: BaseException) -> None:
        self._set_busy(False)
        self.show_status()
        self.failed.emit(error)

    def _set_busy(self, busy: bool) -> None:
        self.busy_bar.setVisible(busy)
        self._update_enabled(busy)

    def _update_enabled(self, busy: bool | None = None) -> None:
        busy = self.busy if busy is None else busy
        for widget, tip in (
            (self.choice, "Hardware configuration (Micro-Manager .cfg)"),
            (self.browse_button, "Choose a configuration file and load it"),
            (self.load_button, "Load the chosen configuration"),
        ):
            widget.setEnabled(not busy and not self._locked_because)
            widget.setToolTip(self._locked_because or tip)
