"""The commands that look after OME-Zarr stores: check them, and put them right.

``validate``, ``rename-well``, ``set-scale`` and ``rename-channel``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from napari_scope.cli.printing import harmless, out_console, print_lines
from napari_scope.cli.running import FrameBar, progress_bar
from napari_scope.errors import SettingsError
from napari_scope.formats.addresses import is_address, shown, split_archive

__all__ = ["local_folder", "rename_channel", "rename_well", "set_scale", "validate"]

Images = Annotated[
    list[str] | None,
    typer.Option(
        "--image",
        metavar="PATH",
        help="Path of an image in the store, such as A/1/0; may be repeated. By "
        "default all images.",
    ),
]


def local_folder(path: str) -> Path:
    """Return the folder of a store that is to be changed.

    Raises
    ------
    SettingsError
        If it is the address of a server, or a zip file.
    """
    archive = split_archive(path)
    if is_address(path) or (archive is not None and Path(archive[0]).is_file()):
        raise SettingsError(
            "only stores in a folder of this machine can be changed",
            path=shown(path),
            hint="copy it to a folder first",
        )
    return Path(path)


def validate(
    path: Annotated[
        # No Path: that would spoil an address.
        str, typer.Argument(help="An OME-Zarr store, or its address.")
    ],
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Read every chunk that is there.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the findings as JSON.")
    ] = False,
) -> None:
    """Check an OME-Zarr store: its metadata, and its arrays against them.

    Ends with code 1 if there are errors.
    """
    from napari_scope.formats.ngff.validation.checks import validate as validate_store

    with progress_bar() as bar:
        findings = validate_store(path, pixels=pixels, progress=FrameBar(bar))
    errors = sum(finding.severity == "error" for finding in findings)
    if as_json:
        found = [
            {
                "severity": finding.severity,
                "place": finding.place,
                "what": finding.what,
                "expected": finding.expected,
                "found": finding.found,
            }
            for finding in findings
        ]
        out_console.print_json(json.dumps(found))
    else:
        lines = [harmless(str(finding)) for finding in findings]
        count = f"{errors} errors, {len(findings) - errors} warnings"
        print_lines([*lines, "valid" if not findings else count])
    if errors:
        raise typer.Exit(1)


def rename_well(
    plate: Annotated[str, typer.Argument(help="An OME-Zarr plate.")],
    old: Annotated[str, typer.Argument(help="Path of the well, such as A/1.")],
    new: Annotated[str, typer.Argument(help="Its new path, such as B/3.")],
) -> None:
    """Move one well of a plate to another place; nothing else moves."""
    from napari_scope.formats.ngff.nodes.renaming import rename_well as rename

    rename(local_folder(plate), old, new)
    print_lines([f"renamed: {old} is now {new}", f"  {plate}"])


def set_scale(
    path: Annotated[str, typer.Argument(help="An OME-Zarr store.")],
    axis: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUE",
            help="Distance of samples on an axis, such as z=0.5; may be repeated.",
        ),
    ],
    image: Images = None,
) -> None:
    """Set the distance of samples on axes; coarse levels and labels follow."""
    from napari_scope.formats.ngff.editing import set_scale as set_scales

    scales: dict[str, float] = {}
    for entry in axis:
        name, _, text = entry.partition("=")
        try:
            scales[name.strip()] = float(text)
        except ValueError as error:
            raise SettingsError(
                f"{entry!r} does not set an axis", hint="write it as z=0.5"
            ) from error
    count = set_scales(local_folder(path), scales, image or None)
    told = ", ".join(f"{name} {value:g}" for name, value in scales.items())
    print_lines([f"set the scale of {count} images: {told}", f"  {path}"])


def rename_channel(
    path: Annotated[str, typer.Argument(help="An OME-Zarr store.")],
    old: Annotated[str, typer.Argument(help="Name of the channel.")],
    new: Annotated[str, typer.Argument(help="Its new name.")],
    image: Images = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="In all images of a plate or collection."),
    ] = False,
) -> None:
    """Give a channel another name."""
    from napari_scope.formats.ngff.editing import image_paths
    from napari_scope.formats.ngff.editing import rename_channel as rename

    if every and image:
        raise SettingsError("--all and --image exclude each other")
    folder = local_folder(path)
    if not every and not image and len(paths := image_paths(folder)) > 1:
        raise SettingsError(
            f"the store has {len(paths)} images",
            path=path,
            hint="choose some with --image, or all with --all",
        )
    count = rename(folder, old, new, image or None)
    print_lines([f"renamed in {count} images: {old} is now {new}", f"  {path}"])
