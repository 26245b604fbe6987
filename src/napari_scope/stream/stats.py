"""What a stream has done so far, in numbers."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

__all__ = ["RateMeter", "StreamStats"]


@dataclass(frozen=True, slots=True)
class StreamStats:
    """A snapshot of a stream.

    Parameters
    ----------
    appended, saved, skipped, dropped : int
        Frames taken over, committed in every sink, announced as missing, and refused
        because the buffer was full.
    saved_bytes : int
        Pixels committed, counted once.
    ring_used, ring_slots : int
        Buffers in use and in all.
    waited_s : float
        Time the caller waited for a free buffer.
    frames_per_s, mb_per_s : float
        Rates of committing over the last seconds.
    earlier : int
        Frames that were saved in all outputs when the stream went on with a run
        (``resume``). All other numbers are those of this stream alone.
    """

    appended: int = 0
    saved: int = 0
    skipped: int = 0
    dropped: int = 0
    saved_bytes: int = 0
    ring_used: int = 0
    ring_slots: int = 0
    waited_s: float = 0.0
    frames_per_s: float = 0.0
    mb_per_s: float = 0.0
    earlier: int = 0

    @property
    def ring_fill(self) -> float:
        """Part of the buffer in use, 0 to 1."""
        return self.ring_used / self.ring_slots if self.ring_slots else 0.0


class RateMeter:
    """Rate of a growing pair of counters over the last seconds.

    Parameters
    ----------
    window_s : float
        Time over which is averaged.
    """

    def __init__(self, window_s: float = 3.0) -> None:
        self._window = window_s
        self._marks: deque[tuple[float, int, int]] = deque(
            [(time.perf_counter(), 0, 0)]
        )

    def note(self, frames: int, size: int) -> None:
        """Note the counters; keeps ten marks for each second."""
        now = time.perf_counter()
        if now - self._marks[-1][0] >= 0.1:
            self._marks.append((now, frames, size))
        while len(self._marks) > 2 and now - self._marks[1][0] > self._window:
            self._marks.popleft()

    def rates(self, frames: int, size: int) -> tuple[float, float]:
        """Return frames and megabytes in a second."""
        start, first_frames, first_size = self._marks[0]
        passed = time.perf_counter() - start
        if passed <= 0:
            return 0.0, 0.0
        return (frames - first_frames) / passed, (size - first_size) / passed / 1e6
