"""The commands ``acquire`` and ``demo``: plans that are run and saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_scope.cli.choosing import (
    Overwrite,
    SaveAs,
    chosen_outputs,
    numbered,
)
from napari_scope.cli.picture import check_screenshot, has_display, show_output
from napari_scope.cli.printing import (
    harmless,
    out_console,
    output_lines,
    print_lines,
    print_verification,
    report_lines,
)
from napari_scope.cli.running import Interrupts, follow_run, import_pymmcore_plus
from napari_scope.cli.storing import OnError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.events import PlanLike
    from napari_scope.stream import FormatName, Output

__all__ = ["acquire", "demo"]


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder to save into; names count up.")
    ] = Path("napari-scope-demo"),
    headless: Annotated[
        bool, typer.Option("--headless", help="Do not open napari afterwards.")
    ] = False,
    screenshot: Annotated[
        Path | None,
        typer.Option(
            help="Save a picture of napari with the result (needs a display)."
        ),
    ] = None,
) -> None:
    """Run an acquisition on the demo microscope, save it, and check every frame."""
    if screenshot is not None:
        check_screenshot(screenshot)
    import_pymmcore_plus()
    from napari_scope._demo import WitnessedRun, demo_sequence, verify
    from napari_scope.acquire import CoreOwner, Output, next_free_name, output_path

    formats: tuple[FormatName, ...] = ("ome-zarr", "ndtiff")
    name = next_free_name(out, "demo", formats)
    outputs = [Output(output_path(out, name, f), f) for f in formats]
    with Interrupts() as interrupts, CoreOwner() as owner:
        owner.load()
        run = WitnessedRun(owner, demo_sequence(), outputs, name=name)
        report = follow_run(run, interrupts)
    results = [verify(output.path, run) for output in outputs]
    print_verification(report, outputs, results)
    if not all(result.passed for result in results):
        raise typer.Exit(1)
    if report.state.value != "finished":
        raise typer.Exit(interrupts.exit_code)
    if screenshot is not None or (not headless and has_display()):
        show_output(outputs[0], screenshot, stay=not headless)
    elif not headless:
        out_console.print("There is no display, so napari is not opened.")


def acquire(
    plan: Annotated[
        Path,
        typer.Argument(
            help="A useq sequence or a list of events, yaml or json; or a Python file "
            "with a function plan(), which is run."
        ),
    ],
    out: Annotated[
        # No Path: that would forget a slash at the end.
        str, typer.Option(metavar="PATH", help="Folder and name to save as.")
    ],
    save_as: Annotated[
        list[SaveAs] | None,
        typer.Option(
            "--format",
            help="Format; may be repeated. By default the suffix of --out says.",
        ),
    ] = None,
    compression: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODEC",
            help="none (default); blosc-lz4, blosc-zstd or zstd for OME-Zarr; zlib or "
            "lzw for OME-TIFF. May be repeated, once for each format.",
        ),
    ] = None,
    zarr_version: Annotated[
        str | None, typer.Option(metavar="0.5|0.4", help="Version of OME-Zarr.")
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="PIXELS",
            help="Side of a chunk of OME-Zarr; by default a chunk is a whole frame.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Hardware configuration (.cfg); the demo one by default."),
    ] = None,
    on_error: Annotated[
        OnError, typer.Option(help="What a hardware failure does.")
    ] = OnError.STOP,
    overwrite: Annotated[
        Overwrite,
        typer.Option(
            help="Where the output exists: 'refuse' it, or save under the next free "
            "number ('no'). Nothing is ever overwritten."
        ),
    ] = Overwrite.REFUSE,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Take no image: say how much it would be, and which events are "
            "refused.",
        ),
    ] = False,
) -> None:
    """Run a plan and save it."""
    from napari_scope.events import load_plan

    events = load_plan(plan, check=not dry_run)
    outputs = chosen_outputs(
        out,
        save_as or (),
        compression=compression or (),
        zarr_version=zarr_version,
        chunk_px=chunk,
    )
    if overwrite is Overwrite.NO:
        outputs = numbered(outputs)
    import_pymmcore_plus()
    from napari_scope.acquire import CoreOwner, Run

    if dry_run:
        _say_what_would_be(events, outputs, config)
        return
    with Interrupts() as interrupts:
        with CoreOwner() as owner:
            owner.load(config)
            run = Run(owner, events, outputs, on_error=on_error.value)
            report = follow_run(run, interrupts)
        # Signals still only count, so that this is said in any case.
        print_lines(report_lines(report))
    if report.state.value == "cancelled":
        raise typer.Exit(interrupts.exit_code)


def _say_what_would_be(
    events: PlanLike, outputs: Sequence[Output], config: Path | None
) -> None:
    from napari_scope.acquire import CoreOwner
    from napari_scope.cli.dry_run import preview

    with CoreOwner() as owner:
        owner.load(config)
        found = preview(events, owner.core)
    lines = [*found.lines(len(outputs)), *output_lines(outputs)]
    taken = [f"  exists already: {o.path}" for o in outputs if o.exists()]
    print_lines(harmless(line) for line in [*lines, *taken])
    if found.refused or taken:
        raise typer.Exit(1)
