"""Choice of the hardware configuration: load, reload, save, and what is loaded now.

The microscope loads in a thread of its own, and what the camera delivers is read there
too. A core that somebody has already set up is taken as it is. Errors are the
microscope's to tell (`load_failed`, `call_failed`); this box shows none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire import DEMO
from napari_scope.errors import ConfigurationError
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.devices.camera_facts import (
    CameraFacts,
    describe_camera,
    read_camera,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymmcore_plus import CMMCorePlus
    from qtpy.QtCore import QMimeData
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["ConfigurationBox", "dropped_configuration"]

_DEMO_TEXT = "Demo microscope"
_PRESENT_TEXT = "As it is now"
_PATTERN = "Micro-Manager configurations (*.cfg);;All files (*)"
_SOON_MS = 100


def dropped_configuration(data: QMimeData | None) -> Path | None:
    """Return the configuration file that is being dropped, None for anything else."""
    if data is None or not data.hasUrls():
        return None
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    fits = len(paths) == 1 and paths[0].suffix.lower() == ".cfg"
    return paths[0] if fits else None


def _save(core: CMMCorePlus, path: Path) -> Path:
    """Write the configuration; a file that was there stays if it fails."""
    part = path.with_name(f"{path.name}.part")
    try:
        core.saveSystemConfiguration(str(part))
        os.replace(part, path)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        raise ConfigurationError(
            f"the configuration cannot be saved, {' '.join(str(error).split())}",
            path=str(path),
            hint="choose a folder that you may write to",
        ) from error
    return path


class ConfigurationBox(QGroupBox):
    """Chooses, loads and saves hardware configurations.

    Parameters
    ----------
    microscope : Microscope
        Loads them; its core may be set up already.
    compact : bool
        Without saving, for a dock whose subject is another one.
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    camera_changed : Signal
        What the camera delivers was read anew; see `camera`.
    """

    camera_changed = Signal()

    def __init__(
        self,
        microscope: Microscope,
        *,
        compact: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Microscope", parent)
        self.setAcceptDrops(True)
        self._microscope = microscope
        self._camera: CameraFacts | None = None
        self._folder = ""
        self._closed = False

        self.choice = QComboBox()
        self.choice.setAccessibleName("Hardware configuration")
        self.choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.browse_button = _tool("folder", "Browse for a configuration")
        self.save_button = _tool("save", "Save the configuration")
        self.save_button.setVisible(not compact)
        self.load_button = QPushButton(icon("load"), "Loa&d")
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
        row.addWidget(self.save_button)
        row.addWidget(self.load_button)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addWidget(self.busy_bar)
        layout.addWidget(self.status)

        # Loading a configuration sets a hundred properties; one look is enough.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self.show_status)

        self._fill_choice()
        self._update()
        self._connect()
        self.show_status()

    def camera(self) -> CameraFacts | None:
        """Return what the camera delivered when last read; None without a camera."""
        return None if self._microscope.is_loading else self._camera

    def show_status(self) -> None:
        """Show what is loaded now; the camera is asked off the GUI thread."""
        microscope = self._microscope
        if self._closed or microscope.is_loading:
            return
        if not microscope.owner.has_devices:
            self._show_camera(None)
            return
        core = microscope.real_core
        microscope.do(
            "read the camera",
            lambda: read_camera(core),
            then=self._show_camera,
            key=("read the camera", id(self)),
        )

    def load(self, path: Path | None) -> None:
        """Load a configuration in the background; None for the demo microscope."""
        if self._microscope.lock_reason:
            notify(f"{self._microscope.lock_reason}: no configuration was loaded")
        else:
            self.choice.setCurrentIndex(0 if path is None else self._add(path))
            self._microscope.load(path)

    def save(self, path: Path) -> None:
        """Save the configuration as it is now, in the background."""
        core = self._microscope.real_core
        self._microscope.do(
            f"save the configuration {path.name}",
            lambda: _save(core, path),
            then=self._on_saved,
        )

    def close_down(self) -> None:
        """Listen to the microscope no longer; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._soon.stop()
        for signal, slot in self._connections():
            signal.disconnect(slot)

    # ---- drag and drop

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept one configuration file."""
        if event is not None and dropped_configuration(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Load it."""
        path = dropped_configuration(event.mimeData()) if event is not None else None
        if event is not None and path is not None:
            event.acceptProposedAction()
            self.load(path)

    # ---- inside

    def _connections(self) -> list[tuple[Any, Callable[..., object]]]:
        microscope, events = self._microscope, self._microscope.core.events
        return [
            (microscope.loading, self._on_loading),
            (microscope.loaded, self._on_load_ended),
            (microscope.load_failed, self._on_load_ended),
            (microscope.lock_changed, self._update),
            (events.systemConfigurationLoaded, self._soon.start),
            (events.propertyChanged, self._on_property_changed),
            (events.pixelSizeChanged, self._soon.start),
            (events.roiSet, self._soon.start),
        ]

    def _connect(self) -> None:
        for signal, slot in self._connections():
            signal.connect(slot)
        self.browse_button.clicked.connect(self._browse)
        self.save_button.clicked.connect(self._choose_where)
        self.load_button.clicked.connect(self._load_choice)
        self.choice.currentIndexChanged.connect(self._update)

    def _on_property_changed(self, device: str, _name: str, _value: object) -> None:
        if device == "Core" or (self._camera and device == self._camera.name):
            self._soon.start()

    def _show_camera(self, camera: object) -> None:
        if self._closed:
            return
        self._camera = camera if isinstance(camera, CameraFacts) else None
        if not self._microscope.is_loading:
            self.status.setText(self._words())
        self.camera_changed.emit()

    def _words(self) -> str:
        if not self._microscope.owner.has_devices:
            return "Nothing is loaded yet."
        if self._camera is None:
            return "This configuration has no camera that can be used."
        return describe_camera(self._camera)

    def _fill_choice(self) -> None:
        """List the demo microscope, what is loaded, and what was loaded before."""
        self.choice.clear()
        self.choice.addItem(_DEMO_TEXT, None)
        for path in self._microscope.remembered.configurations:
            self._add(path)
        if self._microscope.owner.has_devices:
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
        config = self._microscope.owner.config
        present = self.choice.findText(_PRESENT_TEXT)
        if config == DEMO:
            self.choice.setCurrentIndex(self.choice.findText(_DEMO_TEXT))
        elif config and Path(config).is_file():
            self.choice.setCurrentIndex(self._add(Path(config)))
        elif config is not None:
            if present < 0:
                self.choice.addItem(_PRESENT_TEXT, "")
                present = self.choice.count() - 1
            self.choice.setCurrentIndex(present)
            return
        if present >= 0:
            self.choice.removeItem(present)

    def _browse(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Choose a hardware configuration", self._folder, _PATTERN
        )
        if chosen:
            path = Path(chosen)
            self._folder = str(path.parent)
            self.load(path)

    def _choose_where(self) -> None:
        config = self._microscope.owner.config or ""
        start = config if Path(config).is_file() else self._folder
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Save the hardware configuration as", start, _PATTERN
        )
        if chosen:
            path = Path(chosen)
            self.save(path if path.suffix else path.with_suffix(".cfg"))

    def _on_saved(self, path: object) -> None:
        if self._closed or not isinstance(path, Path):
            return
        self._microscope.remembered.add_configuration(path)
        self._add(path)
        notify(f"The configuration was saved to {path}")

    def _load_choice(self) -> None:
        data = self.choice.currentData()
        if data == "":
            self.show_status()
        else:
            self._microscope.load(None if data is None else Path(data))

    def _on_loading(self) -> None:
        name = self.choice.currentText()
        self.status.setText(f"Loading {name} …")
        self._update()

    def _on_load_ended(self, _error: object = None) -> None:
        if self._microscope.owner.has_devices:
            self._select_current()
        self._update()
        self.show_status()

    def _is_loaded(self) -> bool:
        data, config = self.choice.currentData(), self._microscope.owner.config
        return config is not None and config == (DEMO if data is None else data)

    def _update(self) -> None:
        """Bring buttons and tooltips up to date."""
        loading = self._microscope.is_loading
        locked = self._microscope.lock_reason
        self.busy_bar.setVisible(loading)
        again = self._is_loaded()
        self.load_button.setText("Reloa&d" if again else "Loa&d")
        verb = "Load this configuration again" if again else "Load this configuration"
        for widget, tip in (
            (self.choice, "Hardware configuration (Micro-Manager .cfg)"),
            (self.browse_button, "Choose a configuration file and load it"),
            (self.load_button, f"{verb}; a file can also be dropped here"),
            (self.save_button, "Save devices, presets and pixel sizes as they are now"),
        ):
            widget.setEnabled(not loading and not locked)
            widget.setToolTip(locked or tip)
        if not self._microscope.owner.has_devices:
            self.save_button.setEnabled(False)


def _tool(name: str, what: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(icon(name))
    button.setAccessibleName(what)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
