"""The command: which benchmarks, how often, and where the results go."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from benchmarks import (
    conversion,
    demo_run,
    docks,
    explorer,
    live,
    msi,
    ndtiff,
    ndtiff_view,
    ndtiff_write,
    nodes,
    opening,
    pace,
    plates,
    pyramids,
    stream,
    stream_layouts,
)
from benchmarks.camera import Camera, Unavailable, watch
from benchmarks.gui import GuiBenchmark, measure_gui
from benchmarks.harness import Benchmark, measure
from benchmarks.machine import Machine
from benchmarks.report import markdown, print_results, write_json
from benchmarks.sheets import Sheet, sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BENCHMARKS: dict[str, Callable[[], Sequence[Benchmark | Camera | GuiBenchmark]]] = {
    "stream": stream.benchmarks,
    "stream_layouts": stream_layouts.benchmarks,
    "pace": pace.benchmarks,
    "demo_run": demo_run.benchmarks,
    "ndtiff": ndtiff.benchmarks,
    "ndtiff_view": ndtiff_view.benchmarks,
    "ndtiff_write": ndtiff_write.benchmarks,
    "plates": plates.benchmarks,
    "pyramids": pyramids.benchmarks,
    "opening": opening.benchmarks,
    "conversion": conversion.benchmarks,
    "nodes": nodes.benchmarks,
    "msi": msi.benchmarks,
    "live": live.benchmarks,
    "explorer": explorer.benchmarks,
    "docks": docks.benchmarks,
    "msi_large": msi.large_benchmarks,
    "sustained": pace.sustained_benchmarks,
}
ON_DEMAND = {"msi_large", "sustained"}
"""Those that are run only when they are named."""

DATA_FOLDER = Path(__file__).parent / "results"


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"Which: {', '.join(BENCHMARKS)}. 'all' stands for all but "
            f"{', '.join(ON_DEMAND)}, and so does no name."
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count.")] = 9,
    seed: Annotated[int, typer.Option(help="Of the order in each round.")] = 1,
    folder: Annotated[
        Path, typer.Option(help="On the disk to measure; what is written is removed.")
    ] = DATA_FOLDER,
    minutes: Annotated[
        float | None,
        typer.Option(help="About how long all of it may take: fewer rounds then."),
    ] = None,
    peers: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder with packages to compare with that are not installed. What "
            "is installed comes first."
        ),
    ] = None,
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
    chosen = chosen_names(names or ["all"])
    sys.path.extend(str(path.resolve()) for path in peers or ())
    folder.mkdir(parents=True, exist_ok=True)
    end = None if minutes is None else time.perf_counter() + 60 * minutes
    machine = Machine.look(folder)
    sheets: list[Sheet] = []
    benchmarks = [one for name in chosen for one in BENCHMARKS[name]()]
    for number, benchmark in enumerate(benchmarks):
        start = time.perf_counter()
        if end is not None and start > end:
            console.print(f"{benchmark.title} is left out: the time is up\n")
            continue
        # The time that is left is shared out evenly.
        seconds = end and (end - start) / (len(benchmarks) - number)
        try:
            one = _measured(console, benchmark, folder, rounds, seed, seconds)
        except Unavailable as reason:
            console.print(f"{benchmark.title} is left out: {reason}\n")
            continue
        sheets.append(one)
        print_results(console, [one])
        took = time.perf_counter() - start
        console.print(f"(took {took:.0f} s)\n", highlight=False)
    machine = machine.at_the_end()
    console.print(machine.sentence(), highlight=False)
    if json is not None:
        write_json(json, machine, sheets, rounds=rounds, seed=seed)
    if to_markdown is not None:
        text = markdown(machine, sheets, rounds=rounds)
        to_markdown.write_text(text, encoding="utf-8")


def chosen_names(names: list[str]) -> list[str]:
    """Return the names of benchmarks that are meant."""
    every = [name for name in BENCHMARKS if name not in ON_DEMAND]
    chosen: list[str] = []
    for name in names:
        if name != "all" and name not in BENCHMARKS:
            raise typer.BadParameter(f"{name!r}; there are {', '.join(BENCHMARKS)}")
        chosen += every if name == "all" else [name]
    return list(dict.fromkeys(chosen))


def _measured(
    console: Console,
    benchmark: Benchmark | Camera | GuiBenchmark,
    folder: Path,
    rounds: int,
    seed: int,
    seconds: float | None,
) -> Sheet:
    """Measure with a progress bar, which only moves between measurements."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as scratch,
        Progress(*columns, console=console, transient=True, auto_refresh=False) as bar,
    ):
        task = bar.add_task(benchmark.title, total=None)

        def step() -> None:
            bar.advance(task)
            bar.refresh()

        count, place = len(benchmark.cases), Path(scratch)
        if isinstance(benchmark, GuiBenchmark):
            bar.update(task, total=min(rounds, benchmark.rounds) * count)
            return measure_gui(benchmark, rounds=rounds, seed=seed, step=step)
        if isinstance(benchmark, Camera):
            bar.update(task, total=min(rounds, benchmark.rounds) * count)
            watched = watch(benchmark, place, rounds=rounds, seed=seed, step=step)
            return sheet(watched)
        bar.update(task, total=(rounds + 1) * count)
        result = measure(
            benchmark, place, rounds=rounds, seed=seed, step=step, seconds=seconds
        )
        return sheet(result)


if __name__ == "__main__":
    typer.run(main)
