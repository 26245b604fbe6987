"""The states of a run, its progress and its report: frozen snapshots."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.stream import Output

__all__ = ["RunProgress", "RunReport", "RunState", "SkippedFrame", "seconds_left"]


class RunState(StrEnum):
    """Where a run is.

    ready -> preparing -> (waiting <-> acquiring, pausing -> paused, finishing) ->
    closing -> finished, cancelled or failed; cancelling from anywhere before closing.
    *Finishing* is acquiring with an end in sight: that of a time point, say.
    """

    READY = "ready"
    PREPARING = "preparing"
    WAITING = "waiting"
    ACQUIRING = "acquiring"
    PAUSING = "pausing"
    PAUSED = "paused"
    FINISHING = "finishing"
    CANCELLING = "cancelling"
    CLOSING = "closing"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether the run is over and all files are closed."""
        return self in (RunState.FINISHED, RunState.CANCELLED, RunState.FAILED)


@dataclass(frozen=True, slots=True)
class SkippedFrame:
    """A frame that was left out, with the reason."""

    axes: Mapping[str, int | str]
    reason: str


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is.

    Parameters
    ----------
    state : RunState
        Where it is.
    planned : int, optional
        Frames planned; None for a generator.
    acquired, saved, skipped, dropped : int
        Frames taken, committed to every output, left out, and refused by a full buffer.
    elapsed_s : float
        Time since the start.
    eta_s : float, optional
        Estimated time to the end.
    fps, mb_per_s : float
        Rates of saving: over the last seconds, or over the whole run once it ended.
    ring_fill : float
        Part of the buffer in use, 0 to 1.
    next_event_s : float, optional
        Time to the next event, while one is waited for.
    skipped_reasons : tuple of str
        The last few reasons of skipped frames and warnings.
    error : str, optional
        What ended the run.
    finish_after : str, optional
        The axis at whose next step the run will end, because somebody wished so.
    warnings : int
        How much went wrong so far although no frame is missing.
    """

    state: RunState
    planned: int | None = None
    acquired: int = 0
    saved: int = 0
    skipped: int = 0
    dropped: int = 0
    elapsed_s: float = 0.0
    eta_s: float | None = None
    fps: float = 0.0
    mb_per_s: float = 0.0
    ring_fill: float = 0.0
    next_event_s: float | None = None
    skipped_reasons: tuple[str, ...] = ()
    error: str | None = None
    finish_after: str | None = None
    warnings: int = 0

    @property
    def fraction(self) -> float | None:
        """Part of the frames dealt with, 0 to 1; None for a generator."""
        if not self.planned:
            return None
        return min(1.0, (self.saved + self.skipped + self.dropped) / self.planned)


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended.

    Parameters
    ----------
    state : RunState
        ``finished``, ``cancelled`` or ``failed``.
    planned : int, optional
        Frames planned.
    saved, dropped : int
        Frames committed to every output, and refused by a full buffer.
    skipped : tuple of SkippedFrame
        Frames left out, with reasons.
    warnings : tuple of str
        What went wrong although no frame is missing.
    outputs : tuple of Output
        What was written.
    duration_s : float
        From the start until all files were closed.
    saved_bytes : int
        Pixels saved, counted once.
    finished_after : str, optional
        The axis after whose step somebody let the run end: ``"t"`` for a time point.
    left_out : int
        Planned frames that were not taken for this reason; they are not missing.
    """

    state: RunState
    planned: int | None
    saved: int
    dropped: int
    skipped: tuple[SkippedFrame, ...]
    outputs: tuple[Output, ...]
    duration_s: float
    saved_bytes: int
    warnings: tuple[str, ...] = field(default=())
    finished_after: str | None = None
    left_out: int = 0

    @property
    def mb_per_s(self) -> float:
        """Mean rate of saving, in megabytes in a second."""
        return self.saved_bytes / 1e6 / self.duration_s if self.duration_s else 0.0


def seconds_left(
    *,
    planned: int | None,
    dealt: int,
    worked_s: float,
    duration_s: float | None,
    by_clock: bool,
) -> float | None:
    """Estimate how long a run will still take, from its pace and its clock.

    Parameters
    ----------
    planned : int, optional
        Frames planned; without it nothing can be said.
    dealt : int
        Frames that were saved, skipped or dropped.
    worked_s : float
        How long it goes on, pauses not counted.
    duration_s : float, optional
        How long the plan takes by its own account.
    by_clock : bool
        Whether the plan waits for points in time; any other goes by its pace.

    Examples
    --------
    >>> seconds_left(planned=10, dealt=4, worked_s=2, duration_s=None, by_clock=False)
    3.0
    """
    if not planned:
        return None
    if not dealt:
        return duration_s
    left_s = (duration_s or 0.0) - worked_s
    if by_clock and left_s > 0:
        return left_s
    return worked_s / dealt * (planned - dealt)
