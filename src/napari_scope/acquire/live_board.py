"""What a live view has seen last: newest frames, their brightness, how fast they come.

One thread publishes frames, any thread looks at them. Nothing here knows a camera.

Examples
--------
>>> import threading
>>> board = FrameBoard(threading.Condition())
>>> board.newest, board.fps
((), 0.0)
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_scope.acquire.live_frame import LiveFrame, PixelRange, Rate, pixel_range

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

__all__ = ["FrameBoard"]

_RANGE_S = 0.2  # from one look at all pixels to the next


class FrameBoard:
    """Holds the newest frame of each camera.

    Parameters
    ----------
    change : threading.Condition
        Notified when frames come that somebody waits for.

    Attributes
    ----------
    newest : tuple of LiveFrame
        The newest frame of each camera.
    reads : int
        How often frames were read.
    """

    def __init__(self, change: threading.Condition) -> None:
        self._change = change
        self._waiting = 0
        self._ranges: dict[str, PixelRange] = {}
        self._looked = 0.0
        self._rate = Rate()
        self._read_rate = Rate()
        self.newest: tuple[LiveFrame, ...] = ()
        self.reads = 0

    @property
    def fps(self) -> float:
        """Frames that each camera delivers in a second."""
        return self._rate.per_second(time.monotonic())

    @property
    def read_fps(self) -> float:
        """Frames that are read in a second."""
        return self._read_rate.per_second(time.monotonic())

    def range_of(self, camera: str) -> PixelRange | None:
        """Return how bright the frames of a camera were at the last look."""
        return self._ranges.get(camera)

    def begin(self) -> None:
        """Forget the rates: the camera starts anew."""
        self._rate.clear()
        self._read_rate.clear()

    def read(self, frames: tuple[LiveFrame, ...], delivered: int, now: float) -> None:
        """Publish frames of a camera that runs.

        Parameters
        ----------
        frames : tuple of LiveFrame
            One for each camera.
        delivered : int
            How many each camera has delivered so far.
        now : float
            Seconds on a steady clock.
        """
        self.reads += 1
        self._rate.count(delivered, now)
        self._read_rate.count(self.reads, now)
        due = now - self._looked >= _RANGE_S
        if due:
            self._looked = now
        self.publish(frames, look_at_range=due)

    def publish(
        self, frames: tuple[LiveFrame, ...], *, look_at_range: bool = True
    ) -> None:
        """Let frames be the newest."""
        if look_at_range:
            self._ranges = {
                frame.camera: pixel_range(frame.image, frame.bit_depth)
                for frame in frames
            }
        with self._change:
            self.newest = frames
            if self._waiting:
                self._change.notify_all()

    def wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait for a condition that frames may bring; the lock must be held.

        Returns
        -------
        bool
            Whether it holds.
        """
        self._waiting += 1
        try:
            return self._change.wait_for(condition, timeout)
        finally:
            self._waiting -= 1
