"""The lines of a log book as a table: those that matter and hold a text.

The table pulls: nobody who logs knows of it. Its size is bounded by that of the book.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QBrush, QColor

from napari_scope.widgets.common.icons import AMBER, RED, icon
from napari_scope.widgets.common.tones import toned

if TYPE_CHECKING:
    from napari_scope.widgets.common.log_book import LogBook, LogLine

__all__ = ["HEADERS", "MESSAGE", "LogModel"]

HEADERS = ("Time", "From", "Message")
MESSAGE = len(HEADERS) - 1
_NONE = QModelIndex()
_COLORS = {"Error": RED, "Warning": AMBER}
_SIGNS = {"Error": "error", "Warning": "alert"}


class LogModel(QAbstractTableModel):
    """Lines of a book.

    Parameters
    ----------
    book : LogBook
        The book.
    """

    def __init__(self, book: LogBook) -> None:
        super().__init__()
        self._book = book
        self._begin = 0
        self._read = 0
        self._level = logging.INFO
        self._needle = ""
        self._with_core = True
        self.lines: list[LogLine] = []

    # ---- what is shown

    def choose(self, level: int, needle: str, *, with_core: bool) -> None:
        """Show the lines of at least a level that hold a text.

        Parameters
        ----------
        level : int
            Lowest level.
        needle : str
            Text to find, in any case; empty for all.
        with_core : bool
            Whether all lines of the core's own log are shown; its warnings and errors
            always are.
        """
        self._level, self._needle = level, needle.casefold().strip()
        self._with_core = with_core
        self.beginResetModel()
        lines, self._read = self._book.since(self._begin)
        self.lines = [line for line in lines if self._fits(line)]
        self.endResetModel()

    def take_new(self) -> int:
        """Show what has been written since; returns how many lines that are."""
        lines, self._read = self._book.since(self._read)
        new = [line for line in lines if self._fits(line)]
        if not new:
            return 0
        first = len(self.lines)
        self.beginInsertRows(_NONE, first, first + len(new) - 1)
        self.lines.extend(new)
        self.endInsertRows()
        too_many = len(self.lines) - self._book.most_lines
        if too_many > 0:
            self.beginRemoveRows(_NONE, 0, too_many - 1)
            del self.lines[:too_many]
            self.endRemoveRows()
        return len(new)

    def clear(self) -> None:
        """Show only what will be written from now on."""
        self.beginResetModel()
        self._begin = self._read = self._book.since(self._read)[1]
        self.lines = []
        self.endResetModel()

    def _fits(self, line: LogLine) -> bool:
        if line.level < self._level:
            return False
        quiet = line.level < logging.WARNING
        if quiet and not self._with_core and line.source.startswith("Core"):
            return False
        needle = self._needle
        return (
            not needle
            or needle in line.text.casefold()
            or needle in line.source.casefold()
        )

    # ---- Qt

    def rowCount(self, parent: QModelIndex = _NONE) -> int:
        """Return how many lines are shown."""
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: QModelIndex = _NONE) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(HEADERS)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return the title of a column."""
        if (
            role == Qt.ItemDataRole.DisplayRole
            and orientation == Qt.Orientation.Horizontal
        ):
            return HEADERS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self.lines):
            return None
        line = self.lines[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            if index.column() == MESSAGE:
                first, _, more = line.text.partition("\n")
                return f"{first} …" if more else first
            return (line.clock[:8], line.source)[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            about = f"{line.clock}  {line.level_name}, from {line.source}"
            return about if index.column() != MESSAGE else line.text[:2000]
        if line.level_name in _COLORS and index.column() == MESSAGE:
            if role == Qt.ItemDataRole.ForegroundRole:
                return QBrush(QColor(toned(_COLORS[line.level_name])))
            if role == Qt.ItemDataRole.DecorationRole:
                return icon(_SIGNS[line.level_name], _COLORS[line.level_name])
            if role == Qt.ItemDataRole.AccessibleTextRole:
                return f"{line.level_name}: {line.text}"
        return None
