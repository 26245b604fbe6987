"""Parts of the plan box that need no widgets: files, places that are offered, words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import useq

from napari_scope.errors import PlanError
from napari_scope.events import PLAN_SUFFIXES
from napari_scope.events.files import read_plan_text
from napari_scope.events.plan_text import plan_from_text, sequence_text
from napari_scope.widgets.common.small_files import save_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["note_words", "read_plan", "with_places", "write_plan"]


def read_plan(path: Path) -> tuple[Path, str, str]:
    """Read a file of a plan.

    Returns
    -------
    (Path, str, str)
        The file, whether it is a "sequence" or "events", and its text: yaml of a
        sequence, events as they stand.

    Raises
    ------
    PlanError
        If it cannot be read, or holds neither.
    """
    text = read_plan_text(path)
    is_json = path.suffix.lower() == ".json"
    plan = plan_from_text(text, path=path, is_json=is_json)
    if isinstance(plan, list):
        return path, "events", text
    return path, "sequence", sequence_text(plan) if is_json else text


def write_plan(path: Path, text: str) -> Path:
    """Write the text of a plan as it is; returns the path.

    Raises
    ------
    PlanError
        If it cannot be written.
    """
    if path.suffix.lower() not in PLAN_SUFFIXES:
        raise PlanError(
            f"a plan is saved as one of {', '.join(PLAN_SUFFIXES)}", path=path
        )
    # An empty yaml file is nothing; a plan with nothing in it is a plan.
    return save_text(path, text or "{}\n", "the plan", PlanError)


def with_places(
    plan: useq.MDASequence, kind: str, offered: Any, replace: bool
) -> tuple[useq.MDASequence, str]:
    """Return a plan with a grid or positions that another dock offers, and words.

    Parameters
    ----------
    plan : MDASequence
        The plan as it is.
    kind : {"grid", "positions"}
        What is offered.
    offered : object
        A grid of useq, positions, or a plate.
    replace : bool
        Whether positions replace those that are there.
    """
    is_plate = isinstance(plan.stage_positions, useq.WellPlatePlan)
    changes: dict[str, Any]
    if kind == "grid":
        changes = {"grid_plan": offered}
        if is_plate:
            changes["stage_positions"] = ()
        elif not offered.is_relative:
            # Places in x and y have no meaning beside a grid on the stage.
            changes["stage_positions"] = tuple(
                place.replace(x=None, y=None) for place in plan.stage_positions
            )
        return plan.replace(**changes), "The plan has a new grid"
    before = () if replace or is_plate else tuple(plan.stage_positions)
    if isinstance(offered, useq.WellPlatePlan):
        changes = {"stage_positions": offered, "grid_plan": None}
    else:
        # Those of a grid on the stage have no place of their own.
        before = tuple(place for place in before if place.x is not None)
        # Row and column in a grid are no part of the tables; the place says it all.
        added = (place.replace(grid_row=None, grid_col=None) for place in offered)
        changes = {"stage_positions": (*before, *added)}
        if plan.grid_plan is not None and not plan.grid_plan.is_relative:
            changes["grid_plan"] = None
    count = len(offered)
    noun = "position" if count == 1 else "positions"
    return plan.replace(**changes), f"The plan has {count} new {noun}"


def note_words(wrong: bool, reasons: Sequence[str], carried: Sequence[str]) -> str:
    """Return what the Tables tab says of the text; empty for nothing.

    Parameters
    ----------
    wrong : bool
        Whether the text is no plan.
    reasons : sequence of str
        What the tables cannot show.
    carried : sequence of str
        What they carry along unseen.
    """
    if wrong:
        return "<b>The text is no plan yet.</b> Mend it in the Text tab."
    if reasons:
        lines = "<br>".join(f"• {escape(reason)}" for reason in reasons)
        return (
            "<b>The tables cannot show all of this plan.</b> It is run as the Text "
            f"tab has it.<br>{lines}"
        )
    return f"The Text tab also has {' and '.join(carried)}." if carried else ""
