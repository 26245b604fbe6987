"""The tab "Contents" of the Browse dock: what a store holds, as a tree to open from.

A place is typed, chosen or taken from those of late. Its tree is read bit by bit in
threads (`tree_model`), so neither a plate of many wells nor a slow network stops
napari. What is selected is described below the tree, and opened by a double click, the
Return key, or all together by the button. Opening is the business of others: the tree
says what is wanted.

Examples
--------
>>> tree = BrowseTree()  # doctest: +SKIP
>>> tree.open_wanted.connect(lambda nodes, positions: print(nodes))  # doctest: +SKIP
>>> tree.show_place("/data/plate.zarr")  # doctest: +SKIP
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QModelIndex, Qt, QUrl, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDesktopServices, QKeySequence
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_scope.formats.tree import dataset_tree, open_tree
from napari_scope.widgets.browsing.page_head import PageHead, page_action
from napari_scope.widgets.browsing.part_chooser import PartChooser
from napari_scope.widgets.browsing.place_field import cleaned
from napari_scope.widgets.browsing.small_parts import copy_text
from napari_scope.widgets.browsing.store_menu import add_store_actions, targets_of
from napari_scope.widgets.browsing.tree_model import TreeFilter, TreeModel
from napari_scope.widgets.browsing.tree_view import TreeView
from napari_scope.widgets.browsing.tree_words import tip
from napari_scope.widgets.common.icons import icon

if TYPE_CHECKING:
    from qtpy.QtCore import QPoint

    from napari_scope.formats.image_parts import Parts
    from napari_scope.formats.tree_node import Node
    from napari_scope.layers.preferences import Positions
    from napari_scope.model import Dataset
    from napari_scope.widgets.browsing.store_menu import StoreTarget

__all__ = ["BrowseTree"]

_HINT: Final = "Type or choose a folder or an address to see what it holds."
_DEEP: Final = 2  # levels of a tree that are unfolded at first


class BrowseTree(QWidget):
    """Shows the tree of a store.

    Attributes
    ----------
    open_wanted : Signal
        Nodes are to be opened; carries a list of `Node` and, where it was chosen how,
        ``"tiles"`` or ``"slider"``, else None.
    wished : Signal
        Something else is to be done; carries a `StoreWish`.
    failed : Signal
        A place cannot be read; carries the exception.
    """

    open_wanted = Signal(object, object)
    wished = Signal(object)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._chosen = False
        self._place = ""
        self._make_widgets()
        self._lay_out()
        self._make_actions()
        self._connect()
        self._show_selection()

    # ---- what a script may ask and do

    @property
    def root(self) -> Node | None:
        """The node at the top, None while there is none."""
        return self.model.root

    @property
    def acquisition(self) -> int | None:
        """The acquisition of a plate that is to be opened, None for all."""
        chosen = self.acquisition_box.currentData()
        return chosen if isinstance(chosen, int) else None

    @property
    def parts(self) -> Parts:
        """Which channels, time points and planes are to be opened."""
        return self.chooser.parts

    def show_place(self, place: str) -> None:
        """Read the tree of a path or address in the background."""
        place = cleaned(place)
        if not place:
            return
        self._chosen = True
        self._begin(place)
        self.model.loader.ask(
            ("root", place),
            partial(open_tree, place),
            lambda root: self._on_root(place, root),  # type: ignore[arg-type]
            self._on_not_read,
        )

    def show_root(self, root: Node) -> None:
        """Show a tree that was read elsewhere."""
        self._begin(root.place)
        self._on_root(root.place, root)

    def follow(self, dataset: Dataset) -> None:
        """Show the store of a layer, unless the user has chosen another place.

        Nothing happens if the store is in the tree already.
        """
        place = dataset.path
        if self._is_seen(place):
            return
        if dataset.format == "ome-zarr":
            self.show_place(place)
        else:
            # What is known is not read again.
            self.show_root(dataset_tree(dataset))
        self._chosen = False

    def follow_place(self, place: str) -> None:
        """Show what a layer was made from that is no data set, as `follow` does."""
        if not self._is_seen(place):
            self.show_place(place)
            self._chosen = False

    def _is_seen(self, place: str) -> bool:
        """Whether a place is in the tree, or the user wants to see another one."""
        known = self._place.rstrip("/\\")
        inside = bool(known) and (place + "/").startswith(known + "/")
        return self._chosen or inside

    def selected(self) -> list[Node]:
        """Return the selected nodes that can be opened, in the order of the tree."""
        return [node for node in self.view.nodes() if node.can_open]

    def shut_down(self) -> None:
        """Leave all that is being read behind; idempotent."""
        self.head.close_down()
        self.model.loader.close()

    # ---- layout

    def _make_widgets(self) -> None:
        self.head = PageHead(
            self,
            again="Read again",
            filter_name="Filter of the tree",
            filter_hint="Filter, for example B/03 or DAPI",
            filter_tip="Show only what has this in its name",
        )
        self.place_field = self.head.place_field
        self.filter_edit = self.head.filter_edit
        self.model = TreeModel(self)
        self.filtered = TreeFilter(self.model, self)
        self.view = TreeView(self.filtered)

        self.facts_label = QLabel()
        self.facts_label.setWordWrap(True)
        self.facts_label.setTextFormat(Qt.TextFormat.RichText)
        self.facts_label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.facts_label.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.acquisition_box = QComboBox()
        self.acquisition_box.setAccessibleName("Acquisition")
        self.acquisition_box.setToolTip("Which acquisition of a plate is opened")
        self.chooser = PartChooser()
        self.open_button = QPushButton(icon("load"), "Open selected")
        self.open_button.setToolTip("Add what is selected to the viewer (Return)")

    def _lay_out(self) -> None:
        bottom = QHBoxLayout()
        bottom.addWidget(self.acquisition_box, 1)
        bottom.addStretch()
        bottom.addWidget(self.open_button)
        column = QVBoxLayout(self)
        column.addWidget(self.head)
        column.addWidget(self.view, 1)
        column.addWidget(self.facts_label)
        column.addWidget(self.chooser)
        column.addLayout(bottom)

    def _make_actions(self) -> None:
        self.open_action = page_action(self, "Open", self.open_selected)
        self.tiles_action = page_action(
            self, "Open as mosaic", partial(self.open_selected, "tiles")
        )
        self.slider_action = page_action(
            self, "Open on a slider", partial(self.open_selected, "slider")
        )
        self.show_action = page_action(self, "Show in folder", self._show_in_folder)
        copy = QKeySequence.StandardKey.Copy
        self.copy_action = page_action(self, "Copy path", self._copy_path, copy)
        self.view.addAction(self.copy_action)

    def _connect(self) -> None:
        self.head.place_chosen.connect(self._on_place)
        self.head.filter_changed.connect(self._on_filter)
        self.head.again_wanted.connect(self.read_again)
        self.view.doubleClicked.connect(self._on_double_click)
        self.view.activated.connect(self._on_activated)
        self.view.customContextMenuRequested.connect(self._on_menu)
        selection = self.view.selectionModel()
        if selection is not None:
            selection.selectionChanged.connect(lambda *_: self._show_selection())
        self.model.dataChanged.connect(lambda *_: self._show_selection())
        self.model.loader.busy_changed.connect(self._on_busy)
        self.open_button.clicked.connect(lambda: self.open_selected())

    # ---- what is shown

    def read_again(self) -> None:
        """Read the tree anew, as the store is now."""
        if self._place:
            chosen = self._chosen
            self.show_place(self._place)
            self._chosen = chosen

    def _on_place(self, place: str) -> None:
        # Return in the field tells it twice: as a choice, and as a key.
        if place != self._place or not self.model.loader.busy:
            self.show_place(place)

    def _begin(self, place: str) -> None:
        self._place = place
        self.head.show_place(place)
        self.model.set_root(None)
        self._fill_acquisitions(None)
        self._show_selection()

    def _on_root(self, place: str, root: Node) -> None:
        self.model.set_root(root)
        self._fill_acquisitions(root)
        self.head.remember(place)
        self._unfold()
        self._show_selection()

    def _on_not_read(self, error: BaseException) -> None:
        self._show_selection()
        self.failed.emit(error)

    def _unfold(self) -> None:
        """Unfold what needs no scrolling: the root, and what it has few of."""
        top = self.filtered.index(0, 0)
        self.view.expand(top)
        root = self.model.root
        if root is not None and root.known is not None and len(root.known) <= _DEEP:
            for number in range(self.filtered.rowCount(top)):
                self.view.expand(self.filtered.index(number, 0, top))

    def _on_filter(self, text: str) -> None:
        self.filtered.set_wanted(text)
        if text.strip():
            self.view.expandToDepth(1)
        self._show_selection()

    def _fill_acquisitions(self, root: Node | None) -> None:
        found = () if root is None else root.facts.acquisitions
        self.acquisition_box.clear()
        self.acquisition_box.addItem("All acquisitions", None)
        for number, name in found:
            self.acquisition_box.addItem(name, number)
        self.acquisition_box.setVisible(len(found) > 1)

    def _on_busy(self, busy: bool) -> None:
        if busy:
            self.view.setCursor(Qt.CursorShape.BusyCursor)
        else:
            self.view.unsetCursor()
        self._show_selection()

    def _show_selection(self) -> None:
        """Describe what is selected below the tree."""
        count = len(self.selected())
        self.open_button.setText(
            f"Open {count} selected" if count > 1 else "Open selected"
        )
        self.open_button.setEnabled(count > 0)
        node = self.filtered.node(self.view.currentIndex()) or self.model.root
        if node is not None:
            self.facts_label.setText(tip(node))
        elif self.model.loader.busy:
            self.facts_label.setText("Reading …")
        else:
            self.facts_label.setText(_HINT)
        wells = node is not None and (node.kind == "plate" or bool(node.wells))
        self.chooser.show_facts(None if node is None else node.facts, mosaic=wells)

    # ---- opening

    def open_selected(self, positions: Positions | None = None) -> None:
        """Ask for all selected nodes to be opened.

        Parameters
        ----------
        positions : {"tiles", "slider"}, optional
            How several images are shown; by default as the user prefers.
        """
        nodes = self.selected()
        if nodes:
            self.open_wanted.emit(nodes, positions)

    def _on_double_click(self, index: QModelIndex) -> None:
        node = self.filtered.node(index)
        if node is not None and not node.can_open:
            first = index.siblingAtColumn(0)
            self.view.setExpanded(first, not self.view.isExpanded(first))

    def _on_activated(self, index: QModelIndex) -> None:
        node = self.filtered.node(index)
        if node is not None and node.can_open:
            self.open_selected()

    def _on_menu(self, point: QPoint) -> None:
        viewport = self.view.viewport()
        if viewport is not None:
            self.menu().popup(viewport.mapToGlobal(point))

    def menu(self) -> QMenu:
        """Return the menu for what is selected."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        nodes = self.selected()
        current = self.filtered.node(self.view.currentIndex())
        several = len(nodes) > 1 or any(
            node.kind in ("plate", "row", "well", "collection", "data set")
            for node in nodes
        )
        if nodes:
            menu.addAction(self.open_action)
            if several:
                menu.addAction(self.tiles_action)
                menu.addAction(self.slider_action)
            menu.addSeparator()
        if current is not None:
            menu.addAction(self.copy_action)
            self.show_action.setEnabled("://" not in current.place)
            menu.addAction(self.show_action)
            menu.addSeparator()
            add_store_actions(menu, self.targets(), self.wished.emit)
        menu.addAction(self.head.again_action)
        return menu

    def targets(self) -> list[StoreTarget]:
        """Return what is selected, for work that is done to data sets."""
        if self.model.root is None:
            return []
        return targets_of(self.model.root, self.view.nodes(), self.parts)

    def _copy_path(self) -> None:
        copy_text([node.address for node in self.view.nodes()])

    def _show_in_folder(self) -> None:
        node = self.filtered.node(self.view.currentIndex())
        if node is None or "://" in node.place:
            return
        address = node.address
        self.model.loader.ask(
            ("folder", address), partial(_folder_of, address), _show, self.failed.emit
        )


def _folder_of(address: str) -> Path:
    """Return the nearest folder of a place; it looks at the disk."""
    place = Path(address)
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return place


def _show(folder: object) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
