"""Names for the cells of pymmcore-widgets' tables, for readers of the screen.

A cell with a box in it has no words of its own; its column has. The names follow as
rows are added.

Examples
--------
>>> name_cells(positions.table(), "Positions")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QWidget,
)

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTableWidget

__all__ = ["name_cells"]

_FIELDS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit)


def name_cells(table: QTableWidget, name: str = "") -> None:
    """Name a table and the boxes in its cells, now and in rows to come.

    Parameters
    ----------
    table : QTableWidget
        The table.
    name : str
        What it holds; nothing if only the cells that are there are to be named anew.
    """
    if name:
        table.setAccessibleName(name)
        model = table.model()
        if model is not None:
            # Connected later than the table's own slot: the boxes are there then.
            model.rowsInserted.connect(
                lambda _parent, first, last: _name_rows(table, range(first, last + 1))
            )
    _name_rows(table, range(table.rowCount()))


def _name_rows(table: QTableWidget, rows: range) -> None:
    for column in range(table.columnCount()):
        header = table.horizontalHeaderItem(column)
        words = "" if header is None else (header.text() or header.toolTip())
        if not words:
            continue
        for row in rows:
            cell = table.cellWidget(row, column)
            if cell is None:
                continue
            for field in (cell, *cell.findChildren(QWidget)):
                if isinstance(field, _FIELDS):
                    field.setAccessibleName(words)
                    field.setToolTip(field.toolTip() or words)
