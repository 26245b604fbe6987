"""What is wrong with the look of a dock, found by its widgets and by its pixels.

`faults` names the parts of a shown dock that cannot be read or reached: texts that are
cut off, buttons outside of what is seen, toolbars that hide a part of theirs. `unnamed`
names the fields and buttons that say nothing to a hand on the mouse or to a reader of
the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPoint, QRect
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QScrollBar,
    QSizePolicy,
    QTabBar,
    QTabWidget,
    QToolButton,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["faults", "pages", "unnamed"]

_FIELDS = (
    QAbstractButton,
    QComboBox,
    QAbstractSpinBox,
    QLineEdit,
    QPlainTextEdit,
    QAbstractItemView,
    QAbstractSlider,
)


def pages(widget: QWidget) -> Iterator[str]:
    """Go through all pages of all tabs of a widget; each is in front when named."""
    tabs = [
        child
        for child in widget.findChildren(QTabWidget)
        if child.isVisibleTo(widget) and not _inside_tabs(child, widget)
    ]
    if not tabs:
        yield ""
        return
    for one in tabs:
        before = one.currentIndex()
        for place in range(one.count()):
            one.setCurrentIndex(place)
            page = one.widget(place)
            assert page is not None
            title = one.tabText(place).replace("&", "")
            for inner in pages(page):
                yield f"{title}/{inner}".rstrip("/")
        one.setCurrentIndex(before)


def _inside_tabs(widget: QWidget, end: QWidget) -> bool:
    above = widget.parentWidget()
    while above is not None and above is not end:
        if isinstance(above, QTabWidget):
            return True
        above = above.parentWidget()
    return False


def faults(dock: QWidget) -> list[str]:
    """Return what cannot be read or reached in a dock as it is shown now."""
    found = []
    for widget in dock.findChildren(QWidget):
        if not widget.isVisible() or widget.visibleRegion().isEmpty():
            if widget.isVisible() and _is_lost(widget, dock):
                found.append(f"{describe(widget)} is out of sight")
            continue
        if widget.objectName() == "qt_toolbar_ext_button":
            found.append(f"{describe(widget.parentWidget())} hides buttons")
        elif (reason := _cut(widget)) and not _scrolls(widget, dock, sideways=True):
            found.append(f"{describe(widget)} is cut off: {reason}")
        elif isinstance(widget, _FIELDS) and _is_lost(widget, dock):
            found.append(f"{describe(widget)} is partly out of sight")
    return found


def describe(widget: QWidget | None) -> str:
    """Return words for a widget."""
    if widget is None:
        return "nothing"
    text = widget.text() if isinstance(widget, QLabel | QAbstractButton) else ""
    name = text or widget.accessibleName() or widget.objectName() or widget.toolTip()
    above = widget.parentWidget()
    return f"{type(widget).__name__} {name[:40]!r} in {type(above).__name__}"


def _cut(widget: QWidget) -> str:
    """Return in which way the text of a widget is cut off."""
    if isinstance(widget, QLabel):
        if not widget.text() or not widget.pixmap().isNull():
            return ""
        if widget.wordWrap():
            needed = widget.heightForWidth(widget.width())
            return f"{needed} > {widget.height()}" if needed > widget.height() else ""
        if widget.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Ignored:
            return ""
        needed = widget.sizeHint().width()
        return f"{needed} > {widget.width()}" if needed > widget.width() else ""
    if isinstance(widget, QPushButton | QCheckBox | QRadioButton | QToolButton):
        words = widget.text() and (
            not isinstance(widget, QToolButton)
            or widget.toolButtonStyle().name != "ToolButtonIconOnly"
        )
        room = widget.fontMetrics().horizontalAdvance(widget.text().replace("&", ""))
        return f"{room} > {widget.width()}" if words and room > widget.width() else ""
    if isinstance(widget, QAbstractSpinBox):
        line = widget.findChild(QLineEdit)
        if line is None:
            return ""
        room = widget.fontMetrics().horizontalAdvance(widget.text())
        return f"{room} > {line.width()}" if room > line.width() else ""
    return ""


def _scrolls(widget: QWidget, dock: QWidget, sideways: bool = False) -> bool:
    """Return whether a scroll area between a widget and its dock can show it."""
    above = widget.parentWidget()
    while above is not None and above is not dock:
        if isinstance(above, QAbstractScrollArea):
            bar = above.horizontalScrollBar() if sideways else above.verticalScrollBar()
            if not sideways or not isinstance(above, QScrollArea):
                return True
            return bar is not None and bar.maximum() > 0
        above = above.parentWidget()
    return False


def _is_lost(widget: QWidget, dock: QWidget) -> bool:
    """Return whether a part of a field lies where nothing can scroll to it."""
    if not isinstance(widget, _FIELDS) or isinstance(widget, QScrollBar):
        return False
    if _is_inner(widget) or not widget.width() or not widget.height():
        return False
    above, inner = widget.parentWidget(), widget.rect()
    while above is not None:
        if isinstance(above, QTabBar):
            return False
        corner = widget.mapTo(above, QPoint(0, 0))
        place = QRect(corner, inner.size())
        view = above.parentWidget()
        if isinstance(view, QAbstractScrollArea) and above is view.viewport():
            sideways = view.horizontalScrollBar()
            beside = place.left() < 0 or place.right() > above.width()
            fixed = isinstance(view, QScrollArea) and (
                sideways is None or not sideways.maximum()
            )
            return beside and fixed
        if not above.rect().adjusted(-1, -1, 1, 1).contains(place):
            return True
        if above is dock:
            return False
        above = above.parentWidget()
    return False


def _is_inner(widget: QWidget) -> bool:
    """Return whether a widget is a part that Qt has made of another one."""
    above = widget.parentWidget()
    return (
        isinstance(widget, QHeaderView | QScrollBar)
        or widget.objectName().startswith("qt_")
        or isinstance(above, QAbstractSpinBox | QComboBox | QLineEdit | QHeaderView)
        or isinstance(above, QTabBar)
        or (above is not None and above.inherits("QComboBoxPrivateContainer"))
        or type(widget).__name__ == "QTableCornerButton"
        or type(above).__name__ in {"LabeledSlider", "QLabeledSlider"}
        or (
            isinstance(above, QAbstractItemView) and isinstance(widget, QAbstractButton)
        )
    )


def _in_a_row(widget: QWidget) -> bool:
    """Return whether a widget belongs to a property, whose name stands beside it."""
    above = widget.parentWidget()
    while above is not None:
        if type(above).__name__ in {"PropertyWidget", "PropertyBox"}:
            return True
        above = above.parentWidget()
    return False


def unnamed(dock: QWidget) -> list[str]:
    """Return the fields and buttons of a dock without a tip or without a name."""
    labelled = {label.buddy() for label in dock.findChildren(QLabel)}
    found = []
    for widget in dock.findChildren(QWidget):
        if not isinstance(widget, _FIELDS) or _is_inner(widget):
            continue
        if widget.isHidden():
            continue  # it gets its words when there is a reason to show it
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        shown = getattr(widget, "placeholderText", lambda: "")()
        if isinstance(widget, QAbstractItemView | QPlainTextEdit) or _in_a_row(widget):
            shown = shown or widget.accessibleName()  # what they hold says it
        if not (widget.toolTip() or text or shown or widget in labelled):
            found.append(f"{describe(widget)} has no tip")
        if not (widget.accessibleName() or text or widget in labelled):
            found.append(f"{describe(widget)} has no accessible name")
    return found
