"""The two views of a folder's data sets: a list with columns, and icons.

Both show one model and share what is selected in it. Rows are dragged out of them.

Examples
--------
>>> view = FolderView(model)  # doctest: +SKIP
>>> view.set_mode("icons")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from qtpy.QtCore import QPoint, QRect, QSize, Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QTreeView,
)

from napari_scope.widgets.browsing.folder_model import (
    COLUMNS,
    SUMMARY_ROLE,
    FolderModel,
    state_icon,
)

if TYPE_CHECKING:
    from qtpy.QtCore import QModelIndex
    from qtpy.QtGui import QPainter, QResizeEvent
    from qtpy.QtWidgets import QStyleOptionViewItem, QWidget

    from napari_scope.widgets.browsing.folder_rows import FolderRow

__all__ = ["FolderView", "Mode"]

Mode: TypeAlias = Literal["list", "icons"]

_LINES: Final = 2.4  # height of a picture in the list, in lines of text
_CHARACTERS: Final = (30, 16, 24, 10, 17, 14)
_ICON: Final = 14.0  # width of an icon in characters
_LOOK_MS: Final = 60


class FolderView(QStackedWidget):
    """Shows a folder's data sets.

    Parameters
    ----------
    model : FolderModel
        The data sets.

    Attributes
    ----------
    activated : Signal
        Rows are to be opened.
    selection_changed : Signal
        Other rows are selected.
    menu_wanted : Signal
        Carries the point on the screen.
    seen_changed : Signal
        Other rows may be in view, some time ago.
    moved : Signal
        The rows are being moved.
    """

    activated = Signal()
    selection_changed = Signal()
    menu_wanted = Signal(QPoint)
    seen_changed = Signal()
    moved = Signal()

    def __init__(self, model: FolderModel) -> None:
        super().__init__()
        self._model = model
        self.list_view = _List()
        self.icon_view = _Icons()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_LOOK_MS)
        self._soon.timeout.connect(self.seen_changed)
        for view in self._views:
            view.setModel(model)
            view.setAccessibleName("Data sets of the folder")
            view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
            view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
            view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            view.setDragEnabled(True)
            view.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
            view.activated.connect(lambda _: self.activated.emit())
            view.customContextMenuRequested.connect(self._on_menu)
            bar: Any = view.verticalScrollBar()
            bar.valueChanged.connect(self._on_moved)
            self.addWidget(view)
        # One selection for both, so that nothing is lost when the view changes.
        selection: Any = self.list_view.selectionModel()
        self.icon_view.setSelectionModel(selection)
        selection.selectionChanged.connect(lambda *_: self.selection_changed.emit())
        self.list_view.fit()
        header: Any = self.list_view.header()
        self.show_order()
        header.sortIndicatorChanged.connect(
            lambda column, order: model.sort(column, order)
        )
        model.arranged.connect(self._soon.start)

    @property
    def _views(self) -> tuple[QAbstractItemView, QAbstractItemView]:
        return self.list_view, self.icon_view

    @property
    def mode(self) -> Mode:
        """Which view is shown."""
        return "list" if self.currentIndex() == 0 else "icons"

    def set_mode(self, mode: Mode) -> None:
        """Show the list or the icons."""
        self.setCurrentIndex(0 if mode == "list" else 1)
        self.setFocusProxy(self.currentWidget())
        self._soon.start()

    def show_order(self) -> None:
        """Show in the header what the model is sorted by."""
        by, descending = self._model.order
        names = [name for name, _ in COLUMNS]
        header: Any = self.list_view.header()
        header.setSortIndicator(
            names.index(by),
            Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder,
        )

    def selected(self) -> list[FolderRow]:
        """Return the selected rows in their order."""
        selection: Any = self.list_view.selectionModel()
        numbers = sorted({index.row() for index in selection.selectedIndexes()})
        rows = [self._model.row_of(self._model.index(n, 0)) for n in numbers]
        return [row for row in rows if row is not None]

    def seen(self) -> list[FolderRow]:
        """Return the rows in view and a few behind them."""
        view: Any = self.currentWidget()
        port = view.viewport().rect()
        first = view.indexAt(QPoint(8, 8))
        if not first.isValid():
            return list(self._model.rows[:40])
        size = self.icon_view.gridSize()
        if self.mode == "icons":
            across = max(1, port.width() // max(1, size.width()))
            count = across * (port.height() // max(1, size.height()) + 2)
        else:
            count = port.height() // max(1, view.visualRect(first).height()) + 2
        return list(self._model.rows[first.row() : first.row() + count])

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Notice that other rows are in view."""
        super().resizeEvent(event)
        self._soon.start()

    def _on_moved(self, _: int) -> None:
        self.moved.emit()
        self._soon.start()

    def _on_menu(self, point: QPoint) -> None:
        view: Any = self.currentWidget()
        self.menu_wanted.emit(view.viewport().mapToGlobal(point))


class _List(QTreeView):
    def __init__(self) -> None:
        super().__init__()
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setSortingEnabled(False)

    def fit(self) -> None:
        """Give the columns their first widths; sorts by a click on the header."""
        line = self.fontMetrics().lineSpacing()
        side = int(_LINES * line)
        self.setIconSize(QSize(side, side))
        self.setItemDelegateForColumn(0, _Name(self, side))
        self.setItemDelegateForColumn(1, _State(self, line))
        character = self.fontMetrics().averageCharWidth()
        for column, width in enumerate(_CHARACTERS):
            self.setColumnWidth(column, width * character)
        header: Any = self.header()
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)


class _State(QStyledItemDelegate):
    """A state with an icon of the height of its text."""

    def __init__(self, parent: QWidget, side: int) -> None:
        super().__init__(parent)
        self._size = QSize(side, side)

    def initStyleOption(self, option: Any, index: QModelIndex) -> None:
        """Make the icon small; that of a name is a picture."""
        super().initStyleOption(option, index)
        option.decorationSize = self._size


class _Name(QStyledItemDelegate):
    """Rows as high as their pictures, also before there is one."""

    def __init__(self, parent: QWidget, side: int) -> None:
        super().__init__(parent)
        self._side = side

    def initStyleOption(self, option: Any, index: QModelIndex) -> None:
        """Leave out the middle of a long name: its end tells it from others."""
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideMiddle

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Be high enough for a picture."""
        hint = super().sizeHint(option, index)
        return QSize(hint.width(), max(hint.height(), self._side + 4))


class _Icons(QListView):
    def __init__(self) -> None:
        super().__init__()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setWordWrap(False)
        character = self.fontMetrics().averageCharWidth()
        side = int(_ICON * character)
        self.setIconSize(QSize(side, side))
        lines = 2 * self.fontMetrics().lineSpacing()
        self.setGridSize(QSize(side + 3 * character, side + lines + 16))
        self.setItemDelegate(_Picture(self))

    def startDrag(self, actions: Qt.DropAction) -> None:
        """Drag copies only: nothing is ever moved out of a folder."""
        super().startDrag(Qt.DropAction.CopyAction)


class _Picture(QStyledItemDelegate):
    """Draws a picture, name and summary below it, and the state in its corner."""

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> None:
        """Draw one data set."""
        if painter is None:
            return
        view: Any = option.widget
        style = view.style()
        rect: QRect = option.rect.adjusted(2, 2, -2, -2)
        painter.save()
        style.drawPrimitive(
            QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, view
        )
        side = view.iconSize()
        lines = option.fontMetrics.lineSpacing()
        top = QRect(rect.left(), rect.top() + 2, rect.width(), side.height())
        picture: Any = index.data(int(Qt.ItemDataRole.DecorationRole))
        if picture is not None:
            picture.paint(painter, top, Qt.AlignmentFlag.AlignCenter)
        role = option.palette.ColorRole
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        color = role.HighlightedText if selected else role.Text
        painter.setPen(option.palette.color(color))
        place = QRect(rect.left(), top.bottom() + 4, rect.width(), lines)
        name = str(index.data()).rpartition("/")[2]
        self._text(painter, option, place, name, Qt.TextElideMode.ElideMiddle)
        place.translate(0, lines)
        painter.setOpacity(0.75)
        words = str(index.data(SUMMARY_ROLE) or "")
        self._text(painter, option, place, words, Qt.TextElideMode.ElideRight)
        painter.setOpacity(1)
        state: Any = index.siblingAtColumn(1).data()
        if state in ("being written", "interrupted", "damaged"):
            badge = state_icon(state)
            if badge is not None:
                corner = QRect(0, 0, lines + 2, lines + 2)
                corner.moveTopRight(rect.topRight() + QPoint(-4, 4))
                badge.paint(painter, corner)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Fill the grid."""
        view: Any = option.widget
        size: QSize = view.gridSize()
        return size

    @staticmethod
    def _text(
        painter: QPainter,
        option: Any,
        place: QRect,
        text: str,
        mode: Qt.TextElideMode,
    ) -> None:
        short = option.fontMetrics.elidedText(text, mode, place.width())
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), short)
