"""The attributes of a multi-well plate: the plate, its wells and their fields.

A plate is a root group, a group for each row, in it one for each well, in that the
fields of view, each an image. Only wells that have fields are listed.

Source: OME-NGFF 0.4 and 0.5, "plate" and "well" metadata.

Examples
--------
>>> places = field_paths([("A", "1"), ("B", "2"), ("A", "1")])
>>> places
['A/1/0', 'B/2/0', 'A/1/1']
>>> well_attributes(2)["ome"]["well"]["images"]
[{'path': '0', 'acquisition': 0}, {'path': '1', 'acquisition': 0}]
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from napari_scope.errors import SettingsError
from napari_scope.formats.ngff.metadata import NGFF_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["check_plate", "field_paths", "plate_attributes", "well_attributes"]

Well = tuple[str, str]


def check_plate(
    rows: Sequence[str],
    columns: Sequence[str],
    wells: Sequence[Well],
    taken: Sequence[str] = (),
) -> None:
    """Refuse a plate that cannot be stored.

    Parameters
    ----------
    rows, columns : sequence of str
        Names of all rows and columns.
    wells : sequence of (str, str)
        Row and column of each image.
    taken : sequence of str
        Names of groups beside the rows.

    Raises
    ------
    SettingsError
        For names that are not letters and digits, that differ by case only, or that
        the plate does not have.
    """
    for kind, names in (("row", rows), ("column", columns)):
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9]+", name):
                raise SettingsError(
                    f"OME-Zarr names {kind}s of a plate by letters and digits, found "
                    f"{name!r}"
                )
        if len({name.lower() for name in names}) < len(names):
            raise SettingsError(
                f"two {kind}s of the plate have the same name: {', '.join(names)}",
                hint="names that differ only by case are one folder on many disks",
            )
    for name in rows:
        if name.lower() in {other.lower() for other in taken}:
            raise SettingsError(f"the name {name!r} is taken by a group of the store")
    for row, column in wells:
        if row not in rows or column not in columns:
            raise SettingsError(
                f"the plate has no well in row {row!r} and column {column!r}",
                hint=f"it has the rows {', '.join(rows)} and the columns "
                f"{', '.join(columns)}",
            )


def field_paths(wells: Sequence[Well]) -> list[str]:
    """Return the path of each image, given the well of each; fields count from 0."""
    fields: Counter[Well] = Counter()
    paths = []
    for well in wells:
        paths.append(f"{well[0]}/{well[1]}/{fields[well]}")
        fields[well] += 1
    return paths


def plate_attributes(
    name: str,
    rows: Sequence[str],
    columns: Sequence[str],
    wells: Sequence[Well],
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the attributes of the root of a plate.

    Parameters
    ----------
    name : str
        Name of the plate.
    rows, columns : sequence of str
        Names of all rows and columns.
    wells : sequence of (str, str)
        Row and column of each image.
    extra : mapping, optional
        What goes under the key ``napari_scope``.
    """
    fields = Counter(wells)
    most = max(fields.values(), default=1)
    plate = {
        "name": name,
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "field_count": most,
        "acquisitions": [{"id": 0, "name": name, "maximumfieldcount": most}],
        "wells": [
            {
                "path": f"{row}/{column}",
                "rowIndex": list(rows).index(row),
                "columnIndex": list(columns).index(column),
            }
            for row, column in fields
        ],
    }
    attributes: dict[str, Any] = {"ome": {"version": NGFF_VERSION, "plate": plate}}
    if extra:
        attributes["napari_scope"] = dict(extra)
    return attributes


def well_attributes(fields: int) -> dict[str, Any]:
    """Return the attributes of a well with that many fields."""
    images = [{"path": str(n), "acquisition": 0} for n in range(fields)]
    return {"ome": {"version": NGFF_VERSION, "well": {"images": images}}}
