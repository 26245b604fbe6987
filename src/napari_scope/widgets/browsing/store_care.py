"""Opening, following and recovering of stores, as the group "Data" shows them.

It ties `store_opener`, `store_follower` and `store_recovery` to buttons and note
of a `StoreBox`, and to the panel for errors. One thing is done at a time. What is
selected in the viewer, and what else is shown of it, is the business of the dock.

Examples
--------
>>> care = StoreCare(viewer, dock, box, errors)  # doctest: +SKIP
>>> care.open("/data/run_1", None)  # doctest: +SKIP
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.layers.preferences import save_preferences
from napari_scope.widgets.browsing.store_follower import StoreFollower
from napari_scope.widgets.browsing.store_opener import StoreOpener
from napari_scope.widgets.browsing.store_recovery import StoreRecovery, report_words
from napari_scope.widgets.common.wording import clock
from napari_scope.widgets.frames.latest_call import LatestCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari.viewer
    from qtpy.QtWidgets import QWidget

    from napari_scope.formats.image_parts import Parts
    from napari_scope.formats.tree_node import Node
    from napari_scope.layers.preferences import BrowsePreferences, Positions
    from napari_scope.model import Dataset
    from napari_scope.stream.recovery import RecoveryReport
    from napari_scope.stream.run_state import StoredRun
    from napari_scope.widgets.browsing.store_box import StoreBox
    from napari_scope.widgets.common.error_panel import ErrorPanel

__all__ = ["StoreCare"]

_LOOKING: Final = "Looking …"


class StoreCare(QObject):
    """Does what the buttons of a store box ask for.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    dock : QWidget
        Owner, in the window of the viewer.
    box : StoreBox
        Shows how it goes.
    errors : ErrorPanel
        Shows what failed.

    Attributes
    ----------
    looked : Signal
        A path was read; carries the root of its tree.
    changed : Signal
        Layers were added or have grown.
    """

    looked = Signal(object)
    changed = Signal()

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        dock: QWidget,
        box: StoreBox,
        errors: ErrorPanel,
    ) -> None:
        super().__init__(dock)
        self._box = box
        self._errors = errors
        self._dataset: Dataset | None = None
        self._news: tuple[str, str] = ("", "")
        self.opener = StoreOpener(viewer, self)
        self.follower = StoreFollower(viewer, dock)
        self.recovery = StoreRecovery(self)
        self.opener.opened.connect(self._on_opened)
        self.opener.looked.connect(self.looked)
        self.opener.failed.connect(self.show_not_opened)
        self.follower.refresh_begun.connect(self._on_refresh_begun)
        self.follower.refreshed.connect(self._on_refreshed)
        self.follower.refresh_ended.connect(self._on_refresh_ended)
        self.recovery.looked.connect(self._on_run_known)
        self.recovery.progressed.connect(self._on_recovering)
        self.recovery.recovered.connect(self._on_recovered)
        self.recovery.failed.connect(self._on_not_recovered)
        self._choices = LatestCall(self, "napari-scope browse preferences")
        self._choices.failed.connect(self._on_choice_not_kept)
        box.preferences_changed.connect(self._on_preferences)

    @property
    def busy(self) -> bool:
        """Whether something is being opened or recovered."""
        return self.opener.busy or self.recovery.busy

    def show(self, dataset: Dataset | None) -> None:
        """Show a data set, or that there is none."""
        if dataset is self._dataset:
            self._update_buttons()
            return
        self._dataset = dataset
        self._update_buttons()
        if dataset is not None:
            self._box.show_dataset(dataset)
            self.recovery.look(dataset.path)

    def close(self) -> None:
        """Leave what is under way behind; idempotent."""
        self._dataset = None  # a plate has threads as long as somebody holds it
        self.opener.close()
        self.recovery.close()
        self._choices.close()

    # ---- opening

    def open(self, path: str, instead_of: Dataset | None = None) -> None:
        """Open a data set, unless something is being done."""
        if self.busy:
            return
        self._begin("Opening …")
        positions = self._box.preferences.positions
        self.opener.open(path, positions, instead_of)
        self._update_buttons()

    def open_all(self, places: Sequence[str], positions: Positions | None) -> None:
        """Open several data sets, unless something is being done."""
        if self.busy:
            return
        self._begin("Opening …")
        self.opener.open_all(places, positions or self._box.preferences.positions)
        self._update_buttons()

    def open_nodes(
        self,
        nodes: Sequence[Node],
        positions: Positions | None,
        acquisition: int | None,
        parts: Parts,
    ) -> None:
        """Open parts of stores, unless something is being done."""
        if self.busy:
            return
        self._begin("Opening …")
        chosen = positions or self._box.preferences.positions
        mosaics = chosen != "slider"
        self.opener.open_nodes(nodes, chosen, acquisition, mosaics=mosaics, parts=parts)
        self._update_buttons()

    def _on_opened(self, dataset: Dataset | None) -> None:
        self._set_note(*self._news)
        self._news = ("", "")
        if dataset is not None and self._box.preferences.follow:
            self.follower.watch(dataset)
        self.changed.emit()

    def show_not_opened(self, error: BaseException) -> None:
        """Show why something could not be opened."""
        self._set_note("")
        self._errors.show_error(error, "The data set could not be opened")
        self.changed.emit()

    def _begin(self, note: str) -> None:
        self._errors.clear()
        self._set_note(note)

    def _set_note(self, text: str, tip: str = "") -> None:
        self._box.note_label.setText(text)
        self._box.note_label.setToolTip(tip)

    def _update_buttons(self) -> None:
        self._box.enable_buttons(self._dataset, opening=self.busy)

    # ---- recovering

    def recover(self, path: str) -> None:
        """Finish an interrupted run, then open it anew."""
        if self.busy:
            return
        self._begin("Recovering …")
        self.recovery.recover(path)
        self._update_buttons()

    def _on_run_known(self, path: str, state: StoredRun) -> None:
        if self._dataset is not None and self._dataset.path == path:
            self._box.show_run(state)

    def _on_recovering(self, done: int, total: int) -> None:
        self._set_note(f"Recovering: {done:,} of {total:,} frames")

    def _on_recovered(self, report: RecoveryReport) -> None:
        self._news = report_words(report)
        self._set_note(*self._news)
        self._update_buttons()
        dataset = self._dataset
        if dataset is not None and Path(dataset.path) == report.path:
            self.open(dataset.path, dataset)

    def _on_not_recovered(self, error: BaseException) -> None:
        self._set_note("")
        self._errors.show_error(error, "The run could not be recovered")
        self._update_buttons()

    # ---- following

    def _on_refresh_begun(self) -> None:
        self._set_note(_LOOKING)
        self._box.refresh_button.setEnabled(False)

    def _on_refreshed(self, dataset: Dataset) -> None:
        self._set_note(f"New frames at {clock()}")
        self.changed.emit()

    def _on_refresh_ended(self, reason: str) -> None:
        if self._box.note_label.text() == _LOOKING:
            self._set_note(f"Nothing new at {clock()}" if not reason else "")
        self._update_buttons()

    def _on_preferences(self, preferences: BrowsePreferences) -> None:
        # In a thread: the folder of the user's settings may be on a network.
        self._choices.do(preferences, partial(save_preferences, preferences))

    def _on_choice_not_kept(self, _: object, error: object) -> None:
        assert isinstance(error, BaseException)
        self._errors.show_error(error, "The choice could not be remembered")
