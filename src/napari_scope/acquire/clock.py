"""The clock of a plan: when the next event is due, and what holds it back.

Wishes to pause, go on or cancel may be uttered at any time and from any thread; the
thread of the run meets them in `PlanClock.wait`, before each event. The time of a
pause does not count: all later events move by it, so that intervals stay as planned.
So they do when a wait is skipped: all later events come earlier by what was left of it.

This module knows no microscope.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PlanClock"]

# How often wishes that others utter, through the core, are looked for.
_LOOK_S = 0.05


class PlanClock:
    """The clock.

    Parameters
    ----------
    now : callable
        Returns the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._wish = threading.Condition()
        self._pause_wanted = False
        self._cancelled = False
        self._held = False
        self._start: float | None = None
        self._due_s: float | None = None
        self._paused_s = 0.0
        self._skipped_s = 0.0
        self._ahead_s = 0.0

    def pause(self) -> None:
        """Wish a pause before the next event."""
        with self._wish:
            self._pause_wanted = True
            self._wish.notify_all()

    def resume(self) -> None:
        """Wish to go on."""
        with self._wish:
            self._pause_wanted = False
            self._wish.notify_all()

    def cancel(self) -> None:
        """Wish the end; cannot be taken back."""
        with self._wish:
            self._cancelled = True
            self._wish.notify_all()

    def skip(self) -> bool:
        """Wish no more waiting for the next event; returns whether one was waited for.

        A run that is paused stays so, and goes on with that event.
        """
        with self._wish:
            left = self.seconds_left
            if left is None or self._start is None:
                return False
            self._start -= left
            self._skipped_s += left
            self._ahead_s += left
            self._wish.notify_all()
            return True

    @property
    def skipped_s(self) -> float:
        """How much waiting was skipped so far, in seconds."""
        return self._skipped_s

    @property
    def ahead_s(self) -> float:
        """By how much events are due earlier than planned, since the last reset."""
        return self._ahead_s

    @property
    def pause_wanted(self) -> bool:
        """Whether a pause is wished."""
        return self._pause_wanted

    @property
    def cancelled(self) -> bool:
        """Whether the end is wished."""
        return self._cancelled

    @property
    def is_held(self) -> bool:
        """Whether the run is really paused."""
        return self._held

    @property
    def paused_s(self) -> float:
        """How long the run was paused so far, in seconds."""
        return self._paused_s

    @property
    def seconds_left(self) -> float | None:
        """Time to the event that is waited for, or None while none is."""
        start, due = self._start, self._due_s
        if start is None or due is None:
            return None
        left = start + due - self._now()
        return left if left > 0 else None

    def wait(
        self,
        due_s: float | None,
        *,
        reset: bool = False,
        held: Callable[[], bool] = lambda: False,
        ended: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait until an event is due and no pause is wished; called by the run.

        Parameters
        ----------
        due_s : float, optional
            When it is due, in seconds since the start or the last reset.
        reset : bool
            Whether the clock starts anew with this event.
        held, ended : callable
            Whether somebody else paused or ended the run.
        """
        with self._wish:
            if self._start is None or reset:
                self._start = self._now()
                self._ahead_s = 0.0
            self._due_s = due_s or 0.0
            last = self._now()
            while not (self._cancelled or ended()):
                now = self._now()
                if self._held:
                    self._start += now - last
                    self._paused_s += now - last
                last = now
                self._held = self._pause_wanted or held()
                left = self._start + self._due_s - now
                if not self._held and left <= 0:
                    break
                self._wish.wait(_LOOK_S if self._held else min(left, _LOOK_S))
            self._held = False
            self._due_s = None
