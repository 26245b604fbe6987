"""A lane: batches as large as there is room, and small ones while frames pile up."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.stream.streams import FailingSink, frame_of, make_spec
from tests.threads import Thread, wait_until

from napari_scope.errors import StreamError
from napari_scope.stream import Address, MemorySink, Stream
from napari_scope.stream import intake as intake_module
from napari_scope.stream.lane import Lane
from napari_scope.stream.sinks import FrameItem

if TYPE_CHECKING:
    from collections.abc import Sequence


class Batches(MemorySink):
    """Notes how many items come at once; the first waits for a gate."""

    def __init__(self) -> None:
        super().__init__(1 << 30)
        self.gate = threading.Event()
        self.sizes: list[int] = []

    def write(self, items: Sequence[FrameItem], spec: Any) -> None:
        assert self.gate.wait(30)
        self.sizes.append(len(items))


@pytest.mark.parametrize(("full", "most"), [(False, 64), (True, 3)])
def test_batches_are_small_while_frames_pile_up(full: bool, most: int) -> None:
    sink = Batches()
    sink.under_pressure = lambda: full
    done: list[int] = []
    lane = Lane(
        sink,
        spec=make_spec,
        done=lambda items, committed: done.append(len(items)),
        failed=lambda *_: None,
        saved=5,
        few=3,
    )
    for number in range(100):
        lane.put(FrameItem(Address(0, (number,)), {"time": number}, frame_of(number)))
    sink.gate.set()
    lane.finish()
    assert sum(done) == 100
    assert max(sink.sizes) == most
    assert lane.saved == 105


def test_frames_that_do_not_come_are_held_back_when_they_are_very_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "_MOST_NOTES", 10)
    sink = Batches()
    stream = Stream(make_spec({"time": 500}), [sink])
    skipping = Thread(target=lambda: stream.skip(400))
    skipping.start()
    wait_until(lambda: stream.stats().skipped >= 10)
    (lane,) = stream._intake.lanes
    # One batch may have been taken up; the rest waits outside.
    assert lane.waiting <= 10
    assert stream.stats().skipped <= 10 + 64
    sink.gate.set()
    skipping.join()
    stream.close()
    assert stream.stats().skipped == 400
    assert sum(sink.sizes) == 400


def test_an_error_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "_MOST_NOTES", 10)
    sink = FailingSink(0)
    sink.gate.clear()
    stream = Stream(make_spec({"time": 500}), [sink])
    caught: list[BaseException] = []

    def skip() -> None:
        try:
            stream.skip(400)
        except StreamError as error:
            caught.append(error)

    skipping = Thread(target=skip)
    skipping.start()
    wait_until(lambda: stream.stats().skipped >= 10)
    sink.gate.set()
    skipping.join()
    assert len(caught) == 1
    with pytest.raises(StreamError):
        stream.close()
