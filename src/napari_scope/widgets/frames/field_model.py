"""Nested values as a tree for Qt, opened only as far as somebody looks.

A document is any mapping of names to values, mappings and lists. A list of a million
numbers costs nothing until it is unfolded, and then a page at a time. When a document
is replaced by one of the same build, as from frame to frame, only values change: what
is selected, unfolded and in view stays. What differs from the document before is told
by the role `CHANGED`.

It knows nothing of frames and files.

Examples
--------
>>> model = FieldModel()  # doctest: +SKIP
>>> model.set_document({"Camera": {"Gain": 2}})  # doctest: +SKIP
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from qtpy.QtCore import QAbstractItemModel, QModelIndex, Qt
from qtpy.QtGui import QFont

from napari_scope.formats.frame_records import unit_of

__all__ = ["CHANGED", "PATH", "VALUE", "FieldModel", "find_value", "text_of"]

CHANGED: Final = int(Qt.ItemDataRole.UserRole) + 1
PATH: Final = int(Qt.ItemDataRole.UserRole) + 2
VALUE: Final = int(Qt.ItemDataRole.UserRole) + 3

_PAGE: Final = 200
_INLINE: Final = 8  # elements of a list that is shown on one line
_PREVIEWED: Final = 3  # values that a line tells without being unfolded
_LONGEST: Final = 500
_LONGEST_TIP: Final = 4000
_MISSING: Final = object()


def text_of(value: object, *, indent: int | None = None) -> str:
    """Return a value as text: JSON, but plain text as it is."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if type(value) is float:
        return f"{value:.10g}"
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    except (ValueError, TypeError, RecursionError):
        return "(nested too deeply to be shown)"


def find_value(document: Mapping[str, object], name: str, default: object) -> object:
    """Return the value that a dotted name leads to."""
    value: object = document
    rest = name
    while True:
        if not isinstance(value, Mapping):
            return default
        if rest in value:
            return value[rest]
        for key in value:
            if rest.startswith(f"{key}.") and isinstance(value[key], Mapping):
                value, rest = value[key], rest[len(str(key)) + 1 :]
                break
        else:
            return default


class _Node:
    """A value, and as many of its parts as were asked for."""

    __slots__ = ("children", "name", "parent", "path", "rest", "row", "value")

    def __init__(
        self, name: str, value: object, parent: _Node | None, row: int, path: str
    ) -> None:
        self.name = name
        self.value = value
        self.parent = parent
        self.row = row
        self.path = path
        self.children: list[_Node] = []
        self.rest: Iterator[tuple[str, object]] | None = None
        if _has_parts(value):
            self.rest = _parts(value)

    def fetch(self, most: int = _PAGE) -> list[_Node]:
        """Return the next parts, without taking them up."""
        if self.rest is None:
            return []
        found: list[_Node] = []
        for name, value in islice(self.rest, most):
            row = len(self.children) + len(found)
            path = f"{self.path}.{name}" if self.path else name
            found.append(_Node(name, value, self, row, path))
        if len(found) < most:
            self.rest = None
        return found

    def has_build_of(self, value: object) -> bool:
        """Return whether a value has the parts that were asked for."""
        if not _has_parts(self.value) or not _has_parts(value):
            return not _has_parts(self.value) and not _has_parts(value)
        if len(value) != len(self.value):  # type: ignore[arg-type]
            return False
        names = (name for name, _ in islice(_parts(value), len(self.children)))
        if any(a.name != b for a, b in zip(self.children, names, strict=True)):
            return False
        values = (part for _, part in _parts(value))
        return all(
            child.has_build_of(part)
            for child, part in zip(self.children, values, strict=False)
        )

    def take(self, value: object) -> None:
        """Take another value of the same build."""
        self.value = value
        if not _has_parts(value):
            return
        parts = _parts(value)
        for child in self.children:
            child.take(next(parts)[1])
        if self.rest is not None:
            self.rest = parts


def _has_parts(value: object) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    if not isinstance(value, (list, tuple)):
        return False
    return len(value) > _INLINE or any(
        isinstance(item, (Mapping, list, tuple)) for item in value
    )


def _parts(value: Any) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        return ((str(name), part) for name, part in value.items())
    return ((str(number), part) for number, part in enumerate(value))


class FieldModel(QAbstractItemModel):
    """A document as names and values."""

    def __init__(self) -> None:
        super().__init__()
        self._root = _Node("", {}, None, 0, "")
        self._before: Mapping[str, object] | None = None
        self._bold = QFont()
        self._bold.setBold(True)

    @property
    def document(self) -> Mapping[str, object]:
        """What is shown."""
        value = self._root.value
        assert isinstance(value, Mapping)
        return value

    def set_document(
        self,
        document: Mapping[str, object],
        before: Mapping[str, object] | None = None,
    ) -> bool:
        """Show a document; returns whether it has another build than the last one.

        Parameters
        ----------
        document : mapping
            What to show.
        before : mapping, optional
            What it is compared with.
        """
        self._before = before
        if self._root.children and self._root.has_build_of(document):
            self._root.take(document)
            self._tell(self._root)
            return False
        self.beginResetModel()
        self._root = _Node("", document, None, 0, "")
        self._root.children += self._root.fetch()
        self.endResetModel()
        return True

    def _tell(self, node: _Node) -> None:
        """Tell that the values below a node are others."""
        if not node.children:
            return
        first, last = node.children[0], node.children[-1]
        self.dataChanged.emit(
            self.createIndex(0, 0, first), self.createIndex(last.row, 1, last)
        )
        for child in node.children:
            self._tell(child)

    # ---- what Qt asks

    def _node(self, index: QModelIndex | None) -> _Node:
        if index is None or not index.isValid():
            return self._root
        found = index.internalPointer()
        assert isinstance(found, _Node)
        return found

    def index(
        self, row: int, column: int, parent: QModelIndex | None = None
    ) -> QModelIndex:
        """Return the index of a part."""
        children = self._node(parent).children
        if not 0 <= row < len(children) or not 0 <= column < 2:
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def parent(self, index: QModelIndex | None = None) -> Any:
        """Return the index of what a part belongs to."""
        if index is None:
            return super().parent()
        above = self._node(index).parent
        if above is None or above is self._root:
            return QModelIndex()
        return self.createIndex(above.row, 0, above)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many parts there are, as far as they were asked for."""
        if parent is not None and parent.isValid() and parent.column():
            return 0
        return len(self._node(parent).children)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns: name and value."""
        return 2

    def hasChildren(self, parent: QModelIndex | None = None) -> bool:
        """Return whether there are parts."""
        if parent is not None and parent.isValid() and parent.column():
            return False
        node = self._node(parent)
        return bool(node.children) or node.rest is not None

    def canFetchMore(self, parent: QModelIndex) -> bool:
        """Return whether there are parts that nobody has asked for."""
        return self._node(parent).rest is not None

    def fetchMore(self, parent: QModelIndex) -> None:
        """Take up the next page of parts."""
        node = self._node(parent)
        found = node.fetch()
        if found:
            first = len(node.children)
            self.beginInsertRows(parent, first, first + len(found) - 1)
            node.children += found
            self.endInsertRows()

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Let values be opened, to select a part of their text."""
        flags = super().flags(index)
        if index.column() == 1 and not _has_parts(self._node(index).value):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

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

    def data(self, index: QModelIndex, role: int = 0) -> object:
        """Return what a cell shows."""
        node = self._node(index)
        if role == Qt.ItemDataRole.DisplayRole:
            if index.column() == 0:
                return node.name[:_LONGEST]
            return self._shown(node)[:_LONGEST].replace("\n", " ")
        if role == Qt.ItemDataRole.EditRole:
            return text_of(node.value)
        if role == Qt.ItemDataRole.ToolTipRole:
            if index.column() == 0:
                return node.path[:_LONGEST_TIP]
            return self._shown(node)[:_LONGEST_TIP]
        if role == Qt.ItemDataRole.FontRole:
            bold = node.parent is self._root and _has_parts(node.value)
            return self._bold if bold and index.column() == 0 else None
        if role == CHANGED:
            return self._is_changed(node)
        if role == PATH:
            return node.path
        if role == VALUE:
            return node.value
        return None

    def _shown(self, node: _Node) -> str:
        value = node.value
        if _has_parts(value):
            count = len(value)  # type: ignore[arg-type]
            if node.parent is self._root:
                return ""
            if isinstance(value, Mapping) and count <= _PREVIEWED:
                parts = [f"{k}: {text_of(v)}" for k, v in value.items()]
                if not any(map(_has_parts, value.values())):
                    return ", ".join(parts)
            return f"{count:,} {'value' if count == 1 else 'values'}"
        text = text_of(value)
        unit = unit_of(node.name)
        return f"{text} {unit}" if unit and text else text

    def _is_changed(self, node: _Node) -> bool:
        if self._before is None or (
            node.parent is self._root and _has_parts(node.value)
        ):
            return False
        names: list[str] = []
        above: _Node | None = node
        while above is not None and above is not self._root:
            names.append(above.name)
            above = above.parent
        value: object = self._before
        for name in reversed(names):
            value = _part(value, name)
            if value is _MISSING:
                return True
        try:
            return bool(value != node.value)
        except (RecursionError, ValueError):
            return True


def _part(value: object, name: str) -> object:
    if isinstance(value, Mapping):
        return value.get(name, _MISSING)
    if isinstance(value, (list, tuple)) and name.isdigit() and int(name) < len(value):
        return value[int(name)]
    return _MISSING
