"""The command ``positions``: lists of stage positions, shown and converted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from napari_scope.cli.printing import err_console, harmless, out_console
from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import useq

__all__ = ["positions"]


def positions(
    source: Annotated[
        Path, typer.Argument(help="A list: .pos of Micro-Manager, csv, yaml, json.")
    ],
    target: Annotated[
        Path | None,
        typer.Argument(help="Write the list here; the suffix says which kind."),
    ] = None,
    xy_device: Annotated[
        str, typer.Option("--xy", help="Name of the XY stage in a .pos file.")
    ] = "XYStage",
    z_device: Annotated[
        str, typer.Option("--z", help="Name of the focus drive in a .pos file.")
    ] = "ZStage",
    first: Annotated[int, typer.Option(min=1, help="Lines that are printed.")] = 20,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the target.")
    ] = False,
) -> None:
    """Show a list of stage positions, or convert it."""
    from napari_scope.events.position_lists import load_positions, save_positions

    found = load_positions(source)
    notes = found.notes
    if target is None:
        _print(found.positions, first)
    else:
        if target.exists() and not overwrite:
            raise SettingsError(
                "there is a file of this name already",
                path=target,
                hint="give another name, or --overwrite",
            )
        notes += save_positions(
            target, found.positions, xy_device=xy_device, z_device=z_device
        )
        words = f"{len(found.positions):,} positions written to {target}"
        err_console.print(harmless(words), markup=False, highlight=False)
    for note in notes:
        err_console.print(harmless(f"note: {note}"), markup=False, highlight=False)


def _print(places: tuple[useq.AbsolutePosition, ...], first: int) -> None:
    table = Table()
    for title in ("position", "name", "x (µm)", "y (µm)", "z (µm)"):
        table.add_column(title)
    for number, place in enumerate(places[:first]):
        numbers: Iterable[float | None] = (place.x, place.y, place.z)
        cells = ("" if value is None else f"{value:g}" for value in numbers)
        table.add_row(str(number), Text(harmless(place.name or "")), *cells)
    out_console.print(table)
    if len(places) > first:
        out_console.print(f"and {len(places) - first:,} more positions")
