"""Every event of a plan that would be refused, not only the first.

Examples
--------
>>> for refused in refused_events([{"axes": {}}, {"exposre": 1}, {"axes": {}}]):
...     print(refused.number, refused.reason)
1 unknown key 'exposre' found in the event: did you mean 'exposure'?
2 the plan takes the frame {} twice
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from useq import MDAEvent, MDASequence

from napari_scope.errors import PlanError
from napari_scope.events.axes import AxisNaming
from napari_scope.events.intake import Intake
from napari_scope.events.layout import LayoutScan
from napari_scope.events.plan import Plan

if TYPE_CHECKING:
    from napari_scope.events.plan import PlanLike

__all__ = ["RefusedEvent", "refused_events"]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that cannot be run.

    Parameters
    ----------
    number : int
        Which event of the plan it is, counted from 0.
    reason : str
        What is wrong with it, and what to do.
    """

    number: int
    reason: str


def refused_events(plan: PlanLike | Plan) -> list[RefusedEvent]:
    """Return all events of a finite plan that would be refused.

    Raises
    ------
    PlanError
        For a generator, whose events are not known before it runs, and for what is no
        plan at all.
    """
    if isinstance(plan, MDAEvent | Mapping):
        plan = [plan]
    if isinstance(plan, Plan | MDASequence) or not isinstance(plan, Iterable):
        plan = Plan.from_any(plan)
        if _is_fine(plan):
            return []
        return _refused(list(enumerate(_known(plan.source))), plan.naming)
    refused: list[RefusedEvent] = []
    events: list[tuple[int, MDAEvent]] = []
    intake = Intake(numbered=False)
    for number, item in enumerate(_known(plan)):
        try:
            events.append((number, intake.event(item)))
        except PlanError as error:
            refused.append(RefusedEvent(number, str(error)))
    refused += _refused(events, AxisNaming(event for _, event in events))
    return sorted(refused, key=lambda event: event.number)


def _known(events: Iterable[T]) -> Iterable[T]:
    if isinstance(events, Iterator):
        raise PlanError("the events of a generator are not known before it runs")
    return events


def _is_fine(plan: Plan) -> bool:
    """Return whether nothing is refused; of a long time lapse two points tell."""
    if not plan.is_finite:
        return False
    try:
        plan.layout()
    except PlanError:
        return False
    return True


def _refused(
    events: list[tuple[int, MDAEvent]], naming: AxisNaming
) -> list[RefusedEvent]:
    """Return the events whose frames cannot be stored beside those before them."""
    found = []
    scan = LayoutScan(naming)
    for number, event in events:
        try:
            scan.add(event)
        except PlanError as error:
            found.append(RefusedEvent(number, str(error)))
    return found
