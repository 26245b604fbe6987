"""Showing the runs of a microscope, whoever starts them: layers, progress, control.

A `RunWatch` is told by the microscope that a run has begun, polls it until it is over,
and says so. What is shown of one run in one viewer is shown once, also where a viewer
has two docks. A run that is shown elsewhere (an explorer's mosaic) gets no layers here.
"""

from __future__ import annotations

import weakref
from collections import deque
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.errors import ScopeError
from napari_scope.events.plan_axes import axes_in_use
from napari_scope.layers.live import fill_order
from napari_scope.widgets.common.closing import ClosingGuard, main_window_of
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.common.preferences import preferences

if TYPE_CHECKING:
    from collections.abc import Callable

    import useq
    from qtpy.QtWidgets import QWidget

    from napari_scope.stream import StreamView
    from napari_scope.widgets.acquiring.live_layers import LiveLayers
    from napari_scope.widgets.acquiring.run_bar import RunBar
    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["RunWatch"]

_POLL_MS = 150
_MOST_TO_SHOW = 16

_watches: weakref.WeakSet[RunWatch] = weakref.WeakSet()
_shown: weakref.WeakKeyDictionary[Any, set[int]] = weakref.WeakKeyDictionary()


class RunWatch(QObject):
    """Follows the runs of a microscope for one dock.

    Parameters
    ----------
    microscope : Microscope
        Tells of runs.
    bar : RunBar
        Shows progress, asks for control.
    live : LiveLayers
        Shows the images.
    dock : QWidget
        Whose window is watched: it closes only when no run is lost by it.
    is_own : callable
        Whether the run that goes on, or is about to, was started by the dock.
    busy : callable
        Whether a run goes on or is about to.
    cancel : callable
        Cancels it because the window is being closed; returns at once.

    Attributes
    ----------
    started, ended : Signal
        A run is shown from now on; it is over and all its files are closed.
    """

    started = Signal(object)
    ended = Signal(object)

    def __init__(
        self,
        microscope: Microscope,
        bar: RunBar,
        live: LiveLayers,
        dock: QWidget,
        *,
        is_own: Callable[[], bool],
        busy: Callable[[], bool],
        cancel: Callable[[], None],
    ) -> None:
        super().__init__(dock)
        self._microscope = microscope
        self._bar = bar
        self._live = live
        self._dock = dock
        self._is_own = is_own
        self._busy = busy
        self._running = False
        # Weak: a dock that somebody still holds must not keep the window alive.
        self._window: Callable[[], QWidget | None] = lambda: None
        self.run: Any = None
        # Each holds its stream, in memory perhaps: of many the oldest get no layers.
        self._to_show: deque[Any] = deque(maxlen=_MOST_TO_SHOW)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._guard = ClosingGuard(self, self._would_be_lost, cancel)
        microscope.run_started.connect(self.show)
        microscope.run_ended.connect(self._look_again)
        bar.pause_requested.connect(self.pause)
        bar.resume_requested.connect(self.resume)
        bar.skip_wait_requested.connect(self.skip_wait)
        bar.finish_requested.connect(self.finish_after)
        bar.follow_toggled.connect(live.set_following)
        live.following_changed.connect(bar.set_following)
        live.note_changed.connect(bar.set_note)

    def begin(self) -> None:
        """Begin to watch; a run that goes on already is shown."""
        self._timer.start()
        _watches.add(self)
        if self._microscope.running:
            self.show(self._microscope.run)

    def close(self) -> None:
        """Watch nothing any more; idempotent."""
        _watches.discard(self)
        self._timer.stop()
        self._guard.watch(None)
        self._running = False
        self._to_show.clear()
        for signal, slot in (
            (self._microscope.run_started, self.show),
            (self._microscope.run_ended, self._look_again),
        ):
            try:
                signal.disconnect(slot)
            except (TypeError, RuntimeError):
                continue  # disconnected before

    @property
    def running(self) -> bool:
        """Whether a run goes on or its end has not been shown yet."""
        return self._running

    @staticmethod
    def name_of(run: Any) -> str:
        """Return what a run is called."""
        return str(getattr(run, "name", "") or "run")

    # ---- control

    def pause(self) -> None:
        """Ask the run to pause."""
        if self._running:
            self.run.pause()
            self._poll()

    def resume(self) -> None:
        """Ask the run to go on."""
        if self._running:
            self.run.resume()
            self._poll()

    def cancel(self) -> None:
        """Ask the run to stop; its files are closed by the run itself."""
        if self._running:
            self.run.cancel()
            self._poll()

    def skip_wait(self) -> None:
        """Ask the run not to wait for its next event."""
        if self._running and hasattr(self.run, "skip_wait"):
            self.run.skip_wait()
            self._poll()

    def finish_after(self, axis: object) -> None:
        """Ask the run to end after the present step of an axis; None takes it back."""
        if self._running and hasattr(self.run, "finish_after"):
            try:
                self.run.finish_after(axis)
            except ScopeError as error:
                notify(error.message, "warning")
            self._poll()

    # ---- showing

    def show(self, run: Any) -> None:
        """Show a run from now on."""
        if run is self.run:
            return
        if self._running:
            self._end()
        self.run = run
        self._running = True
        self._bar.set_note("")
        if self._is_shown_here(run):
            self._to_show.append(run)
            self._show_layers()
        elif shown_by := getattr(run, "shown_by", ""):
            self._bar.set_note(f"Shown by: {shown_by}")
        self.started.emit(run)
        self._poll()

    def _show_layers(self) -> None:
        """Begin with the next run, once all layers of the one before are there.

        Runs of a queue follow each other faster than layers can be made.
        """
        if not self._to_show or self._live.active:
            return
        run = self._to_show.popleft()
        sequence = getattr(getattr(run, "plan", None), "sequence", None)
        self._live.start(
            lambda: _view_of(run),
            () if sequence is None else _order_of(sequence),
            eased=getattr(run, "eased", nullcontext),
            lagging=lambda: bool(getattr(run, "lagging", False)),
        )
        if run.done:
            self._live.finish()

    def _is_shown_here(self, run: Any) -> bool:
        """Return whether its layers are ours to make, and note that they are."""
        if getattr(run, "shown_by", ""):
            return False
        if not self._is_own() and not preferences().show_other_runs:
            return False
        viewers = _shown.setdefault(run, set())
        viewer = id(self._live.viewer)
        if viewer in viewers:
            return False
        viewers.add(viewer)
        return True

    def _poll(self) -> None:
        window = main_window_of(self._dock)
        if window is not None and window is not self._window():
            self._window = weakref.ref(window)
            self._guard.watch(window)
        self._show_layers()
        run = self.run
        if run is None or not self._running:
            return
        # Asked before the snapshot: a run that ends in between is shown as it was and
        # its end at the next look, never an end with the numbers before it.
        if run.done:
            self._end()
            return
        steerable = hasattr(run, "finish_after")
        axes = run.index if steerable else ()
        self._bar.show_progress(run.progress(), axes, steerable=steerable)

    def _look_again(self, _run: object) -> None:
        self._poll()

    def _end(self) -> None:
        run = self.run
        self._running = False
        if run not in self._to_show:
            self._live.finish()
        if run.report is not None:
            saving = bool(run.outputs)
            self._bar.show_report(run.report, str(run.state.value), saving)
        else:
            self._bar.show_failure("Failed")
        self.ended.emit(run)

    # ---- the window

    def _would_be_lost(self) -> bool:
        """Return whether closing the window would end a run.

        A window that nobody sees, of a script, does not decide about the runs of
        others; nor does one of several that show it.
        """
        if not self._busy() or self._is_own():
            return self._busy()
        return self._is_seen() and not any(
            other.run is self.run
            and other._window() is not self._window()
            and other._is_seen()
            for other in list(_watches)
        )

    def _is_seen(self) -> bool:
        window = self._window()
        return window is not None and window.isVisible()


def _view_of(run: Any) -> StreamView | None:
    stream = run.stream
    return None if stream is None else stream.view()


def _order_of(plan: useq.MDASequence) -> tuple[str, ...]:
    """Return the axes of a plan from slowest to fastest, nothing if they vary."""
    if any(position.sequence is not None for position in plan.stage_positions):
        return ()
    return fill_order(map(str, plan.axis_order), axes_in_use(plan))
