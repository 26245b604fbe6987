"""What of the plan, the exploration and the list of positions is on the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import useq

    from napari_scope.acquire.explore_parts import Explored
    from napari_scope.acquire.regions import TilePlan
    from napari_scope.acquire.tiling import TileGrid
    from napari_scope.widgets.space.stage_map import StageMap

__all__ = ["show_on_map"]


def show_on_map(
    stage_map: StageMap,
    plan: TilePlan | None,
    explored: Explored | None,
    grid: TileGrid | None,
    positions: Sequence[useq.AbsolutePosition],
    *,
    running: bool,
) -> None:
    """Say what the map shows.

    Parameters
    ----------
    stage_map : StageMap
        The map.
    plan : TilePlan, optional
        Tiles over outlines; those that were taken are not planned any more.
    explored : Explored, optional
        The latest exploration.
    grid : TileGrid, optional
        Its grid.
    positions : sequence of AbsolutePosition
        The list of positions; those without x or y are nowhere.
    running : bool
        Whether the exploration goes on: the field of view is where it takes tiles.
    """
    planned: list[tuple[float, float]] = []
    if plan is not None:
        done = explored.taken if explored is not None and plan.grid == grid else ()
        planned = [plan.grid.stage(*tile) for tile in plan.without(done).tiles]
    stage_map.set_tiles("planned", planned)
    listed = [(p.x, p.y) for p in positions if p.x is not None and p.y is not None]
    stage_map.set_tiles("position", listed)
    if explored is None or grid is None:
        return
    waiting = explored.waiting if running else ()
    stage_map.set_tiles("taken", [grid.stage(*tile) for tile in explored.taken])
    stage_map.set_tiles("waiting", [grid.stage(*tile) for tile in waiting])
    if explored.now is not None and running:
        stage_map.set_field(*grid.stage(*explored.now))
