"""How far a run of any program is: frames saved so far, how fast, and how it ended.

A run of ours has a journal, one line for each frame; an NDTiff store of others has its
index. Only what was added since the last look is read, so a look costs the same for a
run of a million frames. Whether the writer lives says the lock of the journal
(`napari_scope.stream.run_state`); of a store without one nobody can tell, it counts as
being written as long as it grows.

Examples
--------
>>> watch = RunWatch("/data/run_1.ome.zarr")  # doctest: +SKIP
>>> watch.look()  # doctest: +SKIP
RunProgress(frames=120, planned=500, rate=10.2, idle_s=0.1, ...)
"""

from __future__ import annotations

import json
import struct
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.stream.recovery_journal import find_journal
from napari_scope.stream.run_state import StoredRun, run_state

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

__all__ = ["RunProgress", "RunWatch"]

_BLOCK: Final = 1 << 22
_MOST_AT_ONCE: Final = 1 << 28  # bytes of one look; the next one goes on from there
_WINDOW_S: Final = 10.0  # over which the rate is taken
_QUIET_S: Final = 30.0  # without a frame, after which a store of others counts as done
_INDEX: Final = ("NDTiff.index", "Full resolution/NDTiff.index")
_SAVED: Final = b'"status":"saved"'
_LONGEST_AXES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is.

    Parameters
    ----------
    frames : int
        Frames that were saved.
    planned : int or None
        Frames that the run wants, where it says so.
    rate : float
        Frames in a second, over the last ten seconds; 0 while nothing comes.
    idle_s : float or None
        Seconds since the last frame, None before the first.
    state : StoredRun
        What became of the run.
    """

    frames: int
    planned: int | None
    rate: float
    idle_s: float | None
    state: StoredRun

    @property
    def ended(self) -> bool:
        """Whether no more frames will come by themselves."""
        return self.state in (StoredRun.CLOSED, StoredRun.INTERRUPTED)


class RunWatch:
    """Looks at one store again and again; to be used by one thread at a time.

    Parameters
    ----------
    path : str or PathLike
        The store.
    clock : callable
        Seconds since 1970; a test may pass its own.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._file: Path | None = None
        self._is_journal = False
        self._end = 0
        self._frames = 0
        self._planned: int | None = None
        self._past: deque[tuple[float, int]] = deque()

    def look(self) -> RunProgress:
        """Return how far the run is now.

        Raises
        ------
        OSError
            If the store cannot be read.
        """
        if self._file is None:
            self._find()
        now = self._clock()
        changed_s: float | None = None
        if self._file is not None:
            changed_s = self._file.stat().st_mtime
            self._read(self._file)
        self._past.append((now, self._frames))
        while len(self._past) > 2 and self._past[1][0] <= now - _WINDOW_S:
            self._past.popleft()
        idle = None
        if changed_s is not None and self._frames:
            idle = max(0.0, now - changed_s)
        return RunProgress(
            self._frames, self._planned, self._rate(), idle, self._state(idle)
        )

    def _find(self) -> None:
        journal = find_journal(self.path)
        if journal is not None:
            self._file, self._is_journal = journal, True
            return
        self._file = next(
            (p for p in (self.path / name for name in _INDEX) if p.is_file()), None
        )

    def _rate(self) -> float:
        (start, before), (end, frames) = self._past[0], self._past[-1]
        return (frames - before) / (end - start) if end > start else 0.0

    def _state(self, idle: float | None) -> StoredRun:
        if self._is_journal:
            return run_state(self.path)
        if self._file is None:
            return StoredRun.NONE
        # Nobody holds a lock: it is being written as long as it grows.
        growing = idle is not None and idle < _QUIET_S
        return StoredRun.UNKNOWN if growing else StoredRun.NONE

    def _read(self, file: Path) -> None:
        count = _journal_frames if self._is_journal else _index_frames
        size = file.stat().st_size
        if size < self._end:  # another run has its place
            self._end = self._frames = 0
            self._past.clear()
        with file.open("rb") as stream:
            if self._is_journal and self._planned is None:
                self._planned = _planned(stream.readline(_BLOCK))
            stop = min(size, self._end + _MOST_AT_ONCE)
            while self._end < stop:
                stream.seek(self._end)
                block = stream.read(min(_BLOCK, stop - self._end))
                frames, used = count(block)
                if not used:
                    return  # the rest of it is still to be written
                self._frames += frames
                self._end += used


def _planned(header: bytes) -> int | None:
    try:
        plan = json.loads(header)
    except (ValueError, RecursionError):
        return None
    planned = plan.get("frames") if isinstance(plan, dict) else None
    return planned if type(planned) is int and planned >= 0 else None


def _journal_frames(block: bytes) -> tuple[int, int]:
    """Return the frames saved in whole lines of a journal, and their bytes."""
    used = block.rfind(b"\n") + 1
    # Without blanks, as `journal.encode_line` writes them.
    return sum(_SAVED in line for line in block[:used].split(b"\n")), used


def _index_frames(block: bytes) -> tuple[int, int]:
    """Return the whole records of an NDTiff index, and their bytes.

    A record is the axes and the name of a file, each behind its length, and eight
    numbers of 4 bytes.
    """
    count = place = 0
    while place + 4 <= len(block):
        (axes,) = struct.unpack_from("<I", block, place)
        if not 0 < axes < _LONGEST_AXES:
            break  # room that was reserved
        name_at = place + 4 + axes
        if name_at + 4 > len(block):
            break
        (name,) = struct.unpack_from("<I", block, name_at)
        end = name_at + 4 + name + 32
        if name >= _LONGEST_AXES or end > len(block):
            break
        count += 1
        place = end
    return count, place
