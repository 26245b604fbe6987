"""The pictures of the page on the Acquire dock, from the real program."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import stage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["pictures", "plan"]


def pictures(folder: Path) -> list[Path]:
    """Let a run wait, plans wait for it, and a report be read."""
    made: list[Path] = []
    with (
        tempfile.TemporaryDirectory() as place,
        stage.demo_microscope() as microscope,
        stage.window() as viewer,
    ):
        from napari_scope.widgets.acquiring.acquire_dock import AcquireDock

        dock = stage.docked(viewer, AcquireDock(viewer, microscope), "Acquire")
        dock.save_box.folder_edit.setText(place)
        dock.save_box.name_edit.setText("beads")
        dock.plan_box.setValue(plan(interval_s=20))
        stage.until(dock.run_bar.run_button.isEnabled)
        dock.run_bar.run_button.click()
        stage.until(lambda: dock.run is not None and dock.run.state.value == "waiting")
        made.append(stage.shoot(viewer, folder / "acquire-dock-waiting-dark.png"))
        dock.enqueue()
        dock.save_box.name_edit.setText("control")
        dock.enqueue()
        dock.tabs.setCurrentWidget(dock.queue_view)
        made.append(stage.shoot(viewer, folder / "acquire-dock-queue-dark.png"))
        dock.run_bar.finish_actions["t"].trigger()
        stage.until(lambda: not dock.running and not dock.live.active)
        dock.tabs.setCurrentWidget(dock.reports)
        path = folder / "acquire-dock-after-light.png"
        made.append(stage.shoot(viewer, path, theme="light"))
        for entry in dock.queue.entries:
            dock.queue.remove(entry.number)
    return made


def plan(interval_s: float) -> Any:
    """Return a plan with time, positions, planes and channels."""
    import useq

    return useq.MDASequence(
        axis_order="tpzc",
        time_plan={"interval": interval_s, "loops": 6},
        stage_positions=[(0, 0, 0), (540, 0, 0)],
        z_plan={"range": 4, "step": 2},
        channels=[
            {"config": "DAPI", "exposure": 40},
            {"config": "FITC", "exposure": 60},
        ],
    )
