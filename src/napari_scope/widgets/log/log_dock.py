"""The log dock: what was said, found again, copied and saved.

It looks into the log book a few times a second while it is shown; nothing that logs
waits for it. Paused it stays as it is, and takes up the rest afterwards.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QItemSelectionModel, Qt, QTimer
from qtpy.QtGui import QFontDatabase, QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QSplitter,
    QTableView,
    QToolButton,
    QVBoxLayout,
)

from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.dock import ScopeDock
from napari_scope.widgets.common.error_panel import ErrorPanel
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.log_book import LogBook
from napari_scope.widgets.common.microscope import Microscope
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.common.small_files import save_text
from napari_scope.widgets.log.core_log import CoreLogTail
from napari_scope.widgets.log.log_model import HEADERS, LogModel
from napari_scope.widgets.log.own_core_log import OwnCoreLog

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtGui import QHideEvent, QResizeEvent, QShowEvent

    from napari_scope.widgets.common.log_book import LogLine

__all__ = ["LogDock"]

_LOOK_MS = 250
_WIDE = 80  # characters
_LEVELS = (
    ("Debug", logging.DEBUG),
    ("Info", logging.INFO),
    ("Warning", logging.WARNING),
    ("Error", logging.ERROR),
)


class LogDock(ScopeDock):
    """Shows the log.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; napari passes it.
    microscope : Microscope, optional
        Whose core's log is shown; the shared one by default.
    """

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        microscope: Microscope | None = None,
    ) -> None:
        super().__init__(napari_viewer, "log")
        self.microscope = Microscope.shared() if microscope is None else microscope
        self.microscope.hold(self)
        book = LogBook.shared()
        self.model = LogModel(book)
        self._core_log = OwnCoreLog(self.microscope.real_core)
        self._tail = CoreLogTail(self._core_log.path, book, self._core_log.before)
        self._saver = BackgroundCall(self, abandon=True)
        self._saver.failed.connect(self._on_save_failed)
        self._saver.finished.connect(
            lambda path: notify(f"The log is saved as {path}", key="file-saved")
        )
        self._build()
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        self.restore_remembered()
        self._choose()

    # ---- building

    def _build(self) -> None:
        self.level = QComboBox()
        for name, level in _LEVELS:
            self.level.addItem(name, level)
        self.level.setCurrentText("Info")
        self.level.setToolTip("Show messages of at least this level")
        self.level.setAccessibleName("Level")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find in messages")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Find in messages")
        self.search.setToolTip("Show only messages that hold this text (Ctrl+F)")
        self.core = QCheckBox("Co&re")
        self.core.setAccessibleName("All of the core")
        self.core.setToolTip(
            "Show everything that Micro-Manager's core logs; its warnings and errors "
            "are always shown"
        )
        self.pause = self._button("pause", "Pause", "Let the list stand still (Space)")
        self.pause.setCheckable(True)
        self.clear = self._button("dismiss", "Clear", "Empty the list; no file changes")
        self.copy = self._button(
            "copy", "Copy", "Copy the chosen messages, or all that are shown (Ctrl+C)"
        )
        self.save = self._button("save", "Save", "Save what is shown as a text file")

        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)
        self.table.setAccessibleName("Messages")
        rows, columns = self.table.verticalHeader(), self.table.horizontalHeader()
        assert rows is not None and columns is not None  # every table has them
        rows.hide()
        metrics = self.fontMetrics()
        rows.setDefaultSectionSize(metrics.height() + metrics.leading() + 4)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns.setStretchLastSection(True)
        columns.setHighlightSections(False)
        for column, sample in enumerate(("00:00:00", "pymmcore-plus")):
            self.table.setColumnWidth(column, metrics.horizontalAdvance(sample) + 12)

        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setAccessibleName("The whole message")
        self.details.setPlaceholderText("Choose a message to read it whole")
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        self.details.setFont(fixed)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.addWidget(self.table)
        self.splitter.addWidget(self.details)
        self.splitter.setStretchFactor(0, 4)
        self.splitter.setStretchFactor(1, 1)
        self.status = QLabel()
        self.error_panel = ErrorPanel()

        above = QHBoxLayout()
        above.addWidget(self.level)
        above.addWidget(self.search, 1)
        above.addWidget(self.core)
        below = QHBoxLayout()
        below.addWidget(self.status, 1)
        for button in (self.pause, self.clear, self.copy, self.save):
            below.addWidget(button)
        layout = QVBoxLayout(self)
        # The image needs the width more than the edges of a dock do.
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(above)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.error_panel)
        layout.addLayout(below)

        self.level.currentIndexChanged.connect(self._choose)
        self.search.textChanged.connect(self._choose)
        self.core.toggled.connect(self._choose)
        self.pause.toggled.connect(self._look)
        self.clear.clicked.connect(self._on_clear)
        self.copy.clicked.connect(self.copy_lines)
        self.save.clicked.connect(self._on_save)
        selection = self.table.selectionModel()
        if selection is not None:
            selection.currentRowChanged.connect(self._show_details)
        for keys, slot in (
            (QKeySequence.StandardKey.Find, self.search.setFocus),
            (QKeySequence.StandardKey.Copy, self.copy_lines),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)
        space = QShortcut(QKeySequence(Qt.Key.Key_Space), self.table)
        space.setContext(Qt.ShortcutContext.WidgetShortcut)
        space.activated.connect(self.pause.toggle)

    def _button(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    # ---- its life

    def showEvent(self, event: QShowEvent | None) -> None:
        """Look while it is seen."""
        super().showEvent(event)
        if not self.is_shut_down:
            self._timer.start()
            self._tail.start()
            self._look()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Leave the room to the messages where there is little."""
        super().resizeEvent(event)
        wide = self.width() > _WIDE * self.fontMetrics().averageCharWidth()
        self.table.setColumnHidden(HEADERS.index("From"), not wide)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Rest while it is not."""
        super().hideEvent(event)
        self._timer.stop()
        self._tail.stop()

    def on_shut_down(self) -> None:
        """Stop looking."""
        self._tail.stop()
        self._core_log.close()
        self.microscope.release(self)
        self._timer.stop()
        self._saver.close()

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        return {"level": self.level.currentText(), "core": self.core.isChecked()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what was remembered."""
        if state:
            self.level.setCurrentText(str(state["level"]))
            self.core.setChecked(bool(state["core"]))

    # ---- what is shown

    def _choose(self, *_args: object) -> None:
        level = self.level.currentData()
        self.model.choose(
            int(level), self.search.text(), with_core=self.core.isChecked()
        )
        self.table.scrollToBottom()
        self._tell()

    def _look(self, *_args: object) -> None:
        if self.pause.isChecked():
            self._tell()
            return
        bar = self.table.verticalScrollBar()
        at_end = bar is None or bar.value() >= bar.maximum()
        if self.model.take_new() and at_end:
            self.table.scrollToBottom()
        self._tell()

    def _tell(self) -> None:
        count = len(self.model.lines)
        words = "1 message" if count == 1 else f"{count} messages"
        self.status.setText(f"{words}, paused" if self.pause.isChecked() else words)

    def _show_details(self, *_args: object) -> None:
        index = self.table.currentIndex()
        shown = index.isValid() and index.row() < len(self.model.lines)
        if not shown:
            self.details.clear()
            return
        line = self.model.lines[index.row()]
        about = f"{line.clock}  {line.level_name}, from {line.source}"
        self.details.setPlainText(f"{about}\n{line.text}")

    def _on_clear(self) -> None:
        self.model.clear()
        self.details.clear()
        self._tell()

    # ---- taking it away

    def chosen_lines(self) -> list[LogLine]:
        """Return the lines that are chosen, or all that are shown."""
        selection: QItemSelectionModel | None = self.table.selectionModel()
        rows = [] if selection is None else selection.selectedRows()
        numbers = sorted(index.row() for index in rows)
        lines = self.model.lines
        return [lines[n] for n in numbers if n < len(lines)] or list(lines)

    def copy_lines(self) -> None:
        """Copy the lines that are chosen, or all that are shown."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText("\n".join(line.as_text() for line in self.chosen_lines()))

    def save_as(self, path: Path) -> None:
        """Write what is shown into a text file, in the background."""
        if self._saver.busy:
            return
        lines = list(self.model.lines)

        def write() -> Path:
            head = f"# napari-scope log, saved {time.strftime('%Y-%m-%d %H:%M:%S')}"
            text = "\n".join([head, *(line.as_text() for line in lines)])
            return save_text(path, f"{text}\n", "the log")

        self.error_panel.clear()
        self._saver.start(write, "napari-scope save log")

    def _on_save(self) -> None:
        name = f"napari-scope-{time.strftime('%Y%m%d-%H%M%S')}.log"
        chooser = QFileDialog(self, "Save the log", str(Path.home() / name))
        chooser.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        chooser.setNameFilters(["Log (*.log *.txt)", "All files (*)"])
        chooser.setDefaultSuffix("log")
        chooser.selectFile(name)
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.fileSelected.connect(lambda chosen: self.save_as(Path(chosen)))
        chooser.open()  # the window stays alive meanwhile

    def _on_save_failed(self, error: object) -> None:
        if isinstance(error, BaseException):
            self.error_panel.show_error(error, "Saving the log")
