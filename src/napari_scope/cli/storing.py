"""The commands ``convert`` and ``recover``: stores made from stores."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_scope.cli.printing import conversion_lines, print_lines
from napari_scope.cli.running import (
    ConversionFollower,
    FrameBar,
    Interrupts,
    progress_bar,
)
from napari_scope.errors import FormatError

__all__ = ["OnError", "convert", "recover"]


class ConvertTo(StrEnum):
    """What to convert a data set to."""

    OME_ZARR = "ome-zarr"
    NDTIFF = "ndtiff"
    OME_TIFF = "ome-tiff"


class OnError(StrEnum):
    """What a failure does."""

    STOP = "stop"
    SKIP = "skip"


def convert(
    source: Annotated[
        # No Path: that would spoil an address.
        str,
        typer.Argument(
            help="A data set: OME-Zarr of any version (also zipped, or an address), "
            "NDTiff, OME-TIFF.",
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(help="What to make: .ome.zarr, .zarr, .ndtiff or .ome.tiff."),
    ],
    convert_to: Annotated[
        ConvertTo | None,
        typer.Option(
            "--format", help="Format; by default the suffix of the target says."
        ),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of an image to convert, such as A/1/0 for a field of a plate; "
            "may be repeated. By default all."
        ),
    ] = None,
    ngff_version: Annotated[
        str | None,
        typer.Option(metavar="0.5|0.4", help="Version of OME-Zarr; 0.5 by default."),
    ] = None,
    compression: Annotated[
        str | None,
        typer.Option(
            metavar="CODEC",
            help="none; blosc-lz4, blosc-zstd or zstd for OME-Zarr; zlib or lzw for "
            "OME-TIFF. By default none, but OME-Zarr that is compressed stays so.",
        ),
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(min=1, metavar="PIXELS", help="Side of a chunk of OME-Zarr."),
    ] = None,
    levels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Levels of the pyramid, 1 for none. By default those of an OME-Zarr "
            "source, else down to 512 pixels.",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Let a dask.distributed cluster do the work (target OME-Zarr): "
            "address of its scheduler, such as tcp://host:8786.",
        ),
    ] = None,
    on_error: Annotated[
        OnError, typer.Option(help="What a frame that cannot be read does.")
    ] = OnError.STOP,
    no_verify: Annotated[
        bool,
        typer.Option("--no-verify", help="Do not read the target back to compare it."),
    ] = False,
) -> None:
    """Convert a data set to OME-Zarr, NDTiff or OME-TIFF, and compare every frame."""
    from napari_scope.stream.convert import convert as convert_dataset

    with Interrupts() as interrupts, progress_bar() as bar:
        follower = ConversionFollower(bar, interrupts, target)
        report = convert_dataset(
            source,
            target,
            format=None if convert_to is None else convert_to.value,
            images=image or None,
            on_error=on_error.value,
            verify=not no_verify,
            levels=levels,
            version=ngff_version,
            compression=compression,
            chunk_px=chunk,
            scheduler=scheduler,
            progress=follower,
        )
        bar.stop()
        # Signals still only count, so that this is said in any case.
        print_lines(conversion_lines(report))
    if interrupts.count:
        raise typer.Exit(interrupts.exit_code)
    if report.verified is not None and report.verified < report.written:
        raise typer.Exit(1)


def recover(
    path: Annotated[
        Path,
        typer.Argument(help="A run in any format, or an NDTiff data set of others."),
    ],
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Go on where a network drive cannot tell whether somebody writes.",
        ),
    ] = False,
) -> None:
    """Finish a run that was interrupted; write a whole index where NDTiff has none."""
    from napari_scope.formats.ndtiff.recovery import recover as recover_index
    from napari_scope.stream.recovery import has_journal
    from napari_scope.stream.recovery import recover as recover_run

    lines: list[str] = []
    of_index = True
    if has_journal(path):
        try:
            with progress_bar() as bar:
                run = recover_run(path, force=force, progress=FrameBar(bar))
        except FormatError as error:
            # The frames of NDTiff are found without its journal.
            if not list(path.glob("*.tif")):
                raise
            lines = [str(error)]
        else:
            lines = run.lines()
            # A run recovered just now has its index; an older one may have lost it.
            of_index = run.format == "ndtiff" and run.was_closed
    if of_index:
        report = recover_index(path)
        if not any(level.kept + level.recovered for level in report.levels):
            raise FormatError("no frame was found: nothing was written", path=path)
        lines += report.lines()
    print_lines(lines)
