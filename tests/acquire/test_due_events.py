"""Which events of a run come through, and when no more are wanted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from useq import MDAEvent

from napari_scope.acquire.due_events import DueEvents
from napari_scope.acquire.last_step import LastStep


class Clock:
    cancelled = False
    ahead_s = 0.0

    def __init__(self) -> None:
        self.waits: list[tuple[object, bool, bool]] = []

    def wait(self, until: object, *, reset: bool, held: Any, ended: Any) -> None:
        self.waits.append((until, reset, ended()))


class Core:
    def __init__(self) -> None:
        self.cancelled = 0
        self.status = SimpleNamespace(
            cancel_requested=False, phase=SimpleNamespace(value="acquiring")
        )
        self.mda = SimpleNamespace(
            status=self.status, is_paused=lambda: False, cancel=self._cancel
        )

    def _cancel(self) -> None:
        self.cancelled += 1


def made(processor: Any = None) -> tuple[DueEvents, Core, Any, LastStep]:
    core, clock, last = Core(), Clock(), LastStep()
    due = DueEvents(core, clock, last, processor)  # type: ignore[arg-type]
    return due, core, clock, last


def event(t: int, at: float | None = None) -> MDAEvent:
    return MDAEvent(index={"t": t}, min_start_time=at)


def test_an_event_waits_for_its_time_and_is_not_changed() -> None:
    due, core, clock, _ = made()
    first = event(0, 2.5)
    assert due.wait_for(first) is first
    assert clock.waits == [(2.5, False, False)] and core.cancelled == 0
    due.wait_for(MDAEvent(reset_event_timer=True))
    assert clock.waits[-1] == (None, True, False)


def test_the_runner_is_told_of_waits_that_were_skipped() -> None:
    due, _, clock, _ = made()
    clock.ahead_s = 2.0
    for at, then in ((5.0, 3.0), (1.0, 0.0)):
        found = due.wait_for(event(0, at))
        assert found is not None and found.min_start_time == then
    assert due.wait_for(event(0)) == event(0)


def test_after_the_last_step_nothing_comes() -> None:
    due, _, clock, last = made()
    assert due.wait_for(event(0)) is not None
    last.wish("t")
    assert not due.are_given_up()
    assert due.wait_for(event(0)) is not None  # of the same step
    due.wait_for(event(1))
    assert clock.waits[-1][2]  # its wait is not waited for
    assert due.are_given_up() and due.wait_for(event(2)) is None


def test_who_cancels_while_it_is_set_up_ends_it() -> None:
    due, core, clock, _ = made()
    clock.cancelled = True
    due.wait_for(event(0))
    assert core.cancelled == 1 and due.are_given_up()


@pytest.mark.parametrize("how", ["cancel", "finishing"])
def test_a_runner_that_was_ended_elsewhere(how: str) -> None:
    due, core, _, _ = made()
    assert not due.are_given_up()
    if how == "cancel":
        core.status.cancel_requested = True
    else:
        core.status.phase.value = "finishing"
    assert due.are_given_up()


def test_what_went_wrong_while_processing_is_raised() -> None:
    processor = SimpleNamespace(error=None)
    due, _, _, _ = made(processor)
    assert due.wait_for(event(0)) is not None
    processor.error = ValueError("a bad frame")
    assert due.are_given_up()
    with pytest.raises(ValueError, match="a bad frame"):
        due.wait_for(event(1))
