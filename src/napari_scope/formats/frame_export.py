"""Tables of frames as CSV and JSON, written line by line, complete or not at all.

The table is read twice for CSV: first to see which columns there are, then to write
them; with the columns given, once. The file gets its name when it is complete, so
nobody finds half of one.

Examples
--------
>>> import io
>>> from napari_scope.formats.frame_records import ListRecords
>>> from napari_scope.formats.frame_table import FrameSheet
>>> sheet = FrameSheet(ListRecords([{"axes": {"t": 0}, "note": "a,b"}]))
>>> out = io.StringIO()
>>> write_csv(sheet, out)
True
>>> print(out.getvalue())
frame,axes.t,note
0,0,"a,b"
<BLANKLINE>
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from napari_scope.errors import OutputExistsError
from napari_scope.fileio import sync_folder
from napari_scope.formats.frame_columns import FrameColumns
from napari_scope.formats.frame_records import as_number, cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_scope.formats.frame_table import FrameSheet

__all__ = ["export_csv", "export_json", "write_csv", "write_json"]

_STEP: Final = 256
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write_csv(
    sheet: FrameSheet,
    out: IO[str],
    fields: Sequence[str] = (),
    *,
    progress: Callable[[int, int], object] = lambda done, of: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> bool:
    """Write a table as CSV, with a line of names first.

    Parameters
    ----------
    sheet : FrameSheet
        The table.
    out : text file
        Opened with ``newline=""``.
    fields : sequence of str
        The columns; all that there are by default.
    progress, cancelled : callable
        As in `FrameColumns.update`.

    Returns
    -------
    bool
        False if it was cancelled; what was written is then not complete.
    """
    total, passes = len(sheet), 1
    if not fields:
        passes = 2
        columns = FrameColumns(sheet)
        if not columns.update(lambda n, of: progress(n, of * passes), cancelled):
            return False
        fields = [column.name for column in columns.columns if column.name in columns]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["frame", *fields])
    for record in sheet.records(0, total):
        if record.number % _STEP == 0:
            if cancelled():
                return False
            progress((passes - 1) * total + record.number, total * passes)
        row = cells(record)
        writer.writerow([record.number, *(_cell(row.get(name)) for name in fields)])
    progress(total * passes, total * passes)
    return True


def _cell(value: object) -> object:
    """Return what a cell holds; text that a spreadsheet would run is quoted."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return value if as_number(value) is not None else f"'{value}"
    return value


def write_json(
    sheet: FrameSheet,
    out: IO[str],
    fields: Sequence[str] = (),
    *,
    progress: Callable[[int, int], object] = lambda done, of: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> bool:
    """Write a table as a JSON list, one line for each frame.

    Without ``fields`` each frame has its axes, status and all that was saved with it,
    as it was saved; with them, these columns. See `write_csv` for the rest.
    """
    total = len(sheet)
    separator = "["
    for record in sheet.records(0, total):
        if record.number % _STEP == 0:
            if cancelled():
                return False
            progress(record.number, total)
        entry = record.as_json()
        if fields:
            row = cells(record)
            entry = {"frame": record.number} | {n: row[n] for n in fields if n in row}
        out.write(f"{separator}\n{_line(entry)}")
        separator = ","
    out.write("[]\n" if not total else "\n]\n")
    progress(total, total)
    return True


def _line(entry: dict[str, object]) -> str:
    try:
        return json.dumps(entry, ensure_ascii=False, allow_nan=False, default=str)
    except (ValueError, TypeError, RecursionError):
        short = {k: v for k, v in entry.items() if k != "metadata"}
        short["problem"] = "the metadata have no form in JSON"
        return json.dumps(short, ensure_ascii=False, default=str)


def export_csv(
    sheet: FrameSheet,
    path: str | os.PathLike[str],
    fields: Sequence[str] = (),
    *,
    replace: bool = False,
    progress: Callable[[int, int], object] = lambda done, of: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> bool:
    """Write a table into a CSV file, which is there when it is complete.

    Parameters
    ----------
    path : str or PathLike
        The file.
    replace : bool
        Whether one that is there is replaced.
    sheet, fields, progress, cancelled
        As in `write_csv`.

    Returns
    -------
    bool
        False if it was cancelled: nothing was written.

    Raises
    ------
    OutputExistsError
        The file is there and is not to be replaced.
    """
    with _made(path, replace=replace) as (out, keep):
        done = write_csv(sheet, out, fields, progress=progress, cancelled=cancelled)
        keep(done)
    return done


def export_json(
    sheet: FrameSheet,
    path: str | os.PathLike[str],
    fields: Sequence[str] = (),
    *,
    replace: bool = False,
    progress: Callable[[int, int], object] = lambda done, of: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> bool:
    """Write a table into a JSON file; as `export_csv`."""
    with _made(path, replace=replace) as (out, keep):
        done = write_json(sheet, out, fields, progress=progress, cancelled=cancelled)
        keep(done)
    return done


@contextlib.contextmanager
def _made(
    path: str | os.PathLike[str], *, replace: bool
) -> Iterator[tuple[IO[str], Callable[[bool], None]]]:
    """Open a neighbour of a file, which takes its name if all went well."""
    path = Path(path)
    if not replace and os.path.lexists(path):
        raise OutputExistsError("the file exists already", path=path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    kept: list[bool] = []
    try:
        with open(aside, "w", encoding="utf-8", newline="") as out:
            yield out, kept.append
            out.flush()
            os.fsync(out.fileno())
        if kept == [True]:
            os.replace(aside, path)
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
