"""Where other docks put positions, grids and plans for the Acquire dock.

One inbox for each microscope. What is offered while no dock takes it waits for the
first one. The map of the Stage dock learns here what is planned.

Examples
--------
>>> inbox = PlanInbox.of(microscope)  # doctest: +SKIP
>>> inbox.offer_positions([useq.Position(x=1, y=2, name="a")])  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import useq

__all__ = ["PlanInbox"]

_MOST_WAITING = 100


class PlanInbox(QObject):
    """Hands plans and parts of them to whoever edits the plan.

    Attributes
    ----------
    plan_changed : Signal
        Another plan is being edited; carries a ``MDASequence``, or None if it is a
        script.
    """

    plan_changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._takers: list[Callable[[str, Any, bool], None]] = []
        self._waiting: list[tuple[str, Any, bool]] = []
        self._planned: useq.MDASequence | None = None

    @classmethod
    def of(cls, microscope: QObject) -> PlanInbox:
        """Return the inbox of a microscope; made when first asked for."""
        for child in microscope.children():
            if isinstance(child, cls):
                return child
        return cls(microscope)

    # ---- for those who offer

    @property
    def planned(self) -> useq.MDASequence | None:
        """What is planned now; None for nothing, and for a script."""
        return self._planned

    def offer_positions(
        self,
        positions: Sequence[useq.Position] | useq.WellPlatePlan,
        *,
        replace: bool = False,
    ) -> None:
        """Offer positions; they are added to those of the plan, or replace them."""
        self._offer("positions", positions, replace)

    def offer_grid(self, grid: Any) -> None:
        """Offer a grid of any kind that useq has; it replaces that of the plan."""
        self._offer("grid", grid, True)

    def offer_plan(self, plan: useq.MDASequence) -> None:
        """Offer a whole plan."""
        self._offer("plan", plan, True)

    # ---- for those who take

    def take(self, taker: Callable[[str, Any, bool], None]) -> None:
        """Take what is offered from now on, and what waits.

        Parameters
        ----------
        taker : callable
            Gets the kind (positions, grid, plan), the object, and whether it replaces.
        """
        self._takers.append(taker)
        waiting, self._waiting = self._waiting, []
        for kind, offered, replace in waiting:
            taker(kind, offered, replace)

    def leave(self, taker: Callable[[str, Any, bool], None]) -> None:
        """Take nothing any more."""
        if taker in self._takers:
            self._takers.remove(taker)

    def tell(self, plan: useq.MDASequence | None) -> None:
        """Tell what is planned now."""
        self._planned = plan
        self.plan_changed.emit(plan)

    def _offer(self, kind: str, offered: Any, replace: bool) -> None:
        if self._takers:
            self._takers[-1](kind, offered, replace)
            return
        self._waiting = [*self._waiting, (kind, offered, replace)][-_MOST_WAITING:]
