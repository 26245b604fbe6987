"""What a plan leaves to the microscope: where it is now.

A plan without positions starts where the stage is, positions without z at the focus as
it is, an autofocus without an offset with the present one.
"""

from __future__ import annotations

from typing import Any

import useq

__all__ = ["completed", "full_order", "with_one_focus"]


def full_order(used: str, before: str = "") -> str:
    """Return an order of all axes from that of the axes that are used.

    A position's own plan may use axes that the plan does not: where the plan had an
    order that agrees, it stays.

    >>> full_order("pc", "tpcgz")
    'tpcgz'

    >>> full_order("zc"), full_order("tcz"), full_order("")
    ('tpgzc', 'tpgcz', 'tpgcz')
    """
    if len(before) == 5 and "".join(a for a in before if a in used) == used:
        return before
    order = used
    if "t" not in order:
        order = f"t{order}"
    if "p" not in order:
        order = f"tp{order[1:]}" if order.startswith("t") else f"p{order}"
    if "g" not in order:
        order = order.replace("p", "pg")
    if "c" not in order:
        order = order.replace("z", "cz") if "z" in order else f"{order}c"
    return order if "z" in order else f"{order}z"


def completed(plan: useq.MDASequence, core: Any) -> useq.MDASequence:
    """Return a plan with what it leaves to the microscope as it is now.

    A plan without positions gets that of the stage: relative z stacks and grids would
    otherwise be taken around zero.

    Parameters
    ----------
    plan : MDASequence
        The plan.
    core : GuiCore or CMMCorePlus
        The microscope.
    """
    changes: dict[str, Any] = {}
    focus = plan.autofocus_plan
    if focus and focus.autofocus_motor_offset is None and core.getAutoFocusDevice():
        offset = core.getAutoFocusOffset()
        changes["autofocus_plan"] = focus.replace(autofocus_motor_offset=offset)
    if isinstance(plan.stage_positions, useq.WellPlatePlan):
        pass  # a plate has no z
    elif not plan.stage_positions and (plan.z_plan or plan.grid_plan):
        changes["stage_positions"] = (_here(plan, core),)
        if "p" not in map(str, plan.axis_order):
            order = "".join(map(str, plan.axis_order))
            changes["axis_order"] = full_order(order)
    elif plan.z_plan and plan.z_plan.is_relative:
        if any(position.z is None for position in plan.stage_positions):
            changes["stage_positions"] = _at_this_focus(plan, core)
    return plan.replace(**changes) if changes else plan


def with_one_focus(plan: useq.MDASequence, core: Any) -> useq.MDASequence:
    """Return a plan whose positions all have a z, if one of them has."""
    if len({position.z is None for position in plan.stage_positions}) < 2:
        return plan
    return plan.replace(stage_positions=_at_this_focus(plan, core))


def _here(plan: useq.MDASequence, core: Any) -> useq.Position:
    stage, focus = core.getXYStageDevice(), core.getFocusDevice()
    absolute = plan.grid_plan is not None and not plan.grid_plan.is_relative
    with_xy = bool(stage) and not absolute
    return useq.Position(
        x=core.getXPosition() if with_xy else None,
        y=core.getYPosition() if with_xy else None,
        z=core.getPosition() if focus else None,
    )


def _at_this_focus(plan: useq.MDASequence, core: Any) -> tuple[useq.Position, ...]:
    z = core.getPosition() if core.getFocusDevice() else None
    return tuple(
        position.replace(z=z) if position.z is None else position
        for position in plan.stage_positions
    )
