"""Which runs go on: one at a time for each core, and none left behind at the end."""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import TYPE_CHECKING, Protocol

from napari_scope.errors import AcquisitionError, ScopeError

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

__all__ = ["cancel_runs", "claim_core", "release_core"]


class _Run(Protocol):
    @property
    def core(self) -> CMMCorePlus: ...

    @property
    def done(self) -> bool: ...

    def cancel(self) -> None: ...

    def wait(self, timeout: float | None = None) -> object: ...


_runs: weakref.WeakSet[_Run] = weakref.WeakSet()
_lock = threading.Lock()


def claim_core(run: _Run) -> None:
    """Note that a run starts.

    Raises
    ------
    AcquisitionError
        If another one goes on with the same core, ours or somebody else's.
    """
    with _lock:
        busy = any(r.core is run.core and not r.done for r in _runs)
        if busy or run.core.mda.is_running():
            raise AcquisitionError(
                "another run goes on with this microscope",
                hint="wait for its end or cancel it",
            )
        _runs.add(run)


def release_core(run: _Run) -> None:
    """Note that a run is over."""
    with _lock:
        _runs.discard(run)


def cancel_runs(core: CMMCorePlus, timeout: float | None = None) -> None:
    """Cancel the runs of a core and wait until their files are closed."""
    with _lock:
        going_on = [run for run in _runs if run.core is core]
    for run in going_on:
        run.cancel()
        with contextlib.suppress(ScopeError, TimeoutError):
            run.wait(timeout)
