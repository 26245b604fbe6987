"""A camera in a process of its own, which feeds a writer and looks at how it does.

The camera has a pace, or gives frames as fast as they are taken. Each frame has fresh
memory, as drivers give it, which is made before the writer is called: what is timed is
the call. What a writer keeps beyond the call is seen in the memory of the process.

Examples
--------
>>> import tempfile
>>> from pathlib import Path
>>> from benchmarks.recording import Recording
>>> from benchmarks.writers import Raw
>>> fed = run(Feed(Raw(), Recording(64, (("t", 5),))), Path(tempfile.mkdtemp()))
>>> len(fed.append_s), fed.fault
(5, None)
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psutil

from benchmarks.recording import camera_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from benchmarks.recording import Recording
    from benchmarks.writers import Writer

__all__ = ["Fed", "Feed", "feed", "run"]

_DIFFERENT = 16  # frames that the camera repeats
_LOOK_S = 0.01


@dataclass(frozen=True)
class Feed:
    """What a camera gives to a writer.

    Parameters
    ----------
    writer : Writer
        Who stores the frames.
    recording : Recording
        The frames.
    interval_s : float
        Time between two frames; 0 for as fast as they are taken.
    """

    writer: Writer
    recording: Recording
    interval_s: float = 0.0


@dataclass(frozen=True)
class Fed:
    """How it went.

    Parameters
    ----------
    append_s : list of float
        Seconds of each call.
    at_s : list of float
        When each call returned, in seconds since the first frame.
    close_s : float
        Seconds of closing.
    cpu_s : float
        Processor time of all threads, with the camera's own copies.
    memory : int
        Bytes by which the process grew at most.
    fault : str, optional
        What is wrong with what was stored; None if it is all there, or was not
        looked at.
    """

    append_s: list[float]
    at_s: list[float]
    close_s: float
    cpu_s: float
    memory: int
    fault: str | None = None


def feed(
    what: Feed,
    folder: Path,
    *,
    check: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Fed:
    """Run the camera in a new process.

    Parameters
    ----------
    what : Feed
        What it gives to whom.
    folder : Path
        An empty folder to store in.
    check : bool
        Compare what was stored with the frames.
    environment : mapping, optional
        Environment variables of the process besides the present ones.
    """
    context = multiprocessing.get_context("spawn")
    with (
        _environment(environment or {}),
        ProcessPoolExecutor(1, mp_context=context) as executor,
    ):
        return executor.submit(run, what, folder, check=check).result()


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run(what: Feed, folder: Path, *, check: bool = True) -> Fed:
    """Run the camera here; see `feed`."""
    recording = what.recording
    _first_use(what.writer, recording, folder / "first")
    frames = camera_frames(min(_DIFFERENT, recording.n), recording.size)
    store = folder / "store"
    store.mkdir()
    append, close = what.writer.open(recording, store)
    took: list[float] = []
    at: list[float] = []
    # The camera's own frame is there before and after.
    frame = frames[0].copy()
    gc.collect()
    with _Memory() as memory:
        cpu, start = time.process_time(), time.perf_counter()
        for number in range(recording.n):
            ahead = start + number * what.interval_s - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
            del frame
            frame = frames[number % len(frames)].copy()
            before = time.perf_counter()
            append(frame)
            after = time.perf_counter()
            took.append(after - before)
            at.append(after - start)
        before = time.perf_counter()
        close()
        close_s = time.perf_counter() - before
        cpu_s = time.process_time() - cpu
    fault = None
    if check:
        try:
            what.writer.check(recording, store, frames)
        # Readers fail in their own ways on a store that is not complete.
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
    return Fed(took, at, close_s, cpu_s, memory.growth, fault)


def _first_use(writer: Writer, recording: Recording, folder: Path) -> None:
    """Store a few tiny frames: what is imported and kept for good is no growth."""
    counts = tuple(
        (name, 1 if name == "p" else min(n, 3)) for name, n in recording.counts
    )
    few = replace(recording, size=64, counts=counts, chunks=(), shards=(), plate=False)
    folder.mkdir()
    append, close = writer.open(few, folder)
    for frame in camera_frames(few.n, few.size):
        append(frame)
    close()
    shutil.rmtree(folder)


class _Memory:
    """Looks at the memory of this process again and again."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._most = self._resident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    @property
    def growth(self) -> int:
        """By how many bytes it grew at most."""
        return self._most - self._before

    def _resident(self) -> int:
        return int(self._process.memory_info().rss)

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self._most = max(self._most, self._resident())

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._most = max(self._most, self._resident())
