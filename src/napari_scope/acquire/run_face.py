"""What a run tells of itself: where it is, how far, and how it ended.

`RunFace` reads only. All of it is cheap and may be asked from any thread; the run
itself (`napari_scope.acquire.run`) does the work.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_scope.acquire.progress import (
    RunProgress,
    RunReport,
    RunState,
    SkippedFrame,
    seconds_left,
)
from napari_scope.stream import StreamStats

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping

    from pymmcore_plus import CMMCorePlus
    from useq import MDAEvent

    from napari_scope.acquire.clock import PlanClock
    from napari_scope.acquire.core import CoreOwner
    from napari_scope.acquire.last_step import LastStep
    from napari_scope.acquire.pull import Puller
    from napari_scope.acquire.recorder import Recorder
    from napari_scope.events import AxisTable, Plan
    from napari_scope.stream import Output, Stream

__all__ = ["RunFace"]

# An event that is waited for less long is not worth to be shown.
_SHORT_S = 0.2

# So many frames may be under way in a run that keeps up.
_FEW = 16


class RunFace:
    """What can be seen of a run; the base of `Run`."""

    _owner: CoreOwner | None
    _core: CMMCorePlus
    _plan: Plan
    _clock: PlanClock
    _recorder: Recorder
    _last: LastStep
    _in_camera: int
    _puller: Puller[Iterable[MDAEvent]] | None
    _thread: threading.Thread | None
    _closing: bool
    _done: threading.Event
    _error: BaseException | None
    _report: RunReport | None
    _final: RunState | None
    _started_at: float
    _ended_at: float | None

    @property
    def done(self) -> bool:
        """Whether the run is over and all files are closed."""
        return self._done.is_set()

    @property
    def core(self) -> CMMCorePlus:
        """The microscope."""
        return self._core

    @property
    def owner(self) -> CoreOwner | None:
        """The owner of the core that the run was started through."""
        return self._owner

    @property
    def table(self) -> AxisTable:
        """The numbers that labels have in the index of the plan's events."""
        return self._plan.table

    @property
    def stream(self) -> Stream | None:
        """The stream, once the hardware is set up; readable afterwards too."""
        return self._recorder.stream

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Where the run saves."""
        return self._recorder.outputs

    @property
    def error(self) -> BaseException | None:
        """What ended the run early, once it is over."""
        return self._error

    @property
    def report(self) -> RunReport | None:
        """The report, once the run is over (also when it failed)."""
        return self._report

    @property
    def state(self) -> RunState:
        """Where the run is."""
        if self._final is not None:
            return self._final
        if self._thread is None:
            return RunState.READY
        if self._closing:
            return RunState.CLOSING
        if self._clock.cancelled:
            return RunState.CANCELLING
        status = self._core.mda.status
        phase = str(status.phase.value)
        if self._clock.is_held or phase == "paused":
            return RunState.PAUSED
        if phase in ("idle", "preparing"):
            return RunState.PREPARING
        if self._clock.pause_wanted or status.pause_requested:
            return RunState.PAUSING
        if (self._clock.seconds_left or 0) > _SHORT_S:
            return RunState.WAITING
        if self._puller is not None and self._puller.waited_s > _SHORT_S:
            return RunState.WAITING
        if self._last.axis is not None:
            return RunState.FINISHING
        return RunState.ACQUIRING

    @property
    def lagging(self) -> bool:
        """Whether frames wait: in the buffer of the camera, or for the disk."""
        stats = self._stats()
        return max(self._in_camera, stats.appended - stats.saved) > _FEW

    def progress(self) -> RunProgress:
        """Return how far the run is; cheap, from any thread."""
        state = self.state
        stats = self._stats()
        end = time.perf_counter() if self._ended_at is None else self._ended_at
        elapsed = end - self._started_at if self._thread is not None else 0.0
        running = state not in (RunState.READY, RunState.PREPARING)
        running = running and not state.is_final
        return RunProgress(
            state=state,
            planned=self._recorder.planned,
            acquired=stats.appended,
            saved=stats.saved,
            skipped=stats.skipped,
            dropped=stats.dropped,
            elapsed_s=elapsed,
            eta_s=(
                seconds_left(
                    planned=self._recorder.planned,
                    dealt=stats.saved + stats.skipped + stats.dropped,
                    worked_s=max(
                        0.0, elapsed - self._clock.paused_s + self._clock.skipped_s
                    ),
                    duration_s=self._recorder.duration_s,
                    by_clock=self._plan.is_timed,
                )
                if running
                else None
            ),
            fps=stats.frames_per_s if running else _per_s(stats.saved, elapsed),
            mb_per_s=(
                stats.mb_per_s if running else _per_s(stats.saved_bytes / 1e6, elapsed)
            ),
            ring_fill=stats.ring_fill,
            next_event_s=self._clock.seconds_left if running else None,
            skipped_reasons=tuple(self._recorder.reasons),
            error=None if self._error is None else str(self._error),
            finish_after=self._last.axis,
            warnings=len(self._recorder.warnings),
        )

    @property
    def index(self) -> Mapping[str, int]:
        """The index of the event that was begun last; empty before the first."""
        return dict(self._last.index or {})

    @property
    def plan(self) -> Plan:
        """What is taken."""
        return self._plan

    @property
    def name(self) -> str:
        """The name that is stored with the data."""
        return self._recorder.name

    @property
    def skipped(self) -> tuple[SkippedFrame, ...]:
        """The frames that were left out so far, with reasons."""
        return tuple(self._recorder.skipped)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong so far although no frame is missing."""
        return tuple(self._recorder.warnings)

    def _stats(self) -> StreamStats:
        return self.stream.stats() if self.stream is not None else StreamStats()


def _per_s(amount: float, seconds: float) -> float:
    return amount / seconds if seconds else 0.0
