"""The pictures of the page of the Metadata dock, from the real program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import stage

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["pictures"]


def pictures(folder: Path) -> list[Path]:
    """Take a short run; look at a frame, at the store, and at numbers over time."""
    made: list[Path] = []
    with stage.demo_microscope() as microscope, stage.window() as viewer:
        from napari_scope.widgets.frames.metadata_dock import MetadataDock

        store = _run(microscope, stage.keep_away() / "beads.ome.zarr")
        dock = stage.docked(viewer, MetadataDock(viewer, microscope), "Metadata")
        viewer.open(str(store), plugin="napari-scope")
        stage.rest(0.5)
        dock.frame_tab.view.set_pins(["Frame.exposure_ms", "Frame.z_um"])
        for step in (3, 4):
            viewer.dims.set_current_step(0, step)
            stage.rest(0.5)
        stage.until(lambda: not dock.busy)
        made.append(stage.shoot(viewer, folder / "metadata.png"))
        dock.tabs.setCurrentWidget(dock.plots_tab)
        stage.until(lambda: dock.plots_tab.sheet is not None)
        dock.plots_tab.set_chosen(["interval_ms", "z_um", "mean"])
        stage.rest(0.5)
        stage.until(lambda: not dock.busy)
        made.append(stage.shoot(viewer, folder / "metadata-plots.png"))
        dock.tabs.setCurrentWidget(dock.store_view)
        stage.rest(0.5)
        stage.until(lambda: not dock.busy)
        path = folder / "metadata-store-light.png"
        made.append(stage.shoot(viewer, path, theme="light", size=stage.SMALL))
    return made


def _run(microscope: Microscope, path: Path) -> Path:
    """Take a short run with the demo microscope."""
    import useq

    from napari_scope.acquire import Run
    from napari_scope.stream import Output

    plan = useq.MDASequence.model_validate(
        {
            "axis_order": "tpzc",
            "time_plan": {"interval": 0.4, "loops": 8},
            "z_plan": {"range": 4, "step": 2},
            "channels": [
                {"config": "DAPI", "exposure": 5},
                {"config": "FITC", "exposure": 15},
            ],
        }
    )
    outputs = [Output(path, "ome-zarr")]
    Run(microscope.owner, plan, outputs, name="beads").start().wait()
    return path
