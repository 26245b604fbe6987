"""For who works with the keyboard: the focus can be seen, and Tab has an order.

napari's style sheet draws nothing where the focus is, and Qt goes through widgets in
the order in which they were made. A `KeyboardFocus` draws a frame around what has the
focus in a dock, unless it was clicked, and lets Tab go through it as it is laid out.

Examples
--------
>>> [one.text() for one in in_order(dock)]  # doctest: +SKIP
['Snap', 'Live', 'Open']
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QGridLayout,
    QLayout,
    QScrollArea,
    QSplitter,
    QTabBar,
    QTabWidget,
    QWidget,
)

from napari_scope.widgets.common.tones import BLUE, toned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtpy.QtGui import QPaintEvent

__all__ = ["KeyboardFocus", "in_order"]


class KeyboardFocus(QObject):
    """Shows the focus in a dock, and puts its widgets into order.

    Parameters
    ----------
    dock : QWidget
        The dock; it owns this.
    """

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self._frame: _Frame | None = None
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus)

    def put_into_order(self) -> None:
        """Let Tab go from above to below; again where parts were added."""
        for one, other in pairwise(in_order(self._dock)):
            QWidget.setTabOrder(one, other)
            if isinstance(one, QAbstractItemView):
                one.setTabKeyNavigation(False)  # it would go round in it for ever

    def _on_focus(self, old: QWidget | None, new: QWidget | None) -> None:
        dock = self._dock
        if not isalive(dock):  # type: ignore[no-untyped-call]
            return
        here = new is not None and dock.isAncestorOf(new)
        if here and (old is None or not dock.isAncestorOf(old)):
            self.put_into_order()
        if self._frame is not None and isalive(self._frame):  # type: ignore[no-untyped-call]
            self._frame.hide()
            self._frame.deleteLater()
        self._frame = None
        clicked = QApplication.mouseButtons() != Qt.MouseButton.NoButton
        if new is not None and here and not clicked:
            self._frame = _Frame(new)


class _Frame(QWidget):
    """A frame around a widget, within it: it goes where the widget goes."""

    def __init__(self, around: QWidget) -> None:
        super().__init__(around)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        around.installEventFilter(self)
        self.setGeometry(around.rect())
        self.raise_()
        self.show()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stay as large as the widget."""
        if event is not None and event.type() == QEvent.Type.Resize:
            if isinstance(watched, QWidget):
                self.setGeometry(watched.rect())
        return False

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw the frame."""
        painter = QPainter(self)
        painter.setPen(QPen(QColor(toned(BLUE)), 2))
        painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()


def in_order(root: QWidget) -> list[QWidget]:
    """Return what Tab reaches in a widget, as it is laid out.

    Parameters
    ----------
    root : QWidget
        The widget; parts of it that are hidden now count, too.
    """
    return list(dict.fromkeys(_reached(root)))  # pages of tabs are met twice


def _reached(widget: QWidget) -> Iterator[QWidget]:
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.focusProxy() is None:
        yield widget
    for part in _parts(widget):
        yield from _reached(part)


def _parts(widget: QWidget) -> list[QWidget]:
    """Return the parts of a widget from its start to its end."""
    if isinstance(widget, (QAbstractSpinBox, QComboBox)):
        return []  # one for the keyboard
    first: list[QWidget | None]
    if isinstance(widget, QTabWidget):
        pages = [widget.widget(n) for n in range(widget.count())]
        first = [widget.tabBar(), *pages]
    elif isinstance(widget, QSplitter):
        first = [widget.widget(n) for n in range(widget.count())]
    elif isinstance(widget, QScrollArea):
        return [inner for inner in [widget.widget()] if inner is not None]
    elif isinstance(widget, QAbstractItemView):
        first = [widget.viewport()]
    elif isinstance(widget, QAbstractScrollArea):
        return []
    else:
        layout = widget.layout()
        first = [] if layout is None else list(_laid_out(layout))
    found = [one for one in first if one is not None]
    others = [one for one in widget.children() if isinstance(one, QWidget)]
    if isinstance(widget, QTabBar):
        others.sort(key=QWidget.x)  # what stands on a tab is raised with it
    found += [one for one in others if not one.isWindow() and one not in found]
    return [one for one in found if not isinstance(one, _Frame)]


def _laid_out(layout: QLayout) -> Iterator[QWidget]:
    numbers = list(range(layout.count()))
    if isinstance(layout, QGridLayout):
        # In PyQt a tuple of row, column and spans.
        numbers.sort(key=lambda n: tuple(layout.getItemPosition(n) or ()))
    for number in numbers:
        item = layout.itemAt(number)
        if isinstance(item, QLayout):  # whose `widget` may be something else
            yield from _laid_out(item)
        elif item is not None and (widget := item.widget()) is not None:
            yield widget
