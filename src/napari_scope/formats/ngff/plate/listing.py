"""What the document of a plate lists: rows, columns, wells and acquisitions.

Only the attributes of the root are looked at here, and those of a well once they were
read; nothing is opened. What is odd is reported and the rest is used: wells without
indices are placed by their path, rows that are not named get the names in the paths.

Source: OME-NGFF 0.1 to 0.5, "plate" and "well" metadata.

Examples
--------
>>> listing = read_listing({"plate": {"wells": [{"path": "B/2"}, {"path": "A/10"}]}})
>>> listing.rows, listing.columns
(('A', 'B'), ('2', '10'))
>>> [(well.path, well.row_index, well.column_index) for well in listing.wells]
[('B/2', 1, 0), ('A/10', 0, 1)]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.formats.ngff.images import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Json = Mapping[str, object]

__all__ = [
    "Acquisition",
    "PlateListing",
    "PlateWell",
    "WellField",
    "read_listing",
    "read_well",
]

_MOST_LINES = 4096  # rows or columns; a plate of 6144 wells has 64 and 96
_MOST_WELLS = 100_000
_MOST_FIELDS = 10_000  # of a well


@dataclass(frozen=True, slots=True)
class PlateWell:
    """A well that the plate lists.

    Parameters
    ----------
    row, column : str
        Names of its row and column.
    row_index, column_index : int
        Their places among the rows and columns of the plate.
    path : str
        Path of the group below the plate; empty if the well itself was opened.
    """

    row: str
    column: str
    row_index: int
    column_index: int
    path: str


@dataclass(frozen=True, slots=True)
class Acquisition:
    """A run over the plate.

    Parameters
    ----------
    id : int
        What the fields of wells refer to.
    name : str
        Its name; never empty.
    most_fields : int
        The greatest number of fields of a well, 0 where it is not said.
    """

    id: int
    name: str
    most_fields: int = 0


@dataclass(frozen=True, slots=True)
class WellField:
    """A field that a well lists.

    Parameters
    ----------
    path : str
        Path of the image below the well.
    acquisition : int, optional
        Identity of its acquisition.
    """

    path: str
    acquisition: int | None = None


@dataclass(frozen=True, slots=True)
class PlateListing:
    """The document of a plate.

    Parameters
    ----------
    name, version : str
        Name of the plate and version of OME-Zarr; may be empty.
    rows, columns : tuple of str
        Names of all rows and columns, also of those without wells.
    wells : tuple of PlateWell
        In the order of the document; no two at the same place.
    acquisitions : tuple of Acquisition
        In the order of the document.
    field_count : int
        The greatest number of fields of a well, 0 where it is not said.
    problems : tuple of str
        What could not be used.
    """

    name: str
    version: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    wells: tuple[PlateWell, ...]
    acquisitions: tuple[Acquisition, ...] = ()
    field_count: int = 0
    problems: tuple[str, ...] = ()


def read_listing(block: Json) -> PlateListing | None:
    """Return what a plate lists, or None if the block is not that of a plate.

    Parameters
    ----------
    block : mapping
        OME part of the attributes of a group. That of a well counts as a plate with
        one well, whose row and column have empty names.
    """
    plate = block.get("plate")
    if not isinstance(plate, dict):
        if not isinstance(block.get("well"), dict):
            return None
        alone = PlateWell("", "", 0, 0, "")
        return PlateListing("", version_of(block), ("",), ("",), (alone,))
    problems: list[str] = []
    entries = list(_well_entries(plate.get("wells"), problems))
    paths = [path.split("/") for path, _ in entries]
    rows = _line_names(plate, "rows", [p[0] for p in paths], problems)
    columns = _line_names(plate, "columns", [p[-1] for p in paths], problems)
    name = plate.get("name")
    return PlateListing(
        name=name.strip() if isinstance(name, str) else "",
        version=version_of(block),
        rows=rows,
        columns=columns,
        wells=tuple(_placed(entries, rows, columns, problems)),
        acquisitions=tuple(_acquisitions(plate.get("acquisitions"), problems)),
        field_count=_count(plate.get("field_count")),
        problems=tuple(problems),
    )


def read_well(block: Json) -> list[WellField] | None:
    """Return the fields of a well, or None if the block is not that of a well."""
    well = block.get("well")
    if not isinstance(well, dict):
        return None
    images = well.get("images")
    fields: dict[str, WellField] = {}
    for entry in (images if isinstance(images, list) else [])[:_MOST_FIELDS]:
        path = entry.get("path") if isinstance(entry, dict) else None
        if isinstance(path, str) and path.strip("/"):
            path, number = path.strip("/"), entry.get("acquisition")
            known = number if type(number) is int else None
            fields.setdefault(path, WellField(path, known))
    return list(fields.values())


def _well_entries(wells: object, problems: list[str]) -> Iterator[tuple[str, Json]]:
    listed = wells if isinstance(wells, list) else []
    if len(listed) > _MOST_WELLS:
        problems.append(f"only the first {_MOST_WELLS} of {len(listed)} wells are used")
    for number, entry in enumerate(listed[:_MOST_WELLS]):
        path = entry.get("path") if isinstance(entry, dict) else None
        if isinstance(path, str) and path.strip("/"):
            yield path.strip("/"), entry
        else:
            problems.append(f"well {number} of the plate has no path")


def _line_names(
    plate: Json, key: str, used: Sequence[str], problems: list[str]
) -> tuple[str, ...]:
    """Return the names of rows or columns."""
    listed = plate.get(key)
    names = [
        str(entry["name"]) if isinstance(entry, dict) and "name" in entry else str(n)
        for n, entry in enumerate(listed if isinstance(listed, list) else [])
    ]
    if not names:
        names = sorted(set(used), key=_natural)
    if len(names) > _MOST_LINES:
        problems.append(f"only the first {_MOST_LINES} of {len(names)} {key} are used")
    return tuple(names[:_MOST_LINES])


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts 2 before 10 and Z before AA."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(p) if p.isdigit() else len(p), p) for p in parts]


def _placed(
    entries: Sequence[tuple[str, Json]],
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    problems: list[str],
) -> Iterator[PlateWell]:
    row_of = {name: n for n, name in reversed(list(enumerate(rows)))}
    column_of = {name: n for n, name in reversed(list(enumerate(columns)))}
    taken: dict[tuple[int, int], str] = {}
    for path, entry in entries:
        parts = path.split("/")
        row = _place(entry.get("rowIndex"), len(rows), row_of.get(parts[0]))
        column = _place(
            entry.get("columnIndex"), len(columns), column_of.get(parts[-1])
        )
        if row is None or column is None:
            problems.append(f"well {path} is left out: the plate has no such place")
            continue
        if (row, column) in taken:
            other = taken[row, column]
            problems.append(f"well {path} is left out: it has the place of {other}")
            continue
        taken[row, column] = path
        yield PlateWell(rows[row], columns[column], row, column, path)


def _place(index: object, count: int, by_path: int | None) -> int | None:
    if type(index) is int and 0 <= index < count:
        return index
    return by_path


def _acquisitions(listed: object, problems: list[str]) -> Iterator[Acquisition]:
    seen: set[int] = set()
    for number, entry in enumerate(listed if isinstance(listed, list) else []):
        key = entry.get("id") if isinstance(entry, dict) else None
        if type(key) is not int or key in seen or len(seen) >= _MOST_LINES:
            problems.append(f"acquisition {number} of the plate is not used")
            continue
        seen.add(key)
        name = entry.get("name")
        named = isinstance(name, str) and name.strip()
        yield Acquisition(
            key,
            name.strip() if named else f"acquisition {key}",
            _count(entry.get("maximumfieldcount")),
        )


def _count(value: object) -> int:
    return value if type(value) is int and 0 < value <= _MOST_FIELDS else 0
