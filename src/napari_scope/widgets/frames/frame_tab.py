"""The tab "Frame" of the Metadata dock: what was saved with one frame, and exports.

It shows a `FrameDocument`, marks what differs from the one before, and copies and
exports: the frame, what is selected, or the frames of the whole store. The table of the
store is opened by somebody else, in a thread.
"""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.errors import ScopeError
from napari_scope.formats.frame_export import export_csv, export_json, write_json
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.frames.field_model import text_of
from napari_scope.widgets.frames.field_view import FieldView
from napari_scope.widgets.frames.frame_document import LAYER_SECTION, FrameDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_scope.formats.frame_table import FrameSheet
    from napari_scope.model import Image

    Opener = Callable[[], tuple[FrameSheet, Sequence[Image]] | None]

__all__ = ["FrameTab"]

_MOST_COPIED: Final = 32_000_000  # characters; more belongs into a file
_LOOK_MS: Final = 100


class FrameTab(QWidget):
    """Shows one frame.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    sheet_wanted : callable
        Opens the table of the store that is shown, None where there is none; called in
        a thread.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sheet_wanted: Opener = lambda: None
        self._shown = FrameDocument()
        self._before: Mapping[str, object] | None = None
        self._cancel = threading.Event()
        self._progress = (0, 0)
        self._task = BackgroundCall(self, abandon=True)
        self._task.finished.connect(self._on_done)
        self._task.failed.connect(self._on_failed)
        self._then: Callable[[Any], None] = lambda result: None
        self._make_widgets()
        self._lay_out()
        self.show_nothing("")

    # ---- layout

    def _make_widgets(self) -> None:
        self.title_label = QLabel()
        self.title_label.setTextFormat(Qt.TextFormat.PlainText)
        self.title_label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        font = self.title_label.font()
        font.setBold(True)
        self.title_label.setFont(font)
        self.title_label.setWordWrap(True)
        self.view = FieldView()
        self.value_label = QLabel()
        self.value_label.setTextFormat(Qt.TextFormat.PlainText)
        self.value_label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.value_label.setAccessibleName("Pixel under the cursor")
        self.value_label.setToolTip("The pixel under the cursor, and where it lies")
        self.value_label.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.marks_button = QPushButton("Mark chan&ges")
        self.marks_button.setCheckable(True)
        self.marks_button.setChecked(True)
        self.marks_button.setToolTip(
            "Mark what differs from the frame that was shown before"
        )
        self.marks_button.toggled.connect(self.view.set_marks)
        self.copy_button = QPushButton("Cop&y")
        self.copy_button.setToolTip("Copy as JSON")
        self.copy_menu = QMenu(self)
        for text, call in (
            ("This frame as JSON", self.copy_frame),
            ("Selected fields as JSON", self.view.copy_selection),
            ("All frames of the store as JSON", self.copy_store),
        ):
            _add(self.copy_menu, text, call)
        self.copy_button.setMenu(self.copy_menu)
        self.export_button = QPushButton("&Export")
        self.export_button.setToolTip("Save what was noted of all frames of the store")
        self.export_menu = QMenu(self)
        _add(self.export_menu, "All frames as CSV…", self._on_csv)
        _add(self.export_menu, "All frames as JSON…", self._on_json)
        self.export_button.setMenu(self.export_menu)
        self.progress_bar = QProgressBar()
        self.progress_bar.setAccessibleName("Frames written")
        self.stop_button = QToolButton()
        self.stop_button.setIcon(icon("cancel"))
        self.stop_button.setToolTip("Stop; nothing is left behind")
        self.stop_button.setAccessibleName("Stop")
        self.stop_button.clicked.connect(self.stop)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(self.progress_bar, 1)
        bar.addWidget(self.stop_button)
        buttons = QHBoxLayout()
        buttons.addWidget(self.marks_button)
        buttons.addStretch()
        buttons.addWidget(self.copy_button)
        buttons.addWidget(self.export_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.title_label)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.value_label)
        layout.addLayout(bar)
        layout.addLayout(buttons)
        self._show_busy(False)

    # ---- what is shown

    @property
    def shown(self) -> FrameDocument:
        """What is shown."""
        return self._shown

    @property
    def marks(self) -> bool:
        """Whether changes are marked."""
        return bool(self.marks_button.isChecked())

    def set_marks(self, on: bool) -> None:
        """Mark changes, or not."""
        self.marks_button.setChecked(on)

    def show_frame(self, found: FrameDocument) -> None:
        """Show a frame."""
        if found.title != self._shown.title or found.place != self._shown.place:
            known = self._shown.document
            comparable = bool(known) and bool(found.facts)
            self._before = known if comparable else None
        self._shown = found
        self.title_label.setText(found.title)
        self.title_label.setVisible(True)
        self.view.tree.setEnabled(True)
        before = self._before
        if before is not None:
            # The layer is not what one compares when one goes through frames.
            before = {**before, LAYER_SECTION: found.document.get(LAYER_SECTION)}
        self.view.set_document(found.document, found.why_empty, before=before)
        self.copy_button.setEnabled(True)
        self.export_button.setEnabled(found.place is not None)

    def show_reading(self) -> None:
        """Say that another frame is being read: what is shown is not of this one."""
        self.title_label.setText("Reading …")
        self.title_label.setVisible(True)
        self.view.tree.setEnabled(False)

    def show_nothing(self, words: str) -> None:
        """Show a sentence in place of a frame."""
        self._shown, self._before = FrameDocument(), None
        self.view.tree.setEnabled(True)
        self.title_label.setVisible(False)
        self.view.set_document({}, words)
        self.copy_button.setEnabled(False)
        self.export_button.setEnabled(False)

    def show_value(self, line: str) -> None:
        """Show the pixel under the cursor."""
        self.value_label.setText(line)

    # ---- copying and exports

    @property
    def busy(self) -> bool:
        """Whether frames are being written."""
        return self._task.busy

    def copy_frame(self) -> None:
        """Copy what was saved with the frame, as it was saved, as JSON."""
        facts = self._shown.facts or self._shown.document
        _copy(text_of(dict(facts), indent=2))

    def copy_store(self) -> None:
        """Copy the records of all frames as JSON, unless they are too many."""

        def make(sheet: FrameSheet, told: Any, cancelled: Any) -> object:
            out = _Limited()
            try:
                done = write_json(sheet, out, progress=told, cancelled=cancelled)
            except _TooLong:
                return None
            return out.getvalue() if done else ""

        def then(result: object) -> None:
            if result is None:
                notify("The frames are too many to be copied: export them", "warning")
            elif isinstance(result, str):
                _copy(result)

        self._start(make, then)

    def export(self, path: Path) -> None:
        """Save the table of all frames as CSV or, by its suffix, as JSON."""
        write = export_json if path.suffix.lower() == ".json" else export_csv

        def make(sheet: FrameSheet, told: Any, cancelled: Any) -> object:
            return write(sheet, path, replace=True, progress=told, cancelled=cancelled)

        def then(done: object) -> None:
            if done:
                notify(f"The frames were written to {path}")

        self._start(make, then)

    def stop(self) -> None:
        """Stop what is being written; nothing of it is left."""
        self._cancel.set()

    def shut_down(self) -> None:
        """Stop everything; idempotent."""
        self.stop()
        self._task.close()

    def _on_csv(self) -> None:
        self._ask("frames.csv", "Tables (*.csv)")

    def _on_json(self) -> None:
        self._ask("frames.json", "JSON (*.json)")

    def _ask(self, name: str, kinds: str) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Save all frames", name, kinds)
        if chosen:
            self.export(Path(chosen))

    def _start(
        self,
        make: Callable[[FrameSheet, Any, Any], object],
        then: Callable[[Any], None],
    ) -> None:
        if self._task.busy:
            return
        self._cancel = cancel = threading.Event()
        self._progress = (0, 0)
        opener = self.sheet_wanted

        def told(done: int, of: int) -> None:
            self._progress = (done, of)

        def work() -> object:
            found = opener()
            return None if found is None else make(found[0], told, cancel.is_set)

        self._then = then
        self._task.start(work, "napari-scope frame export")
        self._show_busy(True)
        self._timer = self.startTimer(_LOOK_MS)

    _timer = 0

    def timerEvent(self, event: Any) -> None:
        """Show how far it is."""
        done, of = self._progress
        self.progress_bar.setRange(0, of)
        self.progress_bar.setValue(done)

    def _show_busy(self, busy: bool) -> None:
        if self._timer:
            self.killTimer(self._timer)
            self._timer = 0
        self.progress_bar.setVisible(busy)
        self.stop_button.setVisible(busy)

    def _on_done(self, result: object) -> None:
        self._show_busy(False)
        self._then(result)

    def _on_failed(self, error: object) -> None:
        self._show_busy(False)
        if isinstance(error, (ScopeError, OSError)):
            notify(f"The frames were not written: {explain(error).message}", "error")
        else:
            notify(f"The frames were not written: {error!r}", "error")


class _TooLong(Exception):
    """There is more text than a clipboard should hold."""


class _Limited(io.StringIO):
    def write(self, text: str) -> int:
        if self.tell() > _MOST_COPIED:
            raise _TooLong
        return super().write(text)


def _add(menu: QMenu, text: str, call: Callable[[], object]) -> None:
    action = menu.addAction(text)
    if action is not None:
        action.triggered.connect(lambda _: call())


def _copy(text: str) -> None:
    clipboard = QApplication.clipboard()
    if clipboard is not None and text:
        clipboard.setText(text)
