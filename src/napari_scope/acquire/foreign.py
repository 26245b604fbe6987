"""Runs that somebody else starts: a script, the console, another plugin.

``core.run_mda(...)`` knows nothing of us. `ForeignWatch` hears the signals of its
runner and makes a `ForeignRun` of what it hears, which can be looked at, paused and
cancelled like a `Run`. Its frames are kept in memory (what does not fit in a temporary
file), so that they can be shown; where the run itself saves is its own business.

Nothing here can slow or break the run of somebody else: on its thread a frame is copied
and put into a queue with a limit, and whatever goes wrong is noted, not raised. When
the queue is full frames are left out of the display and counted.

This module knows no Qt, although the signals may be Qt's: those are connected so that
they are heard on the thread of the run.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_scope.acquire.news import RunNews
from napari_scope.acquire.progress import (
    RunProgress,
    RunReport,
    RunState,
    SkippedFrame,
    seconds_left,
)
from napari_scope.acquire.recorder import Recorder
from napari_scope.acquire.switching import quick_switching
from napari_scope.errors import AcquisitionError, PlanError, ScopeError
from napari_scope.events import Plan
from napari_scope.stream import StreamStats
from napari_scope.stream.sinks.memory import MemorySink

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus
    from useq import MDAEvent, MDASequence

    from napari_scope.stream import Output, Stream

__all__ = ["ForeignRun"]

_MOST_WAITING_BYTES = 256 * 2**20
_MOST_WARNINGS = 20


class ForeignRun:
    """A run of somebody else, with the face of a `Run`.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    sequence : MDASequence, optional
        What is run, where it is known.
    ended : callable
        Called with the run when it is over, on a thread of its own.
    limit_bytes : int, optional
        Most memory for its frames, see `MemorySink`.
    """

    is_foreign = True
    owner = None
    name = "core.run_mda"
    outputs: tuple[Output, ...] = ()
    skipped: tuple[SkippedFrame, ...] = ()
    shown_by = ""

    def __init__(
        self,
        core: CMMCorePlus,
        sequence: MDASequence | None,
        *,
        ended: Callable[[ForeignRun], None] = lambda run: None,
        limit_bytes: int | None = None,
    ) -> None:
        self._core = core
        self._sequence = sequence
        self._ended = ended
        self._limit = limit_bytes
        self.events = RunNews()
        self._recorder: Recorder | None = None
        self._changed = threading.Condition()
        self._waiting: deque[tuple[npt.NDArray[np.generic], MDAEvent, Any]] = deque()
        self._waiting_bytes = 0
        self._seen = 0
        self._left_out = 0
        self._over = False
        self._wish: Literal["", "pause", "cancel"] = ""
        self._warnings: list[str] = []
        self._final = RunState.FINISHED
        self._error: BaseException | None = None
        self._report: RunReport | None = None
        self._done = threading.Event()
        self._started_at = time.perf_counter()
        self._ended_at: float | None = None
        threading.Thread(
            target=self._work, name="napari-scope other run", daemon=True
        ).start()

    # ------------------------------------------------------------- control

    def pause(self) -> None:
        """Pause before the next event, or after it."""
        if not self._over:
            self._wish = "pause"
            self._core.mda.set_paused(True)

    def resume(self) -> None:
        """Go on after a pause."""
        if not self._over:
            self._core.mda.set_paused(False)
            self.resumed()

    def cancel(self) -> None:
        """End the run before its next event, or after it."""
        if not self._over:
            self._wish = "cancel"
            self._core.mda.cancel()

    def resumed(self) -> None:
        """Note that somebody let the run go on; from any thread."""
        if self._wish == "pause":
            self._wish = ""

    def wait(self, timeout: float | None = None) -> RunReport:
        """Wait until the run is over; as `Run.wait`.

        Raises
        ------
        AcquisitionError
            If the run failed.
        TimeoutError
            If it still goes on.
        """
        if not self._done.wait(timeout):
            raise TimeoutError(f"the run still goes on after {timeout} s")
        if self._error is not None:
            raise self._error
        assert self._report is not None  # made before done is set
        return self._report

    # ------------------------------------------------------------- looking

    @property
    def core(self) -> CMMCorePlus:
        """The microscope."""
        return self._core

    @property
    def plan(self) -> MDASequence | None:
        """What is run; None for a list or a generator of events."""
        return self._sequence

    @property
    def done(self) -> bool:
        """Whether the run is over and its last frame can be looked at."""
        return self._done.is_set()

    @property
    def stream(self) -> Stream | None:
        """The frames so far, once there are any; readable afterwards too."""
        return None if self._recorder is None else self._recorder.stream

    @property
    def error(self) -> BaseException | None:
        """What ended the run early, once it is over."""
        return self._error

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why frames are not shown."""
        return tuple(self._warnings)

    @property
    def report(self) -> RunReport | None:
        """The report, once the run is over."""
        return self._report

    @property
    def state(self) -> RunState:
        """Where the run is."""
        if self.done:
            return self._final
        if self._over:
            return RunState.CLOSING
        status = self._core.mda.status
        if status.cancel_requested:
            return RunState.CANCELLING
        phase = str(status.phase.value)
        if phase == "acquiring" and status.pause_requested:
            return RunState.PAUSING
        return _STATES.get(phase, RunState.ACQUIRING)

    def progress(self) -> RunProgress:
        """Return how far the run is; cheap, from any thread."""
        state = self.state
        stats = self._stats()
        recorder = self._recorder
        end = time.perf_counter() if self._ended_at is None else self._ended_at
        elapsed = end - self._started_at
        planned = None if recorder is None else recorder.planned
        return RunProgress(
            state=state,
            planned=planned,
            acquired=self._seen,
            saved=stats.saved,
            dropped=stats.dropped + self._left_out,
            elapsed_s=elapsed,
            eta_s=(
                None
                if state.is_final or recorder is None
                else seconds_left(
                    planned=planned,
                    dealt=self._seen,
                    worked_s=elapsed,
                    duration_s=recorder.duration_s,
                    by_clock=bool(recorder.duration_s),
                )
            ),
            fps=self._seen / elapsed if state.is_final else stats.frames_per_s,
            mb_per_s=stats.mb_per_s,
            ring_fill=min(1.0, self._waiting_bytes / _MOST_WAITING_BYTES),
            skipped_reasons=tuple(self._warnings[-5:]),
            error=None if self._error is None else str(self._error),
        )

    def _stats(self) -> StreamStats:
        stream = self.stream
        return StreamStats() if stream is None else stream.stats()

    # ------------------------------------------------------------- the run's thread

    def frame(self, image: npt.NDArray[np.generic], event: MDAEvent, meta: Any) -> None:
        """Take a frame; never waits, never raises."""
        if self._wish:
            self._insist()
        with self._changed:
            if self._over:
                return
            self._seen += 1
            full = self._waiting_bytes + image.nbytes > _MOST_WAITING_BYTES
            if full and self._waiting:
                self._left_out += 1
                return
            # Its engine may use the memory again.
            self._waiting.append((np.array(image), event, meta))
            self._waiting_bytes += image.nbytes
            self._changed.notify()

    def _insist(self) -> None:
        """Utter a wish again, of which the runner may have taken no note.

        It looks for the last time up to half a second before an event and overwrites
        what was wished since. While an event is run, as now, none is overlooked.
        """
        wish, self._wish = self._wish, ""
        if wish == "pause":
            self._core.mda.set_paused(True)
        elif wish == "cancel":
            self._core.mda.cancel()

    def finish(self, state: RunState) -> None:
        """Note that the run is over; returns at once, again is harmless."""
        with self._changed:
            if self._over:
                return
            self._over = True
            self._final = state
            if state is RunState.FAILED:
                self._error = AcquisitionError(
                    "the run of another part of the program stopped with an error",
                    hint="whoever started it was told why; the log says it, too",
                )
            self._changed.notify()

    # ------------------------------------------------------------- our thread

    def _work(self) -> None:
        self.events.tell("started", self.name)
        try:
            # The thread of the run must not wait for this one.
            with quick_switching():
                self._take_frames()
        finally:
            stream = self.stream
            if stream is not None:
                try:
                    stream.close()
                except ScopeError as error:
                    self._warn(error)
            self._ended_at = time.perf_counter()
            self._report = self._made_report()
            self.events.tell("finished", self._report)
            self.events.finish()
            self._done.set()
            self._ended(self)

    def _take_frames(self) -> None:
        while (taken := self._next()) is not None:
            try:
                self._store(*taken)
            except Exception as error:  # a run of somebody else goes on
                self._left_out += 1
                self._warn(error)

    def _next(self) -> tuple[npt.NDArray[np.generic], MDAEvent, Any] | None:
        with self._changed:
            while not self._waiting:
                if self._over:
                    return None
                self._changed.wait()
            taken = self._waiting.popleft()
            self._waiting_bytes -= taken[0].nbytes
            return taken

    def _store(
        self, image: npt.NDArray[np.generic], event: MDAEvent, meta: Any
    ) -> None:
        recorder = self._recorder or self._open(image)
        facts = recorder.facts(event, meta)
        recorder.store(image, recorder.axes(event), facts)

    def _open(self, image: npt.NDArray[np.generic]) -> Recorder:
        if self._sequence is not None:
            try:
                recorder = self._recorder_for(Plan.from_any(self._sequence))
                spec = recorder.stream.spec if recorder.stream is not None else None
                # An engine of somebody else may give other images than its camera.
                if spec is None or spec.frame_shape == image.shape:
                    self._recorder = recorder
                    return recorder
            except ScopeError as error:
                self._warn(error)
        self._recorder = self._recorder_for(Plan.from_any(iter(())))
        return self._recorder

    def _recorder_for(self, plan: Plan) -> Recorder:
        recorder = Recorder(
            self._core,
            plan,
            (),
            name=self.name,
            config=None,
            ring_bytes=None,
            sync_interval_s=None,
            make_sinks=lambda spec: [MemorySink(self._limit, spill=True)],
        )
        try:
            recorder.prepare()
        except (RuntimeError, ValueError) as error:
            raise PlanError(
                f"the plan of this run is not understood, {error}"
            ) from error
        return recorder

    def _warn(self, error: BaseException) -> None:
        text = f"not shown: {' '.join(str(error).split())}"
        if text not in self._warnings and len(self._warnings) < _MOST_WARNINGS:
            self._warnings.append(text)

    def _made_report(self) -> RunReport:
        stats = self._stats()
        recorder = self._recorder
        warnings = list(self._warnings)
        planned = None if recorder is None else recorder.planned
        if planned and self._final is RunState.FINISHED and self._seen < planned:
            # The engine of pymmcore-plus goes on where a device has failed.
            absent = planned - self._seen
            warnings.append(
                f"{absent} of {planned} planned frames did not come; the log says why"
            )
        return RunReport(
            state=self._final,
            planned=planned,
            saved=stats.saved,
            dropped=stats.dropped + self._left_out,
            skipped=(),
            outputs=(),
            duration_s=(self._ended_at or 0.0) - self._started_at,
            saved_bytes=stats.saved_bytes,
            warnings=tuple(warnings),
        )


_STATES = {
    "idle": RunState.PREPARING,
    "preparing": RunState.PREPARING,
    "waiting": RunState.WAITING,
    "paused": RunState.PAUSED,
    "finishing": RunState.CLOSING,
}
