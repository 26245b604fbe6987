"""Watches a store that is being written: its layers grow while they are looked at.

A timer asks the data set in a thread what was added (`Dataset.reload`), and
`napari_scope.layers.growing` says what becomes of the layers. They are changed one by
one in the GUI thread, so that the viewer stays alive. How a layer is changed is the
business of `store_layers`, where the sliders stand afterwards that of `slider_keeper`;
here is when to look, when to stop, and what the user is told.

A watcher is a child of the viewer's window and ends with it. It ends by itself when
the store is finished, when its layers are gone, and when the store cannot be read any
more, which is said once.

Examples
--------
>>> window = viewer.window.main_menu.window()  # doctest: +SKIP
>>> StoreWatcher(viewer, dataset, window).start()  # doctest: +SKIP
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_scope.layers import MAX_LAYERS, origin_of
from napari_scope.layers.growing import Growth, grown
from napari_scope.widgets.browsing.slider_keeper import SliderKeeper
from napari_scope.widgets.browsing.store_layers import StoreLayers, layers_of
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.error_panel import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari.viewer

    from napari_scope.layers import LayerData, LayerOrigin
    from napari_scope.layers.growing import LayerChange
    from napari_scope.model import Dataset

__all__ = ["StoreWatcher", "follow_in_current_viewer", "watchers_in"]

_INTERVAL_MS: Final = 1000
_SLOWEST_MS: Final = 5000
_LOOKS_FOR_LAYERS: Final = 20


class StoreWatcher(QObject):
    """Lets the layers of one data set grow.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer with the layers.
    dataset : Dataset
        The data set, as its layers know it.
    window : QWidget
        The viewer's window, which becomes the parent.
    once : bool
        Look once and end, also at a store that is finished.
    interval_ms : int
        Time between two looks; it grows five-fold while nothing is added.

    Attributes
    ----------
    grown : Signal
        The layers show what was added; carries the data set as it is now.
    ended : Signal
        No more is looked for; carries the reason, empty if all went well.
    """

    grown = Signal(object)
    ended = Signal(str)

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        dataset: Dataset,
        window: QWidget,
        *,
        once: bool = False,
        interval_ms: int = _INTERVAL_MS,
    ) -> None:
        super().__init__(window)
        self._viewer = viewer
        self._changer = StoreLayers(viewer)
        self._sliders = SliderKeeper(viewer)
        self._dataset = dataset
        self._window = window
        self._once = once
        self._stopped = False
        self._interval_ms = interval_ms
        self._seen_layers = False
        self._looks = 0
        self._told = False
        self._growth: Growth | None = None
        self._pending: deque[LayerChange | LayerData] = deque()
        self._timer = QTimer(self)
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self.look)
        self._apply_timer = QTimer(self)
        self._apply_timer.setInterval(0)
        self._apply_timer.timeout.connect(self._apply_next)
        self._close_timer = QTimer(self)
        self._close_timer.setSingleShot(True)
        self._close_timer.timeout.connect(self._stop_if_closed)
        self._call = BackgroundCall(self)
        self._call.finished.connect(self._on_looked)
        self._call.failed.connect(self._on_failed)
        window.installEventFilter(self)

    @property
    def dataset(self) -> Dataset:
        """The data set as it was found last."""
        return self._dataset

    @property
    def active(self) -> bool:
        """Whether more is looked for."""
        return not self._stopped

    @property
    def once(self) -> bool:
        """Whether it ends after the next look."""
        return self._once

    @property
    def layers(self) -> list[Any]:
        """The layers of the data set in the viewer."""
        return layers_of(self._viewer, self._dataset)

    def start(self) -> None:
        """Begin to look: at once when asked for one look, else after the interval."""
        if self._once:
            self.look()
        elif not self._stopped:
            self._timer.start()

    def set_following(self, following: bool) -> None:
        """Go on looking, or end once what was found last is shown.

        What a look has found is never dropped by this: a store says only once that it
        has grown.
        """
        self._once = not following
        if self._stopped:
            return
        if following:
            self._timer.start()
            return
        self._timer.stop()
        if not self._call.busy and not self._pending:
            self.stop()

    def stop(self, reason: str = "") -> None:
        """End; waits for a look that is under way; idempotent."""
        if self._stopped:
            return
        self._stopped = True
        self._timer.stop()
        self._apply_timer.stop()
        self._close_timer.stop()
        self._pending.clear()
        self._call.close()
        self._window.removeEventFilter(self)
        self.ended.emit(reason)
        self.deleteLater()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stop when the window closes, unless somebody keeps it open."""
        if event is not None and event.type() == QEvent.Type.Close:
            if self._window.isVisible():
                self._close_timer.start(0)
            else:
                self.stop()
        return False

    def _stop_if_closed(self) -> None:
        if not self._window.isVisible():
            self.stop()

    # ---- looking

    def look(self) -> None:
        """Look now whether something was added."""
        if self._stopped or self._call.busy or self._pending:
            return
        layers = self.layers
        self._looks += 1
        if not layers:
            # A reader starts the watcher before napari has made the layers.
            if self._seen_layers or self._looks > _LOOKS_FOR_LAYERS or self._once:
                self.stop()
            return
        if not self._seen_layers:
            self._seen_layers = True
            self._changer.note_view()
        dataset = self._dataset
        origins = [origin_of(layer.metadata) for layer in layers]
        known = list({id(o): o for o in origins if o is not None}.values())
        self._call.start(lambda: _look(dataset, known), "napari-scope store watcher")

    def _on_looked(self, growth: Growth | None) -> None:
        if growth is None:
            slower = self._timer.interval() * 3 // 2
            self._timer.setInterval(min(slower, 5 * self._interval_ms, _SLOWEST_MS))
            if self._once or self._dataset.finished:
                self.stop()
            return
        self._timer.setInterval(self._interval_ms)
        self._growth = growth
        self._sliders.note(self.layers)
        self._pending.extend(growth.changes)
        self._pending.extend(growth.added)
        if growth.left_out and not self._told:
            self._told = True
            _warn(
                f"{growth.left_out} more layers would be made of "
                f"{growth.dataset.path}, but more than {MAX_LAYERS} slow down napari. "
                "Open it again to see all positions on a slider."
            )
        self._apply_timer.start()

    def _on_failed(self, error: BaseException) -> None:
        words = explain(error)
        reason = f"{words.message} ({words.hint})" if words.hint else words.message
        _warn(f"{self._dataset.path} is not followed any more: {reason}")
        self.stop(reason)

    # ---- changing layers, one in each turn of the event loop

    def _apply_next(self) -> None:
        if self._pending:
            step = self._pending.popleft()
            if isinstance(step, tuple):
                self._changer.add(step, self._dataset.path)
            else:
                for layer in self._changer.with_origin(step.before):
                    new = self._changer.change(layer, step)
                    self._sliders.replaced(layer, new)
        if not self._pending:
            self._apply_timer.stop()
            self._end_of_growth()

    def _end_of_growth(self) -> None:
        growth, self._growth = self._growth, None
        if growth is None:
            return
        self._dataset = growth.dataset
        self._sliders.restore(self.layers)
        self.grown.emit(growth.dataset)
        if self._once or growth.dataset.finished or growth.dataset.reload is None:
            self.stop()


def watchers_in(window: QWidget | None) -> list[StoreWatcher]:
    """Return the watchers of a viewer's window that still look for more."""
    if window is None:
        return []
    return [w for w in window.findChildren(StoreWatcher) if w.active]


def follow_in_current_viewer(dataset: Dataset) -> StoreWatcher | None:
    """Watch a data set whose layers are about to be added to the current viewer.

    Returns
    -------
    StoreWatcher or None
        None without a viewer with a window.
    """
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return None
    window = viewer.window.main_menu.window()
    if not isinstance(window, QWidget):
        return None
    watcher = StoreWatcher(viewer, dataset, window)
    watcher.start()
    return watcher


def _look(dataset: Dataset, origins: Sequence[LayerOrigin]) -> Growth | None:
    found = None if dataset.reload is None else dataset.reload()
    return None if found is None else grown(origins, found)


def _warn(message: str) -> None:
    from napari.utils import notifications

    notifications.show_warning(message)
