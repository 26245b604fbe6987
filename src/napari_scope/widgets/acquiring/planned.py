"""What the boxes of the Acquire dock say, as a run that is ready to start."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from napari_scope.acquire import Output, output_path
from napari_scope.acquire.hook_files import check_unchanged
from napari_scope.acquire.planned_run import PlannedRun

if TYPE_CHECKING:
    from napari_scope.events import Estimate
    from napari_scope.widgets.acquiring.plan_box import PlanBox
    from napari_scope.widgets.acquiring.save_box import SaveBox

__all__ = ["planned_run"]


def planned_run(
    plan_box: PlanBox, save_box: SaveBox, found: Estimate | None
) -> PlannedRun:
    """Return the run that the boxes describe; no disk is looked at.

    Parameters
    ----------
    plan_box, save_box
        The boxes.
    found : Estimate, optional
        What is known of the size of the plan.

    Raises
    ------
    ScopeError
        What is wrong with the plan, the name or the folder.
    """
    wish = save_box.wish()
    wish.check()
    outputs = tuple(
        Output(output_path(wish.path, wish.name, kind), kind, **asdict(packing))
        for kind, packing in wish.formats
    )
    hook_files = plan_box.hook_files.value()
    return PlannedRun(
        plan_box.plan(),
        wish.name,
        wish.path,
        outputs,
        save_box.durable_s(),
        hooks=plan_box.hooks(),
        actions=plan_box.custom_actions(),
        processor=plan_box.processor(),
        check=partial(check_unchanged, hook_files) if hook_files else None,
        frames=None if found is None else found.frames,
        size=None if found is None else found.bytes,
        duration_s=None if found is None else found.duration_s,
    )
