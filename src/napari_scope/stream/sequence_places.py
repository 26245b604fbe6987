"""Positions and plate of a ``useq.MDASequence`` in the terms of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.stream.samples import Plate, Position, row_name
from napari_scope.stream.sequence_scan import is_ragged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from useq import MDASequence

    from napari_scope.stream.sequence_scan import PlaceScan, SequenceScan

__all__ = ["plate_of", "positions_of"]


def positions_of(sequence: MDASequence, found: SequenceScan) -> list[Position]:
    """Return one position for each place of a sequence, in the order of the visits.

    A place has sizes of its own where it takes less than others do. Points that are
    drawn anew each time the sequence is gone through have no coordinates.
    """
    stage = [*sequence.stage_positions]
    ragged = is_ragged(sequence)
    names: dict[tuple[object, ...], None] = {}
    result = []
    for place in found.places.values():
        base = stage[place.position] if place.position is not None else None
        name = (base.name if base else None) or f"Pos{place.position or 0:03d}"
        cell = _cell(sequence, place)
        if place.tile is not None and cell is None:
            name += f"_g{place.tile:04d}"
        row, column = getattr(base, "plate_row", None), getattr(base, "plate_col", None)
        well = None
        if row is not None and column is not None:
            well = row_name(row), str(column + 1)
        if (name, well, cell) in names:
            name += f"_p{place.position or 0:03d}"
        names[name, well, cell] = None
        sizes = dict(zip(found.axes, found.shape(place), strict=True))
        own = {a: n for a, n in sizes.items() if ragged and n < found.sizes[a]}
        fixed = _is_settled(sequence, place)
        heights = place.heights
        result.append(
            Position(
                name=name,
                plate_row=well[0] if well else None,
                plate_column=well[1] if well else None,
                grid_row=cell[0] if cell else None,
                grid_column=cell[1] if cell else None,
                x_coord=place.x_um if fixed else None,
                y_coord=place.y_um if fixed else None,
                z_coord=heights[min(heights)] if heights else None,
                sizes=own or None,
            )
        )
    return result


def _sub(sequence: MDASequence, place: PlaceScan) -> MDASequence | None:
    """Return the sequence of its own that a position has."""
    if place.position is None:
        return None
    sub: MDASequence | None = [*sequence.stage_positions][place.position].sequence
    return sub


def _points(sequence: MDASequence, place: PlaceScan) -> Iterable[object] | None:
    """Return the plan of the points around a position, where there is one."""
    points: Iterable[object] | None
    points = getattr(sequence.stage_positions, "well_points_plan", None)
    sub = _sub(sequence, place)
    if points is None and sub is not None:
        points = sub.grid_plan
    if points is None:
        points = sequence.grid_plan
    return points


def _is_settled(sequence: MDASequence, place: PlaceScan) -> bool:
    points = _points(sequence, place)
    return getattr(points, "random_seed", 0) is not None


def _cell(sequence: MDASequence, place: PlaceScan) -> tuple[int, int] | None:
    """Return row and column of a place in its grid, if that is a grid."""
    points = _points(sequence, place)
    if points is None or not hasattr(points, "iter_grid_positions"):
        return None
    tiles = [*points]
    number = place.tile
    if number is None and place.position is not None:  # fields of the wells of a plate
        number = place.position % len(tiles)
    if number is None:
        return None
    tile = tiles[number]
    # The names before useq 0.9.2 were shorter; to ask for both would warn.
    newer = hasattr(tile, "grid_row")
    row = getattr(tile, "grid_row" if newer else "row", None)
    column = getattr(tile, "grid_col" if newer else "col", None)
    return None if row is None or column is None else (row, column)


def plate_of(sequence: MDASequence) -> Plate | None:
    """Return the plate of a sequence, as far as all of its positions lie on one."""
    wells = sequence.stage_positions
    plate = getattr(wells, "plate", None)
    if plate is not None:
        rows, columns, name = plate.rows, plate.columns, plate.name or None
    else:
        places = [
            (getattr(p, "plate_row", None), getattr(p, "plate_col", None))
            for p in wells
        ]
        known = [(r, c) for r, c in places if r is not None and c is not None]
        if not known or len(known) < len(places):
            return None
        rows, columns = (max(numbers) + 1 for numbers in zip(*known, strict=True))
        name = None
    return Plate(
        row_names=tuple(map(row_name, range(rows))),
        column_names=tuple(str(i + 1) for i in range(columns)),
        name=name,
    )
