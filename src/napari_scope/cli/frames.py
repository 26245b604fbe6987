"""The command ``frames``: what was saved with each frame, as a table, CSV or JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from napari_scope.cli.printing import err_console, harmless, out_console

if TYPE_CHECKING:
    from napari_scope.formats.frame_table import FrameSheet

__all__ = ["frames"]

_MOST_COLUMNS = 8
_EVERYONE = ("elapsed_ms", "exposure_ms", "x_um", "y_um", "z_um")


def frames(
    path: Annotated[str, typer.Argument(help="A data set, or its address.")],
    as_csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write all frames into this CSV file; - prints."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", help="Only this column; may be given several times."),
    ] = None,
    columns: Annotated[
        bool, typer.Option("--columns", help="List the columns there are.")
    ] = False,
    first: Annotated[int, typer.Option(min=1, help="Lines that are printed.")] = 20,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the CSV file.")
    ] = False,
) -> None:
    """Tell what was saved with each frame."""
    from napari_scope.formats.frame_export import export_csv, write_csv, write_json
    from napari_scope.formats.frame_table import frame_table

    sheet = frame_table(path)
    fields = tuple(field or ())
    if as_csv is not None and as_csv != Path("-"):
        export_csv(sheet, as_csv, fields, replace=overwrite)
        err_console.print(f"{len(sheet):,} frames written to {as_csv}", markup=False)
    elif as_csv is not None:
        write_csv(sheet, sys.stdout, fields)
    elif as_json:
        write_json(sheet, sys.stdout, fields)
    elif columns:
        _print_columns(sheet)
    else:
        _print_frames(sheet, fields, first)


def _print_columns(sheet: FrameSheet) -> None:
    from napari_scope.formats.frame_columns import FrameColumns

    found = FrameColumns(sheet)
    found.update()
    table = Table()
    for title in ("column", "unit", "frames", "kind"):
        table.add_column(title)
    for column in found.columns:
        kind = "number" if column.numeric else "text"
        kind += "" if column.varies else ", always the same"
        cells = (column.name, column.unit, f"{column.filled:,}", kind)
        table.add_row(*(Text(harmless(cell)) for cell in cells))
    out_console.print(table)


def _print_frames(sheet: FrameSheet, fields: tuple[str, ...], first: int) -> None:
    from napari_scope.formats.frame_records import cells

    count = min(first, len(sheet))
    rows = [{"frame": n, **cells(sheet.record(n))} for n in range(count)]
    names = list(fields)
    if not names:
        seen = dict.fromkeys(name for row in rows for name in row)
        names = [n for n in seen if n.startswith("axes.") or n in ("status", "problem")]
        names += [n for n in _EVERYONE if n in seen]
        names = names[:_MOST_COLUMNS]
    table = Table()
    for name in ("frame", *names):
        table.add_column(Text(harmless(name.removeprefix("axes."))), overflow="fold")
    for row in rows:
        shown = (row.get(name) for name in ("frame", *names))
        table.add_row(*(Text(harmless(_text(value))) for value in shown))
    out_console.print(table)
    if len(sheet) > count:
        out_console.print(f"and {len(sheet) - count:,} more frames; --csv writes all")


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
