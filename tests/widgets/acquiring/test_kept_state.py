"""What the Acquire dock keeps: nothing is lost while the plan waits."""

from __future__ import annotations

from typing import Any

import pytest

from napari_scope.errors import PlanError
from napari_scope.widgets.acquiring.kept_state import KeptState


class Box:
    def __init__(self, state: dict[str, Any]) -> None:
        self.kept = state
        self.error: Exception | None = None

    def state(self) -> dict[str, Any]:
        return self.kept

    def restore(self, state: dict[str, Any]) -> None:
        if self.error is not None:
            raise self.error
        self.kept = state


class Queue:
    def __init__(self) -> None:
        self.entries: list[object] = []
        self.pause_between = self.go_on_after_failure = False

    def to_json(self) -> list[object]:
        return list(self.entries)

    def restore(self, stored: Any) -> None:
        self.entries = list(stored or [])


def made() -> tuple[KeptState, Box, Any, Box]:
    plan, queue, save = Box({"z": 1}), Queue(), Box({"to": "/a"})
    return KeptState(plan, queue, save), plan, queue, save  # type: ignore[arg-type]


STORED = {
    "plan": {"z": 7},
    "queue": ["one"],
    "pause_between": True,
    "go_on_after_failure": True,
    "save": {"to": "/b"},
}


def test_all_is_kept_and_comes_back() -> None:
    state, plan, queue, save = made()
    state.restore(STORED)
    # The channels of the microscope are not known yet.
    assert plan.kept == {"z": 1} and state.state() == STORED
    state.take_up_plan()
    assert plan.kept == {"z": 7} and save.kept == {"to": "/b"}
    assert queue.pause_between and queue.go_on_after_failure
    plan.kept = {"z": 8}  # the user goes on
    state.take_up_plan()
    assert state.state() == {**STORED, "plan": {"z": 8}}


def test_a_queue_that_is_there_counts_more() -> None:
    state, _, queue, _ = made()
    queue.entries = ["mine"]
    state.restore(STORED)
    assert queue.entries == ["mine"] and not queue.pause_between


def test_what_another_version_stored_does_no_harm() -> None:
    state, plan, queue, save = made()
    state.restore({"save": 3, "plan": None})
    state.take_up_plan()
    assert plan.kept == {"z": 1} and save.kept == {"to": "/a"} and not queue.entries


@pytest.mark.parametrize("error", [PlanError("no"), KeyError("z"), TypeError("z")])
def test_a_plan_for_another_microscope_is_forgotten(error: Exception) -> None:
    state, plan, _, _ = made()
    plan.error = error
    state.restore(STORED)
    state.take_up_plan()
    assert state.state()["plan"] == {"z": 1}
