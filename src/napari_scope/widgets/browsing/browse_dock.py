"""The Browse dock: which store a layer comes from, and what was saved with its frames.

It follows the selected layer and the point that is looked at (`viewed_point`), shows
the store (`store_box`, `store_facts`) and the frame (`frame_report`), opens data sets
or parts of them (`browse_tree`, `store_opener`), lets them grow (`store_follower`) and
finishes runs that were interrupted (`store_recovery`). Everything that touches files is
read in a thread. The dock owns no data: what it shows comes from the origin that each
layer carries (`napari_scope.layers.origin`). Here the parts are tied together.

Examples
--------
>>> import napari
>>> viewer = napari.Viewer()  # doctest: +SKIP
>>> viewer.window.add_dock_widget(BrowseDock(viewer), name="Browse")  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QLabel,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_scope.layers import origin_of
from napari_scope.layers.preferences import load_preferences, save_preferences
from napari_scope.widgets.browsing.browse_tree import BrowseTree
from napari_scope.widgets.browsing.store_box import StoreBox
from napari_scope.widgets.browsing.store_facts import about_image
from napari_scope.widgets.browsing.store_follower import StoreFollower
from napari_scope.widgets.browsing.store_opener import StoreOpener
from napari_scope.widgets.browsing.store_recovery import StoreRecovery, report_words
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.error_panel import ErrorPanel, explain
from napari_scope.widgets.common.wording import clock
from napari_scope.widgets.frames.frame_report import FrameReport, read_report
from napari_scope.widgets.frames.metadata_view import MetadataView
from napari_scope.widgets.frames.viewed_point import ViewedPoint

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtGui import QShowEvent
    from qtpy.QtWidgets import QLineEdit

    from napari_scope.formats.tree_node import Node
    from napari_scope.layers import LayerOrigin
    from napari_scope.layers.preferences import BrowsePreferences, Positions
    from napari_scope.model import Dataset
    from napari_scope.stream.recovery import RecoveryReport
    from napari_scope.stream.run_state import StoredRun

__all__ = ["BrowseDock"]

_NOTHING: Final = "Nothing to show."
_LOOKING: Final = "Looking …"
_NOT_LOOKED: Final = "The contents could not be read"


class BrowseDock(QWidget):
    """Shows where the selected layer comes from, and the metadata of its frames.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer: Any = napari_viewer
        self._docked = False
        self._closed = False
        self._dataset: Dataset | None = None
        self._wanted: object = None

        self._make_widgets()
        self._lay_out()
        self._point = ViewedPoint(napari_viewer, self)
        self._reader = BackgroundCall(self, abandon=True)
        self._opener = StoreOpener(napari_viewer, self)
        self._follower = StoreFollower(napari_viewer, self)
        self._recovery = StoreRecovery(self)
        self._news: tuple[str, str] = ("", "")
        self._undocking = QTimer(self)
        self._undocking.setSingleShot(True)
        self._undocking.setInterval(0)
        self._connect()
        self._look()

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
        self._open(path, None)

    def reopen(self) -> None:
        """Open the store of the selected layer anew, with the chosen positions."""
        dataset = self.dataset
        if dataset is not None:
            self._open(dataset.path, dataset)

    def refresh(self) -> None:
        """Look now whether something was added to the store."""
        dataset = self.dataset
        if dataset is not None:
            self._follower.refresh(dataset)

    def recover(self) -> None:
        """Finish the interrupted run of the selected layer, then open it anew."""
        dataset = self.dataset
        if dataset is None or self._recovery.busy or self._opener.busy:
            return
        self.errors.clear()
        self._recovery.recover(dataset.path)
        self._set_note("Recovering …")
        self._update_buttons(dataset)

    def shut_down(self) -> None:
        """Stop all timers and threads and let go of the viewer; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._undocking.stop()
        self._point.stop()
        self.tree.shut_down()
        self._reader.close()
        self._opener.close()
        self._recovery.close()

    # ---- layout

    def _make_widgets(self) -> None:
        self.store_box = StoreBox(load_preferences())
        self.tree = BrowseTree()
        self.frame_label = QLabel()
        self.frame_label.setWordWrap(True)
        self.frame_label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.frame_view = MetadataView()
        self.store_view = MetadataView()
        self.tabs = QTabWidget()
        self.errors = ErrorPanel()

    def _lay_out(self) -> None:
        frame = QWidget()
        column = QVBoxLayout(frame)
        column.addWidget(self.frame_label)
        column.addWidget(self.frame_view, 1)
        whole = QWidget()
        QVBoxLayout(whole).addWidget(self.store_view)
        for widget, title, tip in (
            (self.tree, "Contents", "What a store holds, to open parts of it"),
            (frame, "This frame", "What was saved with the frame that is shown"),
            (whole, "Whole store", "What was saved with the data set and the image"),
        ):
            self.tabs.setTabToolTip(self.tabs.addTab(widget, title), tip)

        layout = QVBoxLayout(self)
        layout.addWidget(self.store_box)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.errors)

    def _connect(self) -> None:
        self._point.changed.connect(self._look)
        self._undocking.timeout.connect(self._look_around)
        self._reader.finished.connect(self._on_read)
        self._reader.failed.connect(self._on_not_read)
        self._opener.opened.connect(self._on_opened)
        self._opener.looked.connect(self._on_looked)
        self._opener.failed.connect(self._on_not_opened)
        self.tree.open_wanted.connect(self._open_nodes)
        self.tree.failed.connect(lambda e: self.errors.show_error(e, _NOT_LOOKED))
        self._follower.refresh_begun.connect(self._on_refresh_begun)
        self._follower.refreshed.connect(self._on_refreshed)
        self._follower.refresh_ended.connect(self._on_refresh_ended)
        self._recovery.looked.connect(self._on_run_known)
        self._recovery.progressed.connect(self._on_recovering)
        self._recovery.recovered.connect(self._on_recovered)
        self._recovery.failed.connect(self._on_not_recovered)
        box = self.store_box
        box.recover_button.clicked.connect(self.recover)
        box.open_button.clicked.connect(self._choose)
        box.reopen_button.clicked.connect(self.reopen)
        box.refresh_button.clicked.connect(self.refresh)
        box.preferences_changed.connect(self._on_preferences)
        box.follow_check.toggled.connect(self._on_follow)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.shut_down)

    # ---- what is looked at

    def _look(self) -> None:
        """Show the selected layer and what was saved with its frame."""
        if self._closed:
            return
        layer = self._viewer.layers.selection.active
        origin = None if layer is None else origin_of(layer.metadata)
        self._point.listen_to(layer)
        self._show_store(layer, origin)
        if layer is None or origin is None:
            self._wanted = None
            self._show_frame(FrameReport(why_empty=_NOTHING))
            return
        position = self._point.on(layer)
        place = origin.find(position)
        wanted = (origin, None if place is None else (place.image, place.index))
        if wanted == self._wanted:
            return
        if self._reader.busy:
            self._point.soon()  # the newest wish counts, once the reader is free
            return
        self._wanted = wanted
        self._reader.start(
            lambda: read_report(origin, position), "napari-scope metadata"
        )

    # ---- the frame

    def _on_read(self, frame: FrameReport) -> None:
        if self._wanted is not None:
            self._show_frame(frame)

    def _on_not_read(self, error: BaseException) -> None:
        words = explain(error)
        self._on_read(
            FrameReport(why_empty=f"The metadata cannot be read: {words.message}")
        )

    def _show_frame(self, frame: FrameReport) -> None:
        self.frame_label.setText(frame.title)
        self.frame_label.setVisible(bool(frame.title))
        self.frame_view.set_metadata(frame.metadata, frame.why_empty, frame.rows)

    # ---- the store

    def _show_store(self, layer: Any, origin: LayerOrigin | None) -> None:
        dataset = None if origin is None else origin.dataset
        self._update_buttons(dataset)
        if origin is None or dataset is None:
            self._dataset = None
            self._point.cursor_counts = False
            self.store_box.show_nothing(None if layer is None else str(layer.name))
            self.store_view.set_metadata(None, _NOTHING)
            return
        if dataset is self._dataset:
            return
        self._dataset = dataset
        self._point.cursor_counts = True
        self.store_box.show_dataset(dataset)
        self._recovery.look(dataset.path)
        self.tree.follow(dataset)
        self.store_view.set_metadata(
            about_image(dataset, origin.first_image), "Nothing is known of this store."
        )

    def _update_buttons(self, dataset: Dataset | None) -> None:
        busy = self._opener.busy or self._recovery.busy
        self.store_box.enable_buttons(dataset, opening=busy)

    # ---- opening

    def _choose(self) -> None:
        start = str(Path(self._dataset.path).parent) if self._dataset else ""
        chosen = QFileDialog.getExistingDirectory(self, "Open a data set", start)
        if chosen:
            self.open_path(chosen)

    def _open(self, path: str, instead_of: Dataset | None) -> None:
        if self._opener.busy or self._recovery.busy:
            return
        self.errors.clear()
        self._opener.open(path, self.store_box.preferences.positions, instead_of)
        self._set_note("Opening …")
        self._update_buttons(self._dataset)

    def _open_nodes(self, nodes: list[Node], chosen: Positions | None) -> None:
        if self._opener.busy or self._recovery.busy:
            return
        self.errors.clear()
        positions = chosen or self.store_box.preferences.positions
        self._opener.open_nodes(
            nodes,
            positions,
            self.tree.acquisition,
            mosaics=positions != "slider",
        )
        self._set_note("Opening …")
        self._update_buttons(self._dataset)

    def _on_looked(self, root: Node) -> None:
        self.tree.show_root(root)
        if not root.can_open:
            self.tabs.setCurrentWidget(self.tree)

    def _on_opened(self, dataset: Dataset | None) -> None:
        self._set_note(*self._news)
        self._news = ("", "")
        if dataset is not None and self.store_box.preferences.follow:
            self._follower.watch(dataset)
        self._look()

    def _on_not_opened(self, error: BaseException) -> None:
        self._set_note("")
        self.errors.show_error(error, "The data set could not be opened")
        self._look()

    def _set_note(self, text: str, tip: str = "") -> None:
        self.store_box.note_label.setText(text)
        self.store_box.note_label.setToolTip(tip)

    # ---- recovering

    def _on_run_known(self, path: str, state: StoredRun) -> None:
        if self._dataset is not None and self._dataset.path == path:
            self.store_box.show_run(state)

    def _on_recovering(self, done: int, total: int) -> None:
        self._set_note(f"Recovering: {done:,} of {total:,} frames")

    def _on_recovered(self, report: RecoveryReport) -> None:
        self._news = report_words(report)
        self._set_note(*self._news)
        self._update_buttons(self._dataset)
        dataset = self._dataset
        if dataset is not None and Path(dataset.path) == report.path:
            self._open(dataset.path, dataset)

    def _on_not_recovered(self, error: BaseException) -> None:
        self._set_note("")
        self.errors.show_error(error, "The run could not be recovered")
        self._update_buttons(self._dataset)

    # ---- following

    def _on_follow(self, follow: bool) -> None:
        self._follower.set_following(follow, self.dataset)

    def _on_refresh_begun(self) -> None:
        self.store_box.note_label.setText(_LOOKING)
        self.store_box.refresh_button.setEnabled(False)

    def _on_refreshed(self, dataset: Dataset) -> None:
        self.store_box.note_label.setText(f"New frames at {clock()}")
        self._point.soon()

    def _on_refresh_ended(self, reason: str) -> None:
        note = self.store_box.note_label
        if note.text() == _LOOKING:
            note.setText(f"Nothing new at {clock()}" if not reason else "")
        self._update_buttons(self._dataset)

    def _on_preferences(self, preferences: BrowsePreferences) -> None:
        try:
            save_preferences(preferences)
        except OSError as error:
            self.errors.show_error(error, "The choice could not be remembered")

    # ---- the window

    def showEvent(self, event: QShowEvent | None) -> None:
        """Notice being docked."""
        super().showEvent(event)
        self._look_around()

    def event(self, event: QEvent | None) -> bool:
        """Notice being taken out of the dock."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self._undocking.start()
        return bool(super().event(event))

    def _look_around(self) -> None:
        if self._closed:
            return
        if self.parentWidget() is not None:
            self._docked = True
        elif self._docked:
            # napari keeps nothing of a closed dock.
            self.shut_down()
            self.deleteLater()
