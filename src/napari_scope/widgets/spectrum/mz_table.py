"""The list of m/z values as a table: ticked, edited, pasted, taken from the plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_scope.widgets.spectrum.mz_targets import (
    MzTarget,
    parse_targets,
    targets_csv,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MzTable"]

_HEADERS: Final = ("Name", "m/z", "Tolerance")


class MzTable(QTableWidget):
    """Edits a list of `MzTarget`.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    chosen : Signal
        The user has gone to a row; carries its target.
    changed : Signal
        The list is another one.
    """

    chosen = Signal(object)
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_HEADERS), parent)
        self.setHorizontalHeaderLabels(list(_HEADERS))
        self.setAccessibleName("List of m/z values")
        self.setToolTip(
            "Ticked rows become layers. Lists can be pasted: name, m/z, tolerance."
        )
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        if rows is not None:
            rows.setVisible(False)
            rows.setDefaultSectionSize(self.fontMetrics().height() * 3 // 2)
        if columns is not None:
            columns.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            columns.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
            columns.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self._targets: list[MzTarget] = []
        self._skipped: tuple[str, ...] = ()
        self.itemChanged.connect(self._on_item)
        self.currentCellChanged.connect(self._on_current)
        for key, call in (
            (QKeySequence.StandardKey.Paste, self.paste),
            (QKeySequence.StandardKey.Copy, self.copy),
            (QKeySequence.StandardKey.Delete, self.remove_selected),
        ):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(call)

    def sizeHint(self) -> QSize:
        """Ask for some rows."""
        return QSize(240, self.fontMetrics().height() * 8)

    # ---- value

    @property
    def targets(self) -> tuple[MzTarget, ...]:
        """The list."""
        return tuple(self._targets)

    @property
    def ticked(self) -> tuple[MzTarget, ...]:
        """What is ticked."""
        return tuple(
            target
            for row, target in enumerate(self._targets)
            if (item := self.item(row, 0)) is not None
            and item.checkState() == Qt.CheckState.Checked
        )

    def set_targets(self, targets: Iterable[MzTarget]) -> None:
        """Show another list, all of it ticked."""
        self._targets = []
        self.setRowCount(0)
        self.add(targets)

    def add(self, targets: Iterable[MzTarget]) -> None:
        """Add ions that are not in the list yet."""
        self.blockSignals(True)
        for target in targets:
            if target not in self._targets:
                self._targets.append(target)
                self.setRowCount(len(self._targets))
                self._write(len(self._targets) - 1, Qt.CheckState.Checked)
        self.blockSignals(False)
        self.changed.emit()

    def remove_selected(self) -> None:
        """Remove the selected rows."""
        rows = sorted({index.row() for index in self.selectedIndexes()}, reverse=True)
        self.blockSignals(True)
        for row in rows:
            del self._targets[row]
            self.removeRow(row)
        self.blockSignals(False)
        self.changed.emit()

    def _write(self, row: int, ticked: Qt.CheckState) -> None:
        target = self._targets[row]
        width = (
            "as set"
            if target.tolerance is None
            else f"{target.tolerance:g} {target.unit}"
        )
        for column, text in enumerate((target.name, f"{target.mz:.10g}", width)):
            item = self.item(row, column)
            if item is None:
                item = QTableWidgetItem()
                self.setItem(row, column, item)
            item.setText(text)
            if column:
                item.setTextAlignment(
                    Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                )
            else:
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(ticked)

    # ---- clipboard

    def paste(self) -> tuple[str, ...]:
        """Add what the clipboard has; returns the lines that were not understood."""
        clipboard = QApplication.clipboard()
        targets, skipped = parse_targets("" if clipboard is None else clipboard.text())
        self.add(targets)
        return skipped

    def copy(self) -> None:
        """Put the selected rows, or all, into the clipboard as CSV."""
        rows = sorted({index.row() for index in self.selectedIndexes()})
        chosen = [self._targets[row] for row in rows] or self._targets
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(targets_csv(chosen))

    # ---- editing

    def _on_item(self, item: QTableWidgetItem) -> None:
        row = item.row()
        cells = [self.item(row, column) for column in range(3)]
        name, mz, width = ("" if cell is None else cell.text() for cell in cells)
        first = cells[0]
        ticked = Qt.CheckState.Checked if first is None else first.checkState()
        text = "" if width.strip() in ("", "as set") else width
        # As if it were pasted: the same words are understood.
        read, _ = parse_targets(f"mz\ttolerance\n{mz}\t{text}")
        if read:
            one = read[0]
            self._targets[row] = MzTarget(name.strip(), one.mz, one.tolerance, one.unit)
        self.blockSignals(True)
        self._write(row, ticked)
        self.blockSignals(False)
        self.changed.emit()

    def _on_current(self, row: int, _column: int, before: int, _: int) -> None:
        if row != before and 0 <= row < len(self._targets):
            self.chosen.emit(self._targets[row])
