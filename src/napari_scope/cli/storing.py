"""The commands ``convert`` and ``recover``: stores made from stores."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_scope.cli.msi import (
    Normalise,
    ToleranceIn,
    convert_images,
    is_msi,
    msi_kind,
    msi_lines,
    wanted_ions,
)
from napari_scope.cli.printing import conversion_lines, print_lines
from napari_scope.cli.running import (
    ConversionFollower,
    FrameBar,
    Interrupts,
    progress_bar,
)
from napari_scope.errors import FormatError, SettingsError

__all__ = ["OnError", "convert", "recover"]

_MSI = "Mass-spectrometry images"


class ConvertTo(StrEnum):
    """What to convert a data set to."""

    OME_ZARR = "ome-zarr"
    NDTIFF = "ndtiff"
    OME_TIFF = "ome-tiff"
    IMZML = "imzml"
    OPENMSI = "openmsi"


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
            "NDTiff, OME-TIFF; or mass-spectrometry images.",
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            help="What to make: .ome.zarr, .zarr, .ndtiff or .ome.tiff; of "
            "mass-spectrometry images .imzML, .h5 (OpenMSI) or .ome.zarr (ion images)."
        ),
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
            "OME-TIFF; zlib for imzML; gzip for OpenMSI. By default none, but OME-Zarr "
            "that is compressed stays so.",
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
    mz: Annotated[
        list[float] | None,
        typer.Option(
            help="m/z of an ion whose image becomes a channel; may be repeated. "
            "Without ions, the sum of all intensities.",
            rich_help_panel=_MSI,
        ),
    ] = None,
    mz_list: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Table of ions with a column mz, and if wanted name, tolerance, unit.",
            rich_help_panel=_MSI,
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Half of the width of the window, 0.25 by default.",
            rich_help_panel=_MSI,
        ),
    ] = None,
    unit: Annotated[
        ToleranceIn | None,
        typer.Option(
            help="Unit of the tolerance, Da by default.", rich_help_panel=_MSI
        ),
    ] = None,
    normalise: Annotated[
        Normalise | None,
        typer.Option(help="What ion images are scaled by.", rich_help_panel=_MSI),
    ] = None,
    hotspot: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="QUANTILE",
            help="Clip ion images at this quantile of their values, such as 0.99.",
            rich_help_panel=_MSI,
        ),
    ] = None,
    dataset: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Number of a data set, as info has them; all by default.",
            rich_help_panel=_MSI,
        ),
    ] = None,
    region: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            help="Number of a region; may be repeated. All by default.",
            rich_help_panel=_MSI,
        ),
    ] = None,
) -> None:
    """Convert a data set, and compare everything that was written with it."""
    from napari_scope.stream.convert import convert as convert_dataset

    of_msi = {
        "--mz": mz, "--mz-list": mz_list, "--tolerance": tolerance, "--unit": unit,
        "--normalise": normalise, "--hotspot": hotspot, "--dataset": dataset,
        "--region": region,
    }  # fmt: skip
    if is_msi(source):
        kind = msi_kind(target, None if convert_to is None else convert_to.value)
        _refuse_options(
            {"--image": image, "--chunk": chunk, "--levels": levels,
             "--scheduler": scheduler},
            "is not for mass-spectrometry images",
        )  # fmt: skip
        if kind != "ome-zarr":
            _refuse_options(
                {"--ngff-version": ngff_version}, f"is for ome-zarr, not for {kind}"
            )
        if tolerance is None and unit is ToleranceIn.PPM:
            raise SettingsError("--unit ppm needs a --tolerance, such as 10")
        with Interrupts() as interrupts, progress_bar() as bar:
            made = convert_images(
                source, target, kind, bar, interrupts,
                ions=wanted_ions(
                    mz or [],
                    mz_list,
                    0.25 if tolerance is None else tolerance,
                    unit or ToleranceIn.DA,
                ),
                normalise=(normalise or Normalise.NONE).value,
                hotspot=hotspot,
                dataset=dataset,
                regions=region or None,
                compression=compression,
                version=ngff_version,
                verify=not no_verify,
            )  # fmt: skip
            bar.stop()
            print_lines(msi_lines(made))
        return
    if "://" not in source and not Path(source).exists():
        # Before the target is found fault with: it may suit what was meant.
        raise FormatError("no such file or folder", path=source)
    _refuse_options(of_msi, "is for mass-spectrometry images")
    formats: dict[
        ConvertTo | None, Literal["ome-zarr", "ndtiff", "ome-tiff"] | None
    ] = {
        None: None,
        ConvertTo.OME_ZARR: "ome-zarr",
        ConvertTo.NDTIFF: "ndtiff",
        ConvertTo.OME_TIFF: "ome-tiff",
    }
    if convert_to not in formats:
        raise SettingsError(
            f"only mass-spectrometry images become {convert_to}", path=source
        )
    with Interrupts() as interrupts, progress_bar() as bar:
        follower = ConversionFollower(bar, interrupts, target)
        report = convert_dataset(
            source,
            target,
            format=formats[convert_to],
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


def _refuse_options(options: Mapping[str, object], why: str) -> None:
    """Refuse the first option that was given."""
    for name, value in options.items():
        if value is not None and value != []:
            raise SettingsError(f"{name} {why}", hint="leave it out")


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
