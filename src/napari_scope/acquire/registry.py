"""Which core is in use by what: one run or one loading at a time, none left behind.

Whoever only looks at the microscope (live view) registers as a *guest* of its core: a
run or a loading that begins asks all guests to make way first. Whoever shows runs
*watches* them, also those that somebody else starts.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Literal, Protocol

from napari_scope.errors import AcquisitionError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from pymmcore_plus import CMMCorePlus

__all__ = [
    "Guest",
    "add_guest",
    "ask_guests",
    "cancel_runs",
    "claim_core",
    "foreign_ended",
    "foreign_started",
    "is_in_use",
    "loading",
    "release_core",
    "remove_guest",
    "runs_of",
    "watch_runs",
]

# A run that is cancelled closes its files, however long the disk takes. Only a device
# that hangs makes it longer than this; a process must be able to end all the same.
_LAST_WAIT_S = 60.0
# The end of somebody else's run is waited for: it is a matter of a moment, mostly.
_CLOSING = "another program part still closes the files of its acquisition"
_CLOSING_S = 2.0
_LOOK_S = 0.01


class _Run(Protocol):
    @property
    def core(self) -> CMMCorePlus: ...

    @property
    def owner(self) -> object: ...

    @property
    def done(self) -> bool: ...

    def cancel(self) -> None: ...

    def wait(self, timeout: float | None = None) -> object: ...


class Guest(Protocol):
    """Uses a core only while nobody else wants it."""

    @property
    def core(self) -> CMMCorePlus:
        """The core."""

    def make_way(self) -> None:
        """Let go of the camera now; called on any thread, returns when done."""


_log = logging.getLogger(__name__)
_runs: weakref.WeakSet[_Run] = weakref.WeakSet()
# Runs that others started: they are shown, but neither refused nor cancelled by us.
_foreign: weakref.WeakSet[_Run] = weakref.WeakSet()
_loading: list[CMMCorePlus] = []
_guests: weakref.WeakSet[Guest] = weakref.WeakSet()
_watchers: list[Callable[[Literal["started", "ended"], _Run], None]] = []
_lock = threading.Lock()


def _why_in_use(core: CMMCorePlus) -> str | None:
    if any(run.core is core and not run.done for run in _runs):
        return "another run goes on with this microscope"
    if any(other is core for other in _loading):
        return "a hardware configuration is being loaded"
    if core.mda.is_running():
        return "another program part runs an acquisition with this microscope"
    if _is_closing(core):
        return _CLOSING
    return None


def _is_closing(core: CMMCorePlus) -> bool:
    """Return whether somebody else's run is over but for its files.

    Its runner says no more that it runs, but would put its engine to rest and its state
    to idle in the middle of a run that begins now. Where a slot raised at the end its
    state says for ever that it closes: what counts is whether a thread is at it.
    """
    if core.mda.status.phase.value != "finishing":
        return False
    closes = type(core.mda)._finish_run.__code__
    frame: FrameType | None
    for frame in sys._current_frames().values():
        while frame is not None:
            if frame.f_code is closes and frame.f_locals.get("self") is core.mda:
                return True
            frame = frame.f_back
    return False


def is_in_use(core: CMMCorePlus) -> bool:
    """Return whether a run, a loading, or somebody else's acquisition goes on."""
    with _lock:
        return _why_in_use(core) is not None


def claim_core(run: _Run) -> None:
    """Note that a run starts.

    Raises
    ------
    AcquisitionError
        If the core is in use.
    """
    end = time.monotonic() + _CLOSING_S
    while True:
        with _lock:
            reason = _why_in_use(run.core)
            if not reason:
                _runs.add(run)
                break
        if reason != _CLOSING or time.monotonic() > end:
            raise AcquisitionError(reason, hint="wait for its end or cancel it")
        time.sleep(_LOOK_S)
    try:
        ask_guests(run.core)
    except BaseException:
        # A guest that holds on to the camera: the run does not start.
        with _lock:
            _runs.discard(run)
        raise
    _tell("started", run)


def release_core(run: _Run) -> None:
    """Note that a run is over; those who watch are told while it closes its books."""
    with _lock:
        _runs.discard(run)
    _tell("ended", run)


def foreign_started(run: _Run) -> None:
    """Note a run that somebody else has started, and tell those who watch."""
    with _lock:
        _foreign.add(run)
    _tell("started", run)


def foreign_ended(run: _Run) -> None:
    """Note that a run of somebody else is over."""
    with _lock:
        _foreign.discard(run)
    _tell("ended", run)


def runs_of(core: CMMCorePlus) -> list[_Run]:
    """Return the runs that go on with a core; at most one drives it."""
    with _lock:
        return [run for run in (*_runs, *_foreign) if run.core is core and not run.done]


def watch_runs(
    told: Callable[[Literal["started", "ended"], _Run], None],
) -> Callable[[], None]:
    """Hear of the runs of all cores.

    Parameters
    ----------
    told : callable
        Called with ``"started"`` or ``"ended"`` and the run, on any thread. It must
        return at once and must not raise.

    Returns
    -------
    callable
        Ends it; again is harmless.
    """
    _watchers.append(told)

    def stop() -> None:
        if told in _watchers:
            _watchers.remove(told)

    return stop


def _tell(what: Literal["started", "ended"], run: _Run) -> None:
    for told in list(_watchers):
        try:
            told(what, run)
        except Exception:
            _log.exception("whoever watches runs was told in vain that one %s", what)


def add_guest(guest: Guest) -> None:
    """Note that somebody uses a core while nobody else wants it."""
    with _lock:
        _guests.add(guest)


def remove_guest(guest: Guest) -> None:
    """Note that a guest does not use its core any more."""
    with _lock:
        _guests.discard(guest)


def ask_guests(core: CMMCorePlus) -> None:
    """Ask all guests of a core to make way; returns when they have."""
    with _lock:
        guests = [guest for guest in _guests if guest.core is core]
    for guest in guests:
        guest.make_way()


@contextlib.contextmanager
def loading(core: CMMCorePlus) -> Iterator[None]:
    """Keep a core from being used while its configuration is loaded.

    Raises
    ------
    AcquisitionError
        If the core is in use.
    """
    with _lock:
        reason = _why_in_use(core)
        if reason:
            raise AcquisitionError(
                f"{reason}; no configuration can be loaded",
                hint="wait for its end or cancel it",
            )
        _loading.append(core)
    try:
        ask_guests(core)
        yield
    finally:
        with _lock:
            _loading.remove(core)


def cancel_runs(
    core: CMMCorePlus, owner: object = None, timeout: float | None = None
) -> None:
    """Cancel the runs of a core and wait until their files are closed.

    Parameters
    ----------
    core : CMMCorePlus
        The core.
    owner : object, optional
        Cancel only the runs that were started through this owner.
    timeout : float, optional
        Longest time to wait for each, in seconds.
    """
    with _lock:
        going_on = [
            run
            for run in _runs
            if run.core is core and (owner is None or run.owner is owner)
        ]
    for run in going_on:
        run.cancel()
    for run in going_on:
        with contextlib.suppress(ScopeError, TimeoutError):
            run.wait(timeout)


@atexit.register
def _cancel_all() -> None:
    for core in {id(run.core): run.core for run in list(_runs)}.values():
        cancel_runs(core, timeout=_LAST_WAIT_S)
