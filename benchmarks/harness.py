"""Cases that do the same work, measured in turns.

A machine is never quiet: memory that was just given back is faster than fresh memory,
disks have phases, other programs come and go. So the cases of a benchmark take turns,
in another order in each round, and what is compared are medians over rounds. A first
round warms everything up, checks that each case has really stored its data, and is not
counted. Before each run as many bytes as it stores are written and removed: a virtual
machine gives memory back to its host, and who writes next would pay for fetching it.

Cases that write get a new empty folder for each run. Cases that read share one folder
of data, which is made once; each is prepared once, and its work is repeated.

This module knows nothing of microscopes and of files other than the folder that it
lends to a case.

Examples
--------
>>> import tempfile, time
>>> from pathlib import Path
>>> from benchmarks.goals import Target
>>> cases = [
...     Case("slow", "peer", "", lambda folder: lambda: time.sleep(0.02)),
...     Case("fast", "ours", "", lambda folder: lambda: time.sleep(0.001)),
... ]
>>> benchmark = Benchmark(
...     "nap", "", "naps/s", 1, 1, 0, cases, [Target("fast", "slow", 2)]
... )
>>> result = measure(benchmark, Path(tempfile.mkdtemp()), rounds=3, seed=1)
>>> result.ratio("fast", "slow") > 2
True
"""

from __future__ import annotations

import gc
import random
import shutil
import statistics
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = [
    "Benchmark",
    "Case",
    "Goal",
    "Result",
    "Role",
    "Times",
    "Work",
    "measure",
    "missing",
    "warm_up",
]

Role: TypeAlias = Literal["ours", "peer", "limit"]
"""What a case stands for in a comparison."""
Work: TypeAlias = "Callable[[], object]"

_MEMORY_ROUNDS = 3  # memory hardly varies, and looking at it takes a process


@dataclass(frozen=True)
class Case:
    """One way to do the work of a benchmark.

    Parameters
    ----------
    name : str
        Who does it.
    role : {"ours", "peer", "limit"}
        What it stands for in the comparison.
    survives : str
        What the data survive once the work is done; two cases that differ in this do
        not do quite the same work.
    prepare : callable
        Given the folder, returns the work. Only the work is timed.
    check : callable, optional
        Raises unless the folder holds what it should, after the warm-up.
    verify : callable, optional
        Raises unless the work returned what it should, after the warm-up.
    memory : callable, optional
        Given the folder, returns the bytes of memory that are in use after the work.
        It is called a few times, apart from the work that is timed.
    size : callable, optional
        Given the folder, returns the bytes that the data take on the disk. It is
        called after the warm-up.
    needs : str, optional
        Name of a module without which the case is left out.
    """

    name: str
    role: Role
    survives: str
    prepare: Callable[[Path], Work]
    check: Callable[[Path], None] | None = None
    verify: Callable[[object], None] | None = None
    memory: Callable[[Path], int] | None = None
    size: Callable[[Path], int] | None = None
    needs: str | None = None


@dataclass(frozen=True)
class Benchmark:
    """Cases that do the same work.

    Parameters
    ----------
    title, text : str
        What it is; a sentence or two on how.
    unit : str
        Unit of the rate.
    amount : float
        Work of one run of a case, in that unit times seconds.
    frames : int
        Frames of one run.
    stored : int
        Bytes that one run stores, or takes in memory for what it reads.
    cases : sequence of Case
        Who takes part.
    targets : sequence of Goal
        What is aimed at.
    around : callable
        Makes a context in which all of it runs (a microscope, say).
    data : callable, optional
        Fills an empty folder, which all cases then share and leave as it is. Each case
        is prepared just once.
    """

    title: str
    text: str
    unit: str
    amount: float
    frames: int
    stored: int
    cases: Sequence[Case]
    targets: Sequence[Goal] = ()
    around: Callable[[], AbstractContextManager[object]] = nullcontext
    data: Callable[[Path], None] | None = None


@dataclass
class Times:
    """What one case took, one number for each round.

    Parameters
    ----------
    wall : list of float
        Seconds by the clock.
    cpu : list of float
        Seconds of all threads of the process, in user and system mode.
    memory : list of int
        Bytes, of the first few rounds, if they were asked for.
    size : int, optional
        Bytes on the disk, if they were asked for.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    size: int | None = None


class Goal(Protocol):
    """What is aimed at; `benchmarks.goals` has those that there are."""

    @property
    def case(self) -> str:
        """Whose goal it is."""

    def cases(self) -> set[str]:
        """Return the names of all cases that have to be measured."""

    def reached(self, result: Result) -> tuple[float, float]:
        """Return what was reached, by medians and by the best rounds."""

    def line(self, result: Result) -> str:
        """Return what was reached, and whether it is enough."""


@dataclass(frozen=True)
class Result:
    """What was measured; rates are in the unit of the benchmark.

    Parameters
    ----------
    benchmark : Benchmark
        What was measured, with those of its cases that could be.
    times : dict
        Name of a case to what it took.
    notes : list of str
        What was left out, and why.
    """

    benchmark: Benchmark
    times: dict[str, Times]
    notes: list[str] = field(default_factory=list)

    def rate(self, name: str) -> float:
        """Return the median rate of a case."""
        return self.benchmark.amount / statistics.median(self.times[name].wall)

    def best(self, name: str) -> float:
        """Return the best rate of a case."""
        return self.benchmark.amount / min(self.times[name].wall)

    def cpu_ms(self, name: str) -> float:
        """Return the median processor time for one frame, in milliseconds."""
        seconds = statistics.median(self.times[name].cpu)
        return 1000 * seconds / self.benchmark.frames

    def frame_ms(self, name: str) -> float:
        """Return the median time for one frame, in milliseconds."""
        return 1000 * statistics.median(self.times[name].wall) / self.benchmark.frames

    def best_frame_ms(self, name: str) -> float:
        """Return the shortest time for one frame, in milliseconds."""
        return 1000 * min(self.times[name].wall) / self.benchmark.frames

    def memory(self, name: str) -> float | None:
        """Return the median memory in bytes, or None where it was not looked at."""
        found = self.times[name].memory
        return statistics.median(found) if found else None

    def ratio(self, name: str, against: str) -> float:
        """Return how many times faster than another a case is, by their medians."""
        return self.rate(name) / self.rate(against)

    def ratio_of_bests(self, name: str, against: str) -> float:
        """Return the same by their best rounds."""
        return self.best(name) / self.best(against)

    def size(self, name: str) -> int | None:
        """Return the bytes on the disk, or None where they were not looked at."""
        return self.times[name].size

    def memory_ratio(self, name: str, against: str) -> float:
        """Return how many times the memory of a case another takes, by medians.

        Raises
        ------
        ValueError
            It was not measured for both.
        """
        one, other = self.memory(name), self.memory(against)
        if one is None or other is None:
            raise ValueError(f"the memory of {name} and {against} was not measured")
        # Not even one page: as good as a page.
        return other / max(one, 4096)

    def first(self, role: Role) -> str | None:
        """Return the name of the first case of a role, if there is any."""
        cases = self.benchmark.cases
        return next((case.name for case in cases if case.role == role), None)


def missing(cases: Iterable[Case]) -> list[Case]:
    """Return the cases whose modules are not installed."""
    return [c for c in cases if c.needs is not None and find_spec(c.needs) is None]


def _possible(benchmark: Benchmark) -> tuple[Benchmark, list[str]]:
    """Return the benchmark without what is not installed, and what that is."""
    absent = missing(benchmark.cases)
    if not absent:
        return benchmark, []
    cases = [case for case in benchmark.cases if case not in absent]
    names = {case.name for case in cases}
    targets = [one for one in benchmark.targets if one.cases() <= names]
    notes = [f"{c.name} is left out: {c.needs} is not installed" for c in absent]
    return replace(benchmark, cases=cases, targets=targets), notes


def measure(
    benchmark: Benchmark,
    scratch: Path,
    *,
    rounds: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
    seconds: float | None = None,
) -> Result:
    """Run all cases in turns.

    Parameters
    ----------
    benchmark : Benchmark
        What to measure.
    scratch : Path
        An existing folder on the disk to measure; nothing is left in it.
    rounds : int
        Rounds that count; one more is run before them.
    seed : int
        Of the order in which the cases take turns.
    step : callable
        Called after each run of a case.
    seconds : float, optional
        After this time no round begins any more, once one has counted.
    """
    start = time.perf_counter()
    benchmark, notes = _possible(benchmark)
    order = random.Random(seed)
    times = {case.name: Times() for case in benchmark.cases}
    with _shared(benchmark, scratch) as shared, benchmark.around():
        works: dict[str, Work] = {}
        if shared is not None:
            works = {case.name: case.prepare(shared) for case in benchmark.cases}
        for number in range(rounds + 1):
            late = seconds is not None and time.perf_counter() - start > seconds
            if late and number > 1:
                notes.append(f"{number - 1} of {rounds} rounds: the time was up")
                break
            cases = list(benchmark.cases)
            order.shuffle(cases)
            for case in cases:
                with _own(scratch) if shared is None else nullcontext(shared) as folder:
                    warm_up(scratch, benchmark.stored)
                    work = works.get(case.name) or case.prepare(folder)
                    wall, cpu = _time(case, work, folder, first=number == 0)
                    if case.memory is not None and 1 <= number <= _MEMORY_ROUNDS:
                        times[case.name].memory.append(case.memory(folder))
                    if case.size is not None and not number:
                        times[case.name].size = case.size(folder)
                if number:
                    times[case.name].wall.append(wall)
                    times[case.name].cpu.append(cpu)
                step()
    return Result(benchmark, times, notes)


@contextmanager
def _shared(benchmark: Benchmark, scratch: Path) -> Iterator[Path | None]:
    """Lend the folder that all cases share, or None if each run has its own."""
    if benchmark.data is None:
        yield None
        return
    with _own(scratch, "data") as folder:
        benchmark.data(folder)
        yield folder


@contextmanager
def _own(scratch: Path, name: str = "case") -> Iterator[Path]:
    """Lend a new folder."""
    folder = scratch / name
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def warm_up(scratch: Path, size: int) -> None:
    """Leave memory for ``size`` bytes of files where the system finds it at once."""
    block = bytes(1 << 20)
    path = scratch / "warm"
    with open(path, "wb", buffering=0) as file:
        for start in range(0, size, len(block)):
            file.write(block[: size - start])
    path.unlink()


def _time(case: Case, work: Work, folder: Path, *, first: bool) -> tuple[float, float]:
    """Return wall and processor seconds of the work of a case; at first, check it."""
    # The garbage of one case must not be collected at the cost of the next.
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    seconds = time.perf_counter() - wall, time.process_time() - cpu
    # What the work returned is given back here, and not within its time.
    if first and case.check is not None:
        case.check(folder)
    if first and case.verify is not None:
        case.verify(result)
    return seconds
