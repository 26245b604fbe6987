"""Cases with a window, each in a process of its own: how free the GUI stays.

A case is a program (a module of this package) that shows a window, does something, and
prints its numbers as the last line, a JSON object. Cases take turns, in another order
in each round; what is compared are medians over the rounds, and the worst of all rounds
for columns that say so. Without a display the processes get one by ``xvfb-run``.

A program of ours that fails is an error. One of somebody else is tried again, and if it
never comes to its numbers it is left out, with the reason below the table.

`Ticks` is the measure that most of them use: how late a timer comes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from benchmarks.camera import Unavailable
from benchmarks.goals import verdict
from benchmarks.sheets import Sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.harness import Role

__all__ = ["Column", "GuiBenchmark", "GuiCase", "GuiTarget", "Ticks", "measure_gui"]

_LONGEST_S = 240.0
_TICK_MS = 5
_TRIES = 3
_NOTHING = "-"


class _Fallen(ValueError):
    """A program ended without its numbers."""


class Ticks:
    """Gaps between the ticks of a timer of 5 ms, in a running Qt application.

    Whatever keeps the GUI busy makes gaps longer: their median tells how a window
    feels, the longest whether it stands still. The greatest work of the GUI's own
    thread in a gap tells how much of that is its own doing: other threads and programs
    that have the processor make gaps longer, but not this.
    """

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self._gaps_ms: list[float] = []
        self._ends: list[float] = []
        self._last = self._last_work = self._most_work_ms = 0.0
        self._timer = QTimer()
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        """Begin to measure."""
        self._gaps_ms.clear()
        self._ends.clear()
        self._most_work_ms = 0.0
        self._last, self._last_work = time.perf_counter(), time.thread_time()
        self._timer.start()

    def stop(self, parted_at: float | None = None) -> dict[str, float]:
        """End, and return what was measured, in milliseconds.

        Parameters
        ----------
        parted_at : float, optional
            A moment, by `time.perf_counter`, that parts what was measured. A gap over
            that moment counts on each side as far as it reaches.

        Returns
        -------
        dict
            Median, 95th percentile and longest gap, the most work in one, and the
            longest before and after the moment.
        """
        self._timer.stop()
        parts = {} if parted_at is None else self._parted(parted_at)
        gaps = sorted(self._gaps_ms)
        if not gaps:
            raise ValueError("the timer never came: the GUI stood still all the time")
        return {
            "median_ms": statistics.median(gaps),
            "p95_ms": gaps[int(0.95 * (len(gaps) - 1))],
            "max_ms": gaps[-1],
            "work_ms": self._most_work_ms,
            **parts,
        }

    def _parted(self, moment: float) -> dict[str, float]:
        before_ms = after_ms = 0.0
        for gap_ms, end in zip(self._gaps_ms, self._ends, strict=True):
            late_ms = min(gap_ms, max(0.0, 1000 * (end - moment)))
            after_ms = max(after_ms, late_ms)
            before_ms = max(before_ms, gap_ms - late_ms)
        return {"before_ms": before_ms, "after_ms": after_ms}

    def _tick(self) -> None:
        now, work = time.perf_counter(), time.thread_time()
        self._gaps_ms.append(1000 * (now - self._last))
        self._ends.append(now)
        self._most_work_ms = max(self._most_work_ms, 1000 * (work - self._last_work))
        self._last, self._last_work = now, work


@dataclass(frozen=True)
class Column:
    """A number of a case.

    Parameters
    ----------
    key : str
        Its name in what the case prints.
    head : str
        Its name in the table.
    worst : bool
        Whether the greatest of all rounds counts, not the median.
    """

    key: str
    head: str
    worst: bool = False


@dataclass(frozen=True)
class GuiCase:
    """A program with a window.

    Parameters
    ----------
    name, role : str
        What the tables call it; what it stands for.
    module : str
        What is run, with the arguments as one JSON text.
    arguments : mapping
        JSON-able.
    needs : str, optional
        Name of a module without which it is left out.
    path_variable : str, optional
        Name of an environment variable with a folder that the process may import from,
        for peers that cannot be installed beside us.
    """

    name: str
    role: Role
    module: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    needs: str | None = None
    path_variable: str | None = None

    def why_not(self) -> str | None:
        """Return why it cannot be run; None if it can."""
        if self.needs is None or find_spec(self.needs) is not None:
            return None
        folder = os.environ.get(self.path_variable or "", "")
        if folder and os.path.isdir(os.path.join(folder, self.needs)):
            return None
        hint = f"; {self.path_variable} may name a folder with it"
        return f"{self.needs} is not installed{hint if self.path_variable else ''}"


@dataclass(frozen=True)
class GuiTarget:
    """What is aimed at: so much at most, of a number or of its ratio to another case's.

    Parameters
    ----------
    case, key : str
        Whose number, and which.
    at_most : float
        The limit.
    against : str, optional
        The case whose number it is divided by.
    against_key : str, optional
        Which of its numbers; the same by default.
    """

    case: str
    key: str
    at_most: float
    against: str | None = None
    against_key: str | None = None


@dataclass(frozen=True)
class GuiBenchmark:
    """Cases with a window that do the same.

    Parameters
    ----------
    title, text : str
        What it is; a sentence or two on how.
    cases : sequence of GuiCase
        Who takes part.
    columns : sequence of Column
        What they print.
    targets : sequence of GuiTarget
        What is aimed at.
    rounds : int
        Most rounds that make sense.
    """

    title: str
    text: str
    cases: Sequence[GuiCase]
    columns: Sequence[Column]
    targets: Sequence[GuiTarget] = ()
    rounds: int = 5


def measure_gui(
    benchmark: GuiBenchmark,
    *,
    rounds: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> Sheet:
    """Run all cases in turns and return the table.

    Parameters
    ----------
    benchmark, rounds, seed, step
        See `benchmarks.harness.measure`. There is no round that does not count: each
        process warms up by itself.

    Raises
    ------
    Unavailable
        Without a display and a way to make one.
    ValueError
        If a program of ours fails.
    """
    prefix = _display()
    reasons = {case.name: case.why_not() for case in benchmark.cases}
    cases = [case for case in benchmark.cases if reasons[case.name] is None]
    notes = [f"{name} is left out: {why}" for name, why in reasons.items() if why]
    order = random.Random(seed)
    runs: dict[str, list[dict[str, float]]] = {case.name: [] for case in cases}
    falls: dict[str, list[str]] = {case.name: [] for case in cases}
    for _ in range(min(rounds, benchmark.rounds)):
        turn = list(cases)
        order.shuffle(turn)
        for case in turn:
            found = _tried(case, prefix, falls[case.name])
            if found is not None:
                runs[case.name].append(found)
            step()
    for name, reasons_to_fall in falls.items():
        if reasons_to_fall:
            fate = "fell" if runs[name] else "is left out: it fell"
            times = f"{len(reasons_to_fall)} times, without its numbers"
            notes.append(f"{name} {fate} {times}: {reasons_to_fall[-1]}")
    shown = [case for case in cases if runs[case.name]]
    return _table(benchmark, shown, runs, notes)


def _display() -> list[str]:
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY"):
        return []
    if shutil.which("xvfb-run") is None:
        raise Unavailable("there is no display, and no xvfb-run")
    return ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]


def _tried(
    case: GuiCase, prefix: Sequence[str], falls: list[str]
) -> dict[str, float] | None:
    """Run a case, that of a peer again when it falls; None if it never ends well."""
    while len(falls) < _TRIES or case.role != "peer":
        try:
            return _run(case, prefix)
        except _Fallen as reason:
            if case.role != "peer":
                raise
            falls.append(str(reason))
    return None


def _run(case: GuiCase, prefix: Sequence[str]) -> dict[str, float]:
    environment = dict(os.environ)
    folder = environment.get(case.path_variable or "", "")
    if folder:
        known = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = os.pathsep.join(p for p in (known, folder) if p)
    command = [*prefix, sys.executable, "-m", case.module, json.dumps(case.arguments)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=environment,
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as reason:
        raise _Fallen(f"not done after {_LONGEST_S:.0f} s") from reason
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    # A process that has told its numbers may still fall at its exit: not our matter.
    if not lines:
        words = done.stderr if case.role != "peer" else _last_line(done.stderr)
        raise _Fallen(f"{case.name} ended with {done.returncode}: {words}")
    found: dict[str, float] = json.loads(lines[-1])
    return found


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"


def _table(
    benchmark: GuiBenchmark,
    cases: Sequence[GuiCase],
    runs: Mapping[str, Sequence[Mapping[str, float]]],
    notes: Sequence[str],
) -> Sheet:
    worst = {column.key for column in benchmark.columns if column.worst}

    def value(name: str, key: str) -> float:
        numbers = [run[key] for run in runs[name]]
        return max(numbers) if key in worst else statistics.median(numbers)

    def cell(name: str, key: str) -> str:
        has_it = all(key in run for run in runs[name])
        return f"{value(name, key):,.1f}" if has_it else _NOTHING

    rows = [
        [case.name, *(cell(case.name, c.key) for c in benchmark.columns)]
        for case in cases
    ]
    heads = {column.key: column.head for column in benchmark.columns}
    lines: list[str] = []
    targets: list[dict[str, Any]] = []
    for target in benchmark.targets:
        if not runs.get(target.case) or (
            target.against and not runs.get(target.against)
        ):
            continue
        reached = value(target.case, target.key)
        words = f"{target.case}: {heads[target.key]} {reached:,.1f}"
        if target.against is not None:
            key = target.against_key or target.key
            reached /= value(target.against, key)
            words += f", {reached:.2f} x {heads[key]} of {target.against}"
        fine = verdict(reached <= target.at_most)
        lines.append(f"{words}; target at most {target.at_most:g}: {fine}")
        targets.append({**asdict(target), "reached": reached})
    document = {
        "title": benchmark.title,
        "cases": [
            {"name": case.name, "role": case.role, "runs": list(runs[case.name])}
            for case in cases
        ],
        "targets": targets,
        "notes": list(notes),
    }
    head = ["case", *(column.head for column in benchmark.columns)]
    lines += notes
    return Sheet(benchmark.title, benchmark.text, head, rows, lines, document)
