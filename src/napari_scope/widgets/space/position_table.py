"""A table of stage positions: name, x, y, z; values that a user may type over.

The model holds frozen positions of useq and knows nothing of stages or files. Every
change makes a new list and is told once.

Examples
--------
>>> import useq
>>> model = PositionModel()
>>> model.set_positions([useq.Position(x=1.0, y=2.0, name="left")])
>>> model.data(model.index(0, 1))
'1.00'
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import useq

__all__ = ["PositionModel"]

_COLUMNS: Final = (("Name", "name"), ("x", "x"), ("y", "y"), ("z", "z"))


class PositionModel(QAbstractTableModel):
    """The positions of a list.

    Attributes
    ----------
    changed : Signal
        The list is another one.
    """

    changed = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._positions: tuple[useq.AbsolutePosition, ...] = ()

    @property
    def positions(self) -> tuple[useq.AbsolutePosition, ...]:
        """The positions, in order."""
        return self._positions

    def set_positions(self, positions: Iterable[useq.AbsolutePosition]) -> None:
        """Replace the list."""
        self.beginResetModel()
        self._positions = tuple(positions)
        self.endResetModel()
        self.changed.emit()

    def add(self, positions: Iterable[useq.AbsolutePosition]) -> None:
        """Append positions; those without a name get one."""
        new = []
        number = len(self._positions)
        for position in positions:
            name = position.name or f"Pos{number}"
            new.append(position.model_copy(update={"name": name}))
            number += 1
        if not new:
            return
        first = len(self._positions)
        self.beginInsertRows(QModelIndex(), first, first + len(new) - 1)
        self._positions = (*self._positions, *new)
        self.endInsertRows()
        self.changed.emit()

    def remove(self, rows: Iterable[int]) -> None:
        """Remove positions by their rows."""
        gone = set(rows)
        self.set_positions(p for n, p in enumerate(self._positions) if n not in gone)

    def move(self, rows: Sequence[int], by: int) -> list[int]:
        """Move rows up (-1) or down (1) by one; returns where they are then."""
        order = list(range(len(self._positions)))
        chosen = sorted(set(rows), reverse=by > 0)
        if not chosen or not 0 <= chosen[0] + by < len(order):
            return sorted(chosen)
        for row in chosen:
            order[row], order[row + by] = order[row + by], order[row]
        self.set_positions([self._positions[n] for n in order])
        return sorted(row + by for row in chosen)

    def update(self, row: int, **values: float | str | None) -> None:
        """Give a position other values."""
        positions = list(self._positions)
        positions[row] = positions[row].model_copy(update=values)
        self._positions = tuple(positions)
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(_COLUMNS) - 1))
        self.changed.emit()

    # ---- Qt

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of positions."""
        return 0 if parent is not None and parent.isValid() else len(self._positions)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(_COLUMNS)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return names of columns and numbers of rows."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if orientation == Qt.Orientation.Horizontal:
            return _COLUMNS[section][0]
        return str(section + 1)

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Return that everything can be typed over."""
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        position = self._positions[index.row()]
        value = getattr(position, _COLUMNS[index.column()][1])
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole and position.sequence is not None:
            return "This position has a plan of its own"
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return None
        if value is None:
            return ""
        return value if isinstance(value, str) else f"{value:.2f}"

    def setData(
        self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole
    ) -> bool:
        """Take what was typed; what is no number changes nothing."""
        if role != Qt.ItemDataRole.EditRole:
            return False
        name = _COLUMNS[index.column()][1]
        text = str(value).strip()
        if name == "name":
            self.update(index.row(), name=text or None)
            return True
        if not text and name == "z":
            self.update(index.row(), z=None)
            return True
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            return False
        if not math.isfinite(number):
            return False
        self.update(index.row(), **{name: number})
        return True
