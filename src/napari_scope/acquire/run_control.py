"""Holding a run in hand while it goes on: pause, skip a wait, end after a step, cancel.

`RunControl` adds to what a run tells of itself (`run_face`) what others may ask of it,
from any thread. It only notes wishes and wakes who waits; the thread of the run
(`napari_scope.acquire.run`) acts on them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from napari_scope.acquire.run_face import RunFace

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from napari_scope.acquire.easing import Easing
    from napari_scope.acquire.engine import ScopeEngine

__all__ = ["RunControl"]

# A run that is cancelled reacts within this time, unless something holds it.
_PATIENCE_S = 0.05


class RunControl(RunFace):
    """What may be asked of a run; the base of `Run`."""

    _engine: ScopeEngine
    _easing: Easing
    _driving: bool
    _at_rest: threading.Event

    def pause(self) -> None:
        """Pause before the next event; a hardware sequence is finished first.

        The clock of the plan stands still meanwhile. A run that is over, or was never
        started, is not concerned.
        """
        if self._is_going_on():
            self._clock.pause()

    def resume(self) -> None:
        """Go on after a pause, whoever wished it."""
        if self._is_going_on():
            self._clock.resume()
            self._core.mda.set_paused(False)

    def cancel(self) -> None:
        """End the run as soon as possible; what was taken is saved.

        No call of the core ends an exposure: the camera finishes the one under way,
        while files are closed. Until it is done the run is not over.
        """
        if self._is_going_on():
            first = not self._clock.cancelled
            self._clock.cancel()
            self._core.mda.cancel()
            if first and self._driving:
                threading.Thread(
                    target=self._insist, name="napari-scope cancel", daemon=True
                ).start()

    def eased(self) -> AbstractContextManager[None]:
        """Leave the processor to the caller for a moment, at most 0.25 s.

        The images of a hardware sequence stay in the camera's buffer meanwhile, as
        long as half of it is free; the camera is not slowed down. Any other run goes
        on as it does.
        """
        return self._easing.asked()

    def skip_wait(self) -> bool:
        """Go on with the next event at once, instead of waiting until it is due.

        Later events come earlier by what was left of the wait, so that intervals stay
        as planned.

        Returns
        -------
        bool
            Whether an event was waited for.
        """
        return self._is_going_on() and self._clock.skip()

    def finish_after(self, axis: str | None) -> None:
        """End the run, properly, at the next step of an axis; its report tells.

        What belongs to the present time point (or position) is still taken; a hardware
        sequence is cut there.

        Parameters
        ----------
        axis : str, optional
            Name of the axis in the index of the events: ``"t"`` to end after the
            present time point, ``"p"`` after the present position. None takes the
            wish back.

        Raises
        ------
        AcquisitionError
            If the events of this run have no such axis.
        """
        if not self._is_going_on():
            return
        self._last.wish(axis)

    def _insist(self) -> None:
        """Stop the camera of a run that cannot react: a disk that stalls holds it."""
        if not self._at_rest.wait(_PATIENCE_S) and not self._engine.is_exposing:
            self._engine.halt()

    def _is_going_on(self) -> bool:
        """Whether the core is ours to control; somebody else's run is not."""
        return self._thread is not None and not self._closing and not self.done
