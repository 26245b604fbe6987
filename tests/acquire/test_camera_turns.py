"""Who has the camera: one at a time, and nobody waits for ever."""

from __future__ import annotations

import threading

import pytest
from tests.threads import Thread, wait_until

from napari_scope.acquire.camera_turns import CameraTurns
from napari_scope.errors import HardwareError


@pytest.fixture
def turns() -> CameraTurns:
    made = CameraTurns()
    made.wanted = True
    return made


def test_the_live_view_takes_it_only_if_it_may(turns: CameraTurns) -> None:
    assert turns.take()
    turns.give_back()
    with turns.held(1):
        assert turns.is_held and not turns.may_run and not turns.take()
    assert turns.take() and not turns.is_held
    turns.end()
    assert not turns.take()


def test_a_hold_waits_for_the_live_view(turns: CameraTurns) -> None:
    assert turns.take()
    held = threading.Event()

    def hold() -> None:
        with turns.held(10):
            held.set()

    thread = Thread(hold)
    thread.start()
    wait_until(lambda: turns.is_held)
    assert not turns.may_run  # what the live view looks at
    assert not held.wait(0.05)
    turns.give_back()
    assert held.wait(10)
    thread.join()


def test_a_live_view_that_does_not_stop(turns: CameraTurns) -> None:
    assert turns.take()
    with pytest.raises(HardwareError, match="does not stop"), turns.held(0.01):
        raise AssertionError("it has the camera")
    assert turns.may_run  # the hold is over


def test_holds_of_two_threads_follow_each_other(turns: CameraTurns) -> None:
    inside: list[int] = []

    def hold() -> None:
        for _ in range(50):
            with turns.held(10):
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    threads = [Thread(hold) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert turns.may_run


def test_one_thread_may_nest(turns: CameraTurns) -> None:
    assert not turns.is_mine
    with turns.held(1):
        with turns.alone(1), turns.held(1):
            assert turns.is_mine
        assert turns.is_mine
    assert not turns.is_mine


def test_alone_is_refused_while_another_thread_has_it(turns: CameraTurns) -> None:
    entered, leave = threading.Event(), threading.Event()

    def have() -> None:
        with turns.alone():
            entered.set()
            leave.wait(10)

    thread = Thread(have)
    thread.start()
    assert entered.wait(10)
    with pytest.raises(HardwareError), turns.alone(0.01):
        raise AssertionError("it has the camera")
    with pytest.raises(HardwareError), turns.held(0.01):
        raise AssertionError("it has the camera")
    leave.set()
    thread.join()
    with turns.alone(10):
        assert turns.is_mine


def test_waiting_ends_with_the_hold_or_with_the_wish(turns: CameraTurns) -> None:
    turns.wait_until_free()
    with turns.held(1):
        thread = Thread(turns.wait_until_free)
        thread.start()
        turns.end()
        thread.join()
