"""A table of metadata: nested values with dotted names, a filter, ways to copy.

It shows any mapping and knows nothing of files or frames. When the values change but
the names stay, as they do from frame to frame, selection and scroll position stay too.
Rows are sorted by name at first: the files have no order that means something.

Examples
--------
>>> flattened({"Camera": {"Gain": 2, "ROI": [0, 0, 512, 512]}, "Stage": None})
[('Camera.Gain', '2'), ('Camera.ROI', '[0, 0, 512, 512]'), ('Stage', '')]
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
)
from qtpy.QtGui import QAction, QColor, QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QStackedLayout,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.common.icons import icon

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qtpy.QtGui import QPainter, QResizeEvent, QShowEvent

__all__ = ["MetadataView", "flattened"]

_MOST_ROWS: Final = 10_000
_LONGEST_SHOWN: Final = 500
_LONGEST_TIP: Final = 4000
_CHARACTERS: Final = 52


def flattened(
    metadata: Mapping[str, object], *, most: int = _MOST_ROWS
) -> list[tuple[str, str]]:
    """Return names and values of metadata in their order.

    Mappings within mappings get dotted names; of lists only those that hold such
    mappings are taken apart, with numbers for names.

    Parameters
    ----------
    metadata : mapping
        JSON-able values, nested however deep.
    most : int
        Rows beyond this are left out; one more row says so.
    """
    rows: list[tuple[str, str]] = []
    # A stack of our own: the depth of a foreign file is not bounded by Python's.
    stack: list[Iterator[tuple[str, object]]] = [_parts("", metadata)]
    while stack:
        part = next(stack[-1], None)
        if part is None:
            stack.pop()
            continue
        name, value = part
        if len(rows) == most:
            rows.append(("…", f"more than {most:,} values"))
            break
        if isinstance(value, Mapping) and value:
            stack.append(_parts(f"{name}.", value))
        elif isinstance(value, list) and any(isinstance(v, Mapping) for v in value):
            stack.append(_parts(f"{name}.", dict(enumerate(value))))
        else:
            rows.append((name, _text(value)))
    return rows


def _parts(prefix: str, value: Mapping[Any, object]) -> Iterator[tuple[str, object]]:
    return ((f"{prefix}{key}", part) for key, part in value.items())


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return _json(value)


def _json(value: object, indent: int | None = None) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    except (ValueError, TypeError, RecursionError):
        return "(nested too deeply to be shown)"


class _Table(QAbstractTableModel):
    """Names and values."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[tuple[str, str]] = []

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What is shown."""
        return self._rows

    def set_rows(self, rows: list[tuple[str, str]]) -> bool:
        """Show other rows; returns whether the names are others than before."""
        if [key for key, _ in rows] != [key for key, _ in self._rows]:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            return True
        self._rows = rows
        if rows:
            self.dataChanged.emit(self.index(0, 1), self.index(len(rows) - 1, 1))
        return False

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of rows."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns: name and value."""
        return 0 if parent is not None and parent.isValid() else 2

    def data(self, index: QModelIndex, role: int = 0) -> object:
        """Return the text of a cell; the tip has all of a long one."""
        text = self._rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return text[:_LONGEST_SHOWN].replace("\n", " ")
        if role == Qt.ItemDataRole.ToolTipRole:
            return text[:_LONGEST_TIP]
        if role == Qt.ItemDataRole.UserRole:
            return text
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = 0
    ) -> object:
        """Return the titles of the columns."""
        if (
            role == Qt.ItemDataRole.DisplayRole
            and orientation == Qt.Orientation.Horizontal
        ):
            return ("Name", "Value")[section]
        return None


class MetadataView(QWidget):
    """Shows metadata, or a sentence why there are none.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._metadata: Mapping[str, object] = {}
        self._model = _Table()
        self._filtered = QSortFilterProxyModel(self)
        self._filtered.setSourceModel(self._model)
        self._filtered.setFilterKeyColumn(-1)
        self._filtered.setFilterRole(Qt.ItemDataRole.UserRole)
        self._filtered.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._filtered.setSortCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)

        self.filter_edit = QLineEdit()
        self.filter_edit.setPlaceholderText("Filter names and values")
        self.filter_edit.setAccessibleName("Filter")
        self.filter_edit.setToolTip("Show only rows that contain this text (Ctrl+F)")
        self.filter_edit.setClearButtonEnabled(True)
        self.count_label = QLabel()
        self.copy_button = QToolButton()
        self.copy_button.setIcon(icon("copy"))
        self.copy_button.setToolTip("Copy everything as JSON")
        self.copy_button.setAccessibleName("Copy everything as JSON")
        self.copy_button.setAutoRaise(True)
        self.copy_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

        self.table = QTableView()
        self.table.setModel(self._filtered)
        self.table.setAccessibleName("Metadata")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setItemDelegate(_Stripes(self.table))
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)  # Tab leads on to the next widget
        self.table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        rows, columns = self.table.verticalHeader(), self.table.horizontalHeader()
        if rows is not None and columns is not None:
            rows.hide()
            rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            rows.setDefaultSectionSize(self.fontMetrics().height() * 3 // 2)
            columns.setStretchLastSection(True)
            columns.setHighlightSections(False)
            columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)

        self.empty_label = QLabel()
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty_label.setWordWrap(True)

        top = QHBoxLayout()
        top.addWidget(self.filter_edit, 1)
        top.addWidget(self.count_label)
        top.addWidget(self.copy_button)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty_label)
        self._stack.addWidget(self.table)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addLayout(self._stack, 1)

        self._add_action("Copy value", self.copy_values)
        self._add_action("Copy name", self.copy_names)
        self._add_action(
            "Copy name and value", self.copy_rows, QKeySequence.StandardKey.Copy
        )
        self._add_action("Copy everything as JSON", self.copy_all)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        find = QAction("Filter", self)
        find.setShortcut(QKeySequence.StandardKey.Find)
        find.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.triggered.connect(self._go_to_filter)
        self.addAction(find)
        self.filter_edit.textChanged.connect(self._on_filter)
        self.copy_button.clicked.connect(self.copy_all)
        self.set_metadata(None, "")

    # ---- value

    @property
    def metadata(self) -> Mapping[str, object]:
        """What is shown; empty when there is nothing."""
        return self._metadata

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Names and values that the filter lets through."""
        return [self._row(number) for number in range(self._filtered.rowCount())]

    def set_metadata(
        self,
        metadata: Mapping[str, object] | None,
        why_empty: str = "",
        rows: list[tuple[str, str]] | None = None,
    ) -> None:
        """Show metadata.

        Parameters
        ----------
        metadata : mapping, optional
            The metadata; None or empty for none.
        why_empty : str
            What is said then.
        rows : list of (str, str), optional
            The metadata as `flattened` gives them, if that was done elsewhere.
        """
        self._metadata = metadata or {}
        if self._model.set_rows(flattened(self._metadata) if rows is None else rows):
            self._fit_names()
        self.empty_label.setText(why_empty)
        self._stack.setCurrentWidget(self.table if self._metadata else self.empty_label)
        for widget in (self.filter_edit, self.copy_button):
            widget.setEnabled(bool(self._metadata))
        self._count()

    # ---- copying

    def copy_values(self) -> None:
        """Copy the values of the selected rows."""
        _copy(value for _, value in self._selected())

    def copy_names(self) -> None:
        """Copy the names of the selected rows."""
        _copy(name for name, _ in self._selected())

    def copy_rows(self) -> None:
        """Copy the selected rows, ready for a spreadsheet."""
        _copy(f"{name}\t{value}" for name, value in self._selected())

    def copy_all(self) -> None:
        """Copy all metadata as JSON, whatever the filter shows."""
        _copy([_json(self._metadata, indent=2)])

    def _selected(self) -> list[tuple[str, str]]:
        selection = self.table.selectionModel()
        rows = [] if selection is None else selection.selectedRows()
        return [self._row(number) for number in sorted(index.row() for index in rows)]

    def _row(self, number: int) -> tuple[str, str]:
        source = self._filtered.mapToSource(self._filtered.index(number, 0))
        return self._model.rows[source.row()]

    # ---- details

    def _add_action(
        self, text: str, call: Any, key: QKeySequence.StandardKey | None = None
    ) -> None:
        action = QAction(text, self.table)
        if key is not None:
            action.setShortcut(key)
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.triggered.connect(call)
        self.table.addAction(action)

    def _on_filter(self, text: str) -> None:
        self._filtered.setFilterFixedString(text)
        self._count()

    def _go_to_filter(self) -> None:
        self.filter_edit.setFocus()
        self.filter_edit.selectAll()

    def _count(self) -> None:
        shown, every = self._filtered.rowCount(), self._model.rowCount()
        text = "" if not every else f"{shown} of {every}" if shown < every else ""
        self.count_label.setText(text)

    def sizeHint(self) -> QSize:
        """Ask for room for names as they are common, and their values."""
        return (
            super()
            .sizeHint()
            .expandedTo(QSize(self.fontMetrics().averageCharWidth() * _CHARACTERS, 0))
        )

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Share the width between names and values anew."""
        super().resizeEvent(event)
        self._fit_names()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Share the width between names and values."""
        super().showEvent(event)
        self._fit_names()

    def _fit_names(self) -> None:
        """Give the names the room they need, but at most half."""
        self.table.resizeColumnToContents(0)
        half = self.width() // 2
        if self.table.columnWidth(0) > half:
            self.table.setColumnWidth(0, half)


class _Stripes(QStyledItemDelegate):
    """Tints every other row, whatever the theme; napari's themes give no colour."""

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> None:
        """Tint the row and paint the text."""
        if painter is not None and index.row() % 2:
            painter.fillRect(option.rect, QColor(128, 128, 128, 32))
        super().paint(painter, option, index)


def _copy(lines: Iterator[str] | Sequence[str]) -> None:
    clipboard = QApplication.clipboard()
    text = "\n".join(lines)
    if clipboard is not None and text:
        clipboard.setText(text)
