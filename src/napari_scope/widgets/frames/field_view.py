"""A searchable tree of nested values, with favourites on top and changes marked.

It shows any document (see `field_model`) and knows nothing of frames or files. Without
a filter it is a tree; with one it is the list of all values whose name or text contain
it. Fields that are pinned stand at the top under their full names, whatever document
comes. A double click opens a value, so that part of its text can be selected.

Examples
--------
>>> view = FieldView()  # doctest: +SKIP
>>> view.set_document({"Camera": {"Gain": 2}})  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QModelIndex, QPoint, QSize, Qt, QTimer
from qtpy.QtGui import QAction, QColor, QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QStackedLayout,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.frames.field_model import (
    CHANGED,
    PATH,
    VALUE,
    FieldModel,
    find_value,
    text_of,
)
from napari_scope.widgets.frames.flat_fields import flattened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qtpy.QtGui import QPainter, QResizeEvent

__all__ = ["PINNED", "FieldView"]

PINNED: Final = "Pinned"
_FILTER_MS: Final = 150
_GONE: Final = object()


class FieldView(QWidget):
    """Shows a document, or a sentence why there is none.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document: Mapping[str, object] = {}
        self._before: Mapping[str, object] | None = None
        self._pins: list[str] = []
        self._folded: set[str] = set()
        self._unfolded: set[str] = set()
        self._marks = True
        self._restoring = False
        self.model = FieldModel()
        self._make_widgets()
        self._lay_out()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_FILTER_MS)
        self._later.timeout.connect(self._show)
        self.filter_edit.textChanged.connect(lambda _: self._later.start())
        self.tree.expanded.connect(lambda index: self._note(index, unfolded=True))
        self.tree.collapsed.connect(lambda index: self._note(index, unfolded=False))
        self.tree.customContextMenuRequested.connect(self._on_menu)
        self.set_document({}, "")

    def _make_widgets(self) -> None:
        self.filter_edit = QLineEdit()
        self.filter_edit.setPlaceholderText("Find in names and values")
        self.filter_edit.setAccessibleName("Find in names and values")
        self.filter_edit.setToolTip("Show only values that contain this text (Ctrl+F)")
        self.filter_edit.setClearButtonEnabled(True)
        self.count_label = QLabel()
        self.pin_button = QToolButton()
        self.pin_button.setIcon(icon("pin"))
        self.pin_button.setToolTip("Keep the selected fields at the top, or no longer")
        self.pin_button.setAccessibleName("Pin the selected fields")
        self.pin_button.setAutoRaise(True)
        self.pin_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.pin_button.clicked.connect(self.toggle_pins)
        self.copy_button = QToolButton()
        self.copy_button.setIcon(icon("copy"))
        self.copy_button.setToolTip("Copy everything that is shown here as JSON")
        self.copy_button.setAccessibleName("Copy as JSON")
        self.copy_button.setAutoRaise(True)
        self.copy_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.copy_button.clicked.connect(self.copy_all)

        self.tree = QTreeView()
        self.tree.setModel(self.model)
        self.tree.setAccessibleName("Fields")
        self.tree.setUniformRowHeights(True)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.setItemDelegate(_Delegate(self.tree))
        self.tree.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.tree.setIndentation(self.fontMetrics().averageCharWidth() * 2)
        header = self.tree.header()
        if header is not None:
            header.setStretchLastSection(True)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        self.empty_label = QLabel()
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty_label.setWordWrap(True)
        self._add_action("Copy", self.copy_rows, QKeySequence.StandardKey.Copy)
        self._add_action("Find", self._go_to_filter, QKeySequence.StandardKey.Find)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.filter_edit, 1)
        top.addWidget(self.count_label)
        top.addWidget(self.pin_button)
        top.addWidget(self.copy_button)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty_label)
        self._stack.addWidget(self.tree)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addLayout(self._stack, 1)

    def _add_action(
        self, text: str, call: Callable[[], object], key: QKeySequence.StandardKey
    ) -> None:
        action = QAction(text, self)
        action.setShortcut(key)
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(lambda _: call())
        self.addAction(action)

    # ---- value

    @property
    def document(self) -> Mapping[str, object]:
        """What is shown, without what is pinned."""
        return self._document

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Dotted names and texts of all values, whatever is unfolded."""
        return flattened(self._document)

    @property
    def pins(self) -> tuple[str, ...]:
        """Dotted names of the fields at the top."""
        return tuple(self._pins)

    def set_pins(self, names: Sequence[str]) -> None:
        """Keep other fields at the top."""
        self._pins = list(dict.fromkeys(names))
        self._show()

    def set_marks(self, on: bool) -> None:
        """Mark what differs from the document before, or not."""
        self._marks = on
        self._show()

    def set_document(
        self,
        document: Mapping[str, object],
        why_empty: str = "",
        *,
        before: Mapping[str, object] | None = None,
    ) -> None:
        """Show a document.

        Parameters
        ----------
        document : mapping
            The document; empty for none.
        why_empty : str
            What is said then.
        before : mapping, optional
            What it is compared with.
        """
        self._document = document
        self._before = before
        self.empty_label.setText(why_empty)
        self._stack.setCurrentWidget(self.tree if document else self.empty_label)
        for widget in (self.filter_edit, self.copy_button, self.pin_button):
            widget.setEnabled(bool(document))
        self._show()

    def _show(self) -> None:
        self._later.stop()
        wanted = self.filter_edit.text().strip().casefold()
        before = self._before if self._marks else None
        if wanted:
            rows = flattened(self._document)
            shown: Mapping[str, object] = {
                name: value
                for name, value in rows
                if wanted in name.casefold() or wanted in value.casefold()
            }
            self.count_label.setText(f"{len(shown)} of {len(rows)}")
            if before is not None:
                before = dict(flattened(before))
        else:
            self.count_label.clear()
            shown = self._with_pins(self._document)
            if before is not None:
                before = self._with_pins(before)
        at = self._scrolled
        if self.model.set_document(shown, before):
            self._unfold()
            self._fit()
            bar = self.tree.verticalScrollBar()
            if bar is not None:
                bar.setValue(at)
        viewport = self.tree.viewport()
        if viewport is not None:
            viewport.update()

    @property
    def _scrolled(self) -> int:
        bar = self.tree.verticalScrollBar()
        return 0 if bar is None else int(bar.value())

    def _with_pins(self, document: Mapping[str, object]) -> Mapping[str, object]:
        found = {name: find_value(document, name, _GONE) for name in self._pins}
        pinned = {name: "" if v is _GONE else v for name, v in found.items()}
        return {PINNED: pinned, **document} if pinned else document

    # ---- what is unfolded

    def _note(self, index: QModelIndex, *, unfolded: bool) -> None:
        if self._restoring or self.filter_edit.text():
            return
        path = str(index.data(PATH))
        (self._unfolded if unfolded else self._folded).add(path)
        (self._folded if unfolded else self._unfolded).discard(path)

    def _unfold(self, above: QModelIndex | None = None) -> None:
        """Unfold what the user has unfolded, and the first level at first."""
        self._restoring = True
        top = above is None
        parent = QModelIndex() if above is None else above
        for row in range(self.model.rowCount(parent)):
            index = self.model.index(row, 0, parent)
            path = str(index.data(PATH))
            wanted = path in self._unfolded or (top and path not in self._folded)
            if wanted and self.model.hasChildren(index):
                if not self.model.rowCount(index) and self.model.canFetchMore(index):
                    self.model.fetchMore(index)
                self.tree.expand(index)
                self._unfold(index)
        if top:
            self._restoring = False

    # ---- pinning

    def toggle_pins(self) -> None:
        """Pin the selected fields; if all of them are pinned, not any more."""
        names = [
            path.removeprefix(f"{PINNED}.")
            for path, value in self._selected()
            if path != PINNED
        ]
        if not names:
            return
        if all(name in self._pins for name in names):
            self._pins = [name for name in self._pins if name not in names]
        else:
            self._pins += [name for name in names if name not in self._pins]
        self._show()

    # ---- copying

    def copy_rows(self) -> None:
        """Copy the selected names and values, ready for a spreadsheet."""
        _copy("\n".join(f"{p}\t{text_of(v)}" for p, v in self._selected()))

    def copy_values(self) -> None:
        """Copy the values of the selected rows."""
        _copy("\n".join(text_of(value) for _, value in self._selected()))

    def copy_selection(self) -> None:
        """Copy the selected fields as JSON."""
        _copy(text_of(dict(self._selected()), indent=2))

    def copy_all(self) -> None:
        """Copy the whole document as JSON, whatever the filter shows."""
        _copy(text_of(self._document, indent=2))

    def _selected(self) -> list[tuple[str, Any]]:
        selection = self.tree.selectionModel()
        rows = [] if selection is None else selection.selectedRows()
        return [(str(index.data(PATH)), index.data(VALUE)) for index in rows]

    # ---- details

    def _on_menu(self, where: QPoint) -> None:
        viewport = self.tree.viewport()
        if viewport is None or not self._selected():
            return
        menu = QMenu(self)
        for text, call in (
            ("Copy name and value", self.copy_rows),
            ("Copy value", self.copy_values),
            ("Copy as JSON", self.copy_selection),
            ("Copy everything as JSON", self.copy_all),
            ("Pin to the top, or no longer", self.toggle_pins),
        ):
            action = menu.addAction(text)
            if action is not None:
                action.triggered.connect(lambda _, c=call: c())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(viewport.mapToGlobal(where))

    def _go_to_filter(self) -> None:
        self.filter_edit.setFocus()
        self.filter_edit.selectAll()

    def sizeHint(self) -> QSize:
        """Ask for room for names as they are common, and their values."""
        width = self.fontMetrics().averageCharWidth() * 52
        return super().sizeHint().expandedTo(QSize(width, 0))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Share the width between names and values anew."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Give the names the room they need, but at most half."""
        self.tree.resizeColumnToContents(0)
        most = max(self.width() * 11 // 20, 60)
        room = self.fontMetrics().averageCharWidth() * 2
        width = min(self.tree.columnWidth(0) + room, most)
        self.tree.setColumnWidth(0, width)


class _Delegate(QStyledItemDelegate):
    """Tints what has changed, and opens values to be read only."""

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> None:
        """Tint the row and paint the text."""
        if painter is not None and index.data(CHANGED):
            painter.fillRect(option.rect, QColor(255, 170, 0, 56))
        super().paint(painter, option, index)

    def createEditor(
        self,
        parent: QWidget | None,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> QWidget:
        """Return an editor in which text can be selected, not changed."""
        editor = QLineEdit(parent)
        editor.setReadOnly(True)
        return editor

    def setEditorData(self, editor: QWidget | None, index: QModelIndex) -> None:
        """Show the whole value, all of it selected."""
        if isinstance(editor, QLineEdit):
            editor.setText(str(index.data(Qt.ItemDataRole.EditRole)))
            editor.selectAll()

    def setModelData(self, editor: Any, model: Any, index: QModelIndex) -> None:
        """Change nothing."""


def _copy(text: str) -> None:
    clipboard = QApplication.clipboard()
    if clipboard is not None and text:
        clipboard.setText(text)
