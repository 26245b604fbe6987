"""Lists of positions to be, as the wells they are in and the fields of each.

Pure: what a script gives is checked and sorted by well, nothing is made.

Examples
--------
>>> planned = plan_positions(
...     [("A", "1", "0"), ("B", "2", "0", None, 4), ("A", "1", "1")]
... )
>>> planned.fields
{'A/1': [('0', 0), ('1', 0)], 'B/2': [('0', 0)]}
>>> planned.order
(('A/1', 0), ('B/2', 0), ('A/1', 1))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_scope.formats.ngff.nodes.failures import ArgumentError
from napari_scope.formats.ngff.nodes.plate_metadata import WellSpec, checked_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_scope.formats.ngff.nodes.meta import PositionSpec

__all__ = ["PlannedPositions", "plan_positions", "well_spec"]


@dataclass(frozen=True, slots=True)
class PlannedPositions:
    """Positions sorted by well.

    Parameters
    ----------
    wells : dict of str to WellSpec
        The wells by path, in the order in which they come up.
    fields : dict of str to list of (str, int)
        Name and acquisition of the positions of each well.
    order : tuple of (str, int)
        For each position as it was given: its well, and its number there.
    """

    wells: dict[str, WellSpec]
    fields: dict[str, list[tuple[str, int]]]
    order: tuple[tuple[str, int], ...]


def plan_positions(positions: Iterable[PositionSpec]) -> PlannedPositions:
    """Sort positions by well.

    Raises
    ------
    ArgumentError
        If one has not three to six elements, or two contradict each other.
    """
    wells: dict[str, WellSpec] = {}
    fields: dict[str, list[tuple[str, int]]] = {}
    order = []
    for entry in positions:
        if isinstance(entry, str) or not 3 <= len(entry) <= 6:
            raise ArgumentError(
                f"a position of {len(entry)} elements: {entry!r}",
                hint="row, column, name, row index, column index, acquisition",
            )
        given: list[Any] = [*entry, *(None, None, 0)[len(entry) - 3 :]]
        row, column, name, row_index, column_index, acquisition = given
        well = well_spec(row, column, row_index, column_index)
        wells[well.path] = _merged(wells.get(well.path, well), well)
        inside = fields.setdefault(well.path, [])
        order.append((well.path, len(inside)))
        if type(acquisition) is not int or acquisition < 0:
            raise ArgumentError(f"{acquisition!r} is no number of an acquisition")
        inside.append((checked_name(name, "position"), acquisition))
    return PlannedPositions(wells, fields, tuple(order))


def well_spec(
    row: str, column: str, row_index: int | None, column_index: int | None
) -> WellSpec:
    """Return a well with checked names."""
    names = checked_name(row, "row"), checked_name(column, "column")
    return WellSpec(*names, row_index, column_index)


def _merged(first: WellSpec, second: WellSpec) -> WellSpec:
    """Return what two entries say of a well; one of them may leave indices open."""
    indices = []
    for one, other in zip(first[2:], second[2:], strict=True):
        if one is not None and other is not None and one != other:
            raise ArgumentError(f"the well {first.path!r} is given two indices")
        indices.append(other if one is None else one)
    return WellSpec(first.row, first.column, *indices)
