"""Grids of a sequence: their field of view, and random points that stay where they are.

Grids are laid out in steps of the field of view, which only the camera knows: it is
passed in. The sequences that come in are never changed.
"""

from __future__ import annotations

import random
from typing import Any

from useq import MDASequence, RandomPoints, WellPlatePlan

__all__ = ["settled", "subsequences", "wants_field_of_view", "with_field_of_view"]


def with_field_of_view(
    sequence: MDASequence, width_um: float, height_um: float
) -> MDASequence:
    """Return a sequence whose grids all have a field of view.

    Those that state one keep it. The sequence is a new one: useq remembers the places
    of one it went through.
    """
    field_of_view = (width_um, height_um)
    wells = sequence.stage_positions
    if isinstance(wells, WellPlatePlan):
        points = _sized(wells.well_points_plan, field_of_view)
        wells = wells.replace(well_points_plan=points)
        return _with_field(sequence, field_of_view).replace(stage_positions=wells)
    positions = tuple(
        position.replace(sequence=_with_field(position.sequence, field_of_view))
        if position.sequence
        else position
        for position in sequence.stage_positions
    )
    return _with_field(sequence, field_of_view).replace(stage_positions=positions)


def wants_field_of_view(sequence: MDASequence) -> bool:
    """Return whether a grid is laid out in steps of a field of view not stated."""
    wells = sequence.stage_positions
    points = [wells.well_points_plan] if isinstance(wells, WellPlatePlan) else []
    parts = [sequence, *subsequences(sequence)]
    grids = [part.grid_plan for part in parts] + points
    return any(_wants_field(grid) for grid in grids)


def subsequences(sequence: MDASequence) -> list[MDASequence]:
    """Return the sequences that positions of a sequence have of their own."""
    return [p.sequence for p in sequence.stage_positions if p.sequence is not None]


def settled(sequence: MDASequence) -> MDASequence:
    """Return a sequence that gives the same places each time it is gone through.

    Random points without a seed are drawn anew otherwise: the places that are stored
    would not be those that are visited.
    """
    replace: dict[str, Any] = {}
    grid = _seeded(sequence.grid_plan)
    if grid is not sequence.grid_plan:
        replace["grid_plan"] = grid
    wells = sequence.stage_positions
    if isinstance(wells, WellPlatePlan):
        points = _seeded(wells.well_points_plan)
        if points is not wells.well_points_plan:
            replace["stage_positions"] = wells.replace(well_points_plan=points)
    elif any(p.sequence is not None for p in wells):
        replace["stage_positions"] = tuple(
            p.replace(sequence=settled(p.sequence)) if p.sequence else p for p in wells
        )
    return sequence.replace(**replace) if replace else sequence


def _seeded(points: Any) -> Any:
    if isinstance(points, RandomPoints) and points.random_seed is None:
        return points.model_copy(update={"random_seed": random.randrange(2**31)})
    return points


def _with_field(
    sequence: MDASequence, field_of_view: tuple[float, float]
) -> MDASequence:
    """Return a sequence whose grid has the field of view, unless it states one."""
    grid = sequence.grid_plan
    if not _wants_field(grid):
        return sequence
    return sequence.replace(grid_plan=_sized(grid, field_of_view))


def _wants_field(grid: object) -> bool:
    """Return whether a grid has a field of view and does not state it."""
    fields = ("fov_width", "fov_height")
    return all(hasattr(grid, f) and getattr(grid, f) is None for f in fields)


def _sized(grid: Any, field_of_view: tuple[float, float]) -> Any:
    if not _wants_field(grid):
        return grid
    width, height = field_of_view
    return grid.model_copy(update={"fov_width": width, "fov_height": height})
