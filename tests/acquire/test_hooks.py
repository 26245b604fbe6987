"""Hooks of the engine: what they get, what they may give back, and their errors."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import useq
from tests.acquire.scopes import Told, small_frames, until

from napari_scope.acquire import CoreOwner, RunState
from napari_scope.acquire.hooks import EngineHooks, HookError
from napari_scope.errors import PlanError

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

PLAN = [useq.MDAEvent(index={"t": t}, exposure=1) for t in range(4)]
STEPS = ["pre_hardware", "post_hardware", "post_camera"]


@pytest.fixture(autouse=True)
def fast(core: CMMCorePlus) -> None:
    small_frames(core)


def times(run: Told) -> list[Any]:
    return [axes["time"] for axes, _ in run.frames]


@pytest.mark.parametrize("merge", [True, False])
def test_order_and_events(owner: CoreOwner, merge: bool) -> None:
    heard: list[tuple[str, list[int]]] = []

    def hook(name: str) -> Any:
        def called(events: list[useq.MDAEvent]) -> list[useq.MDAEvent]:
            heard.append((name, [e.index["t"] for e in events]))
            return events

        return called

    hooks = EngineHooks(**{name: hook(name) for name in STEPS})
    run = Told(owner, PLAN, hooks=hooks, use_hardware_sequencing=merge)
    assert run.start().wait(30).saved == 4
    groups = [[0, 1, 2, 3]] if merge else [[0], [1], [2], [3]]
    assert heard == [(name, group) for group in groups for name in STEPS]


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("name", STEPS)
def test_an_error_ends_the_run(owner: CoreOwner, name: str, merge: bool) -> None:
    def fail(events: list[useq.MDAEvent]) -> list[useq.MDAEvent]:
        if events[0].index["t"] == 2 or merge:
            raise ZeroDivisionError("my own mistake")
        return events

    hooks = EngineHooks(**{name: fail})
    run = Told(owner, PLAN, hooks=hooks, use_hardware_sequencing=merge).start()
    with pytest.raises(
        HookError, match=rf"{name}_hook_fn raised Zero.*my own"
    ) as caught:
        run.wait(30)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.__cause__.__traceback__ is not None
    assert run.state is RunState.FAILED
    assert times(run) == ([] if merge else [0, 1])
    assert not owner.core.isSequenceRunning()


def test_errors_of_ours_pass(owner: CoreOwner) -> None:
    def fail(events: list[useq.MDAEvent]) -> list[useq.MDAEvent]:
        raise PlanError("not like this")

    with pytest.raises(PlanError, match="not like this"):
        Told(owner, PLAN, hooks=EngineHooks(fail)).start().wait(30)


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("name", ["pre_hardware", "post_hardware"])
def test_dropped_events_keep_their_place(
    owner: CoreOwner, name: str, merge: bool
) -> None:
    def drop(events: list[useq.MDAEvent]) -> list[useq.MDAEvent]:
        return [] if merge else [e for e in events if e.index["t"] != 1]

    hooks = EngineHooks(**{name: drop})
    run = Told(owner, PLAN, hooks=hooks, use_hardware_sequencing=merge)
    report = run.start().wait(30)
    expected = [0, 1, 2, 3] if merge else [1]
    assert [s.axes["time"] for s in report.skipped] == expected
    assert {s.reason for s in report.skipped} == {f"dropped by {name}_hook_fn"}
    assert report.saved == 4 - len(expected)
    assert report.state is RunState.FINISHED


def test_some_of_a_burst_may_be_dropped_before_it(owner: CoreOwner) -> None:
    hooks = EngineHooks(lambda events: [e for e in events if e.index["t"] % 2])
    run = Told(owner, PLAN, hooks=hooks)
    report = run.start().wait(30)
    assert times(run) == [1, 3]
    assert [s.axes["time"] for s in report.skipped] == [0, 2]


def test_but_not_after_the_hardware_is_set(owner: CoreOwner) -> None:
    hooks = EngineHooks(post_hardware=lambda events: events[1:])
    run = Told(owner, PLAN, hooks=hooks).start()
    with pytest.raises(HookError, match="changed the number of events"):
        run.wait(30)


def test_events_may_be_changed_and_multiplied(owner: CoreOwner) -> None:
    def twice(events: list[useq.MDAEvent]) -> list[useq.MDAEvent]:
        (event,) = events
        return [
            event.model_copy(
                update={"index": {**event.index, "z": z}, "z_pos": 2.0 * z}
            )
            for z in range(2)
        ]

    run = Told(owner, iter(PLAN[:2]), hooks=EngineHooks(twice))
    assert run.start().wait(30).saved == 4
    assert [(a["time"], a["z"]) for a, _ in run.frames] == [
        (t, z) for t in range(2) for z in range(2)
    ]
    assert [f["z_um_intended"] for _, f in run.frames] == [0, 2] * 2


def test_what_is_stored_may_be_changed_last(owner: CoreOwner) -> None:
    def later(events: list[useq.MDAEvent]) -> list[useq.MDAEvent]:
        return [e.model_copy(update={"index": {"t": 3 - e.index["t"]}}) for e in events]

    hooks = EngineHooks(post_hardware=later)
    run = Told(owner, PLAN, hooks=hooks)
    assert run.start().wait(30).saved == 4
    assert times(run) == [3, 2, 1, 0]


def test_the_camera_exposes_while_its_hook_runs(
    owner: CoreOwner, core: CMMCorePlus
) -> None:
    """As with a trigger that the hook gives."""
    triggered, exposing = threading.Event(), threading.Event()
    snap = core.snapImage

    def wait_for_trigger() -> None:
        exposing.set()
        assert triggered.wait(20)
        snap()

    def trigger(events: list[useq.MDAEvent]) -> list[useq.MDAEvent]:
        until(exposing.is_set)
        triggered.set()
        return events

    core.snapImage = wait_for_trigger  # type: ignore[method-assign]
    run = Told(owner, PLAN[:1], hooks=EngineHooks(post_camera=trigger))
    assert run.start().wait(30).saved == 1
