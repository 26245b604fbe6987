"""Hearing of runs that somebody else starts with ``core.run_mda``.

The signals of the runner are heard on the thread of the run: with psygnal they always
are; with Qt a plain connection would put every frame into a queue without limit that
the GUI thread empties, so whoever uses Qt says how to connect. What a slot raises there
would stop the run, or leave it in a state that never ends: nothing is raised.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from napari_scope.acquire.engine import ScopeEngine
from napari_scope.acquire.foreign import ForeignRun
from napari_scope.acquire.progress import RunState
from napari_scope.acquire.registry import ask_guests, foreign_ended, foreign_started
from napari_scope.errors import ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymmcore_plus import CMMCorePlus

__all__ = ["ForeignWatch"]

_log = logging.getLogger(__name__)
# How often in a row its runner must be found idle until a run counts as over that
# never said so.
_IDLE_LOOKS = 5
_ENDS = {"canceled": RunState.CANCELLED, "errored": RunState.FAILED}


class ForeignWatch:
    """Makes a `ForeignRun` of each run of a core that is not ours.

    Those who watch runs (`watch_runs`) are told of it.

    Parameters
    ----------
    core : CMMCorePlus
        The core.
    wanted : callable
        Returns whether such runs are of interest; asked on the thread of the run.
    connect : callable
        Connects a signal to a function so that it is called by the thread that emits.
    alive : callable
        Returns whether the signals of an object can be touched still: at the end of a
        process Qt may have deleted it.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        wanted: Callable[[], bool] = lambda: True,
        connect: Callable[[Any, Callable[..., None]], None] | None = None,
        alive: Callable[[Any], bool] = lambda signals: True,
    ) -> None:
        self._core = core
        self._wanted = wanted
        self._connect = _connect if connect is None else connect
        self._alive = alive
        self._run: ForeignRun | None = None
        self._unwanted = False
        self._idle = 0
        self._connected: list[tuple[Any, Callable[..., None]]] = []

    def start(self) -> None:
        """Listen; a run that goes on already is taken up at its next frame."""
        if self._connected:
            return
        events: Any = self._core.mda.events
        for name, slot in (
            ("sequenceStarted", self._on_started),
            ("frameReady", self._on_frame),
            ("sequencePauseToggled", self._on_paused),
            ("sequenceFinished", self._on_finished),
        ):
            signal = getattr(events, name)
            self._connect(signal, slot)
            self._connected.append((signal, slot))

    def stop(self) -> None:
        """Stop listening; the run that goes on is not disturbed. Idempotent."""
        connected, self._connected = self._connected, []
        if not self._alive(self._core.mda.events):
            connected = []
        for signal, slot in connected:
            with contextlib.suppress(TypeError, ValueError, RuntimeError):
                signal.disconnect(slot)
        run, self._run = self._run, None
        if run is not None:
            run.finish(RunState.CANCELLED)

    def look(self) -> None:
        """Notice the end of a run whose runner never told of it; called regularly."""
        run = self._run
        if run is None or self._core.mda.is_running():
            self._idle = 0
            return
        self._idle += 1
        if self._idle >= _IDLE_LOOKS:
            self._end(run)

    # ------------------------------------------------------------- the run's thread

    def _on_started(self, sequence: Any, _meta: Any = None) -> None:
        try:
            self._unwanted = self._is_ours() or not self._wanted()
            if not self._is_ours():
                try:
                    ask_guests(self._core)
                except ScopeError as error:  # it goes on, and can be seen
                    _log.warning("a run has begun although %s", error)
            if not self._unwanted:
                self._begin(sequence)
        except Exception:  # see the text of the module
            _log.exception("a run of another part of the program is not shown")

    def _on_frame(self, image: Any, event: Any, meta: Any = None) -> None:
        try:
            if self._run is None:
                if self._unwanted or self._is_ours() or not self._wanted():
                    return
                self._begin(None)
            run = self._run
            if run is not None:
                run.frame(image, event, meta or {})
        except Exception:  # see the text of the module
            _log.exception("a frame of another part of the program is not shown")

    def _on_paused(self, paused: bool) -> None:
        run = self._run
        if run is not None and not paused:
            run.resumed()

    def _on_finished(self, _sequence: Any = None) -> None:
        try:
            self._unwanted = False
            if self._run is not None:
                self._end(self._run)
        except Exception:  # see the text of the module
            _log.exception("the end of a run was not understood")

    def _is_ours(self) -> bool:
        return isinstance(self._core.mda.engine, ScopeEngine)

    def _begin(self, sequence: Any) -> None:
        if self._run is not None:
            self._end(self._run)
        # Of a generator the runner tells a sequence without anything in it.
        known = sequence if getattr(sequence, "used_axes", ()) else None
        self._idle = 0
        self._run = run = ForeignRun(self._core, known, ended=foreign_ended)
        foreign_started(run)

    def _end(self, run: ForeignRun) -> None:
        self._run = None
        reason = self._core.mda.status.finish_reason
        run.finish(_ENDS.get(str(getattr(reason, "value", "")), RunState.FINISHED))


def _connect(signal: Any, slot: Callable[..., None]) -> None:
    signal.connect(slot)
