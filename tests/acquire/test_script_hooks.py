"""Hooks of scripts: what they are given, and what becomes of what they return."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq

from napari_scope.acquire import Acquisition, CoreOwner, HookError, cancel_runs
from napari_scope.acquire.script_hooks import arity, hook_result, image_results
from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HARDWARE = ("pre_hardware_hook_fn", "post_hardware_hook_fn", "post_camera_hook_fn")
HOOKS = ("event_generation_hook_fn", *HARDWARE)


@pytest.fixture(autouse=True)
def nothing_goes_on(quick: CoreOwner) -> Iterator[None]:
    yield
    cancel_runs(quick.core)


def times(count: int) -> list[dict[str, Any]]:
    return [{"axes": {"time": t}, "exposure": 2.0} for t in range(count)]


class Method:
    def two(self, a: object, b: object) -> None: ...

    def __call__(self, a: object) -> None: ...


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (lambda a: None, 1),
        (lambda a, b: None, 2),
        (lambda a, b=1: None, 2),
        (lambda a, b, c, d=1: None, 3),
        (lambda *a: None, 1),
        (lambda a, b, *c: None, 2),
        (lambda a, *, k=1: None, 1),
        (Method().two, 2),
        (Method(), 1),
        (functools.partial(lambda a, b: None, 1), 1),
        (print, 1),
    ],
)
def test_arity(function: Callable[..., Any], count: int) -> None:
    assert arity(function, "hook", 3) == count


@pytest.mark.parametrize(
    ("function", "least", "said"),
    [
        (lambda: None, 1, "takes 0 arguments, expected 1 to 3"),
        (lambda a, b, c, d: None, 1, "takes 4 arguments"),
        (lambda a: None, 3, "expected 3"),
        ("text", 1, "not callable"),
        (None, 1, "not callable"),
    ],
)
def test_wrong_arity(function: Any, least: int, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        arity(function, "hook", 3, least)


def test_any_arguments_are_as_few_as_possible() -> None:
    assert arity(lambda *a: None, "image_process_fn", 4, 2) == 2


def test_results() -> None:
    event = useq.MDAEvent()
    assert hook_result(None, "hook") == []
    assert hook_result({}, "hook") == [{}]
    assert hook_result([event, {}], "hook") == [event, {}]
    assert hook_result((event,), "hook") == [event]
    for wrong in (3, "text", [3], [None]):
        with pytest.raises(HookError, match="hook returned a"):
            hook_result(wrong, "hook")
    image = np.zeros((2, 2))
    assert image_results(None) == []
    assert image_results([(image, {})]) == [(image, {})]


@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_hooks_are_given(quick: CoreOwner, name: str, count: int) -> None:
    given: list[Any] = []

    def note(*arguments: Any) -> Any:
        given.append(arguments)
        return arguments[0]

    hooks: dict[int, Callable[..., Any]] = {
        1: lambda e: note(e),
        2: lambda e, q: note(e, q),
        3: lambda e, c, q: note(e, c, q),
    }
    with Acquisition(core=quick, **{name: hooks[count]}) as acquisition:
        acquisition.acquire({"axes": {"time": 3, "view": "left"}, "exposure": 2.0})
    (arguments,) = given
    assert arguments[0] == {"axes": {"time": 3, "view": "left"}, "exposure": 2.0}
    more = (quick.core, acquisition.queue)
    assert arguments[1:] == ((), more[1:], more)[count - 1]


@pytest.mark.parametrize("name", HARDWARE)
@pytest.mark.parametrize("sequencing", [True, False])
def test_batches_are_seen_as_they_are(
    quick: CoreOwner, name: str, sequencing: bool
) -> None:
    seen: list[Any] = []

    def look(event: Any) -> Any:
        seen.append(event)
        return event

    with Acquisition(
        core=quick, hardware_sequencing=sequencing, **{name: look}
    ) as acquisition:
        acquisition.acquire(times(3))
    assert seen == ([times(3)] if sequencing else times(3))


def test_the_generation_hook_sees_single_events(quick: CoreOwner) -> None:
    seen: list[Any] = []

    def look(event: Any) -> Any:
        seen.append(event["axes"]["time"])
        return event

    batches: list[Any] = []

    def before(events: Any) -> Any:
        batches.append(len(events))
        return events

    with Acquisition(
        core=quick, event_generation_hook_fn=look, pre_hardware_hook_fn=before
    ) as acquisition:
        acquisition.acquire(times(3))
    assert seen == [0, 1, 2]
    assert batches == [3]  # what it passes on is merged


@pytest.mark.parametrize("name", HOOKS[:2])
@pytest.mark.parametrize("sequencing", [True, False])
def test_events_are_changed_dropped_and_multiplied(
    quick: CoreOwner, name: str, sequencing: bool
) -> None:
    def change(event: dict[str, Any]) -> Any:
        time_point = event["axes"]["time"]
        if time_point == 0:
            return None
        if time_point == 1:
            event["exposure"] = 7.0
            return event
        return [{"axes": {"time": 2, "copy": c}, "exposure": 2.0} for c in range(2)]

    def hook(given: Any) -> Any:
        if isinstance(given, dict):
            return change(given)
        found: list[Any] = []
        for event in given:
            result = change(event)
            found += result if isinstance(result, list) else [result] * bool(result)
        return found

    with Acquisition(
        core=quick, hardware_sequencing=sequencing, **{name: hook}
    ) as acquisition:
        acquisition.acquire(times(3))
    dataset = acquisition.get_dataset()
    assert dataset.get_index_keys() == [
        {"time": 1},
        {"time": 2, "copy": 0},
        {"time": 2, "copy": 1},
    ]
    assert dataset.read_metadata(time=1)["Exposure"] == 7.0


def test_what_the_post_hardware_hook_may_do(quick: CoreOwner) -> None:
    def hook(event: Any) -> Any:
        if event["axes"]["time"] == 1:
            return None
        event["tags"] = {"note": "set"}
        return event

    with Acquisition(
        core=quick, hardware_sequencing=False, post_hardware_hook_fn=hook
    ) as acquisition:
        acquisition.acquire(times(3))
    dataset = acquisition.get_dataset()
    assert dataset.axes == {"time": [0, 2]}
    facts = dataset.read_metadata(time=2)
    assert facts["event_metadata"]["note"] == "set"


def test_a_part_of_a_sequence_cannot_be_dropped_when_it_is_set(
    quick: CoreOwner,
) -> None:
    with (
        pytest.raises(HookError, match="number of events"),
        Acquisition(
            core=quick, post_hardware_hook_fn=lambda events: events[:2]
        ) as acquisition,
    ):
        acquisition.acquire(times(3))


@pytest.mark.parametrize("returned", [None, 3, [], "text"])
def test_what_the_post_camera_hook_returns_is_not_used(
    quick: CoreOwner, returned: Any
) -> None:
    with Acquisition(
        core=quick, post_camera_hook_fn=lambda event: returned
    ) as acquisition:
        acquisition.acquire(times(2))
        acquisition.acquire({"axes": {"time": 2}})
    assert len(acquisition.get_dataset().get_index_keys()) == 3


@pytest.mark.parametrize("name", HOOKS[:3])
@pytest.mark.parametrize(
    ("returned", "said"),
    [(3, "returned a int"), ({"axes": {}, "exposre": 1}, "exposre")],
)
def test_what_is_no_event(
    quick: CoreOwner, name: str, returned: Any, said: str
) -> None:
    acquisition = Acquisition(core=quick, **{name: lambda event: returned})
    acquisition.acquire({"axes": {}})
    acquisition.mark_finished()
    with pytest.raises(Exception, match=said):
        acquisition.await_completion()


def test_an_event_that_is_not_touched_stays_the_same(quick: CoreOwner) -> None:
    """What a dictionary cannot say must survive a hook that only looks."""
    event = useq.MDAEvent(index={"t": 0}, metadata={"deep": {"er": [1]}})
    with Acquisition(core=quick, pre_hardware_hook_fn=lambda e: e) as acquisition:
        acquisition.acquire(event)
    facts = acquisition.get_dataset().read_metadata(time=0)
    assert facts["event_metadata"] == {"deep": {"er": [1]}}
