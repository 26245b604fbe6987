"""Cases that do the same work, measured in turns.

A machine is never quiet: memory that was just given back is faster than fresh memory,
disks have phases, other programs come and go. So the cases of a benchmark take turns,
in another order in each round, and what is compared are medians over rounds. A first
round warms everything up, checks that each case has really stored its data, and is not
counted. Before each run as many bytes as it stores are written and removed: a virtual
machine gives memory back to its host, and who writes next would pay for fetching it.

This module knows nothing of microscopes and of files other than the folder that it
lends to a case.

Examples
--------
>>> import tempfile, time
>>> from pathlib import Path
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
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["Benchmark", "Case", "Result", "Role", "Target", "Times", "measure"]

Role: TypeAlias = Literal["ours", "peer", "limit"]


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
        Given an empty folder, returns the work. Only the work is timed.
    check : callable, optional
        Raises unless the folder holds what it should, after the warm-up.
    """

    name: str
    role: Role
    survives: str
    prepare: Callable[[Path], Callable[[], object]]
    check: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Target:
    """What is aimed at: the rate of one case is at least so many times another's."""

    case: str
    against: str
    at_least: float


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
        Bytes that one run stores.
    cases : sequence of Case
        Who takes part.
    targets : sequence of Target
        What is aimed at.
    around : callable
        Makes a context in which all of it runs (a microscope, say).
    """

    title: str
    text: str
    unit: str
    amount: float
    frames: int
    stored: int
    cases: Sequence[Case]
    targets: Sequence[Target] = ()
    around: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass
class Times:
    """Seconds that one case took, one number for each round.

    Parameters
    ----------
    wall : list of float
        By the clock.
    cpu : list of float
        Of all threads of the process, in user and system mode.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """What was measured; rates are in the unit of the benchmark."""

    benchmark: Benchmark
    times: dict[str, Times]

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

    def ratio(self, name: str, against: str) -> float:
        """Return how many times faster than another a case is, by their medians."""
        return self.rate(name) / self.rate(against)

    def ratio_of_bests(self, name: str, against: str) -> float:
        """Return the same by their best rounds."""
        return self.best(name) / self.best(against)

    def first(self, role: Role) -> str | None:
        """Return the name of the first case of a role, if there is any."""
        cases = self.benchmark.cases
        return next((case.name for case in cases if case.role == role), None)


def measure(
    benchmark: Benchmark,
    scratch: Path,
    *,
    rounds: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
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
    """
    order = random.Random(seed)
    times = {case.name: Times() for case in benchmark.cases}
    with benchmark.around():
        for number in range(rounds + 1):
            cases = list(benchmark.cases)
            order.shuffle(cases)
            for case in cases:
                folder = scratch / "case"
                folder.mkdir()
                try:
                    _warm_up(scratch, benchmark.stored)
                    wall, cpu = _time(case, folder)
                    if number == 0 and case.check is not None:
                        case.check(folder)
                finally:
                    shutil.rmtree(folder)
                if number:
                    times[case.name].wall.append(wall)
                    times[case.name].cpu.append(cpu)
                step()
    return Result(benchmark, times)


def _warm_up(scratch: Path, size: int) -> None:
    """Leave memory for ``size`` bytes of files where the system finds it at once."""
    block = bytes(1 << 20)
    path = scratch / "warm"
    with open(path, "wb", buffering=0) as file:
        for start in range(0, size, len(block)):
            file.write(block[: size - start])
    path.unlink()


def _time(case: Case, folder: Path) -> tuple[float, float]:
    """Return wall and processor seconds of the work of a case."""
    work = case.prepare(folder)
    # The garbage of one case must not be collected at the cost of the next.
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu
