"""Writers that a camera feeds, each in a process of its own: time of a call, memory.

`Camera` is to a writer that has to keep a pace what `Benchmark` is to one that works as
fast as it can. Its cases take turns, too.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import shutil
import statistics
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from benchmarks.feed import Fed, Feed, feed
from benchmarks.goals import verdict
from benchmarks.harness import warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.harness import Role

__all__ = [
    "AtMost",
    "Camera",
    "CameraCase",
    "CameraResult",
    "Quantity",
    "Unavailable",
    "watch",
]

Quantity: TypeAlias = Literal["p50_ms", "p99_ms", "max_ms", "memory_mb", "close_s"]

_WARM_BYTES = 2 * 10**9

_UNITS: dict[Quantity, str] = {
    "p50_ms": "ms of append (median)",
    "p99_ms": "ms of append (99 of 100)",
    "max_ms": "ms of append (longest)",
    "memory_mb": "MB of memory",
    "close_s": "s to close",
}


class Unavailable(Exception):
    """The machine does not have what a benchmark needs; says what."""


@dataclass(frozen=True)
class CameraCase:
    """One writer and what it is fed.

    Parameters
    ----------
    name : str
        What the tables call it.
    feed : Feed
        What it gets.
    """

    name: str
    feed: Feed

    @property
    def role(self) -> Role:
        """What it stands for."""
        return self.feed.writer.role


@dataclass(frozen=True)
class AtMost:
    """What is aimed at: so much at most.

    Parameters
    ----------
    case : str
        Whose goal it is.
    quantity : str
        Which number.
    limit : float
        The number.
    """

    case: str
    quantity: Quantity
    limit: float

    def line(self, result: CameraResult) -> str:
        """Return what was reached."""
        reached = result.value(self.case, self.quantity)
        return (
            f"{self.case}: {reached:,.1f} {_UNITS[self.quantity]}; target at most "
            f"{self.limit:,.4g}: {verdict(reached <= self.limit)}"
        )


def _nothing() -> AbstractContextManager[Mapping[str, str]]:
    return contextlib.nullcontext({})


@dataclass(frozen=True)
class Camera:
    """A camera and those whom it feeds.

    Parameters
    ----------
    title, text : str
        What it is; a sentence or two on how.
    cases : sequence of CameraCase
        Who takes part.
    targets : sequence of AtMost
        What is aimed at.
    rounds : int
        Most rounds that make sense.
    parts : int
        Say the rate in so many parts of the run.
    room : int
        Bytes that have to be free on the disk.
    environment : callable
        Makes a context in which all runs, and which yields environment variables for
        the processes.
    """

    title: str
    text: str
    cases: Sequence[CameraCase]
    targets: Sequence[AtMost] = ()
    rounds: int = 3
    parts: int = 0
    room: int = 0
    environment: Callable[[], AbstractContextManager[Mapping[str, str]]] = _nothing


@dataclass(frozen=True)
class CameraResult:
    """What was seen: the runs of each case.

    Parameters
    ----------
    benchmark : Camera
        What was run.
    runs : dict
        Name of a case to its runs.
    notes : list of str
        What was left out, and why.
    """

    benchmark: Camera
    runs: dict[str, list[Fed]]
    notes: list[str] = field(default_factory=list)

    @property
    def cases(self) -> list[CameraCase]:
        """Those that could be run."""
        return [case for case in self.benchmark.cases if case.name in self.runs]

    def value(self, name: str, quantity: Quantity) -> float:
        """Return a number of a case: the median over the runs.

        The longest call and the memory are the worst of all runs.
        """
        runs = self.runs[name]
        if quantity == "max_ms":
            return 1000 * max(max(one.append_s) for one in runs)
        if quantity == "memory_mb":
            return max(one.memory for one in runs) / 1e6
        if quantity == "close_s":
            return statistics.median(one.close_s for one in runs)
        part = 0.5 if quantity == "p50_ms" else 0.99
        return 1000 * statistics.median(_quantile(one.append_s, part) for one in runs)

    def rate(self, name: str) -> float:
        """Return megabytes in a second, from the first frame until all is closed."""
        size = self._of(name).feed.recording.nbytes / 1e6
        times = (one.at_s[-1] + one.close_s for one in self.runs[name])
        return size / statistics.median(times)

    def rates(self, name: str, parts: int) -> list[float]:
        """Return megabytes in a second in equal parts of the first run."""
        recording = self._of(name).feed.recording
        at = self.runs[name][0].at_s
        ends = [recording.n * (i + 1) // parts - 1 for i in range(parts)]
        times = [0.0, *(at[end] for end in ends)]
        size = recording.nbytes / 1e6 / parts
        return [size / (b - a) for a, b in itertools.pairwise(times)]

    def cpu_ms(self, name: str) -> float:
        """Return the median processor time for one frame, in milliseconds."""
        seconds = statistics.median(one.cpu_s for one in self.runs[name])
        return 1000 * seconds / self._of(name).feed.recording.n

    def fault(self, name: str) -> str | None:
        """Return what was wrong with what was stored."""
        return next((one.fault for one in self.runs[name] if one.fault), None)

    def _of(self, name: str) -> CameraCase:
        return next(case for case in self.benchmark.cases if case.name == name)


def _quantile(values: Sequence[float], part: float) -> float:
    """Return the smallest value that so many are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def watch(
    benchmark: Camera,
    scratch: Path,
    *,
    rounds: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> CameraResult:
    """Run all cases in turns.

    What is stored is compared with the frames in the first round.

    Parameters
    ----------
    benchmark, scratch, rounds, seed, step
        See `benchmarks.harness.measure`; there is no round that does not count, since
        each process warms up by itself.

    Raises
    ------
    Unavailable
        If there is no room.
    ValueError
        If what we or the limit stored is not what was given.
    """
    free = shutil.disk_usage(scratch).free
    if free < benchmark.room:
        raise Unavailable(
            f"{benchmark.room / 1e9:.1f} GB have to be free in {scratch}, "
            f"and there are {free / 1e9:.1f}"
        )
    possible = [c for c in benchmark.cases if find_spec(c.feed.writer.needs)]
    absent = [c for c in benchmark.cases if c not in possible]
    order = random.Random(seed)
    result = CameraResult(
        benchmark,
        {case.name: [] for case in possible},
        [
            f"{c.name} is left out: {c.feed.writer.needs} is not installed"
            for c in absent
        ],
    )
    with benchmark.environment() as environment:
        for number in range(min(rounds, benchmark.rounds)):
            cases = list(possible)
            order.shuffle(cases)
            for case in cases:
                warm_up(scratch, min(case.feed.recording.nbytes, _WARM_BYTES))
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    fed = feed(
                        case.feed,
                        Path(folder),
                        check=number == 0,
                        environment=environment,
                    )
                if fed.fault is not None and case.role != "peer":
                    raise ValueError(f"{case.name}: {fed.fault}")
                result.runs[case.name].append(fed)
                step()
    return result
