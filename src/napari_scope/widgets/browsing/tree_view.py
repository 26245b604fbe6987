"""The view of the tree: how wide its columns are, and what is selected in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeView

if TYPE_CHECKING:
    from qtpy.QtCore import QModelIndex

    from napari_scope.formats.tree_node import Node
    from napari_scope.widgets.browsing.tree_model import TreeFilter

__all__ = ["TreeView"]

_CHARACTERS: Final = (26, 27, 11, 9, 14)  # that the columns have room for at first


class TreeView(QTreeView):
    """A tree of nodes in which several can be selected.

    Parameters
    ----------
    filtered : TreeFilter
        What is shown.
    """

    def __init__(self, filtered: TreeFilter) -> None:
        super().__init__()
        self._filtered = filtered
        self.setModel(filtered)
        self.setAccessibleName("Contents of the store")
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setUniformRowHeights(True)
        self.setIndentation(14)
        self.setExpandsOnDoubleClick(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setIconSize(QSize(14, 14))
        header = self.header()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
            header.setStretchLastSection(True)
        for column, width in enumerate(_CHARACTERS[:-1]):
            self.setColumnWidth(column, width * self._character_width())

    def nodes(self) -> list[Node]:
        """Return the selected nodes in the order of the tree."""
        selection = self.selectionModel()
        rows = [] if selection is None else selection.selectedRows(0)
        nodes = [self._filtered.node(index) for index in sorted(rows, key=_place_of)]
        return [node for node in nodes if node is not None]

    def sizeHint(self) -> QSize:
        """Be as wide as the first columns."""
        hint = super().sizeHint()
        wanted = sum(_CHARACTERS[:3]) * self._character_width()
        return QSize(max(hint.width(), wanted), hint.height())

    def _character_width(self) -> int:
        return self.fontMetrics().averageCharWidth()


def _place_of(index: QModelIndex) -> tuple[int, ...]:
    """Return the number of a node and of those above it, the highest first."""
    rows: list[int] = []
    while index.isValid():
        rows.insert(0, index.row())
        index = index.parent()
    return tuple(rows)
