"""Where a run is saved: formats, folder, a name that counts up, and whether it fits.

How each format is packed is chosen in `napari_scope.widgets.acquiring.format_options`.

It proposes outputs; it writes nothing and creates nothing. The estimate is shown
against the free space of the disk that the folder is on, or will be on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_scope.acquire import Output, next_free_name, output_path
from napari_scope.errors import SettingsError
from napari_scope.fileio import free_bytes
from napari_scope.stream import room_needed
from napari_scope.stream.outputs import RESERVE_BYTES
from napari_scope.widgets.acquiring.format_options import FormatOptions
from napari_scope.widgets.common.icons import RED, icon
from napari_scope.widgets.common.remembered import Remembered
from napari_scope.widgets.common.wording import duration_text, size_text

if TYPE_CHECKING:
    from napari_scope.acquire import FormatName
    from napari_scope.events import Estimate

__all__ = ["SaveBox"]

_FORMATS: Final[dict[FormatName, tuple[str, str]]] = {
    "ome-zarr": (
        "OME-&Zarr",
        "For viewers, the web and big data; with smaller copies, plates as plates",
    ),
    "ndtiff": ("&NDTiff", "NDTiff 3: the format of Micro-Manager and pycro-manager"),
    "ome-tiff": (
        "OME-&TIFF",
        "For programs that open single files; several positions are a folder of files",
    ),
}
_FORBIDDEN = set('/\\:*?"<>|')
_PATIENCE_MS = 200


class SaveBox(QGroupBox):
    """Chooses the outputs of the next run.

    Parameters
    ----------
    remembered : Remembered, optional
        Where the last folder is kept.
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    valueChanged : Signal
        The outputs have changed.
    """

    valueChanged = Signal()

    def __init__(
        self,
        remembered: Remembered | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Save", parent)
        self._remembered = remembered or Remembered()
        self._estimate: Estimate | None = None
        self._problem = ""

        self.format_boxes: dict[FormatName, QCheckBox] = {}
        for name, (title, tip) in _FORMATS.items():
            self.format_boxes[name] = box = QCheckBox(title)
            box.setToolTip(tip)
        self.format_boxes["ome-zarr"].setChecked(True)
        self.options = FormatOptions()
        self.memory_label = QLabel("<i>in memory only: lost when napari closes</i>")
        self.folder_edit = QLineEdit(str(self._remembered.folder))
        self.folder_edit.setToolTip("Folder to save in; it is created when needed")
        self.folder_edit.setAccessibleName("Folder")
        self.browse_button = QPushButton(icon("folder"), "")
        self.browse_button.setToolTip("Choose the folder")
        self.browse_button.setAccessibleName("Browse for a folder")
        self.name_edit = QLineEdit("experiment")
        self.name_edit.setToolTip(
            "A number is added and counts up; nothing is ever overwritten"
        )
        self.name_edit.setAccessibleName("Name")
        self.path_label = self._label()
        self.path_label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.estimate_label = self._label()

        formats = QHBoxLayout()
        for box in self.format_boxes.values():
            formats.addWidget(box)
        formats.addWidget(self.memory_label)
        formats.addStretch()
        folder = QHBoxLayout()
        folder.addWidget(self.folder_edit, 1)
        folder.addWidget(self.browse_button)
        form = QFormLayout(self)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("As", formats)
        form.addRow(self.options)
        form.addRow("Folder", folder)
        form.addRow("Name", self.name_edit)
        form.addRow(self.path_label)
        form.addRow(self.estimate_label)

        # Looking at the disk at every key would stutter on a network drive.
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self.refresh)
        for edit in (self.folder_edit, self.name_edit):
            edit.textChanged.connect(self._patience.start)
        for box in self.format_boxes.values():
            box.toggled.connect(self.refresh)
        self.options.valueChanged.connect(self.refresh)
        self.browse_button.clicked.connect(self._browse)
        self.refresh()

    # ---- value

    @property
    def formats(self) -> tuple[FormatName, ...]:
        """The chosen formats; empty for memory only."""
        return tuple(n for n, box in self.format_boxes.items() if box.isChecked())

    @property
    def folder(self) -> Path:
        """The chosen folder."""
        return Path(self.folder_edit.text().strip()).expanduser()

    def next_name(self) -> str:
        """Return the name of the next run, which is free in the folder.

        Raises
        ------
        SettingsError
            If no name or folder is given, or the name cannot be that of a file.
        """
        name = self.name_edit.text().strip()
        if not name:
            raise SettingsError("the run has no name", hint="type a name under Save")
        bad = sorted(_FORBIDDEN & set(name))
        if bad or name.startswith("."):
            raise SettingsError(
                f"the name {name!r} cannot be that of a file",
                hint=f"leave out {' '.join(bad)}" if bad else "begin with a letter",
            )
        if not self.formats:
            return name
        if not self.folder_edit.text().strip():
            raise SettingsError("no folder is given", hint="choose one under Save")
        return next_free_name(self.folder, name, self.formats)

    def outputs(self) -> tuple[Output, ...]:
        """Return the outputs of the next run; empty for memory only.

        Raises
        ------
        SettingsError
            If no name or folder is given, or the name cannot be that of a file.
        OSError
            If the folder cannot be looked at.
        """
        name = self.next_name()
        return tuple(self._output(name, kind) for kind in self.formats)

    def _output(self, name: str, kind: FormatName) -> Output:
        packing = self.options.choices(kind)
        return Output(
            output_path(self.folder, name, kind),
            kind,
            compression=packing.compression,
            version=packing.version,
            chunk_px=packing.chunk_px,
        )

    def remember(self) -> None:
        """Propose the same folder the next time."""
        if self.formats:
            self._remembered.folder = self.folder

    # ---- what is shown

    def set_estimate(self, estimate: Estimate | None, problem: str = "") -> None:
        """Show how large the run will be.

        Parameters
        ----------
        estimate : Estimate, optional
            The estimate, None where there is none.
        problem : str
            Why there is none.
        """
        self._estimate = estimate
        self._problem = problem
        self._show_estimate()

    def refresh(self) -> None:
        """Look at the disk again: the next name and the free space."""
        self._patience.stop()
        saving = bool(self.formats)
        self.memory_label.setVisible(not saving)
        self.options.show_formats(self.formats)
        for widget in (self.folder_edit, self.browse_button):
            widget.setEnabled(saving)
        self._show_path()
        self._show_estimate()
        self.valueChanged.emit()

    def close_down(self) -> None:
        """Stop the timer; idempotent."""
        self._patience.stop()

    def _show_path(self) -> None:
        try:
            outputs = self.outputs()
        except (SettingsError, OSError) as error:
            words = error.message if isinstance(error, SettingsError) else str(error)
            self.path_label.setText(_red(words))
            self.path_label.setToolTip("")
            return
        names = " and ".join(f"<b>{output.path.name}</b>" for output in outputs)
        self.path_label.setVisible(bool(names))
        self.path_label.setText(f"Next: {names}")
        self.path_label.setToolTip("\n".join(str(output.path) for output in outputs))

    def _show_estimate(self) -> None:
        estimate = self._estimate
        self.estimate_label.setToolTip("")
        if estimate is None:
            self.estimate_label.setText(_red(self._problem) if self._problem else "")
            return
        parts: list[str] = []
        if estimate.frames is not None:
            noun = "frame" if estimate.frames == 1 else "frames"
            parts.append(f"{estimate.frames:,} {noun}")
        if estimate.duration_s is not None:
            parts.append(f"at least {duration_text(estimate.duration_s)}")
        needed = self._room_needed(estimate)
        if needed:
            files = needed - RESERVE_BYTES
            most = "at most " if self._packed() else ""
            parts.append(f"{most}{size_text(files)}")
            self.estimate_label.setToolTip(
                f"{most}{size_text(files)} of files; {size_text(RESERVE_BYTES)} more "
                f"must stay free so that they can be closed, {size_text(needed)} in all"
                + ("\nHow much compression saves is not known before" if most else "")
            )
        elif estimate.bytes is not None:
            parts.append(size_text(estimate.bytes))
        if not self.formats:
            self.estimate_label.setText(" · ".join(parts))
            return
        try:
            free = free_bytes(self.folder)
        except OSError as error:
            parts.append(_red(f"no look at the disk: {error.strerror or error}"))
        else:
            fits = needed <= free
            text = f"{size_text(free)} free"
            parts.append(text if fits else _red(f"<b>only {text}</b>"))
        self.estimate_label.setText(" · ".join(parts))

    def _room_needed(self, estimate: Estimate) -> int:
        """Return what the stream will ask for; 0 for nothing or where it is open."""
        if not estimate.frames or estimate.bytes is None:
            return 0
        frame_bytes = estimate.bytes // estimate.frames
        return room_needed(estimate.frames, frame_bytes, self.formats)

    def _packed(self) -> bool:
        """Whether files may become smaller than their pixels."""
        return any(self.options.choices(kind).compression for kind in self.formats)

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, "Choose the folder to save in", self.folder_edit.text()
        )
        if chosen:
            self.folder_edit.setText(chosen)
            self.refresh()

    def _label(self) -> QLabel:
        label = QLabel()
        label.setTextFormat(Qt.TextFormat.RichText)
        label.setWordWrap(True)
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        return label


def _red(text: str) -> str:
    return f'<span style="color:{RED}">{text}</span>'
