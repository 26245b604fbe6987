"""When the levels are made, of which pixels, and how much waits in memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.stream.streams import frame_of

from napari_scope.arrays import halve
from napari_scope.errors import FormatError
from napari_scope.stream import Address
from napari_scope.stream.sinks import pyramid
from napari_scope.stream.sinks.pyramid import PyramidWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FRAME = (16, 24)
FRAME_BYTES = 16 * 24 * 2


def place(number: int) -> Address:
    return Address(0, (number,))


class Store:
    """What the worker reads from and writes to; its writing waits for a gate."""

    def __init__(self, count: int = 0) -> None:
        self.frames = {place(n): frame_of(n, FRAME) for n in range(count)}
        self.read: list[Address] = []
        self.levels: dict[tuple[int, int], Any] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.in_write = threading.Event()

    def get(self, address: Address) -> Any:
        self.read.append(address)
        if self.error is not None:
            raise self.error
        return self.frames.get(address)

    def write(self, level: int, frames: Sequence[tuple[Address, Any]]) -> None:
        self.in_write.set()
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error
        for address, frame in frames:
            assert (level, address.index[0]) not in self.levels, "once"
            self.levels[level, address.index[0]] = frame

    def check(self, count: int) -> None:
        assert sorted(self.levels) == [(lv, n) for lv in (1, 2) for n in range(count)]
        for (level, number), found in self.levels.items():
            expected: Any = frame_of(number, FRAME)
            for _ in range(level):
                expected = halve(expected)
            np.testing.assert_array_equal(found, expected)


class Gate:
    """A pressure that tests turn on and off."""

    def __init__(self, on: bool = False) -> None:
        self.on = on

    def __call__(self) -> bool:
        return self.on


@pytest.fixture
def make() -> Iterator[Callable[..., PyramidWorker]]:
    workers = []

    def made(store: Store, pressure: Callable[[], bool] = Gate()) -> PyramidWorker:  # noqa: B008
        worker = PyramidWorker(store.get, store.write, 3, FRAME_BYTES, pressure)
        workers.append((worker, store))
        return worker

    yield made
    for worker, store in workers:
        store.gate.set()
        worker.abort()


def lend(worker: PyramidWorker, *numbers: int) -> None:
    """Lend frames in buffers that are used for something else afterwards."""
    buffers = [frame_of(n, FRAME) for n in numbers]
    worker.lend((place(n), b) for n, b in zip(numbers, buffers, strict=True))
    worker.take_back()
    for buffer in buffers:
        buffer[...] = 0


def test_a_lent_frame_is_never_read_back(make: Callable[..., PyramidWorker]) -> None:
    store = Store()
    worker = make(store)
    for number in range(0, 40, 8):
        lend(worker, *range(number, number + 8))
    worker.finish()
    store.check(40)
    assert store.read == []


def test_under_pressure_frames_are_noted_and_read_at_the_end(
    make: Callable[..., PyramidWorker],
) -> None:
    store, pressure = Store(6), Gate(True)
    worker = make(store, pressure)
    lend(worker, 0, 1, 2)
    worker.add(place(3), place(4), place(5))
    assert not store.in_write.wait(0.1)
    assert not store.levels
    worker.finish()
    store.check(6)
    assert store.read == [place(n) for n in range(6)]


def test_it_goes_on_when_the_pressure_is_gone(
    make: Callable[..., PyramidWorker],
) -> None:
    store, pressure = Store(2), Gate(True)
    worker = make(store, pressure)
    worker.add(place(0), place(1))
    pressure.on = False
    assert store.in_write.wait(30), "nobody tells it, it looks"
    worker.finish()
    store.check(2)


def test_what_waits_in_memory_has_a_bound(
    make: Callable[..., PyramidWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyramid, "_MOST_BYTES", 3 * FRAME_BYTES // 4)
    store = Store(20)
    store.gate.clear()
    worker = make(store)
    for number in range(20):
        lend(worker, number)
        assert worker._held <= 3
    assert len(worker._noted) == 17
    store.gate.set()
    worker.finish()
    store.check(20)
    assert len(store.read) == 17
    assert worker._held == 0


def test_a_frame_larger_than_the_bound_is_halved_too(
    make: Callable[..., PyramidWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyramid, "_MOST_BYTES", 1)
    store = Store()
    worker = make(store)
    lend(worker, 0)
    worker.finish()
    store.check(1)


def test_who_takes_frames_back_waits_for_the_one_that_is_halved(
    make: Callable[..., PyramidWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go = threading.Event(), threading.Event()

    def slow(frame: Any) -> Any:
        if frame.shape == FRAME:
            entered.set()
            assert go.wait(30)
        return halve(frame)

    monkeypatch.setattr(pyramid, "halve", slow)
    store = Store(1)
    worker = make(store)
    worker.lend([(place(0), frame_of(0, FRAME))])
    assert entered.wait(30)
    back = threading.Event()

    def take_back() -> None:
        worker.take_back()
        back.set()

    thread = threading.Thread(target=take_back)
    thread.start()
    assert not back.wait(0.1)
    go.set()
    thread.join()
    worker.finish()
    store.check(1)


def test_abort_makes_nothing_more(make: Callable[..., PyramidWorker]) -> None:
    store = Store(2)
    worker = make(store, Gate(True))
    worker.add(place(0))
    worker.abort()
    lend(worker, 1)
    assert not store.levels


@pytest.mark.parametrize("lent", [False, True])
def test_what_stops_it_is_raised(
    make: Callable[..., PyramidWorker], lent: bool
) -> None:
    store = Store(3)
    store.error = FormatError("cut")
    worker = make(store)
    if lent:
        lend(worker, 0)
    else:
        worker.add(place(0))
    with pytest.raises(FormatError):
        worker.finish()
    lend(worker, 1, 2)  # nobody waits for a thread that is gone
    with pytest.raises(FormatError):
        worker.add()
