"""The command: which benchmarks, how often, and where the results go."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from benchmarks import demo_run, ndtiff, ndtiff_view, ndtiff_write, stream
from benchmarks.harness import Benchmark, Result, measure
from benchmarks.machine import Machine
from benchmarks.report import markdown, print_results, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

BENCHMARKS: dict[str, Callable[[], list[Benchmark]]] = {
    "stream": stream.benchmarks,
    "demo_run": demo_run.benchmarks,
    "ndtiff": ndtiff.benchmarks,
    "ndtiff_view": ndtiff_view.benchmarks,
    "ndtiff_write": ndtiff_write.benchmarks,
}
DATA_FOLDER = Path(__file__).parent / "results"


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"Which: {', '.join(BENCHMARKS)}; all without any."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count.")] = 9,
    seed: Annotated[int, typer.Option(help="Of the order in each round.")] = 1,
    folder: Annotated[
        Path, typer.Option(help="On the disk to measure; what is written is removed.")
    ] = DATA_FOLDER,
    json: Annotated[
        Path | None, typer.Option(help="Write every measurement to this file.")
    ] = None,
    to_markdown: Annotated[
        Path | None,
        typer.Option("--markdown", help="Write the page of the documentation."),
    ] = None,
) -> None:
    """Measure napari-scope beside its peers and the raw limits of this machine."""
    console = Console()
    chosen = names or list(BENCHMARKS)
    for name in chosen:
        if name not in BENCHMARKS:
            raise typer.BadParameter(f"{name!r}; there are {', '.join(BENCHMARKS)}")
    folder.mkdir(parents=True, exist_ok=True)
    machine = Machine.look(folder)
    results: list[Result] = []
    for name in chosen:
        for benchmark in BENCHMARKS[name]():
            with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as scratch:
                result = _measure(console, benchmark, Path(scratch), rounds, seed)
            results.append(result)
            print_results(console, [result])
    machine = machine.at_the_end()
    console.print(machine.sentence(), highlight=False)
    if json is not None:
        write_json(json, machine, results, rounds=rounds, seed=seed)
    if to_markdown is not None:
        text = markdown(machine, results, rounds=rounds)
        to_markdown.write_text(text, encoding="utf-8")


def _measure(
    console: Console, benchmark: Benchmark, scratch: Path, rounds: int, seed: int
) -> Result:
    """Measure with a progress bar, which only moves between measurements."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
        total = (rounds + 1) * len(benchmark.cases)
        task = bar.add_task(benchmark.title, total=total)

        def step() -> None:
            bar.advance(task)
            bar.refresh()

        return measure(benchmark, scratch, rounds=rounds, seed=seed, step=step)


if __name__ == "__main__":
    typer.run(main)
