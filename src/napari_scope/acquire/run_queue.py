"""Plans that wait for the microscope, and are run one after the other.

The queue owns a thread while it works. It starts a run, waits until its files are
closed, and takes the next; at a failure it stops or goes on, as wished. It never starts
by itself, and what waits can be kept as JSON from one session to the next.

Any thread may call; `version` grows with every change, for those who look.

Examples
--------
>>> import useq
>>> from pathlib import Path
>>> from napari_scope.acquire import CoreOwner
>>> with CoreOwner() as owner:
...     owner.load()
...     queue = RunQueue(owner)
...     _ = queue.add(PlannedRun(useq.MDASequence(channels=["DAPI"]), "a", Path()))
...     queue.start()
...     queue.wait(60)
...     [entry.state for entry in queue.entries]
True
['finished']
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from napari_scope.acquire.planned_run import PlannedRun
from napari_scope.acquire.progress import RunReport, RunState
from napari_scope.errors import AcquisitionError, PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_scope.acquire.core import CoreOwner
    from napari_scope.acquire.run import Run

__all__ = ["EntryState", "PlannedRun", "QueueEntry", "RunQueue"]

EntryState: TypeAlias = Literal["waiting", "running", "finished", "cancelled", "failed"]
_LOOK_S = 0.2


@dataclass(frozen=True)
class QueueEntry:
    """One plan of the queue, as it is now.

    Parameters
    ----------
    number : int
        Its own for as long as the queue exists.
    planned : PlannedRun
        What is run.
    state : str
        Where it is.
    report : RunReport, optional
        How it ended.
    error : BaseException, optional
        Why it failed.
    """

    number: int
    planned: PlannedRun
    state: EntryState = "waiting"
    report: RunReport | None = None
    error: BaseException | None = None


class _StoppedError(Exception):
    """The queue was stopped while a run was being prepared."""


class RunQueue:
    """The queue.

    Parameters
    ----------
    owner : CoreOwner
        The microscope.
    """

    def __init__(self, owner: CoreOwner) -> None:
        self._owner = owner
        self._lock = threading.RLock()
        self._entries: list[QueueEntry] = []
        self._numbers = itertools.count(1)
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._cancelling = False
        self._held = False
        self._wake = threading.Event()
        self._run: Run | None = None
        self.go_on_after_failure = False
        """Whether a run that fails does not end the work."""
        self.pause_between = False
        """Whether somebody has to say `go_on` after each run."""
        self.version = 0
        """Grows with every change."""

    # ------------------------------------------------------------- what is in it

    @property
    def entries(self) -> tuple[QueueEntry, ...]:
        """All plans, in their order."""
        return tuple(self._entries)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(entry.state == "waiting" for entry in self.entries)

    def add(self, planned: PlannedRun, place: int | None = None) -> QueueEntry:
        """Add a plan, at the end by default.

        Raises
        ------
        PlanError
            If it cannot be kept for later, because a script makes it up as it goes.
        """
        planned.to_json()  # raises what is wrong with it now, not at its turn
        with self._lock:
            entry = QueueEntry(next(self._numbers), planned)
            place = len(self._entries) if place is None else place
            self._entries.insert(place, entry)
            self.version += 1
            return entry

    def duplicate(self, number: int) -> QueueEntry:
        """Add the same plan again, behind the first."""
        with self._lock:
            place = self._place(number)
            return self.add(self._entries[place].planned, place + 1)

    def remove(self, number: int) -> None:
        """Forget a plan; the one that is being run stays."""
        with self._lock:
            place = self._place(number)
            if self._entries[place].state != "running":
                del self._entries[place]
                self.version += 1

    def clear_done(self) -> None:
        """Forget what was run."""
        with self._lock:
            self._entries = [
                e for e in self._entries if e.state in ("waiting", "running")
            ]
            self.version += 1

    def reorder(self, numbers: Iterable[int]) -> None:
        """Bring the plans into another order; those that are not named stay behind."""
        with self._lock:
            order = {number: place for place, number in enumerate(numbers)}
            last = len(order)
            self._entries.sort(key=lambda entry: order.get(entry.number, last))
            self.version += 1

    def again(self, number: int) -> None:
        """Let a plan that was run wait for another turn."""
        with self._lock:
            place = self._place(number)
            entry = self._entries[place]
            if entry.state != "running":
                self._entries[place] = QueueEntry(number, entry.planned)
                self.version += 1

    def _place(self, number: int) -> int:
        for place, entry in enumerate(self._entries):
            if entry.number == number:
                return place
        raise AcquisitionError(f"there is no plan {number} in the queue")

    # ------------------------------------------------------------- work

    @property
    def working(self) -> bool:
        """Whether plans are being run, or the next is held back."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    @property
    def held(self) -> bool:
        """Whether the next run waits for `go_on`."""
        return self._held

    @property
    def stopping(self) -> bool:
        """Whether no other run is started after the present one."""
        return self._stopping and self.working

    @property
    def run(self) -> Run | None:
        """The run that goes on, or the last one."""
        return self._run

    def start(self) -> None:
        """Run what waits, in its order; what is added meanwhile is run, too."""
        with self._lock:
            if self.working:
                self._stopping = False
                return
            self._stopping = self._held = False
            self._wake.clear()
            self._thread = threading.Thread(
                target=self._work, name="napari-scope queue", daemon=True
            )
            self._thread.start()
            self.version += 1

    def go_on(self) -> None:
        """Start the next run, after a pause between two."""
        self._held = False
        self._wake.set()

    def stop(self) -> None:
        """Start no other run; the present one goes on."""
        self._stopping = True
        self._wake.set()
        self.version += 1

    def cancel(self) -> None:
        """Start no other run, and cancel the present one."""
        with self._lock:
            self.stop()
            self._cancelling = True
            run = self._run
        if run is not None and not run.done:
            run.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being run; returns whether that is so."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return not self.working

    def _work(self) -> None:
        first = True
        while not self._stopping:
            if self.pause_between and not first and self.waiting:
                self._hold()
            entry = self._take()
            if entry is None:
                break
            first = False
            if self._run_one(entry).state == "failed" and not self.go_on_after_failure:
                break
        self.version += 1

    def _hold(self) -> None:
        self._wake.clear()
        self._held = True
        self.version += 1
        while self._held and not self._stopping and self.pause_between:
            self._wake.wait(_LOOK_S)
        self._held = False
        self.version += 1

    def _take(self) -> QueueEntry | None:
        with self._lock:
            if self._stopping:
                return None
            self._cancelling = False
            for entry in self._entries:
                if entry.state == "waiting":
                    return self._note(replace(entry, state="running"))
        return None

    def _run_one(self, entry: QueueEntry) -> QueueEntry:
        run: Run | None = None
        report: RunReport | None = None
        try:
            run = entry.planned.start(self._owner, self._note_run)
            if self._cancelling:
                run.cancel()  # cancelled while it was being started
            report = run.wait()
        except _StoppedError:
            return self._note(replace(entry, state="waiting"))
        except Exception as error:  # shown by whoever looks; the queue goes on
            report = None if run is None else run.report
            return self._note(
                replace(entry, state="failed", report=report, error=error)
            )
        done = report.state is RunState.FINISHED
        return self._note(
            replace(entry, state="finished" if done else "cancelled", report=report)
        )

    def _note_run(self, run: Run) -> None:
        with self._lock:
            self._run = run
            stopping = self._stopping
        if stopping:
            raise _StoppedError

    def _note(self, entry: QueueEntry) -> QueueEntry:
        with self._lock:
            self._entries[self._place(entry.number)] = entry
            self.version += 1
        return entry

    # ------------------------------------------------------------- from day to day

    def to_json(self) -> list[dict[str, Any]]:
        """Return what waits, was cancelled or failed, as plain JSON."""
        return [e.planned.to_json() for e in self.entries if e.state != "finished"]

    def restore(self, stored: object) -> None:
        """Add what `to_json` returned; what cannot be read is left out.

        Nothing is started.
        """
        for one in stored if isinstance(stored, list) else ():
            try:
                self.add(PlannedRun.from_json(one))
            except PlanError:
                continue
