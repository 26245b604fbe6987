"""How a run ended: the books are closed, and no frame may be missing silently.

Pure: from what happened to the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.acquire.progress import RunReport, RunState
from napari_scope.errors import AcquisitionError, ScopeError

if TYPE_CHECKING:
    from napari_scope.acquire.recorder import Recorder
    from napari_scope.stream import StreamStats

__all__ = ["report_of"]


def report_of(
    recorder: Recorder,
    stats: StreamStats,
    error: BaseException | None,
    *,
    cancelled: bool,
    ended_after: str | None,
    duration_s: float,
) -> tuple[RunReport, ScopeError | None]:
    """Return the report of a run, and what ended it early.

    Parameters
    ----------
    recorder : Recorder
        What was planned, and left out with reasons.
    stats : StreamStats
        What was saved.
    error : BaseException, optional
        What was raised.
    cancelled : bool
        Whether somebody cancelled it.
    ended_after : str, optional
        The axis after whose step it was to end, if it did.
    duration_s : float
        How long it took until all files were closed.
    """
    planned = recorder.planned
    if error is not None:
        state = RunState.FAILED
    else:
        state = RunState.CANCELLED if cancelled else RunState.FINISHED
    left_out = 0
    if state is RunState.FINISHED and planned is not None:
        lost = planned - stats.saved - stats.skipped - stats.dropped
        if lost > 0 and ended_after is not None:
            left_out = lost
        elif lost > 0:
            state = RunState.FAILED
            error = AcquisitionError(
                f"the run ended, but {lost} of {planned} frames are missing",
                hint="this should not happen; please report it",
            )
    if error is not None and not isinstance(error, ScopeError):
        error = _wrapped(error)
    written = recorder.outputs if recorder.stream is not None else ()
    report = RunReport(
        state=state,
        planned=planned,
        saved=stats.saved,
        dropped=stats.dropped,
        skipped=tuple(recorder.skipped),
        warnings=tuple(recorder.warnings),
        outputs=tuple(o for o in written if o.format != "memory"),
        duration_s=duration_s,
        saved_bytes=stats.saved_bytes,
        finished_after=ended_after,
        left_out=left_out,
    )
    return report, error


def _wrapped(error: BaseException) -> AcquisitionError:
    """Return an error of ours with the root of another, in one line."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    text = " ".join(str(root).split())
    wrapped = AcquisitionError(f"the run stopped, {type(root).__name__}: {text}")
    wrapped.__cause__ = error
    return wrapped
