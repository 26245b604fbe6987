"""Files with hooks: chosen, shown with their functions, switched off, removed.

A file is run in a thread for a limited time when it is added or ticked, and again when
it has changed on the disk; what is wrong with it is told in its row. Files of an
earlier session are shown without a tick: nothing is run because napari was started.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire.hook_files import (
    HookFile,
    file_stamp,
    load_hook_file,
)
from napari_scope.errors import PlanError
from napari_scope.widgets.acquiring.user_code import UserCode
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.common.icons import RED, icon

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HookChooser"]

_FILES = "Python files (*.py)"
_LOOK_MS = 1000


@dataclass(slots=True)
class _Row:
    path: Path
    item: QTreeWidgetItem
    file: HookFile | None = None
    problem: BaseException | None = None
    stamp: tuple[int, int] | None = None


class HookChooser(QWidget):
    """Chooses files with hooks.

    Attributes
    ----------
    valueChanged : Signal
        Other hooks.
    """

    valueChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[_Row] = []
        self._to_load: list[_Row] = []
        self._loading: _Row | None = None
        self._folder = ""
        self.code = UserCode(self)
        self.code.finished.connect(self._on_loaded)
        self.code.failed.connect(self._on_failed)
        self._watch = BackgroundCall(self, abandon=True)
        self._watch.finished.connect(self._on_looked)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setAccessibleName("Files with hooks")
        self.tree.setToolTip("Ticked files take part in the run")
        self.tree.setMinimumHeight(self.fontMetrics().lineSpacing() * 5)
        self.tree.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.add_button = QPushButton(icon("folder"), "Add …")
        self.add_button.setToolTip(
            "Add a Python file with functions such as post_hardware_hook_fn"
        )
        self.reload_button = QPushButton(icon("reload"), "Reload")
        self.reload_button.setToolTip("Read the ticked files again")
        self.remove_button = QPushButton(icon("dismiss"), "Remove")
        self.remove_button.setToolTip("Take the selected file off the list")
        row = QHBoxLayout()
        for button in (self.add_button, self.reload_button, self.remove_button):
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            row.addWidget(button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tree)
        layout.addLayout(row)
        self.add_button.clicked.connect(lambda: self.add())
        self.reload_button.clicked.connect(self.reload)
        self.remove_button.clicked.connect(self.remove_selected)
        self.tree.itemChanged.connect(self._on_ticked)

    # ---- value

    def value(self) -> tuple[HookFile, ...]:
        """Return the files that are ticked.

        Raises
        ------
        PlanError
            If one of them is being loaded, or cannot be used.
        """
        found = []
        for row in self._rows:
            if not self._is_ticked(row):
                continue
            if row.problem is not None:
                words = explain(row.problem)
                raise PlanError(
                    f"the hooks cannot be used, {words.message}",
                    path=row.path,
                    hint=words.hint or "mend the file and reload it, or untick it",
                )
            if row.file is None:
                raise PlanError(
                    "the hooks are being loaded", path=row.path, hint="wait a moment"
                )
            found.append(row.file)
        return tuple(found)

    @property
    def words(self) -> str:
        """How many files are ticked, in words; empty for none."""
        ticked = sum(map(self._is_ticked, self._rows))
        if not self._rows:
            return ""
        noun = "file" if len(self._rows) == 1 else "files"
        return f"{ticked} of {len(self._rows)} {noun}"

    def add(self, files: Sequence[str | Path] | None = None) -> None:
        """Add files; without any, ask for them."""
        if files is None:
            files, _ = QFileDialog.getOpenFileNames(
                self, "Add files with hooks", self._folder, _FILES
            )
        for file in files or ():
            path = Path(file)
            self._folder = str(path.parent)
            if all(row.path != path for row in self._rows):
                self._load(self._row(path, ticked=True))

    def reload(self) -> None:
        """Read the ticked files again."""
        for row in self._rows:
            if self._is_ticked(row):
                self._load(row)

    def look(self) -> None:
        """Read ticked files again that have changed on the disk."""
        paths = [row.path for row in self._rows if self._is_ticked(row)]
        if paths and not self._watch.busy:
            self._watch.start(
                lambda: {path: file_stamp(path) for path in paths}, "napari-scope hooks"
            )

    def _on_looked(self, found: object) -> None:
        assert isinstance(found, dict)
        for row in self._rows:
            settled = row.file is not None or row.problem is not None
            if settled and found.get(row.path, row.stamp) != row.stamp:
                self._load(row)

    def remove_selected(self) -> None:
        """Take the selected files off the list."""
        chosen = {id(item) for item in self.tree.selectedItems()}
        chosen |= {id(item.parent()) for item in self.tree.selectedItems()}
        for row in [row for row in self._rows if id(row.item) in chosen]:
            self._rows.remove(row)
            self.tree.takeTopLevelItem(self.tree.indexOfTopLevelItem(row.item))
        self.valueChanged.emit()

    # ---- state

    def state(self) -> list[str]:
        """Return the files."""
        return [str(row.path) for row in self._rows]

    def restore(self, files: object) -> None:
        """Show files of an earlier session; they are neither ticked nor run."""
        if isinstance(files, list):
            for file in files:
                self._row(Path(str(file)), ticked=False)
            self.valueChanged.emit()

    def close_down(self) -> None:
        """Stop what goes on; idempotent."""
        self._to_load.clear()
        self._timer.stop()
        self._watch.close()
        self.code.stop()

    # ---- rows

    def _row(self, path: Path, *, ticked: bool) -> _Row:
        item = QTreeWidgetItem([path.name])
        item.setToolTip(0, str(path))
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(0, _check(ticked))
        row = _Row(path, item)
        self._rows.append(row)
        self.tree.addTopLevelItem(item)
        self._describe(row, [] if ticked else ["not loaded: tick it"])
        return row

    def _is_ticked(self, row: _Row) -> bool:
        return bool(row.item.checkState(0) == Qt.CheckState.Checked)

    def _on_ticked(self, item: QTreeWidgetItem, _: int) -> None:
        row = next((row for row in self._rows if row.item is item), None)
        if row is None:
            return
        if self._is_ticked(row) and row.file is None:
            self._load(row)
        self.valueChanged.emit()

    def _load(self, row: _Row) -> None:
        row.file = row.problem = None
        self._describe(row, ["being loaded …"])
        if row not in self._to_load:
            self._to_load.append(row)
        self._next()

    def _next(self) -> None:
        if self._loading is None and self._to_load:
            self._loading = row = self._to_load.pop(0)
            path = row.path
            self.code.start(lambda: _loaded(row, path))
        self.valueChanged.emit()

    def _on_loaded(self, file: object) -> None:
        row, self._loading = self._loading, None
        assert isinstance(file, HookFile)
        if row is not None:
            row.file = file
            self._describe(row, list(file.names))
        self._next()

    def _on_failed(self, error: Any) -> None:
        row, self._loading = self._loading, None
        if row is not None:
            row.problem = error
            words = explain(error)
            self._describe(row, [words.message, words.hint], bad=True)
        self._next()

    def _describe(self, row: _Row, lines: list[str], *, bad: bool = False) -> None:
        before = self.tree.blockSignals(True)
        row.item.takeChildren()
        for line in filter(None, lines):
            child = QTreeWidgetItem([line])
            child.setToolTip(0, line)
            if bad:
                child.setForeground(0, QColor(RED))
            row.item.addChild(child)
        row.item.setExpanded(True)
        self.tree.blockSignals(before)


def _loaded(row: _Row, path: Path) -> HookFile:
    row.stamp = file_stamp(path)
    return load_hook_file(path)


def _check(ticked: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked
