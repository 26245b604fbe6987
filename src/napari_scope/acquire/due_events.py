"""When the next event of a run is due, and whether anybody still wants it.

The clock of the plan, wishes to end, and what went wrong on the way come together
here: `DueEvents` waits on the thread of the run and lets an event through, changed so
that the runner of pymmcore-plus finds nothing left to wait for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus
    from useq import MDAEvent

    from napari_scope.acquire.clock import PlanClock
    from napari_scope.acquire.last_step import LastStep
    from napari_scope.acquire.processing import FrameProcessor

__all__ = ["DueEvents"]


class DueEvents:
    """Lets the events of one run through, each when it is due.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope; its runner may be told to end or pause, too.
    clock : PlanClock
        The clock of the plan.
    last : LastStep
        Knows whether the present step is to be the last.
    processor : FrameProcessor, optional
        What frames pass through; its error ends the run.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        clock: PlanClock,
        last: LastStep,
        processor: FrameProcessor | None,
    ) -> None:
        self._core = core
        self._clock = clock
        self._last = last
        self._processor = processor

    def are_given_up(self) -> bool:
        """Return whether no further event is wanted."""
        return (
            self._clock.cancelled
            or self._last.over
            or self._was_ended_elsewhere()
            or self._processing_error() is not None
        )

    def wait_for(self, event: MDAEvent) -> MDAEvent | None:
        """Wait until an event is due; returns None if the run ends before it.

        The runner would wait too, but in steps of half a second, with a clock that
        loses the time of pauses.
        """
        mda = self._core.mda
        self._clock.wait(
            event.min_start_time,
            reset=event.reset_event_timer,
            held=mda.is_paused,
            ended=lambda: self._last.comes_before(event) or self.are_given_up(),
        )
        if self._last.over:
            return None
        error = self._processing_error()
        if error is not None:
            raise error
        if self._clock.cancelled:
            # A wish uttered while the hardware was being set up counts from here on.
            mda.cancel()
        self._last.begin(event)
        if self._clock.ahead_s and event.min_start_time:
            # The runner has a clock of its own, which knows nothing of skipped waits.
            due_s = max(0.0, event.min_start_time - self._clock.ahead_s)
            return event.model_copy(update={"min_start_time": due_s})
        return event

    def _processing_error(self) -> BaseException | None:
        return None if self._processor is None else self._processor.error

    def _was_ended_elsewhere(self) -> bool:
        status = self._core.mda.status
        return status.cancel_requested or status.phase.value == "finishing"
