"""The `plate` and `well` parts of the metadata as wells and positions are added.

Functions over the JSON, without files. Rows and columns of a plate are lists of names,
and each well says by index which of them it is in; all indices that are written here
point at the right name. An index that was asked for is kept by filling the rows before
it with the names that plates usually have, which the standard allows: rows without
wells may be listed.

Examples
--------
>>> plate = {}
>>> add_wells(plate, [WellSpec("B", "3", 1, 2)])
>>> plate["rows"], plate["wells"]
([{'name': 'A'}, {'name': 'B'}], [{'path': 'B/3', 'rowIndex': 1, 'columnIndex': 2}])
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_scope.formats.ngff.nodes.failures import ArgumentError
from napari_scope.formats.ngff.nodes.hierarchy import natural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Json = Mapping[str, Any]

__all__ = [
    "WellSpec",
    "add_acquisitions",
    "add_fields",
    "add_wells",
    "checked_name",
    "field_names",
    "names_of",
    "rename",
    "well_paths",
]

_MOST = 10_000
"""Rows or columns of a plate; those of the densest have 48 and 72."""

_NAME = re.compile(r"[A-Za-z0-9]+")


class WellSpec(NamedTuple):
    """A well to be: names of its row and column, and their indices where given."""

    row: str
    column: str
    row_index: int | None = None
    column_index: int | None = None

    @property
    def path(self) -> str:
        """Path of the well below the plate."""
        return f"{self.row}/{self.column}"


def checked_name(value: object, what: str) -> str:
    """Return the name of a row, column or position, or refuse what is none.

    Raises
    ------
    ArgumentError
        If it is not letters and digits, as OME-NGFF demands.
    """
    name = str(value).strip("/") if isinstance(value, str | int) else ""
    if not _NAME.fullmatch(name):
        raise ArgumentError(
            f"{value!r} is no name of a {what}", hint="use letters and digits"
        )
    return name


def names_of(plate: Json, key: str) -> list[str]:
    """Return the names of the rows or columns of a plate."""
    entries = plate.get(key)
    return [
        entry["name"]
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    ]


def well_paths(plate: Json) -> list[str]:
    """Return the paths of the wells, along rows and columns as the plate lists them."""
    paths = list(dict.fromkeys(entry["path"].strip("/") for entry in _wells(plate)))
    rows = {name: n for n, name in enumerate(names_of(plate, "rows"))}
    columns = {name: n for n, name in enumerate(names_of(plate, "columns"))}

    def place(path: str) -> tuple[int, int]:
        row, _, column = path.partition("/")
        return rows.get(row, len(rows)), columns.get(column, len(columns))

    return sorted(paths, key=place)


def _wells(plate: Json) -> list[dict[str, Any]]:
    entries = plate.get("wells")
    return [
        entry
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("path"), str)
    ]


def field_names(well: Json) -> list[str]:
    """Return the names of the fields of a well in the order of its metadata."""
    entries = well.get("images")
    paths = [
        entry.get("path") if isinstance(entry, dict) else None
        for entry in (entries if isinstance(entries, list) else ())
    ]
    return list(dict.fromkeys(p.strip("/") for p in paths if isinstance(p, str)))


class _Line:
    """Names of the rows (or columns) of a plate while wells are added."""

    def __init__(self, what: str, names: Iterable[str], used: Iterable[str]) -> None:
        self._what = what
        self._names: list[str | None] = list(names)
        self._places = {n: i for i, n in enumerate(self._names) if n is not None}
        self._used = set(used)
        for name in self._used:
            if name not in self._places:
                self._append(name)
        self._folded = {name.casefold(): name for name in self._places}

    def use(self, name: str, index: int | None) -> None:
        """Make sure that the name is listed, at the index if one is given."""
        other = self._folded.get(name.casefold(), name)
        if other != name:
            raise ArgumentError(
                f"the {self._what} {name!r} differs from {other!r} by case only",
                hint="that is the same folder on many disks",
            )
        place = self._places.get(name)
        if index is None or index == place:
            if place is None:
                self._append(name)
        else:
            self._put(name, place, self._checked(index))
        self._used.add(name)
        self._folded[name.casefold()] = name

    def _put(self, name: str, place: int | None, index: int) -> None:
        if name in self._used:
            raise ArgumentError(
                f"the {self._what} {name!r} has the index {place}, not {index}"
            )
        self._names += [None] * (index + 1 - len(self._names))
        holder = self._names[index]
        if holder in self._used:
            raise ArgumentError(
                f"the index {index} is that of the {self._what} {holder!r}"
            )
        if place is not None:
            self._names[place] = None
        if holder is not None:
            del self._places[holder]
            del self._folded[holder.casefold()]
        self._names[index] = name
        self._places[name] = index

    def _checked(self, index: int) -> int:
        if type(index) is not int or not 0 <= index < _MOST:
            raise ArgumentError(f"{index!r} is no index of a {self._what}")
        return index

    def _append(self, name: str) -> None:
        self._places[name] = len(self._names)
        self._names.append(name)

    def finished(self) -> list[str]:
        """Return all names; gaps get the names that such plates usually have."""
        taken = {name.casefold() for name in self._places}
        names = []
        for index, name in enumerate(self._names):
            if name is None:
                usual = _row_name(index) if self._what == "row" else str(index + 1)
                spare = (f"{usual}x{n}" for n in count(1))
                name = usual
                while name.casefold() in taken:
                    name = next(spare)
                taken.add(name.casefold())
            names.append(name)
        return names


def _row_name(index: int) -> str:
    """Return the letters of a row: A to Z, AA, AB and so on."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def add_wells(plate: dict[str, Any], wells: Iterable[WellSpec]) -> None:
    """List wells in a plate; those that are listed stay.

    Raises
    ------
    ArgumentError
        If an index belongs to another row or column, or names differ by case only.
        The plate is then as it was.
    """
    entries = _wells(plate)
    known = {entry["path"].strip("/") for entry in entries}
    split = [path.partition("/") for path in known]
    rows = _Line("row", names_of(plate, "rows"), (row for row, _, _ in split))
    columns = _Line("column", names_of(plate, "columns"), (col for _, _, col in split))
    added = []
    for well in wells:
        rows.use(well.row, well.row_index)
        columns.use(well.column, well.column_index)
        if well.path not in known:
            known.add(well.path)
            added.append({"path": well.path})
    _write(plate, rows.finished(), columns.finished(), [*entries, *added])


def _write(
    plate: dict[str, Any],
    rows: Sequence[str],
    columns: Sequence[str],
    wells: Sequence[dict[str, Any]],
) -> None:
    row_places = {name: n for n, name in enumerate(rows)}
    column_places = {name: n for n, name in enumerate(columns)}
    # Names keep what other writers said of them.
    for key, names in (("rows", rows), ("columns", columns)):
        old = {e["name"]: e for e in plate.get(key) or () if isinstance(e, dict)}
        plate[key] = [old.get(name, {"name": name}) for name in names]
    listed = []
    for entry in wells:
        row, _, column = entry["path"].strip("/").partition("/")
        listed.append(
            {
                **entry,
                "rowIndex": row_places[row],
                "columnIndex": column_places[column],
            }
        )
    plate["wells"] = listed


def add_acquisitions(plate: dict[str, Any], ids: Iterable[int]) -> None:
    """List acquisitions by their numbers; those that are listed stay."""
    entries = plate.get("acquisitions")
    known = [e for e in (entries if isinstance(entries, list) else ()) if e]
    numbers = {e.get("id") for e in known if isinstance(e, dict)}
    missing = sorted(set(ids) - numbers)
    plate["acquisitions"] = [*known, *({"id": number} for number in missing)]


def add_fields(well: dict[str, Any], fields: Iterable[tuple[str, int]]) -> None:
    """List fields, by name and acquisition, in a well."""
    entries = well.get("images")
    images = list(entries) if isinstance(entries, list) else []
    known = set(field_names(well))
    for name, acquisition in fields:
        if name not in known:
            known.add(name)
            images.append({"path": name, "acquisition": acquisition})
    well["images"] = images


def rename(plate: dict[str, Any], old: str, new: str, *, keep_old: bool) -> None:
    """List a well under another name.

    Parameters
    ----------
    plate : dict
        The plate.
    old, new : str
        Paths of the well before and after.
    keep_old : bool
        Whether the old name stays listed, too (while the folder is moved).
    """
    entries = _wells(plate)
    paths = [entry["path"].strip("/") for entry in entries]
    # A plate that lists rows without wells lists all that it physically has.
    full = [
        not set(names_of(plate, key)) <= {path.split("/")[n] for path in paths}
        for n, key in enumerate(("rows", "columns"))
    ]
    wells: list[dict[str, Any]] = []
    for entry, path in zip(entries, paths, strict=True):
        if path == old:
            if keep_old:
                wells.append(entry)
            if new not in paths:
                wells.append({**entry, "path": new})
        else:
            wells.append(entry)
    lines = []
    for n, key in enumerate(("rows", "columns")):
        used = [entry["path"].strip("/").split("/")[n] for entry in wells]
        names = names_of(plate, key)
        if not full[n]:
            names = [name for name in names if name in used]
        lines.append(_with(names, used))
    _write(plate, lines[0], lines[1], wells)


def _with(names: list[str], used: Iterable[str]) -> list[str]:
    """Return names with those that are used, in their place if names are sorted."""
    was_sorted = names == sorted(names, key=natural)
    names = list(dict.fromkeys([*names, *used]))
    return sorted(names, key=natural) if was_sorted else names
