"""Following stores from a dock: which are watched in its window, and one more look.

A store that is being written is watched by a `StoreWatcher`, which belongs to the
window and not to the dock: it goes on when the dock is closed, and a dock that is
opened later finds it here. A store that nobody watches can be looked at once.

It knows nothing of what is selected and of what is said to the user.

Examples
--------
>>> follower = StoreFollower(viewer, dock)  # doctest: +SKIP
>>> follower.watch(dataset)  # doctest: +SKIP
>>> follower.watchers  # doctest: +SKIP
[<napari_scope.widgets.browsing.store_watcher.StoreWatcher object at 0x7f0c1c0e5a20>]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_scope.widgets.browsing.store_watcher import StoreWatcher, watchers_in
from napari_scope.widgets.common.closing import main_window_of

if TYPE_CHECKING:
    import napari.viewer

    from napari_scope.model import Dataset

__all__ = ["StoreFollower"]


class StoreFollower(QObject):
    """Starts, finds and ends the watchers of a window.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer with the layers.
    dock : QWidget
        Owner; its window is that of the watchers.

    Attributes
    ----------
    refresh_begun : Signal
        A store that nobody watches is looked at.
    refreshed : Signal
        Something was added to it and is shown; carries the data set.
    refresh_ended : Signal
        The look is over; carries the reason, empty if all went well.
    """

    refresh_begun = Signal()
    refreshed = Signal(object)
    refresh_ended = Signal(str)

    def __init__(self, viewer: napari.viewer.Viewer, dock: QWidget) -> None:
        super().__init__(dock)
        self._viewer: Any = viewer
        self._dock = dock

    @property
    def watchers(self) -> list[StoreWatcher]:
        """What looks for more in this window."""
        return watchers_in(self._window())

    def watch(self, dataset: Dataset) -> None:
        """Follow a store from now on, if there can be more of it."""
        window = self._window()
        if dataset.finished or dataset.reload is None or window is None:
            return
        StoreWatcher(self._viewer, dataset, window).start()

    def set_following(self, following: bool, dataset: Dataset | None) -> None:
        """Follow the store that is shown, or end following all of the window."""
        watcher = self._watcher_of(dataset)
        if not following:
            for one in self.watchers:
                one.set_following(False)
        elif watcher is not None:
            watcher.set_following(True)
        elif dataset is not None:
            self.watch(dataset)

    def refresh(self, dataset: Dataset) -> None:
        """Look now whether something was added to a store, finished or not."""
        window = self._window()
        if dataset.reload is None or window is None:
            return
        watcher = self._watcher_of(dataset)
        if watcher is not None:
            watcher.look()
        else:
            watcher = StoreWatcher(self._viewer, dataset, window, once=True)
            watcher.grown.connect(self._on_grown)
            watcher.ended.connect(self._on_ended)
            self.refresh_begun.emit()
            watcher.start()

    def _window(self) -> QWidget | None:
        window = main_window_of(self._dock)
        if window is not None:
            return window
        found = self._viewer.window.main_menu.window()
        return found if isinstance(found, QWidget) else None

    def _watcher_of(self, dataset: Dataset | None) -> StoreWatcher | None:
        return next((w for w in self.watchers if w.dataset is dataset), None)

    # Methods, not signals tied to signals: Qt lets go of them when the dock goes.

    def _on_grown(self, dataset: Dataset) -> None:
        self.refreshed.emit(dataset)

    def _on_ended(self, reason: str) -> None:
        self.refresh_ended.emit(reason)
