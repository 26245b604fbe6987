"""Lists of stage positions in files: ours, Micro-Manager's, and tables.

- ``.yaml``, ``.yml`` and ``.json``: a useq sequence of which only the positions count
  (also a plain json list of positions, as pymmcore-widgets saves it). Everything that a
  position of useq can hold is kept.
- ``.pos``: what Micro-Manager saves. Version 2 of its property maps (Micro-Manager 2)
  is written; the lists of Micro-Manager 1.4 (``POSITIONS``, up to version 3) are read
  too. A one-axis device has its place in ``X`` there
  (https://github.com/micro-manager/micro-manager, PositionList and StagePosition). The
  default stages of a position are x, y and z, other focus drives become properties.
- ``.csv``: a table with the columns name, x, y and z, in micrometers.

Files are read as if somebody wanted to do harm: sizes, types and numbers are checked.

Examples
--------
>>> import tempfile, useq
>>> path = tempfile.mkdtemp() + "/slide.pos"
>>> save_positions(path, [useq.Position(x=10.0, y=20.0, z=5.0, name="left")])
()
>>> [(p.name, p.x, p.y, p.z) for p in load_positions(path).positions]
[('left', 10.0, 20.0, 5.0)]
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import useq
from pydantic import ValidationError

from napari_scope.errors import PlanError
from napari_scope.events.files import PLAN_SUFFIXES, load_sequence, save_plan
from napari_scope.events.plan_axes import axes_in_use
from napari_scope.events.position_maps import from_legacy, from_property_map, to_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

__all__ = ["POSITION_SUFFIXES", "PositionList", "load_positions", "save_positions"]

POSITION_SUFFIXES = (".pos", ".csv", *PLAN_SUFFIXES)

_MAX_BYTES = 64 * 1024 * 1024
_MOST = 1_000_000
_COLUMNS = {
    "name": ("name", "label", "position", "position_name"),
    "x": ("x", "x_um", "x [um]", "x (um)", "xpositionum"),
    "y": ("y", "y_um", "y [um]", "y (um)", "ypositionum"),
    "z": ("z", "z_um", "z [um]", "z (um)", "zpositionum"),
    "grid_row": ("row", "grid_row"),
    "grid_col": ("column", "col", "grid_col"),
}


@dataclass(frozen=True, slots=True)
class PositionList:
    """Positions as a file has them.

    Parameters
    ----------
    positions : tuple of useq.AbsolutePosition
        The positions, in order.
    notes : tuple of str
        What the file holds beyond them and what is not kept.
    """

    positions: tuple[useq.AbsolutePosition, ...]
    notes: tuple[str, ...] = ()


def load_positions(path: str | PathLike[str]) -> PositionList:
    """Read a list of positions; the suffix tells the kind.

    Raises
    ------
    PlanError
        Naming the file and what is wrong, with the number of the position or line.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in POSITION_SUFFIXES:
        raise PlanError(
            f"a file {suffix or 'without suffix'} is no list of positions",
            path=path,
            hint=f"choose one of {', '.join(POSITION_SUFFIXES)}",
        )
    text = _text(path)
    try:
        if suffix == ".csv":
            found = _from_table(text)
        elif suffix == ".pos":
            found = _from_map(_json(text))
        else:
            found = _from_plan(path, text)
    except PlanError as error:
        raise PlanError(error.message, path=path, hint=error.hint) from error
    if not found.positions:
        raise PlanError("the list holds no position", path=path)
    if len(found.positions) > _MOST:
        raise PlanError(f"more than {_MOST} positions are too many", path=path)
    return found


def save_positions(
    path: str | PathLike[str],
    positions: Iterable[useq.AbsolutePosition],
    *,
    xy_device: str = "XYStage",
    z_device: str = "ZStage",
) -> tuple[str, ...]:
    """Write a list of positions; the suffix tells the kind.

    The file is replaced whole or not at all.

    Parameters
    ----------
    path : path-like
        With a suffix of `POSITION_SUFFIXES`.
    positions : iterable of useq.AbsolutePosition
        The positions.
    xy_device, z_device : str
        Names of the stages, for Micro-Manager.

    Returns
    -------
    tuple of str
        What this kind of file cannot hold and was left out.

    Raises
    ------
    PlanError
        If the suffix is unknown, there is no position, or one cannot be stored.
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    places = tuple(positions)
    suffix = path.suffix.lower()
    if suffix not in POSITION_SUFFIXES:
        raise PlanError(
            f"a list of positions cannot be saved as {suffix or 'no kind of file'}",
            path=path,
            hint=f"choose one of {', '.join(POSITION_SUFFIXES)}",
        )
    if not places:
        raise PlanError("there is no position to be saved", path=path)
    if suffix in PLAN_SUFFIXES:
        save_plan(useq.MDASequence(stage_positions=places), path)
        return ()
    notes = []
    within = sum(place.sequence is not None for place in places)
    if within:
        notes.append(f"the plans of {within} positions of their own are not in {path}")
    if suffix == ".csv":
        if any(place.properties for place in places):
            notes.append(f"the properties of positions are not in {path}")
        data = _to_table(places).encode()
    else:
        stored = to_map(places, xy_device, z_device)
        data = json.dumps(stored, indent=2, allow_nan=False).encode()
    _replace(path, data)
    return tuple(notes)


# ---- files


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; a list is small and needs no more."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise PlanError("this file is too large for a list of positions", path=path)
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PlanError(
            f"the positions cannot be read, {error.strerror}", path=path
        ) from error
    except UnicodeDecodeError as error:
        raise PlanError(
            "the list of positions is not a text file", path=path
        ) from error


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise PlanError("the list of positions is nested too deeply") from error
    except ValueError as error:
        raise PlanError(f"the list of positions is not valid json, {error}") from error


def _from_plan(path: Path, text: str) -> PositionList:
    """Read ours: a sequence, or a json list of positions."""
    if path.suffix.lower() == ".json":
        data = _json(text)
        if isinstance(data, list):
            return PositionList(
                tuple(_position(n, item) for n, item in enumerate(data))
            )
    sequence = load_sequence(path)
    others = axes_in_use(sequence) - {"p"}
    notes = ("the file is a plan; only its positions were read",) if others else ()
    return PositionList(tuple(sequence.stage_positions), notes)


def _position(number: int, item: object) -> useq.AbsolutePosition:
    if not isinstance(item, Mapping) or not ({"x", "y", "z"} & set(item)):
        raise PlanError(
            f"position {number} is no mapping of x, y and z, found {item!r:.60}"
        )
    known = {name: item[name] for name in useq.Position.model_fields if name in item}
    try:
        place = useq.AbsolutePosition.model_validate(known)
    except (ValidationError, RecursionError) as error:
        raise PlanError(f"position {number} is none: {_first(error)}") from error
    for name in ("x", "y", "z"):
        value = getattr(place, name)
        if value is not None and not math.isfinite(value):
            raise PlanError(f"position {number} has {name} = {value}")
    return place


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
    return "it is nested too deeply"


# ---- Micro-Manager


def _from_map(data: object) -> PositionList:
    if isinstance(data, Mapping) and "map" in data:
        entries, notes = from_property_map(data)
    elif isinstance(data, Mapping) and "POSITIONS" in data:
        entries, notes = from_legacy(data)
    else:
        raise PlanError(
            "this is no list of positions of Micro-Manager",
            hint="it begins with StagePositions (version 2) or POSITIONS (1.4)",
        )
    places = tuple(_position(number, entry) for number, entry in enumerate(entries))
    return PositionList(places, notes)


# ---- tables


def _from_table(text: str) -> PositionList:
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise PlanError(f"the table cannot be read, {error}") from error
    rows = [[cell.strip() for cell in row] for row in rows]
    numbered = [(n, row) for n, row in enumerate(rows, 1) if any(row)]
    if not numbered:
        return PositionList(())
    head = [cell.lower().replace("µ", "u") for cell in numbered[0][1]]
    columns = {
        name: next((i for i, cell in enumerate(head) if cell in words), None)
        for name, words in _COLUMNS.items()
    }
    if columns["x"] is None or columns["y"] is None:
        if not all(_is_number(cell) for cell in numbered[0][1]) or len(head) < 2:
            raise PlanError(
                "the table has no columns x and y",
                hint="name them in the first line: name,x,y,z (micrometers)",
            )
        # A bare table of numbers.
        columns = {"x": 0, "y": 1, "z": 2 if len(head) > 2 else None}
    else:
        numbered = numbered[1:]
    return PositionList(tuple(_from_row(n, row, columns) for n, row in numbered))


def _from_row(
    line: int, row: Sequence[str], columns: Mapping[str, int | None]
) -> useq.AbsolutePosition:
    found: dict[str, Any] = {}
    for name, column in columns.items():
        cell = row[column] if column is not None and column < len(row) else ""
        if not cell:
            continue
        if name == "name":
            found[name] = cell
        elif not _is_number(cell):
            raise PlanError(f"line {line}: {name} is {cell!r:.40}, expected a number")
        elif name in "xyz":
            found[name] = _number(cell)
        else:
            found[name] = int(_number(cell))
    if "x" not in found or "y" not in found:
        raise PlanError(f"line {line} has no x or no y")
    return useq.AbsolutePosition(**found)


def _number(cell: str) -> float:
    return float(cell.replace(",", "."))  # a decimal comma, as Excel may write it


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(_number(cell))
    except ValueError:
        return False


def _to_table(places: Sequence[useq.AbsolutePosition]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["name", "x_um", "y_um", "z_um", "row", "column"])
    for place in places:
        values = (place.name, place.x, place.y, place.z, place.grid_row, place.grid_col)
        writer.writerow(["" if value is None else value for value in values])
    return out.getvalue()
