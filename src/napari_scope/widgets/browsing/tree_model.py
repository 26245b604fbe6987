"""The tree of a data set as a model of Qt: nodes are read when they come into view.

Children are read when a node is unfolded, and what a node says of itself when its row
is drawn, both in threads (`napari_scope.widgets.browsing.tree_loader`); meanwhile the
row shows dots. What the parent's document told (the wells of a plate) is there at once,
so that a filter finds it.

Examples
--------
>>> model = TreeModel(parent)  # doctest: +SKIP
>>> model.set_root(open_tree("/data/plate.zarr"))  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QObject,
    QSortFilterProxyModel,
    Qt,
)

from napari_scope.widgets.browsing.tree_loader import TreeLoader
from napari_scope.widgets.browsing.tree_words import (
    channel_words,
    name_words,
    shape_words,
    size_of,
    tip,
)
from napari_scope.widgets.common.icons import AMBER, icon

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_scope.formats.tree_node import Node

__all__ = ["COLUMNS", "TreeFilter", "TreeModel"]

COLUMNS: Final = ("Name", "Shape", "Size", "Type", "Channels")

_NOT_YET: Final = "…"
_ICONS: Final = {
    "plate": "tree-plate",
    "row": "tree-plate",
    "well": "tree-well",
    "field": "tree-image",
    "image": "tree-image",
    "level": "tree-level",
    "labels": "tree-labels",
    "label": "tree-labels",
    "msi": "tree-image",
    "region": "tree-labels",
}


class _Row:
    """A node in the tree, with its place in it."""

    __slots__ = ("children", "node", "number", "parent", "unfolds")

    def __init__(self, node: Node, parent: _Row | None, number: int) -> None:
        self.node = node
        self.parent = parent
        self.number = number
        self.unfolds = False  # once it is described
        self.children: list[_Row] | None = None
        if node.known is not None:
            self.children = self.rows_of(node.known)

    def rows_of(self, nodes: Iterable[Node]) -> list[_Row]:
        return [_Row(node, self, number) for number, node in enumerate(nodes)]


class TreeModel(QAbstractItemModel):
    """The nodes of one tree.

    Parameters
    ----------
    parent : QObject
        Owner.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.loader = TreeLoader(self)
        self._root: _Row | None = None

    @property
    def root(self) -> Node | None:
        """The node at the top."""
        return None if self._root is None else self._root.node

    def set_root(self, root: Node | None) -> None:
        """Show another tree; what was being read of the former is left behind."""
        self.loader.forget()
        self.beginResetModel()
        self._root = None if root is None else _Row(root, None, 0)
        self.endResetModel()

    def node(self, index: QModelIndex) -> Node | None:
        """Return the node of an index."""
        row = self._row(index)
        return None if row is None else row.node

    # ---- what Qt asks

    def index(
        self, row: int, column: int, parent: QModelIndex | None = None
    ) -> QModelIndex:
        """Return the index of a child."""
        if parent is None or not parent.isValid():
            if self._root is not None and row == 0:
                return self.createIndex(row, column, self._root)
            return QModelIndex()
        above = self._row(parent)
        children = (above and above.children) or []
        if 0 <= row < len(children):
            return self.createIndex(row, column, children[row])
        return QModelIndex()

    def parent(self, index: QModelIndex | None = None) -> QModelIndex:  # type: ignore[override]
        """Return the index of the node above."""
        row = None if index is None else self._row(index)
        if row is None or row.parent is None:
            return QModelIndex()
        return self.createIndex(row.parent.number, 0, row.parent)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of children that are known."""
        if parent is None or not parent.isValid():
            return 0 if self._root is None else 1
        row = self._row(parent)
        if row is None or parent.column() > 0:
            return 0
        return len(row.children or ())

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return len(COLUMNS)

    def hasChildren(self, parent: QModelIndex | None = None) -> bool:
        """Return whether there may be children; they need not be known."""
        if parent is None or not parent.isValid():
            return self._root is not None
        row = self._row(parent)
        if row is None or parent.column() > 0:
            return False
        if row.children is not None:
            return bool(row.children)
        return row.node.may_have_children

    def canFetchMore(self, parent: QModelIndex) -> bool:
        """Return whether the children have to be read."""
        row = self._row(parent)
        return row is not None and row.children is None and row.node.may_have_children

    def fetchMore(self, parent: QModelIndex) -> None:
        """Read the children in a thread."""
        row = self._row(parent)
        if row is None or not self.canFetchMore(parent):
            return
        if row.node.describe is not None:
            row.unfolds = True  # what it says of itself tells most of it
            self._describe(row)
            return
        node = row.node
        self.loader.ask(
            (id(row), "children"),
            node.children,
            lambda found: self._insert(row, found),  # type: ignore[arg-type]
            lambda error: self._on_not_read(row, error),
        )

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = 0
    ) -> object:
        """Return the titles of the columns."""
        if (
            role == Qt.ItemDataRole.DisplayRole
            and orientation == Qt.Orientation.Horizontal
        ):
            return COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = 0) -> object:
        """Return the text of a cell; a row that is drawn is read in a thread."""
        row = self._row(index)
        if row is None:
            return None
        node, column = row.node, index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            self._describe(row)
            if column == 0:
                return name_words(node)
            waiting = node.describe is not None and not node.problem
            return _cell(node, column) or (_NOT_YET if waiting and column == 1 else "")
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(node)
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            if node.problem:
                return icon("error", AMBER)
            return icon(_ICONS.get(node.kind, "folder"))
        if role == Qt.ItemDataRole.AccessibleTextRole and column == 0:
            return f"{node.kind} {node.name}"
        return None

    # ---- reading

    def _row(self, index: QModelIndex) -> _Row | None:
        row = index.internalPointer() if index.isValid() else None
        return row if isinstance(row, _Row) else None

    def _describe(self, row: _Row) -> None:
        if row.node.describe is not None:
            self.loader.ask(
                (id(row), "facts"),
                row.node.described,
                lambda found: self._describe_with(row, found),  # type: ignore[arg-type]
                lambda error: self._on_not_read(row, error),
            )

    def _describe_with(self, row: _Row, node: Node) -> None:
        row.node = node
        if row.children is None and node.known is not None:
            self._insert(row, node.known)
        elif row.unfolds:
            row.unfolds = False
            self.fetchMore(self.createIndex(row.number, 0, row))
        self.dataChanged.emit(
            self.createIndex(row.number, 0, row),
            self.createIndex(row.number, len(COLUMNS) - 1, row),
        )

    def _on_not_read(self, row: _Row, error: BaseException) -> None:
        """Show what nobody foresaw, once: what failed is not read again and again."""
        problem = f"{type(error).__name__}: {error}"
        self._insert(row, ())
        self._describe_with(row, replace(row.node, problem=problem, describe=None))

    def _insert(self, row: _Row, nodes: tuple[Node, ...]) -> None:
        if row.children is not None:
            return
        rows = row.rows_of(nodes)
        if not rows:
            row.children = []
            return
        self.beginInsertRows(self.createIndex(row.number, 0, row), 0, len(rows) - 1)
        row.children = rows
        self.endInsertRows()


def _cell(node: Node, column: int) -> str:
    words = (None, shape_words, size_of, lambda n: n.facts.dtype, channel_words)[column]
    return "" if words is None else words(node)


class TreeFilter(QSortFilterProxyModel):
    """Shows the nodes that match what somebody types, and all above and below them."""

    def __init__(self, model: TreeModel, parent: QObject) -> None:
        super().__init__(parent)
        self._tree = model
        self._wanted = ""
        self.setRecursiveFilteringEnabled(True)
        self.setSourceModel(model)

    def set_wanted(self, text: str) -> None:
        """Filter by a text; nothing shows all."""
        self._wanted = text.strip()
        self.invalidateFilter()

    def node(self, index: QModelIndex) -> Node | None:
        """Return the node of an index of this filter."""
        return self._tree.node(self.mapToSource(index))

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        """Return whether a node, or one above it, matches."""
        if not self._wanted:
            return True
        index = self._tree.index(row, 0, parent)
        node = self._tree.node(index)
        if node is not None and node.leads_to(self._wanted):
            return True
        while index.parent().isValid():  # the root has everything below it
            node = self._tree.node(index)
            if node is not None and node.matches(self._wanted):
                return True
            index = index.parent()
        return False
