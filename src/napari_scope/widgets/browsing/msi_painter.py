"""Paints layers of mass-spectrometry images when what they show has been read.

Sums of all intensities are computed in a thread and fill the array of their layer; of a
stack the channel that the slider stands at may not be there at once. The painter looks
from time to time while something is under way, refreshes the layer, and lets the
contrast follow, as long as the user has not set it: the intensities of channels differ
by orders of magnitude. When a channel had to be waited for, the peaks are sorted in a
thread, so that the next ones come at once. One painter belongs to one window.
"""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.errors import CancelledError, ScopeError
from napari_scope.formats.msi.resting_file import rest, wake
from napari_scope.layers.msi import msi_of
from napari_scope.layers.msi_build import bright_limits
from napari_scope.layers.msi_stack import MzStack
from napari_scope.layers.notices import warn

if TYPE_CHECKING:
    from collections.abc import Iterable

    import napari.viewer
    from qtpy.QtWidgets import QWidget

    from napari_scope.formats.msi import MSIData, MSIReader
    from napari_scope.layers.describe import Limits
    from napari_scope.layers.msi_stack import Wanted

__all__ = ["MSIPainter", "stack_of"]

_POLL_MS: Final = 40

_log = logging.getLogger(__name__)


def stack_of(layer: Any) -> MzStack | None:
    """Return the channels that a layer shows, or None if it shows something else."""
    origin = msi_of(layer.metadata)
    if origin is None or origin.kind != "stack":
        return None
    source = getattr(layer.data, "source", None)
    return source if isinstance(source, MzStack) else None


class _Sorting:
    """One data set whose peaks are sorted in a thread."""

    def __init__(self, data: MSIData) -> None:
        self.data = weakref.ref(data)
        self.cancelled = threading.Event()
        weakref.finalize(self, self.cancelled.set)  # when the window goes, too
        threading.Thread(
            target=_sort,
            args=(data, self.cancelled),
            name="napari-scope peaks",
            daemon=True,
        ).start()


def _sort(data: MSIData, cancelled: threading.Event) -> None:
    try:
        data.prepare_index(cancelled=cancelled.is_set)
    except CancelledError:
        pass
    except (ScopeError, OSError, MemoryError) as error:
        # Slower, not wrong: channels are read from the file as before.
        _log.warning("the peaks are not sorted: %s", error)


class MSIPainter(QObject):
    """Refreshes layers of mass-spectrometry images of one viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    parent : QWidget
        Its window.

    Attributes
    ----------
    painted : Signal
        A layer shows something new.
    """

    painted = Signal()

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        # A dock of the Plugins menu has a proxy, which gives nothing that is private.
        self._viewer: Any = getattr(viewer, "__wrapped__", viewer)
        self._versions: weakref.WeakKeyDictionary[Any, int] = (
            weakref.WeakKeyDictionary()
        )
        self._given: weakref.WeakKeyDictionary[Any, Limits] = (
            weakref.WeakKeyDictionary()
        )
        self._sorting: weakref.WeakKeyDictionary[Any, _Sorting] = (
            weakref.WeakKeyDictionary()
        )
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._look)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.dims.events.current_step.connect(self._on_step, position="last")
        for layer in viewer.layers:
            self._take(layer)

    def stop(self) -> None:
        """Paint nothing any more, end what is under way; idempotent."""
        viewer, self._viewer = self._viewer, None
        if viewer is None:
            return
        self._timer.stop()
        viewer.layers.events.inserted.disconnect(self._on_inserted)
        viewer.layers.events.removed.disconnect(self._on_removed)
        viewer.dims.events.current_step.disconnect(self._on_step)
        for layer in viewer.layers:
            self._let_go(layer, others=())

    # ---- what comes and goes

    def _on_inserted(self, event: Any) -> None:
        self._take(event.value)

    def _on_removed(self, event: Any) -> None:
        layer, layers = event.value, self._viewer.layers
        self._let_go(layer, others=layers)
        # napari may remember the layer as the one that has the keys, as long as no
        # other has them, and with it the file.
        selection = layers.selection
        if getattr(selection, "_current", None) is layer:
            selection._current = None
        origin = msi_of(layer.metadata)
        if origin is not None and not _shows(layers, origin.reader):
            # Whoever still refers to it, it is closed: on Windows a file that is open
            # cannot be deleted. What is read of it, in another viewer or once the layer
            # is put back, opens it.
            rest(origin.reader)

    def _take(self, layer: Any) -> None:
        origin = msi_of(layer.metadata)
        if origin is None:
            return
        wake(origin.reader)
        stack = stack_of(layer)
        if stack is not None:
            stack.listen(self._start)
            layer.events.visible.connect(self._on_visible)
        elif origin.totals is not None and not origin.totals.done:
            self._start()
        elif origin.totals is not None:
            self._paint_totals(layer)

    def _let_go(self, layer: Any, others: Iterable[Any]) -> None:
        stack = stack_of(layer)
        if stack is not None:
            layer.events.visible.disconnect(self._on_visible)
            # A duplicate of the layer shows the same stack.
            if not any(stack_of(other) is stack for other in others):
                stack.listen(None)
        sorting = self._sorting.pop(layer, None)
        if sorting is not None:
            sorting.cancelled.set()

    # ---- painting

    def _start(self) -> None:
        if self._viewer is not None and not self._timer.isActive():
            self._timer.start()

    def _look(self) -> None:
        busy = False
        waiting: list[tuple[Any, MzStack, Wanted]] = []
        for layer in list(self._viewer.layers):
            origin = msi_of(layer.metadata)
            if origin is None:
                continue
            if origin.totals is not None:
                busy |= self._paint_totals(layer)
            stack = stack_of(layer)
            if stack is not None and layer.visible and stack.owed is not None:
                waiting.append((layer, stack, stack.owed))
        for layer, stack, owed in waiting:
            busy |= self._paint_stack(layer, stack, owed)
        if not busy:
            self._timer.stop()

    def _paint_totals(self, layer: Any) -> bool:
        """Show what has been added up; return whether there is more to come."""
        origin = msi_of(layer.metadata)
        totals = None if origin is None else origin.totals
        if totals is None:
            return False
        done, version = totals.done, totals.version
        if self._versions.get(layer) != version:
            self._versions[layer] = version
            layer.refresh()
            self._follow(layer, bright_limits(totals.image))
            if done and totals.error is not None:
                warn(f"The rest of {layer.name} could not be read: {totals.error}")
            self.painted.emit()
        return not done

    def _paint_stack(self, layer: Any, stack: MzStack, owed: Wanted) -> bool:
        """Show the channel if it has come; return whether it is waited for."""
        self._sort_peaks(layer, stack)
        if stack.at_hand(owed) is None:
            return True
        layer.refresh()
        self._follow_stack(layer, stack)
        self.painted.emit()
        return stack.owed is not None

    def _on_step(self, event: Any) -> None:
        for layer in self._viewer.layers:
            stack = stack_of(layer) if layer.visible else None
            if stack is not None:
                self._follow_stack(layer, stack)

    def _on_visible(self, event: Any) -> None:
        stack = stack_of(event.source)
        if stack is None:
            return
        if event.source.visible:
            self._follow_stack(event.source, stack)
        self.painted.emit()  # the slider may speak of another stack now

    # ---- contrast

    def _follow_stack(self, layer: Any, stack: MzStack) -> None:
        if stack.shown is None or stack.owed is not None:
            return
        plane = stack.at_hand(stack.shown)
        if plane is not None:
            self._follow(layer, bright_limits(plane))

    def _follow(self, layer: Any, limits: Limits | None) -> None:
        """Set the contrast, unless the user has."""
        given = self._given.setdefault(layer, _limits(layer))
        if limits is None or _limits(layer) != given:
            return
        if layer.contrast_limits_range[1] < limits[1]:
            layer.contrast_limits_range = limits
        layer.contrast_limits = limits
        self._given[layer] = _limits(layer)

    # ---- speed

    def _sort_peaks(self, layer: Any, stack: MzStack) -> None:
        data = stack.origin.data
        under_way = any(one.data() is data for one in self._sorting.values())
        if not under_way and not data.index_ready:
            self._sorting[layer] = _Sorting(data)


def _shows(layers: Iterable[Any], reader: MSIReader) -> bool:
    """Return whether one of some layers is of a file."""
    origins = (msi_of(layer.metadata) for layer in layers)
    return any(origin is not None and origin.reader is reader for origin in origins)


def _limits(layer: Any) -> Limits:
    low, high = layer.contrast_limits
    return float(low), float(high)
