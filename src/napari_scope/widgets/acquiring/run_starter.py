"""Starting a planned run for a dock, on a thread of its own.

Looking for a free name and stopping a live view may take their time. What is about to
start can be given up until it has begun, and is cancelled if it begins all the same. A
`RunStarter` also knows which runs were started by its dock.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.errors import AcquisitionError
from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from napari_scope.acquire.planned_run import PlannedRun
    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["RunStarter"]


class RunStarter(QObject):
    """Starts runs for one dock, one at a time.

    Parameters
    ----------
    microscope : Microscope
        The microscope.
    parent : QObject
        Owner.

    Attributes
    ----------
    started : Signal
        A run has begun; carries it.
    failed : Signal
        It could not; carries the exception.
    """

    started = Signal(object)
    failed = Signal(object)

    def __init__(self, microscope: Microscope, parent: QObject) -> None:
        super().__init__(parent)
        self._microscope = microscope
        self._own: weakref.WeakSet[Any] = weakref.WeakSet()
        self._call = BackgroundCall(self)
        self._call.finished.connect(self._on_started)
        self._call.failed.connect(self._on_failed)
        self.starting = False
        self.given_up = False

    def owns(self, run: Any) -> bool:
        """Return whether a run was started here."""
        return run in self._own

    def start(self, planned: PlannedRun) -> None:
        """Start a run; returns at once. None may be about to start."""
        self.starting, self.given_up = True, False
        self._call.start(lambda: self._begin(planned), "napari-scope start")

    def give_up(self) -> None:
        """Let what is about to start not begin, or end at once."""
        self.given_up = self.given_up or self.starting

    def close(self) -> None:
        """Give up what is about to start, and wait for that; idempotent."""
        self.give_up()
        self.starting = False
        self._call.close()

    def cancel_all(self) -> None:
        """Ask all runs that were started here to end."""
        for run in list(self._own):
            if not run.done:
                run.cancel()

    def _begin(self, planned: PlannedRun) -> Any:
        """Start a run, unless it is given up meanwhile; on the thread."""
        run = planned.start(self._microscope.owner, self._on_made)
        if self.given_up:
            run.cancel()
        return run

    def _on_made(self, run: Any) -> None:
        if self.given_up:
            raise AcquisitionError("the run was cancelled before it began")
        self._own.add(run)

    def _on_started(self, run: Any) -> None:
        self.starting = False
        if self.given_up:  # since it began, before it was heard of
            run.cancel()
        self.started.emit(run)

    def _on_failed(self, error: BaseException) -> None:
        self.starting = False
        self.failed.emit(error)
