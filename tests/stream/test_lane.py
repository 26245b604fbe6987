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
    for number in range(300):
        lane.put(FrameItem(Address(0, (number,)), {"time": number}, frame_of(number)))
    sink.gate.set()
    lane.finish()
    assert sum(done) == 300
    assert max(sink.sizes) == most
    assert lane.saved == 305


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


class Ahead(MemorySink):
    """Prepares as many frames as it says; they are ready when a test says so."""

    def __init__(self, frames: int) -> None:
        super().__init__(1 << 30)
        self.ahead = frames * frame_of(0).nbytes
        self.begun: list[int] = []
        self.ready: set[int] = set()
        self.changed = threading.Condition()
        self.batches: list[list[int]] = []
        self.gate = threading.Event()

    def prepare(self, item: FrameItem) -> None:
        assert self.gate.wait(30)
        if item.number == 13:
            raise OSError(28, "No space left on device")
        with self.changed:
            self.begun.append(item.number)
            self.changed.notify_all()

    def prepared(self, item: FrameItem, *, wait: bool) -> bool:
        with self.changed:
            if wait and item.frame is not None:
                assert self.changed.wait_for(lambda: item.number in self.ready, 30)
            return item.frame is None or item.number in self.ready

    def finish(self, *numbers: int) -> None:
        with self.changed:
            self.ready |= set(numbers)
            self.changed.notify_all()

    def write(self, items: Sequence[FrameItem], spec: Any) -> None:
        self.batches.append([item.number for item in items])


def ahead_lane(sink: Ahead, done: list[tuple[int, bool]]) -> Lane:
    return Lane(
        sink,
        spec=make_spec,
        done=lambda items, ok: done.extend((item.number, ok) for item in items),
        failed=lambda *_: None,
    )


def item(number: int, *, pixels: bool = True) -> FrameItem:
    frame = frame_of(number) if pixels else None
    status = "saved" if pixels else "skipped"
    address = Address(0, (number,))
    return FrameItem(address, {"time": number}, frame, status=status, number=number)


def test_the_next_frames_are_begun_while_one_is_not_ready() -> None:
    sink, done = Ahead(3), []  # type: ignore[var-annotated]
    lane = ahead_lane(sink, done)
    for number in range(8):
        lane.put(item(number, pixels=number != 1))
    mark = lane.mark()
    sink.gate.set()
    wait_until(lambda: len(sink.begun) == 3)
    sink.finish(2, 3)
    assert sink.batches == [], "they wait for the one before them"
    assert not mark.is_set()
    sink.finish(0)
    wait_until(lambda: len(sink.begun) == 6)
    assert sink.batches == [[0, 1, 2, 3]]
    sink.finish(5, 6, 7)
    assert not mark.is_set()
    sink.finish(4)
    assert mark.wait(30)
    lane.finish()
    assert sink.batches == [[0, 1, 2, 3], [4, 5, 6], [7]]
    assert sink.begun == [0, 2, 3, 4, 5, 6, 7]
    assert done == [(number, True) for number in range(8)]
    assert lane.saved == 7


def test_what_cannot_be_prepared_ends_the_lane_and_nothing_waits_for_it() -> None:
    sink, done = Ahead(3), []  # type: ignore[var-annotated]
    lane = ahead_lane(sink, done)
    sink.finish(10, 11)
    for number in range(10, 20):
        lane.put(item(number))
    sink.gate.set()
    mark = lane.mark()
    assert mark.wait(30)
    lane.finish()
    assert [number for number, _ in done] == list(range(10, 20))
    assert not done[-1][1]
    assert lane.saved == sum(ok for _, ok in done) <= 2
    assert 12 not in {number for batch in sink.batches for number in batch}
