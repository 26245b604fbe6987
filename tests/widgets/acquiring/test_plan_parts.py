"""What other docks offer becomes a part of the plan that the tables can show."""

from __future__ import annotations

import useq

from napari_scope.acquire import TileGrid
from napari_scope.acquire.regions import Outline, TilePlan, tiles_of
from napari_scope.widgets.acquiring.plan_parts import with_places


def test_tiles_become_positions_of_the_tables() -> None:
    grid = TileGrid(
        origin_um=(0.0, 0.0),
        image_px=(100, 100),
        overlap_px=(10, 10),
        affine=(1.0, 0.0, 0.0, 1.0),
    )
    square = Outline(((0, 0), (150, 0), (150, 150), (0, 150)))
    tiles = TilePlan(grid, tuple(tiles_of(grid, [square], "rows, snake")))
    offered = tiles.positions()
    assert len(offered) > 1
    first = useq.AbsolutePosition(x=-5, y=-6, name="first")
    plan = useq.MDASequence(stage_positions=[first])
    made, words = with_places(plan, "positions", offered, replace=False)
    assert words == f"The plan has {len(offered)} new positions"
    assert made.stage_positions[0] == first
    for tile, place in zip(offered, made.stage_positions[1:], strict=True):
        assert (place.x, place.y, place.name) == (tile.x, tile.y, tile.name)
        assert place.grid_row is None and place.grid_col is None
