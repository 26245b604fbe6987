"""What the Acquire dock keeps from session to session: plan, queue, and where it saves.

A stored plan waits until the tables know the channels of the microscope; until then it
is what is stored again. Nothing is started by what is restored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_scope.errors import ScopeError

if TYPE_CHECKING:
    from napari_scope.acquire.run_queue import RunQueue
    from napari_scope.widgets.acquiring.plan_box import PlanBox
    from napari_scope.widgets.acquiring.save_box import SaveBox

__all__ = ["KeptState"]


class KeptState:
    """Stores and restores the boxes of the dock.

    Parameters
    ----------
    plan_box, queue, save_box
        Whose state it is.
    """

    def __init__(self, plan_box: PlanBox, queue: RunQueue, save_box: SaveBox) -> None:
        self._plan_box = plan_box
        self._queue = queue
        self._save_box = save_box
        self._plan: dict[str, Any] = {}

    def state(self) -> dict[str, Any]:
        """Return what is to be kept, as plain JSON."""
        return {
            "plan": self._plan or self._plan_box.state(),
            "queue": self._queue.to_json(),
            "pause_between": self._queue.pause_between,
            "go_on_after_failure": self._queue.go_on_after_failure,
            "save": self._save_box.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what was kept; the plan follows with `take_up_plan`."""
        self._plan = dict(state.get("plan") or {})
        if not self._queue.entries:
            # The queue of this program's other docks counts more than a stored one.
            self._queue.restore(state.get("queue"))
            self._queue.pause_between = bool(state.get("pause_between"))
            self._queue.go_on_after_failure = bool(state.get("go_on_after_failure"))
        if isinstance(state.get("save"), dict):
            self._save_box.restore(state["save"])

    def take_up_plan(self) -> None:
        """Put the plan that waits, if there is one, into the tables."""
        stored, self._plan = self._plan, {}
        if not stored:
            return
        try:
            self._plan_box.restore(stored)
        except (ScopeError, ValueError, TypeError, KeyError, AttributeError):
            return  # of another version, or for another microscope
