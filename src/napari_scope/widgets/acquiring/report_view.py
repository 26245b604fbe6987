"""The reports of this session's runs, the latest first, and what to do with the data.

A report is words and places of files; opening a file goes through napari's readers, as
if it were dropped into the viewer. While a run goes on its line says what was left out
so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QUrl, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.acquiring.report_words import report_text, skipped_lines
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.wording import clock

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.acquire import Run, RunReport

__all__ = ["ReportView"]

_MOST_KEPT = 100
_MOST_LINES = 1000


@dataclass(frozen=True, slots=True)
class _Kept:
    title: str
    text: str
    paths: tuple[Path, ...]


class ReportView(QWidget):
    """Shows one of the reports that were kept.

    Attributes
    ----------
    open_requested : Signal
        The user wants to see data; carries their path.
    """

    open_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kept: list[_Kept] = []
        self.choice = QComboBox()
        self.choice.setAccessibleName("Run")
        self.choice.setToolTip("The runs of this session, the latest first")
        self.choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Report")
        self.text.setPlaceholderText("The report of a run is shown here at its end.")
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.now_label = QLabel()
        self.now_label.setWordWrap(True)
        self.now_label.setVisible(False)
        self.file_choice = QComboBox()
        self.file_choice.setAccessibleName("File")
        self.file_choice.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed
        )
        self.open_button = QPushButton(icon("view-grid"), "Open &data")
        self.open_button.setToolTip("Open the data in napari, from the disk")
        self.folder_button = QPushButton(icon("folder"), "Folder")
        self.folder_button.setToolTip("Show the folder in the file manager")
        self.copy_button = QPushButton(icon("copy"), "Cop&y")
        self.copy_button.setToolTip("Copy the report as text")

        buttons = QHBoxLayout()
        for button in (self.open_button, self.folder_button, self.copy_button):
            buttons.addWidget(button, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.choice)
        layout.addWidget(self.now_label)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.file_choice)
        layout.addLayout(buttons)

        self.choice.currentIndexChanged.connect(self._show)
        self.open_button.clicked.connect(self._open)
        self.folder_button.clicked.connect(self._open_folder)
        self.copy_button.clicked.connect(self._copy)
        self._show(-1)

    @property
    def count(self) -> int:
        """How many reports are kept."""
        return len(self._kept)

    def add(self, name: str, report: RunReport, error: str = "") -> None:
        """Keep the report of a run that has ended, and show it."""
        self.now_label.setVisible(False)
        paths = tuple(o.path for o in report.outputs)
        title = f"{clock()}  {name}  ({report.state.value})"
        text = report_text(name, report, error, most=_MOST_LINES)
        self._kept.insert(0, _Kept(title, text, paths))
        self.choice.insertItem(0, title)
        while len(self._kept) > _MOST_KEPT:
            self._kept.pop()
            self.choice.removeItem(len(self._kept))
        self.choice.setCurrentIndex(0)
        self._show(0)

    def show_running(self, run: Run) -> None:
        """Say what was left out so far by a run that goes on."""
        skipped = getattr(run, "skipped", ())
        warnings = getattr(run, "warnings", ())
        lines = [f"{getattr(run, 'name', 'The run')} goes on."]
        if skipped:
            lines.append(f"{len(skipped):,} frames skipped so far:")
            lines += skipped_lines(skipped, 20)
        lines += [f"Warning: {text}" for text in warnings[-20:]]
        if not skipped and not warnings:
            lines.append("Nothing was left out so far.")
        self.now_label.setText("\n".join(lines))
        self.now_label.setVisible(True)

    def _show(self, place: int) -> None:
        kept = self._kept[place] if 0 <= place < len(self._kept) else None
        self.text.setPlainText("" if kept is None else kept.text)
        self.choice.setVisible(bool(self._kept))
        self.file_choice.clear()
        for path in () if kept is None else kept.paths:
            self.file_choice.addItem(path.name, path)
            last = self.file_choice.count() - 1
            self.file_choice.setItemData(last, str(path), Qt.ItemDataRole.ToolTipRole)
        self.file_choice.setVisible(self.file_choice.count() > 1)
        has_files = self.file_choice.count() > 0
        self.open_button.setEnabled(has_files)
        self.folder_button.setEnabled(has_files)
        self.copy_button.setEnabled(kept is not None)

    def _path(self) -> Path | None:
        path: Path | None = self.file_choice.currentData()
        return path

    def _open(self) -> None:
        path = self._path()
        if path is not None:
            self.open_requested.emit(path)

    def _open_folder(self) -> None:
        path = self._path()
        if path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.text.toPlainText())
