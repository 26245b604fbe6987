"""The tab "Folder": the data sets of a folder with pictures, sorted and filtered.

The folder is read in threads (`folder_reader`), what is in view first, and read again
from time to time while the page is seen. Opening and all work on data sets is the
business of others: the page says what is wanted.

Examples
--------
>>> page = FolderPage()  # doctest: +SKIP
>>> page.open_wanted.connect(lambda places, positions: print(places))  # doctest: +SKIP
>>> page.show_folder("/data")  # doctest: +SKIP
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from qtpy.QtCore import QPoint, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.layers.overview_cache import OverviewCache
from napari_scope.widgets.browsing.folder_model import COLUMNS, FolderModel
from napari_scope.widgets.browsing.folder_reader import FolderReader
from napari_scope.widgets.browsing.folder_rows import STATES, info_text
from napari_scope.widgets.browsing.folder_view import FolderView
from napari_scope.widgets.browsing.page_head import PageHead, page_action
from napari_scope.widgets.browsing.small_parts import copy_text, tool_button
from napari_scope.widgets.browsing.store_menu import StoreTarget, add_store_actions
from napari_scope.widgets.common.icons import icon

if TYPE_CHECKING:
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_scope.formats.folder_listing import FoundDataSet
    from napari_scope.layers.preferences import Positions
    from napari_scope.widgets.browsing.folder_rows import FolderRow, SortBy, State
    from napari_scope.widgets.browsing.folder_view import Mode

__all__ = ["FolderPage"]

_HINT: Final = "Choose a folder, or drop one here, to see the data sets in it."


class FolderPage(QWidget):
    """Shows the data sets of a folder.

    Parameters
    ----------
    cache : OverviewCache, optional
        Keeps pictures and facts between two sessions; by default that of the user.

    Attributes
    ----------
    open_wanted : Signal
        Data sets are to be opened; carries their places and, where it was chosen how,
        ``"tiles"`` or ``"slider"``, else None.
    contents_wanted : Signal
        A data set is to be looked into; carries its place.
    wished : Signal
        Something else is to be done; carries a `StoreWish`.
    failed : Signal
        The folder cannot be read; carries the exception.
    """

    open_wanted = Signal(object, object)
    contents_wanted = Signal(str)
    wished = Signal(object)
    failed = Signal(object)

    def __init__(self, cache: OverviewCache | None = None) -> None:
        super().__init__()
        self._unreadable = False
        self.model = FolderModel(self)
        self.reader = FolderReader(self, OverviewCache() if cache is None else cache)
        self._make_widgets()
        self._lay_out()
        self._make_actions()
        self._connect()
        self.set_mode("icons")
        self._show_count()

    # ---- what a script may ask and do

    @property
    def folder(self) -> str:
        """The folder that is shown; empty before the first."""
        return self.reader.folder

    def show_folder(self, folder: str) -> None:
        """Show the data sets of a folder."""
        if not folder or "://" in folder:
            return
        folder = str(Path(folder).expanduser())
        self.model.clear()
        self._unreadable = False
        self.head.show_place(folder)
        self.reader.read(folder)
        self._show_count()

    def selected(self) -> list[FolderRow]:
        """Return the selected rows in their order."""
        return self.view.selected()

    def set_mode(self, mode: Mode) -> None:
        """Show icons or the list."""
        self.view.set_mode(mode)
        self.icons_button.setChecked(mode == "icons")
        self.list_button.setChecked(mode == "list")
        # In the list the header sorts.
        for widget in (self.sort_box, self.descending_button):
            widget.setVisible(mode == "icons")

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        by, descending = self.model.order
        return {
            "folder": self.folder,
            "mode": self.view.mode,
            "sort": by,
            "descending": descending,
            "filter": self.filter_edit.text(),
            "state": self.state_box.currentData(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state; what in it makes no sense is passed over."""
        if state.get("mode") in ("list", "icons"):
            self.set_mode(state["mode"])
        by = state.get("sort")
        if by in [name for name, _ in COLUMNS]:
            self._sort(cast("SortBy", by), descending=bool(state.get("descending")))
        if isinstance(state.get("filter"), str):
            self.filter_edit.setText(state["filter"])
        place = self.state_box.findData(state.get("state", ""))
        self.state_box.setCurrentIndex(max(0, place))
        if isinstance(state.get("folder"), str):
            self.show_folder(state["folder"])

    def close_down(self) -> None:
        """Leave all that is being read behind; idempotent."""
        self.head.close_down()
        self.reader.close()

    # ---- layout

    def _make_widgets(self) -> None:
        self.head = PageHead(
            self,
            again="Search again",
            filter_name="Filter of the folder",
            filter_hint="Filter, for example DAPI or ndtiff",
            filter_tip="Show only what has these words in name, format, shape or "
            "channels",
        )
        self.place_field = self.head.place_field
        self.filter_edit = self.head.filter_edit
        self.state_box = QComboBox()
        self.state_box.setAccessibleName("State")
        self.state_box.setToolTip("Show only data sets of this state")
        self.state_box.addItem("All states", "")
        for state in STATES:
            self.state_box.addItem(state.capitalize(), state)
        self.sort_box = QComboBox()
        self.sort_box.setAccessibleName("Sort by")
        self.sort_box.setToolTip("What the data sets are sorted by")
        for name, title in COLUMNS:
            self.sort_box.addItem(title, name)
        self.descending_button = tool_button(
            "arrow-down-thick", "The last or largest first"
        )
        self.descending_button.setCheckable(True)
        self.icons_button = tool_button("view-grid", "Show pictures")
        self.list_button = tool_button("view-list", "Show a list with columns")
        for button in (self.icons_button, self.list_button):
            button.setCheckable(True)
        self.view = FolderView(self.model)
        self.count_label = QLabel()
        self.count_label.setWordWrap(True)
        self.open_button = QPushButton(icon("load"), "Open selected")
        self.open_button.setToolTip("Add what is selected to the viewer (Return)")
        self._show_order()

    def _lay_out(self) -> None:
        self.head.add_choice(self.state_box)
        order = QHBoxLayout()
        order.addWidget(self.sort_box)
        order.addWidget(self.descending_button)
        order.addStretch()
        order.addWidget(self.icons_button)
        order.addWidget(self.list_button)
        bottom = QHBoxLayout()
        bottom.addStretch()
        bottom.addWidget(self.open_button)
        column = QVBoxLayout(self)
        column.addWidget(self.head)
        column.addLayout(order)
        column.addWidget(self.count_label)
        column.addWidget(self.view, 1)
        column.addLayout(bottom)

    def _make_actions(self) -> None:
        self.open_action = page_action(
            self, "&Open", self.open_selected, picture="load"
        )
        self.tiles_action = page_action(
            self, "Open as &mosaic", partial(self.open_selected, "tiles")
        )
        self.slider_action = page_action(
            self, "Open on a &slider", partial(self.open_selected, "slider")
        )
        self.contents_action = page_action(
            self, "Show con&tents", self._contents, "Ctrl+Return"
        )
        copy = QKeySequence.StandardKey.Copy
        self.copy_action = page_action(
            self, "Cop&y path", self._copy_path, copy, "copy"
        )
        self.info_action = page_action(
            self, "Copy &info", self._copy_info, "Ctrl+Shift+C"
        )
        self.view.addActions([self.copy_action, self.info_action, self.contents_action])

    def _connect(self) -> None:
        self.head.place_chosen.connect(self._on_place)
        self.head.filter_changed.connect(self._on_filter)
        self.head.again_wanted.connect(self.reader.search_again)
        self.state_box.currentIndexChanged.connect(self._on_filter)
        self.sort_box.activated.connect(self._on_sort)
        self.descending_button.clicked.connect(self._on_sort)
        self.icons_button.clicked.connect(lambda: self.set_mode("icons"))
        self.list_button.clicked.connect(lambda: self.set_mode("list"))
        self.view.activated.connect(self.open_selected)
        self.view.selection_changed.connect(self._show_count)
        self.view.menu_wanted.connect(self._on_menu)
        self.view.seen_changed.connect(self._look_at_seen)
        self.view.moved.connect(self.reader.make_way)
        self.model.arranged.connect(self._on_arranged)
        self.open_button.clicked.connect(lambda: self.open_selected())
        self.reader.found.connect(self._on_found)
        self.reader.gone.connect(self.model.remove)
        self.reader.looked.connect(self.model.set_looked)
        self.reader.searched.connect(self._on_searched)
        self.reader.failed.connect(self._on_failed)

    # ---- what is read

    def _on_place(self, place: str) -> None:
        if "://" in place:
            self.contents_wanted.emit(place)
        else:
            self.show_folder(place)

    def _on_found(self, found: list[FoundDataSet]) -> None:
        self.model.add(found)
        self.reader.look_into(found)
        self._look_at_seen()

    def _on_searched(self) -> None:
        self._unreadable = False
        self.head.remember(self.folder)
        # A run may have ended, or its writer been killed, without a trace in the files.
        open_runs = [
            row.found for row in self.model.rows if row.state == "being written"
        ]
        if open_runs:
            self.reader.look_into(open_runs)
        self._show_count()

    def _on_failed(self, error: OSError) -> None:
        self._unreadable = True
        self._show_count()
        if not self.model.count:
            self.failed.emit(error)

    def _look_at_seen(self) -> None:
        new = [row.found for row in self.view.seen() if row.looked is None]
        if new:
            self.reader.look_into(reversed(new), first=True)

    # ---- what is shown

    def _on_filter(self, _: object = None) -> None:
        state = cast("State", self.state_box.currentData())
        self.model.set_wanted(self.filter_edit.text(), state)

    def _on_sort(self, _: object = None) -> None:
        by = cast("SortBy", self.sort_box.currentData())
        self._sort(by, descending=self.descending_button.isChecked())

    def _sort(self, by: SortBy, *, descending: bool) -> None:
        self.model.set_order(by, descending=descending)
        self.view.show_order()
        self._show_order()

    def _show_order(self) -> None:
        by, descending = self.model.order
        self.sort_box.setCurrentIndex(self.sort_box.findData(by))
        self.descending_button.setChecked(descending)

    def _on_arranged(self) -> None:
        self._show_order()
        self._show_count()

    def _show_count(self) -> None:
        shown, count = len(self.model.rows), self.model.count
        selected = len(self.selected())
        if not self.folder:
            text = _HINT
        elif not count and self._unreadable:
            text = "This folder cannot be read."
        elif not count:
            text = "Searching …" if self.reader.busy else "No data set in this folder."
        elif shown == count:
            text = f"{count:,} data set{'' if count == 1 else 's'}"
        else:
            text = f"{shown:,} of {count:,} data sets"
        if selected > 1:
            text += f", {selected:,} selected"
        self.count_label.setText(text)
        self.open_button.setEnabled(selected > 0)
        self.open_button.setText(
            f"Open {selected:,} selected" if selected > 1 else "Open selected"
        )

    def showEvent(self, event: QShowEvent | None) -> None:
        """Keep the list up to date while it is seen."""
        super().showEvent(event)
        self.reader.set_watching(True)

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Leave the folder alone while nobody looks."""
        super().hideEvent(event)
        self.reader.set_watching(False)

    # ---- what the user wants

    def open_selected(self, positions: Positions | None = None) -> None:
        """Ask for all selected data sets to be opened."""
        places = [row.found.place for row in self.selected()]
        if places:
            self.open_wanted.emit(places, positions)

    def menu(self) -> QMenu:
        """Return the menu for what is selected."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rows = self.selected()
        if rows:
            menu.addActions([self.open_action, self.tiles_action, self.slider_action])
            if len(rows) == 1:
                menu.addAction(self.contents_action)
            menu.addSeparator()
            targets = [
                StoreTarget(row.found.place, row.found.format, row.state)
                for row in rows
            ]
            add_store_actions(menu, targets, self.wished.emit, trash=True)
            menu.addActions([self.copy_action, self.info_action])
        menu.addAction(self.head.again_action)
        return menu

    def _on_menu(self, point: QPoint) -> None:
        self.menu().popup(point)

    def _contents(self) -> None:
        if rows := self.selected():
            self.contents_wanted.emit(rows[0].found.place)

    def _copy_path(self) -> None:
        copy_text([row.found.place for row in self.selected()], "\n")

    def _copy_info(self) -> None:
        copy_text([info_text(row) for row in self.selected()], "\n\n")
