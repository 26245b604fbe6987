"""What was measured as a table of words: head, rows, and a line for each target."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.camera import CameraResult
from benchmarks.goals import ratio_text

if TYPE_CHECKING:
    from benchmarks.harness import Result

__all__ = ["WORDS", "Sheet", "sheet"]

WORDS = ("case", "survives", "stored")
"""Columns that hold no numbers."""


@dataclass(frozen=True)
class Sheet:
    """A table and what belongs to it.

    Parameters
    ----------
    title, text : str
        What was measured.
    head : list of str
        Names of the columns.
    rows : list of list of str
        A row for each case.
    lines : list of str
        What was aimed at, and what was left out.
    document : dict
        Every measurement, JSON-able.
    """

    title: str
    text: str
    head: list[str]
    rows: list[list[str]]
    lines: list[str]
    document: dict[str, Any]


def sheet(result: Result | CameraResult) -> Sheet:
    """Return the table of a result."""
    if isinstance(result, CameraResult):
        return _of_camera(result)
    return _of_rates(result)


def _of_rates(result: Result) -> Sheet:
    benchmark = result.benchmark
    peer, limit = result.first("peer"), result.first("limit")
    cases = benchmark.cases
    # Reading makes nothing that could survive.
    survival = any(case.survives for case in cases)
    memory = any(result.memory(case.name) is not None for case in cases)
    size = any(result.size(case.name) is not None for case in cases)
    short = all(result.cpu_ms(case.name) < 1 for case in cases)
    head = ["case", *(["survives"] if survival else []), f"{benchmark.unit}, median"]
    head += ["best", f"CPU {'us' if short else 'ms'}/frame"]
    head += ["memory, MB"] if memory else []
    head += ["on disk, MB"] if size else []
    head += ["x peer"] if peer else []
    head += ["x limit"] if limit else []
    rows = []
    for case in cases:
        name = case.name
        row = [name, *([case.survives] if survival else [])]
        row += [_number(result.rate(name)), _number(result.best(name))]
        row += [f"{result.cpu_ms(name) * (1000 if short else 1):.2f}"]
        row += [_megabytes(result.memory(name))] if memory else []
        row += [_megabytes(result.size(name))] if size else []
        row += [
            ratio_text(result.ratio(name, against))
            for against in (peer, limit)
            if against
        ]
        rows.append(row)
    return Sheet(
        benchmark.title,
        benchmark.text,
        head,
        rows,
        [*(one.line(result) for one in benchmark.targets), *result.notes],
        _rates_document(result),
    )


def _of_camera(result: CameraResult) -> Sheet:
    benchmark = result.benchmark
    head = ["case", "survives", "MB/s", "append ms, median", "99 of 100", "longest"]
    head += ["memory, MB", "close, s", "CPU ms/frame", "stored"]
    rows = [
        [
            case.name,
            case.feed.writer.survives,
            _number(result.rate(case.name)),
            f"{result.value(case.name, 'p50_ms'):.2f}",
            f"{result.value(case.name, 'p99_ms'):.2f}",
            f"{result.value(case.name, 'max_ms'):.1f}",
            f"{result.value(case.name, 'memory_mb'):.1f}",
            f"{result.value(case.name, 'close_s'):.2f}",
            f"{result.cpu_ms(case.name):.2f}",
            "not all" if result.fault(case.name) else "all",
        ]
        for case in result.cases
    ]
    lines = [one.line(result) for one in benchmark.targets]
    if benchmark.parts:
        for case in result.cases:
            rates = ", ".join(
                f"{x:,.0f}" for x in result.rates(case.name, benchmark.parts)
            )
            lines.append(f"{case.name}: {rates} MB/s in {benchmark.parts} equal parts")
    for case in result.cases:
        fault = result.fault(case.name)
        if fault is not None:
            lines.append(
                f"{case.name}, without an error: frames are not there or wrong"
            )
    lines += result.notes
    document = {
        "title": benchmark.title,
        "cases": [
            {
                "name": case.name,
                "role": case.role,
                "survives": case.feed.writer.survives,
                "rate": result.rate(case.name),
                "cpu_ms": result.cpu_ms(case.name),
                "runs": [asdict(one) for one in result.runs[case.name]],
            }
            for case in result.cases
        ],
        "targets": [
            {**asdict(one), "reached": result.value(one.case, one.quantity)}
            for one in benchmark.targets
        ],
    }
    return Sheet(benchmark.title, benchmark.text, head, rows, lines, document)


def _megabytes(value: float | None) -> str:
    return "" if value is None else f"{value / 1e6:.1f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def _rates_document(result: Result) -> dict[str, Any]:
    benchmark = result.benchmark
    targets = []
    for target in benchmark.targets:
        reached, best = target.reached(result)
        # Goals are dataclasses; the protocol does not say so.
        facts = asdict(target)  # type: ignore[call-overload]
        targets.append({**facts, "reached": reached, "reached_by_bests": best})
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
        "targets": targets,
        "notes": result.notes,
    }
