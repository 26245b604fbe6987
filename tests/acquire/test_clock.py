"""The clock of a plan, with a time that only the test moves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from napari_scope.acquire.clock import PlanClock
from napari_scope.acquire.pull import Puller

if TYPE_CHECKING:
    from collections.abc import Iterator


class Time:
    """A time that goes on by a step at each look."""

    def __init__(self, step: float) -> None:
        self.value = 100.0
        self.step = step

    def __call__(self) -> float:
        self.value += self.step
        return self.value


def test_an_event_without_a_time_is_due_at_once() -> None:
    time = Time(0.01)
    clock = PlanClock(time)
    clock.wait(None)
    assert time.value < 101


def test_events_are_never_early() -> None:
    time = Time(0.5)
    clock = PlanClock(time)
    clock.wait(0)
    start = time.value
    clock.wait(3)
    assert time.value >= start + 2
    assert clock.seconds_left is None


def test_reset_starts_anew() -> None:
    time = Time(0.5)
    clock = PlanClock(time)
    clock.wait(0)
    time.value += 50
    clock.wait(0, reset=True)
    start = time.value
    clock.wait(3)
    assert time.value >= start + 2


def test_a_pause_moves_all_later_events() -> None:
    time = Time(0.5)
    clock = PlanClock(time)
    clock.wait(0)
    start = time.value
    looks = iter([True] * 20)
    clock.wait(2, held=lambda: next(looks, False))
    assert clock.paused_s >= 9
    assert time.value - start >= 1 + clock.paused_s
    assert not clock.is_held


def test_cancel_ends_any_wait() -> None:
    clock = PlanClock()
    clock.pause()
    waiter = threading.Thread(target=clock.wait, args=(1e6,))
    waiter.start()
    clock.cancel()
    waiter.join(10)
    assert not waiter.is_alive()
    assert clock.cancelled


def test_ended_elsewhere() -> None:
    PlanClock().wait(1e6, ended=lambda: True)


def test_puller_reads_one_item_at_a_time() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(3):
            read.append(n)
            yield n

    puller = Puller(numbers(), given_up=lambda: False)
    assert next(puller) == 0
    assert read == [0]
    assert list(puller) == [1, 2]
    assert list(puller) == []


def test_puller_gives_up() -> None:
    let_go = threading.Event()

    def never() -> Iterator[int]:
        let_go.wait()
        yield 1

    puller = Puller(never(), given_up=lambda: True)
    assert list(puller) == []
    let_go.set()


def test_a_skipped_wait_brings_all_later_events_forward() -> None:
    now = [0.0]
    clock = PlanClock(lambda: now[0])
    clock.wait(0)
    assert not clock.skip()  # nothing is waited for
    waiter = threading.Thread(target=clock.wait, args=(600.0,))
    waiter.start()
    while clock.seconds_left is None:
        pass
    now[0] = 100.0
    assert clock.skip()
    waiter.join(10)
    assert not waiter.is_alive()
    assert clock.skipped_s == clock.ahead_s == 500.0
    waiter = threading.Thread(target=clock.wait, args=(1200.0,))
    waiter.start()
    while clock.seconds_left is None:
        pass
    assert clock.seconds_left == 600.0  # an interval from the event before
    clock.cancel()
    waiter.join(10)


def test_a_reset_forgets_by_how_much_events_come_earlier() -> None:
    clock = PlanClock()
    clock.wait(0)
    waiter = threading.Thread(target=clock.wait, args=(600.0,))
    waiter.start()
    while not clock.skip():
        pass
    waiter.join(10)
    clock.wait(0, reset=True)
    assert clock.ahead_s == 0 and clock.skipped_s > 500
