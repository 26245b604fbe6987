"""Where a run is saved: formats, folder, a name that counts up, and whether it fits.

How each format is packed is chosen in `napari_scope.widgets.acquiring.format_options`.

It proposes outputs; it writes nothing and creates nothing. The disk is looked at in a
thread, for a network folder may take its time; the estimate is shown against the free
space of the disk that the folder is on, or will be on.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_scope.acquire.save_wish import DiskLook, SaveWish
from napari_scope.stream import room_needed
from napari_scope.stream.outputs import RESERVE_BYTES
from napari_scope.widgets.acquiring.format_options import FormatOptions
from napari_scope.widgets.acquiring.text_line import TextLine
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.icons import RED, icon
from napari_scope.widgets.common.remembered import Remembered
from napari_scope.widgets.common.tones import toned
from napari_scope.widgets.common.wording import duration_text, size_text

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.acquire import FormatName, Output
    from napari_scope.events import Estimate

__all__ = ["SaveBox"]

_FORMATS: Final[dict[FormatName, tuple[str, str, str]]] = {
    "ome-zarr": (
        "OME-&Zarr",
        "big data, viewers, the web",
        "For viewers, the web and big data; with smaller copies, plates as plates",
    ),
    "ndtiff": (
        "&NDTiff",
        "Micro-Manager, pycro-manager",
        "NDTiff 3: the format of Micro-Manager and pycro-manager",
    ),
    "ome-tiff": (
        "OME-TIFF",
        "programs that open single files",
        "For programs that open single files; several positions are a folder of files",
    ),
}
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
        super().__init__("Save the images", parent)
        self._remembered = remembered or Remembered()
        self._estimate: Estimate | None = None
        self._problem = ""
        self._seen: tuple[SaveWish, DiskLook] | None = None
        self._stale = False
        self._closed = False

        self.format_boxes: dict[FormatName, QCheckBox] = {}
        for name, (title, _, tip) in _FORMATS.items():
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
        self._lay_out()

        self._looker = BackgroundCall(self, abandon=True)
        self._looker.finished.connect(self._on_looked)
        # Looking at the disk at every key would be no use.
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

    def _lay_out(self) -> None:
        formats = QGridLayout()
        for row, (name, box) in enumerate(self.format_boxes.items()):
            words = TextLine()
            words.setText(_FORMATS[name][1])
            words.setToolTip(_FORMATS[name][2])
            formats.addWidget(box, row, 0)
            formats.addWidget(words, row, 1)
        formats.addWidget(self.memory_label, len(self.format_boxes), 0, 1, 2)
        formats.setColumnStretch(1, 1)
        folder = QHBoxLayout()
        folder.addWidget(self.folder_edit, 1)
        folder.addWidget(self.browse_button)
        form = QFormLayout(self)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("As", formats)
        form.addRow("Folder", folder)
        form.addRow("Name", self.name_edit)
        form.addRow(self.options)
        form.addRow(self.path_label)
        form.addRow(self.estimate_label)

    # ---- value

    @property
    def formats(self) -> tuple[FormatName, ...]:
        """The chosen formats; empty for memory only."""
        return tuple(n for n, box in self.format_boxes.items() if box.isChecked())

    @property
    def folder(self) -> Path:
        """The chosen folder."""
        return self.wish().path

    def wish(self) -> SaveWish:
        """Return what is chosen; it may look at the disk in any thread."""
        return SaveWish(
            self.folder_edit.text(),
            self.name_edit.text(),
            tuple((kind, self.options.choices(kind)) for kind in self.formats),
        )

    def next_name(self) -> str:
        """Return the name of the next run; asks the disk, see `SaveWish.next_name`."""
        return self.wish().next_name()

    def outputs(self) -> tuple[Output, ...]:
        """Return the outputs of the next run; asks the disk, see `SaveWish.outputs`."""
        return self.wish().outputs()

    def durable_s(self) -> float | None:
        """Return how often data are made safe against loss of power, in seconds."""
        return self.options.durable_s()

    def remember(self) -> None:
        """Propose the same folder the next time."""
        if self.formats:
            self._remembered.folder = self.folder

    # ---- state

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered, as plain JSON."""
        return {
            "formats": list(self.formats),
            "name": self.name_edit.text(),
            "options": self.options.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state; the folder is remembered apart."""
        formats, name = state.get("formats"), state.get("name")
        if isinstance(formats, list):
            for kind, box in self.format_boxes.items():
                box.setChecked(kind in formats)
        if isinstance(name, str) and name.strip():
            self.name_edit.setText(name)
        if isinstance(state.get("options"), dict):
            self.options.restore(state["options"])

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
        if self._closed:
            return
        self._patience.stop()
        saving = bool(self.formats)
        self.memory_label.setVisible(not saving)
        self.options.show_formats(self.formats)
        for widget in (self.folder_edit, self.browse_button):
            widget.setEnabled(saving)
        self._look()
        self._show_estimate()
        self.valueChanged.emit()

    @property
    def problem(self) -> str:
        """Why nothing can be saved, as far as is known; empty if it can."""
        return "" if self._seen is None else self._seen[1].problem

    def close_down(self) -> None:
        """Stop looking; idempotent."""
        self._closed = True
        self._patience.stop()
        self._looker.close()

    def _look(self) -> None:
        if self._looker.busy:
            self._stale = True
            return
        self._stale = False
        wish = self.wish()
        if self._seen is None or self._seen[0].folder != wish.folder:
            self._seen = None
            self.path_label.setText("Looking at the folder …")
        self._looker.start(lambda: (wish, wish.look()), "napari-scope folder")

    def _on_looked(self, seen: object) -> None:
        if self._stale:
            self._look()
            return
        assert isinstance(seen, tuple)
        self._seen = seen
        self._show_path(seen[1])
        self._show_estimate()

    def _show_path(self, look: DiskLook) -> None:
        names = " and ".join(f"<b>{escape(o.path.name)}</b>" for o in look.outputs)
        words = [f"Next: {names}"] if names else []
        if look.problem:
            problem = look.problem[:1].upper() + look.problem[1:]
            words.append(_red(escape(problem)))
        self.path_label.setVisible(bool(words))
        self.path_label.setText("<br>".join(words))
        self.path_label.setToolTip("\n".join(str(o.path) for o in look.outputs))

    def _show_estimate(self) -> None:
        estimate = self._estimate
        self.estimate_label.setToolTip("")
        if estimate is None:
            problem = escape(self._problem)
            self.estimate_label.setText(_red(problem) if problem else "")
            return
        parts: list[str] = []
        if estimate.frames is None:
            parts.append("frames are not known before")
        else:
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
        free = None if self._seen is None else self._seen[1].free
        if self.formats and free is not None:
            text = f"{size_text(free)} free"
            parts.append(text if needed <= free else _red(f"<b>only {text}</b>"))
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
    return f'<span style="color:{toned(RED)}">{text}</span>'
