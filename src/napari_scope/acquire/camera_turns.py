"""Who has the camera now: the live view that runs it, or whoever changes it or snaps.

A camera that runs must not be changed: drivers refuse, or crash when the size of their
images changes under the thread that fills them. `CameraTurns` gives the camera to one
at a time. The live view takes it for as long as it may run; who holds it makes the live
view stop, has the camera alone, and lets it go on afterwards. Turns are given under one
lock, so a hold that comes in the moment of a start waits for that start, too.

It knows no camera and makes no call.

Examples
--------
>>> turns = CameraTurns()
>>> turns.wanted = True
>>> turns.take()
True
>>> turns.give_back()
>>> with turns.held(timeout=1.0):
...     turns.take()
False
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from napari_scope.errors import HardwareError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CameraTurns", "camera_hangs"]


class CameraTurns:
    """Gives a camera to one at a time; all methods may be called on any thread.

    Attributes
    ----------
    change : threading.Condition
        Notified whenever something here has changed, and with what is told under it.
    wanted : bool
        Whether the live view is to run.
    """

    def __init__(self) -> None:
        self.change = threading.Condition()
        self.wanted = False
        self._holds = 0
        self._taken = False
        # Has the camera while the live view does not; the same thread may nest.
        self._alone = threading.RLock()
        self._who: int | None = None

    # ---- the live view

    @property
    def may_run(self) -> bool:
        """Whether the live view is wanted and nobody holds the camera."""
        return self.wanted and not self._holds

    @property
    def is_held(self) -> bool:
        """Whether somebody holds the camera, or is about to."""
        return self._holds > 0

    @property
    def is_taken(self) -> bool:
        """Whether the live view has the camera, or is about to start it."""
        return self._taken

    def take(self) -> bool:
        """Take the camera for the live view; returns whether it was given."""
        with self.change:
            self._taken = self.may_run
            return self._taken

    def give_back(self) -> None:
        """Give the camera back, when it has stopped."""
        with self.change:
            self._taken = False
            self.change.notify_all()

    def wait_until_free(self) -> None:
        """Wait as long as somebody holds the camera and the live view is wanted."""
        with self.change:
            self.change.wait_for(lambda: not self._holds or not self.wanted)

    def end(self) -> None:
        """Wish the end of the live view; returns at once."""
        with self.change:
            self.wanted = False
            self.change.notify_all()

    # ---- all others

    @property
    def is_mine(self) -> bool:
        """Whether this thread has the camera alone."""
        return self._who == threading.get_ident()

    @contextlib.contextmanager
    def alone(self, timeout: float = -1) -> Iterator[None]:
        """Have the camera alone, beside a live view that has not taken it.

        Parameters
        ----------
        timeout : float
            Longest time to wait for others, in seconds; without end if negative.

        Raises
        ------
        HardwareError
            If another thread does not let go of it.
        """
        if not self._alone.acquire(timeout=timeout):
            raise camera_hangs()
        before, self._who = self._who, threading.get_ident()
        try:
            yield
        finally:
            self._who = before
            self._alone.release()

    @contextlib.contextmanager
    def held(self, timeout: float) -> Iterator[None]:
        """Let the live view stop, and have the camera alone until it may go on.

        Parameters
        ----------
        timeout : float
            Longest time to wait for the camera, in seconds.

        Raises
        ------
        HardwareError
            If the camera does not stop, or another thread does not let go of it.
        """
        end = time.monotonic() + timeout
        with self.change:
            self._holds += 1
            self.change.notify_all()
            at_rest = self.change.wait_for(lambda: not self._taken, timeout)
        try:
            if not at_rest:
                raise camera_hangs()
            with self.alone(max(0.0, end - time.monotonic())):
                yield
        finally:
            with self.change:
                self._holds -= 1
                self.change.notify_all()


def camera_hangs() -> HardwareError:
    """Return the error of a camera that is not let go of."""
    return HardwareError(
        "the camera does not stop",
        hint="check that it is on and connected; restart the program if it stays so",
    )
