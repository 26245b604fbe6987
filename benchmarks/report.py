"""Results as a table on the screen, as JSON, and as the page of the documentation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from benchmarks.sheets import WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from benchmarks.machine import Machine
    from benchmarks.sheets import Sheet

__all__ = ["markdown", "print_results", "write_json"]

_INTRODUCTION = """\
# Benchmarks

Every number below comes from one command, which also wrote this page:

```sh
make bench BENCH_ARGS="--markdown docs/benchmarks.md"
```

`sustained` is run only when it is named, since it writes some 25 GB:
`BENCH_ARGS="all sustained --markdown docs/benchmarks.md"`.

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

Where a camera has a pace of its own each case runs in a process of its own, and the
question is not how fast a writer is but how long it holds up the camera, what memory it
takes, and whether what it reported as stored is there. A case whose library is not
installed is left out, and a line says so.

*Survives* says what the data withstand at the end of the measured time. It differs, and
it matters: a store that survives a **killed process** is in the memory of the operating
system, one that survives a **loss of power** is on the disk. "Limit" rows are what the
machine can do at best, not a way to store images.

Measured on {machine}
"""


def print_results(console: Console, sheets: Sequence[Sheet]) -> None:
    """Print each table, and which targets are met."""
    for one in sheets:
        table = Table(title=one.title, box=box.SIMPLE)
        for name in one.head:
            table.add_column(name, justify="left" if name in WORDS else "right")
        for row in one.rows:
            table.add_row(*row)
        console.print(table)
        for line in one.lines:
            console.print(line, highlight=False)
        console.print()


def write_json(
    path: Path,
    machine: Machine,
    sheets: Sequence[Sheet],
    *,
    rounds: int,
    seed: int,
) -> None:
    """Write every measurement, in seconds."""
    document = {
        "machine": machine.facts(),
        "rounds": rounds,
        "seed": seed,
        "benchmarks": [one.document for one in sheets],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def markdown(machine: Machine, sheets: Sequence[Sheet], *, rounds: int) -> str:
    """Return the page of the documentation."""
    parts = [_INTRODUCTION.format(rounds=rounds, machine=machine.sentence())]
    for one in sheets:
        lines = [f"## {one.title}", "", one.text, ""]
        lines.append(f"| {' | '.join(one.head)} |")
        rules = ("---" if name in WORDS else "--:" for name in one.head)
        lines.append(f"| {' | '.join(rules)} |")
        lines += [f"| {' | '.join(row)} |" for row in one.rows]
        if one.lines:
            lines += ["", *(f"- {line}" for line in one.lines)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
