"""The picture of the page of the Stage and explorer dock, from the real program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import stage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OUTLINE", "draw_outline", "pictures"]

OUTLINE: Final = [
    [-800, -1100],
    [-950, 700],
    [100, 1200],
    [700, 500],
    [250, -150],
    [650, -900],
]
"""A region on the stage: its corners (y, x) in micrometers."""


def pictures(folder: Path) -> list[Path]:
    """Draw a region; tiles lie over it."""
    with stage.demo_microscope() as microscope, stage.window() as viewer:
        from napari_scope.widgets.space.explorer_dock import ExplorerDock

        name = "Stage and explorer"
        dock = stage.docked(viewer, ExplorerDock(viewer, microscope), name)
        stage.until(lambda: dock.driver.facts.grid is not None)
        stage.until(lambda: bool(dock.map.layers))
        draw_outline(dock, viewer)
        return [stage.shoot(viewer, folder / "explorer-outlines.png")]


def draw_outline(dock: Any, viewer: Any) -> None:
    """Draw the region, and see all of it."""
    import numpy as np

    dock.planner.draw("polygon")
    dock.planner.layer.add_polygons(np.array(OUTLINE), edge_width=8)
    dock.planner.layer.mode = "pan_zoom"
    stage.until(lambda: dock.planner.plan is not None)
    viewer.reset_view()
