"""Jobs on stored data, one after the other, in a thread; the window stays alive.

A job that waits can be taken out, one that runs can be asked to end, where it listens.
Errors are kept with their job. When the queue is closed, what runs is cancelled and
waited for: no half of a store is left behind by a thread that was cut off.

Examples
--------
>>> queue = JobQueue(dock)  # doctest: +SKIP
>>> queue.add(convert_job("a.ndtiff", "a.ome.zarr"))  # doctest: +SKIP
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.common.wording import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.stream.jobs import Job, JobResult

__all__ = ["JobQueue", "QueuedJob"]

JobState: TypeAlias = Literal[
    "waiting", "running", "finished", "problems", "failed", "cancelled"
]

_POLL_MS: Final = 100
_MOST_KEPT: Final = 100


class QueuedJob:
    """A job and what becomes of it.

    Parameters
    ----------
    job : Job
        The job.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.state: JobState = "waiting"
        self.result: JobResult | None = None
        self.error: BaseException | None = None
        self.progress: tuple[str, int, int] = ("", 0, 0)
        self.began_s = 0.0
        self.stop = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state not in ("waiting", "running")

    @property
    def text(self) -> str:
        """How it is, in a line."""
        if self.state == "waiting":
            return "waiting"
        if self.state == "running":
            return self._running()
        if self.error is not None:
            return explain(self.error).message
        return "cancelled" if self.result is None else self.result.text

    @property
    def details(self) -> str:
        """All that is to be said of it."""
        lines = [self.job.title, f"of {self.job.source}", self.text]
        if self.error is not None:
            words = explain(self.error)
            lines += [line for line in (words.place, words.hint) if line]
        elif self.result is not None:
            lines += self.result.lines
        return "\n".join(lines)

    def _running(self) -> str:
        what, done, total = self.progress
        if self.stop.is_set():
            return "cancelling …"
        if not total:
            return what or "reading …"
        text = f"{what}: {done:,} of {total:,}"
        spent = time.monotonic() - self.began_s
        if what == "converting" and done > 0 and spent > 3:
            text += f", {duration_text(spent * (total - done) / done)} left"
        return text


class JobQueue(QObject):
    """Does jobs one by one.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    changed : Signal
        Jobs were added, or one of them has gone on.
    ended : Signal
        A job is over; carries the `QueuedJob`.
    """

    changed = Signal()
    ended = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs: list[QueuedJob] = []
        self._current: QueuedJob | None = None
        self._call = BackgroundCall(self)
        self._call.finished.connect(self._on_finished)
        self._call.failed.connect(self._on_failed)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self.changed)

    @property
    def jobs(self) -> Sequence[QueuedJob]:
        """All jobs, the oldest first."""
        return tuple(self._jobs)

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return any(not job.is_over for job in self._jobs)

    @property
    def writing(self) -> bool:
        """Whether something would be lost if all was cut off now."""
        return any(not one.is_over and one.job.writes for one in self._jobs)

    def add(self, job: Job) -> QueuedJob:
        """Put a job at the end of the queue."""
        queued = QueuedJob(job)
        self._jobs.append(queued)
        over = [one for one in self._jobs if one.is_over]
        for one in over[: max(0, len(self._jobs) - _MOST_KEPT)]:
            self._jobs.remove(one)
        self._next()
        self.changed.emit()
        return queued

    def cancel(self, queued: QueuedJob) -> None:
        """Take a job out, or ask it to end."""
        if queued.state == "waiting":
            queued.state = "cancelled"
            self.ended.emit(queued)
        elif queued.state == "running" and queued.job.can_cancel:
            queued.stop.set()
        self.changed.emit()

    def cancel_all(self) -> None:
        """Cancel all jobs that are not over."""
        for queued in self._jobs:
            self.cancel(queued)

    def clear(self) -> None:
        """Forget the jobs that are over."""
        self._jobs = [one for one in self._jobs if not one.is_over]
        self.changed.emit()

    def close(self) -> None:
        """Cancel everything and wait for what runs; idempotent."""
        for queued in self._jobs:
            queued.stop.set()
            if queued.state == "waiting":
                queued.state = "cancelled"
        self._timer.stop()
        self._call.close()
        if self._current is not None:
            self._current.state = "cancelled"
            self._current = None

    def _next(self) -> None:
        waiting = next((one for one in self._jobs if one.state == "waiting"), None)
        if self._current is not None or waiting is None:
            return
        self._current = waiting
        waiting.state = "running"
        waiting.began_s = time.monotonic()
        job, stop = waiting.job, waiting.stop

        def tell(what: str, done: int, total: int) -> None:
            waiting.progress = (what, done, total)

        self._call.start(lambda: job.run(tell, stop.is_set), "napari-scope job")
        self._timer.start()

    def _on_finished(self, result: JobResult) -> None:
        if self._current is not None:
            self._current.result = result
            self._end(result.state)

    def _on_failed(self, error: BaseException) -> None:
        if self._current is not None:
            self._current.error = error
            self._end("failed")

    def _end(self, state: JobState) -> None:
        queued, self._current = self._current, None
        if queued is None:
            return
        queued.state = state
        self._next()
        if self._current is None:
            self._timer.stop()
        self.changed.emit()
        self.ended.emit(queued)
