"""The head of a page of the Browse dock: the place that is shown, below it a filter.

The tree of a store and the list of a folder have the same head, with the same keys:
Ctrl+F goes to the filter, Ctrl+R reads again.

Examples
--------
>>> head = PageHead("Filter of the tree", "Filter, for example DAPI")  # doctest: +SKIP
>>> head.place_chosen.connect(print)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_scope.widgets.browsing.place_field import PlaceField
from napari_scope.widgets.common.icons import icon

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PageHead", "page_action"]


class PageHead(QWidget):
    """Says which place is shown, and what of it.

    Parameters
    ----------
    page : QWidget
        The page; the keys count anywhere in it.
    again : str
        What the entry for reading anew is called.
    filter_name, filter_hint, filter_tip : str
        Accessible name, placeholder and tooltip of the filter.

    Attributes
    ----------
    place_chosen : Signal
        The user wants a place; carries the path or address.
    filter_changed : Signal
        Something else is looked for; carries the text.
    again_wanted : Signal
        The place is to be read anew.
    """

    place_chosen = Signal(str)
    filter_changed = Signal(str)
    again_wanted = Signal()

    def __init__(
        self,
        page: QWidget,
        *,
        again: str,
        filter_name: str,
        filter_hint: str,
        filter_tip: str,
    ) -> None:
        super().__init__()
        self.place_field = PlaceField()
        self.filter_edit = QLineEdit()
        self.filter_edit.setPlaceholderText(filter_hint)
        self.filter_edit.setAccessibleName(filter_name)
        self.filter_edit.setToolTip(f"{filter_tip} (Ctrl+F)")
        self.filter_edit.setClearButtonEnabled(True)
        self._filters = QHBoxLayout()
        self._filters.addWidget(self.filter_edit, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.place_field)
        column.addLayout(self._filters)
        self.again_action = page_action(
            page, again, self.again_wanted.emit, "Ctrl+R", "refresh"
        )
        find = page_action(
            page, "Filter", self.go_to_filter, QKeySequence.StandardKey.Find
        )
        page.addActions([self.again_action, find])
        self.place_field.place_chosen.connect(self.place_chosen)
        self.filter_edit.textChanged.connect(self.filter_changed)

    def add_choice(self, widget: QWidget) -> None:
        """Put another choice beside the filter."""
        self._filters.addWidget(widget)

    def go_to_filter(self) -> None:
        """Let the user type what is looked for."""
        self.filter_edit.setFocus()
        self.filter_edit.selectAll()

    def show_place(self, place: str) -> None:
        """Show a place; nothing is told."""
        self.place_field.show_place(place)

    def remember(self, place: str) -> None:
        """Put a place that was read first among those of late."""
        self.place_field.remember(place)

    def close_down(self) -> None:
        """Wait for no file any more; idempotent."""
        self.place_field.close_down()


def page_action(
    page: QWidget,
    text: str,
    call: Callable[[], object],
    key: str | QKeySequence.StandardKey | None = None,
    picture: str = "",
) -> QAction:
    """Return an action of a page; its key counts while the page has the focus."""
    made = QAction(text, page)
    if picture:
        made.setIcon(icon(picture))
    if key is not None:
        made.setShortcut(QKeySequence(key))
        made.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    made.triggered.connect(lambda _=False: call())
    return made
