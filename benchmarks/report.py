"""Results as a table on the screen, as JSON, and as the page of the documentation."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from benchmarks.harness import MemoryTarget, TimeTarget

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from benchmarks.harness import Goal, Result
    from benchmarks.machine import Machine

__all__ = ["markdown", "print_results", "write_json"]

_INTRODUCTION = """\
# Benchmarks

Every number below comes from one command, which also wrote this page:

```sh
make bench BENCH_ARGS="--markdown docs/benchmarks.md"
```

The cases of a table take turns, in another order in each of {rounds} rounds, after a
round that warms up, checks what was stored and is not counted. Before each run as many
bytes as it stores (or takes for what it reads) are written and removed, so that none
pays for memory that a virtual machine has to fetch from its host. Rates are medians
over the rounds, with the best round beside them; ratios are ratios of medians. *CPU* is
the time that all threads of the process spend on one frame. `python -m benchmarks
--json FILE` writes each single measurement.

Where reading is measured all cases read the same store, which is in the memory of the
operating system: what is compared are programs, not disks. Each is prepared once, and
what it read is compared with the pixels that were stored.

*Survives* says what the data withstand at the end of the measured time. It differs, and
it matters: a store that survives a **killed process** is in the memory of the operating
system, one that survives a **loss of power** is on the disk. "Limit" rows are what the
machine can do at best, not a way to store images.

Measured on {machine}
"""

_WORDS = ("case", "survives")  # columns that hold no numbers


def print_results(console: Console, results: Sequence[Result]) -> None:
    """Print a table for each result, and which targets it meets."""
    for result in results:
        head, rows = _table(result)
        table = Table(title=result.benchmark.title, box=box.SIMPLE)
        for name in head:
            table.add_column(name, justify="left" if name in _WORDS else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        for line in _targets(result):
            console.print(line, highlight=False)
        console.print()


def write_json(
    path: Path,
    machine: Machine,
    results: Sequence[Result],
    *,
    rounds: int,
    seed: int,
) -> None:
    """Write every measurement, in seconds."""
    document = {
        "machine": machine.facts(),
        "rounds": rounds,
        "seed": seed,
        "benchmarks": [_document(result) for result in results],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def markdown(machine: Machine, results: Sequence[Result], *, rounds: int) -> str:
    """Return the page of the documentation."""
    parts = [_INTRODUCTION.format(rounds=rounds, machine=machine.sentence())]
    for result in results:
        head, rows = _table(result)
        lines = [f"## {result.benchmark.title}", "", result.benchmark.text, ""]
        lines.append(f"| {' | '.join(head)} |")
        rules = ("---" if name in _WORDS else "--:" for name in head)
        lines.append(f"| {' | '.join(rules)} |")
        lines += [f"| {' | '.join(row)} |" for row in rows]
        if result.benchmark.targets:
            lines += ["", *(f"- {line}" for line in _targets(result))]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _table(result: Result) -> tuple[list[str], list[list[str]]]:
    unit = result.benchmark.unit
    peer, limit = result.first("peer"), result.first("limit")
    cases = result.benchmark.cases
    # Reading makes nothing that could survive.
    survival = any(case.survives for case in cases)
    memory = any(result.memory(case.name) is not None for case in cases)
    short = all(result.cpu_ms(case.name) < 1 for case in cases)
    head = ["case", *(["survives"] if survival else []), f"{unit}, median", "best"]
    head += [f"CPU {'us' if short else 'ms'}/frame"]
    head += ["memory, MB"] if memory else []
    head += ["x peer"] if peer else []
    head += ["x limit"] if limit else []
    rows = []
    for case in cases:
        name = case.name
        row = [name, *([case.survives] if survival else [])]
        row += [_number(result.rate(name)), _number(result.best(name))]
        row += [f"{result.cpu_ms(name) * (1000 if short else 1):.2f}"]
        row += [_megabytes(result.memory(name))] if memory else []
        row += [
            _ratio(result.ratio(name, against)) for against in (peer, limit) if against
        ]
        rows.append(row)
    return head, rows


def _targets(result: Result) -> list[str]:
    """Return one line for each target: what was reached, and whether it is enough."""
    return [_line(result, target) for target in result.benchmark.targets]


def _line(result: Result, target: Goal) -> str:
    reached, best = _reached(result, target)
    if isinstance(target, TimeTarget):
        verdict = "met" if reached <= target.at_most_ms else "missed"
        return (
            f"{target.case}: {reached:.2f} ms for each (best round {best:.2f}); "
            f"target at most {target.at_most_ms:g}: {verdict}"
        )
    verdict = "met" if reached >= target.at_least else "missed"
    if isinstance(target, MemoryTarget):
        return (
            f"{target.case}: {_ratio(reached)} x less memory than {target.against}; "
            f"target {target.at_least:g}: {verdict}"
        )
    return (
        f"{target.case}: {_ratio(reached)} x {target.against} "
        f"(best rounds {_ratio(best)}); target {target.at_least:g}: {verdict}"
    )


def _reached(result: Result, target: Goal) -> tuple[float, float]:
    """Return what was reached, by medians and by the best rounds."""
    if isinstance(target, TimeTarget):
        return result.frame_ms(target.case), result.best_frame_ms(target.case)
    if isinstance(target, MemoryTarget):
        ratio = result.memory_ratio(target.case, target.against)
        return ratio, ratio
    return (
        result.ratio(target.case, target.against),
        result.ratio_of_bests(target.case, target.against),
    )


def _ratio(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _megabytes(value: float | None) -> str:
    return "" if value is None else f"{value / 1e6:.1f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def _document(result: Result) -> dict[str, object]:
    benchmark = result.benchmark
    return {
        "title": benchmark.title,
        "unit": benchmark.unit,
        "amount": benchmark.amount,
        "frames": benchmark.frames,
        "cases": [
            {
                "name": case.name,
                "role": case.role,
                "survives": case.survives,
                "rate": result.rate(case.name),
                "best": result.best(case.name),
                "cpu_ms": result.cpu_ms(case.name),
                **asdict(result.times[case.name]),
            }
            for case in benchmark.cases
        ],
        "targets": [
            {
                **asdict(target),
                "reached": reached,
                "reached_by_bests": best,
            }
            for target in benchmark.targets
            for reached, best in [_reached(result, target)]
        ],
    }
