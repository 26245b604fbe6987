"""The queue of events: copies, generators, the end."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import useq
from tests.threads import Thread

from napari_scope.acquire import EventQueue
from napari_scope.errors import AcquisitionError, PlanError


def event(time_point: int) -> dict[str, Any]:
    return {"axes": {"time": time_point}}


def test_batches() -> None:
    queue = EventQueue()
    sequence = useq.MDASequence(channels=["DAPI"])
    one = useq.MDAEvent(index={"t": 5})
    queue.put(event(0))
    queue.put([event(1), event(2)])
    queue.put((one,))
    queue.put(iter([event(3), [event(4), one], sequence]))
    queue.put(sequence)
    assert not queue.ended
    queue.put(None)
    assert queue.ended
    assert list(queue) == [
        [event(0)],
        [event(1), event(2)],
        [one],
        [event(3)],
        [event(4), one],
        sequence,
        sequence,
    ]
    with pytest.raises(AcquisitionError, match="over"):
        queue.put(event(9))
    queue.put(None)


def test_what_was_put_is_a_copy() -> None:
    queue = EventQueue()
    given = {
        "axes": {"time": 0},
        "channel": {"group": "a", "config": "b"},
        "properties": [["d", "p", "v"]],
        "x": 1.5,
    }
    events = [given]
    queue.put(given)
    queue.put(events)
    given["axes"]["time"] = 7  # type: ignore[index]
    given["channel"]["config"] = "z"  # type: ignore[index]
    given["properties"][0][2] = "w"  # type: ignore[index]
    events.append(event(3))
    queue.put(None)
    (first,), (second,) = queue  # type: ignore[misc]
    assert first == second
    assert first == {
        "axes": {"time": 0},
        "channel": {"group": "a", "config": "b"},
        "properties": [["d", "p", "v"]],
        "x": 1.5,
    }


@pytest.mark.parametrize("wrong", [[], 3, "text", [3], {1, 2}])
def test_what_is_no_event(wrong: Any) -> None:
    with pytest.raises(PlanError):
        EventQueue().put(wrong)


def test_a_generator_is_read_when_the_event_before_was_taken() -> None:
    read = []

    def events() -> Any:
        for number in range(3):
            read.append(number)
            yield event(number)

    queue = EventQueue()
    queue.put(events())
    queue.put(event(9))
    queue.put(None)
    batches = iter(queue)
    for number in range(3):
        assert next(batches) == [event(number)]
        assert read == list(range(number + 1))
    assert next(batches) == [event(9)]


def test_clear_forgets_the_generator_too() -> None:
    queue = EventQueue()
    queue.put(iter([event(0), event(1)]))
    queue.put(event(2))
    batches = iter(queue)
    assert next(batches) == [event(0)]
    queue.clear()
    queue.put(event(3))
    queue.put(None)
    assert list(batches) == [[event(3)]]


def test_the_end_waits_for_those_who_may_still_put_events() -> None:
    busy = threading.Event()
    busy.set()
    queue = EventQueue(busy=busy.is_set)
    queue.put(None)
    found: list[Any] = []
    thread = Thread(lambda: found.extend(queue))
    thread.start()
    time.sleep(0.03)
    queue.put(event(0))
    busy.clear()
    thread.join()
    assert found == [[event(0)]]


def test_close_ends_it_at_once() -> None:
    queue = EventQueue(busy=lambda: True)
    thread = Thread(lambda: list(queue))
    thread.start()
    queue.close()
    thread.join()
    with pytest.raises(AcquisitionError, match="over"):
        queue.put(event(0))


def test_the_hook_changes_drops_and_multiplies() -> None:
    dropped: list[Any] = []

    def changed(given: dict[str, Any]) -> list[Any]:
        number = given["axes"]["time"]
        if number == 0:
            return []
        if number == 1:
            return [event(1), event(11)]
        given["axes"]["time"] = 20
        return [given]

    queue = EventQueue(changed=changed)
    queue.dropped = dropped.append
    queue.put([event(0), event(1), event(2)])
    queue.put(event(0))
    queue.put(None)
    assert list(queue) == [[event(1), event(11), event(20)]]
    assert dropped == [event(0), event(2), event(0)]


def test_the_hook_gets_dictionaries_and_may_keep_them() -> None:
    seen: list[Any] = []

    def changed(given: dict[str, Any]) -> list[Any]:
        seen.append(given)
        return [useq.MDAEvent(index={"t": 1})]

    queue = EventQueue(changed=changed)
    queue.dropped = seen.append
    queue.put(useq.MDASequence(channels=["DAPI"]))
    queue.put({"properties": [["a", "b", "c"]]})
    queue.put(None)
    assert list(queue) == [[useq.MDAEvent(index={"t": 1})]] * 2
    first, drop, second = seen
    assert first["axes"] == {"channel": "DAPI"}
    assert drop == {"axes": {"channel": "DAPI"}}
    assert second == {"properties": [["a", "b", "c"]]}


def test_sequences_are_settled_and_events_placed() -> None:
    queue = EventQueue()
    other = useq.MDASequence(channels=["FITC"])
    queue.settled = lambda sequence: other
    queue.put(useq.MDASequence(channels=["DAPI"]))
    queue.put(None)
    assert list(queue) == [other]
    queue = EventQueue()
    queue.placed = lambda one: {**one, "x": 1}
    queue.put([event(0), useq.MDAEvent(index={"t": 1})])
    queue.put(None)
    ((first, second),) = queue
    assert (first["x"], second["x"]) == (1, 1)
    assert second["axes"] == {"time": 1}
