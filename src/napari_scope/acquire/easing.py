"""Leaving the processor to somebody else for a moment, without slowing the camera.

While a hardware sequence goes on, its images can wait in the camera's buffer: whoever
makes layers meanwhile is done sooner, and no image is lost.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymmcore_plus import CMMCorePlus

__all__ = ["Easing"]

# Longest time that images stay in the camera's buffer for the sake of others.
_EASE_S = 0.25
_STEP_S = 0.002


class Easing:
    """Lets the thread of a run rest when somebody asks for it.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    """

    def __init__(self, core: CMMCorePlus) -> None:
        self._core = core
        self._until = 0.0

    @contextlib.contextmanager
    def asked(self) -> Iterator[None]:
        """Ask for a moment, at most 0.25 s; on any thread.

        Who asks again meanwhile gets what is left of it.
        """
        first = not self._until
        if first:
            self._until = time.perf_counter() + _EASE_S
        try:
            yield
        finally:
            if first:
                self._until = 0.0

    def rest(self, given_up: Callable[[], bool]) -> None:
        """Rest if somebody has asked and half of the buffer of the camera is free."""
        if not self._until:
            return
        enough = self._core.getBufferTotalCapacity() / 2
        while time.perf_counter() < self._until and not given_up():
            if self._core.getBufferFreeCapacity() < enough:
                return
            time.sleep(_STEP_S)
