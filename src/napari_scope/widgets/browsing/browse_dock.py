"""The Browse dock: stored data found, looked into, opened, followed, converted.

Its tabs are the data sets of a folder (`folder_page`), the contents of one of them
(`browse_tree`), what was saved with the frame and the store in view (`frame_tab`,
`store_facts`), and what goes on (`activity_page`): runs that are watched, and jobs.
Above them is the store of the selected layer (`store_box`). Data sets or parts of them
are opened (`store_opener`), grow while they are written (`store_follower`), and runs
that were interrupted are finished (`store_recovery`). Everything that touches files is
done in a thread. The dock owns no data: what it shows of a layer comes from the origin
that each layer carries (`napari_scope.layers.origin`). It needs no microscope. Here the
parts are tied together.

Examples
--------
>>> import napari
>>> viewer = napari.Viewer()  # doctest: +SKIP
>>> viewer.window.add_dock_widget(BrowseDock(viewer), name="Browse")  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QTabWidget, QVBoxLayout, QWidget

from napari_scope.formats.msi_entries import entry_of
from napari_scope.layers import origin_of
from napari_scope.layers.live_origin import run_origin_of
from napari_scope.layers.msi import msi_of
from napari_scope.layers.preferences import load_preferences
from napari_scope.widgets.browsing.activity_page import ActivityPage, ask_to_end_jobs
from napari_scope.widgets.browsing.browse_tree import BrowseTree
from napari_scope.widgets.browsing.folder_page import FolderPage
from napari_scope.widgets.browsing.frame_tab import FrameTab
from napari_scope.widgets.browsing.msi_facts import MSIFacts
from napari_scope.widgets.browsing.place_drops import PlaceDrops, canvas_of
from napari_scope.widgets.browsing.small_parts import choose_file
from napari_scope.widgets.browsing.store_box import StoreBox
from napari_scope.widgets.browsing.store_care import StoreCare
from napari_scope.widgets.browsing.store_facts import about_image
from napari_scope.widgets.browsing.store_opener import plain_folder
from napari_scope.widgets.browsing.store_watcher import watchers_in
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.closing import ClosingGuard, main_window_of
from napari_scope.widgets.common.dock import ScopeDock
from napari_scope.widgets.common.error_panel import ErrorPanel
from napari_scope.widgets.frames.field_view import FieldView

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari.viewer
    from qtpy.QtGui import QShowEvent
    from qtpy.QtWidgets import QLineEdit

    from napari_scope.formats.tree_node import Node
    from napari_scope.layers import LayerOrigin
    from napari_scope.layers.msi import MSILayer
    from napari_scope.layers.preferences import Positions
    from napari_scope.model import Dataset
    from napari_scope.stream.run_watch import RunProgress
    from napari_scope.widgets.browsing.job_queue import QueuedJob

__all__ = ["BrowseDock"]

_NOTHING: Final = "Nothing to show."
_NOT_LOOKED: Final = "The contents could not be read"
_NOT_LISTED: Final = "The folder could not be read"
_WATCH_MS: Final = 1000


class BrowseDock(ScopeDock):
    """Finds, shows, opens and works on stored data.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer, "browse")
        self._viewer: Any = napari_viewer
        self._dataset: Dataset | None = None
        self._canvas_drops: PlaceDrops | None = None

        self._make_widgets()
        self._lay_out()
        self._care = StoreCare(napari_viewer, self, self.store_box, self.errors)
        self._opener, self._follower = self._care.opener, self._care.follower
        self._recovery = self._care.recovery
        self._sorter = BackgroundCall(self, abandon=True)
        self._drops = PlaceDrops(self, self)
        queue = self.activity.queue
        self._guard = ClosingGuard(
            self,
            lambda: queue.writing,
            queue.cancel_all,
            ask_to_end_jobs,
            "Cancelling the jobs and closing their files …",
        )
        self._watching = QTimer(self)
        self._watching.setInterval(_WATCH_MS)
        self._connect()
        self._watching.start()
        self.restore_remembered()
        self.frame_tab.look()

    # ---- what a script may ask and do

    @property
    def dataset(self) -> Dataset | None:
        """The data set of the selected layer."""
        # Asked of the layer: what is shown may be a moment old while a store grows.
        layer = self._viewer.layers.selection.active
        origin = None if layer is None else origin_of(layer.metadata)
        return None if origin is None else origin.dataset

    @property
    def path_edit(self) -> QLineEdit:
        """The field with the path of the store."""
        return self.store_box.path_edit

    def open_path(self, path: str) -> None:
        """Open a data set in the background and add its layers."""
        self._care.open(path)

    def open_places(
        self, places: Sequence[str], positions: Positions | None = None
    ) -> None:
        """Open data sets in the background; of folders show what is in them.

        Parameters
        ----------
        places : sequence of str
            Paths or addresses.
        positions : {"auto", "tiles", "slider"}, optional
            How their positions are shown; by default as the user prefers.
        """
        if self._care.busy or self._sorter.busy:
            return
        wanted = list(places)

        def sort() -> tuple[list[str], list[str], Positions | None]:
            folders = [place for place in wanted if plain_folder(place)]
            stores = (p for p in wanted if p not in folders)
            # Files of one acquisition that were dropped together are one.
            return folders, list(dict.fromkeys(map(entry_of, stores))), positions

        self._sorter.start(sort, "napari-scope places")

    def show_folder(self, folder: str) -> None:
        """Show the data sets of a folder."""
        self.folder_page.show_folder(folder)
        self.tabs.setCurrentWidget(self.folder_page)

    def reopen(self) -> None:
        """Open the store of the selected layer anew, with the chosen positions."""
        dataset = self.dataset
        if dataset is not None:
            self._care.open(dataset.path, dataset)

    def refresh(self) -> None:
        """Look now whether something was added to the store."""
        dataset = self.dataset
        if dataset is not None:
            self._follower.refresh(dataset)

    def recover(self) -> None:
        """Finish the interrupted run of the selected layer, then open it anew."""
        dataset = self.dataset
        if dataset is not None:
            self._care.recover(dataset.path)

    def open_spectra(self) -> None:
        """Open the Spectra dock, which looks at the selected layer."""
        from napari_scope.widgets.workspace import open_dock

        open_dock(self._viewer, "Spectra")

    def state(self) -> dict[str, Any]:
        """Return folder, view, filter and tab."""
        return {
            "folder": self.folder_page.state(),
            "tab": self.tabs.tabText(self.tabs.currentIndex()),
            "activity": self.activity.splitter.sizes(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up folder, view, filter and tab."""
        self.folder_page.restore(dict(state.get("folder", {})))
        for number in range(self.tabs.count()):
            if self.tabs.tabText(number) == state.get("tab"):
                self.tabs.setCurrentIndex(number)
        sizes = state.get("activity", [])
        if len(sizes) == 2 and all(type(size) is int and size > 0 for size in sizes):
            self.activity.splitter.setSizes(sizes)

    def may_close(self) -> bool:
        """Ask before jobs that write are cut off."""
        return self._guard.may_close()

    def on_shut_down(self) -> None:
        """Stop all timers and threads and let go of the viewer."""
        self._watching.stop()
        self._dataset = None
        self._drops.stop()
        if self._canvas_drops is not None:
            self._canvas_drops.stop()
        self.frame_tab.close_down()
        self.tree.shut_down()
        self.folder_page.close_down()
        self.activity.close_down()
        self._sorter.close()
        self.msi_facts.close()
        self._care.close()

    # ---- layout

    def _make_widgets(self) -> None:
        self.store_box = StoreBox(load_preferences())
        self.folder_page = FolderPage()
        self.tree = BrowseTree()
        self.frame_tab = FrameTab(self.viewer)
        self.frame_label, self.frame_view = self.frame_tab.label, self.frame_tab.view
        self.store_view = FieldView()
        self.msi_facts = MSIFacts(self, self.store_view)
        self.activity = ActivityPage()
        self.tabs = QTabWidget()
        self.errors = ErrorPanel()

    def _lay_out(self) -> None:
        whole = QWidget()
        QVBoxLayout(whole).addWidget(self.store_view)
        for widget, title, tip in (
            (self.tree, "Contents", "What a store holds, to open parts of it"),
            (self.folder_page, "Folder", "The data sets in a folder, with pictures"),
            (self.frame_tab, "Frame", "What was saved with the frame in view"),
            (whole, "Store", "What was saved with the data set and the image"),
            (self.activity, "Activity", "Runs that are watched, and jobs"),
        ):
            self.tabs.setTabToolTip(self.tabs.addTab(widget, title), tip)
        layout = QVBoxLayout(self)
        # The image needs the width more than the edges of a dock do.
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.store_box)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.errors)

    def _connect(self) -> None:
        self.frame_tab.layer_looked_at.connect(self._show_store)
        self._care.looked.connect(self._on_looked)
        self._care.changed.connect(self._on_changed)
        self._sorter.finished.connect(self._on_sorted)
        self._sorter.failed.connect(self._care.show_not_opened)
        self._drops.dropped.connect(self.open_places)
        self._watching.timeout.connect(self._watch_followed)
        self.tree.open_wanted.connect(self._open_nodes)
        self.tree.failed.connect(lambda e: self.errors.show_error(e, _NOT_LOOKED))
        self.tree.wished.connect(self.activity.do)
        page = self.folder_page
        page.open_wanted.connect(self.open_places)
        page.contents_wanted.connect(self._show_contents)
        page.wished.connect(self.activity.do)
        page.failed.connect(lambda e: self.errors.show_error(e, _NOT_LISTED))
        self.activity.open_wanted.connect(lambda place: self.open_places([place]))
        self.activity.seen_wanted.connect(
            lambda: self.tabs.setCurrentWidget(self.activity)
        )
        self.activity.job_ended.connect(self._on_job_ended)
        self.activity.watched.looked.connect(self._on_run_looked)
        box = self.store_box
        box.recover_button.clicked.connect(self.recover)
        box.open_button.clicked.connect(self._choose)
        box.open_file_button.clicked.connect(self._choose_file)
        box.reopen_button.clicked.connect(self.reopen)
        box.refresh_button.clicked.connect(self.refresh)
        box.spectra_button.clicked.connect(self.open_spectra)
        box.follow_check.toggled.connect(self._on_follow)

    # ---- the store

    def _show_store(self, layer: Any, origin: LayerOrigin | None) -> None:
        dataset = None if origin is None else origin.dataset
        self._care.show(dataset)
        msi = None if layer is None else msi_of(layer.metadata)
        if msi is not None:
            self._show_msi(msi)
            return
        self.msi_facts.forget()
        if origin is None or dataset is None:
            self._dataset = None
            self.frame_tab.point.cursor_counts = False
            self.store_box.show_nothing(
                None if layer is None else str(layer.name),
                of_run=layer is not None and run_origin_of(layer.metadata) is not None,
            )
            self.store_view.set_document({}, _NOTHING)
            return
        if dataset is self._dataset:
            return
        self._dataset = dataset
        self.frame_tab.point.cursor_counts = True
        self.tree.follow(dataset)
        self.store_view.set_document(
            about_image(dataset, origin.first_image), "Nothing is known of this store."
        )

    def _show_msi(self, origin: MSILayer) -> None:
        """Show the file that a layer of mass spectra comes from."""
        self._dataset = None
        self.frame_tab.point.cursor_counts = False
        if self.msi_facts.show(origin):
            self.store_box.show_msi(origin)
            self.tree.follow_place(origin.reader.basename)

    # ---- opening

    def _choose(self) -> None:
        start = str(Path(self._dataset.path).parent) if self._dataset else ""
        chosen = QFileDialog.getExistingDirectory(self, "Open a data set", start)
        if chosen:
            self.open_path(chosen)

    def _choose_file(self) -> None:
        place = self.store_box.path_edit.text()
        start = str(Path(place).parent) if place and "://" not in place else ""
        if chosen := choose_file(self, start):
            self.open_places([chosen])

    def _open_nodes(self, nodes: list[Node], chosen: Positions | None) -> None:
        self._care.open_nodes(nodes, chosen, self.tree.acquisition, self.tree.parts)

    def _show_contents(self, place: str) -> None:
        self.tree.show_place(place)
        self.tabs.setCurrentWidget(self.tree)

    def _on_sorted(self, found: tuple[list[str], list[str], Positions | None]) -> None:
        folders, stores, positions = found
        if folders:
            self.show_folder(folders[0])
        if len(stores) == 1 and positions is None:
            self._care.open(stores[0])
        elif stores:
            self._care.open_all(stores, positions)

    def _on_looked(self, root: Node) -> None:
        self.tree.show_root(root)
        if root.kind == "folder":
            self.folder_page.show_folder(root.place)
        if not root.can_open:
            self.tabs.setCurrentWidget(self.tree)

    def _on_changed(self) -> None:
        self.frame_tab.look()
        self.frame_tab.point.soon()

    def _on_follow(self, follow: bool) -> None:
        self._follower.set_following(follow, self.dataset)

    # ---- what goes on

    def _watch_followed(self) -> None:
        """Watch the runs whose layers grow, whoever opened them."""
        for watcher in watchers_in(main_window_of(self)):
            if not watcher.once and not watcher.dataset.finished:
                self.activity.watched.watch(watcher.dataset.path)

    def _on_run_looked(self, place: str, progress: RunProgress) -> None:
        if self._dataset is not None and str(Path(self._dataset.path)) == place:
            self.store_box.show_run(progress.state)
            self.store_box.show_progress(progress)

    def _on_job_ended(self, queued: QueuedJob) -> None:
        self.folder_page.reader.search_again()
        dataset = self._dataset
        if (
            queued.job.title == "Recover"
            and queued.state == "finished"
            and dataset is not None
            and Path(dataset.path) == Path(queued.job.source)
        ):
            self._care.open(dataset.path, dataset)

    # ---- the window

    def showEvent(self, event: QShowEvent | None) -> None:
        """Watch the window that the dock is in, and its canvas."""
        super().showEvent(event)
        window = main_window_of(self)
        if window is None or self.is_shut_down:
            return
        self._guard.watch(window)
        if self._canvas_drops is None and (canvas := canvas_of(window)) is not None:
            self._canvas_drops = PlaceDrops(canvas, self, own_only=True)
            self._canvas_drops.dropped.connect(self.open_places)
