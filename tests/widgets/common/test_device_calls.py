from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from napari_scope.widgets.common.device_calls import DeviceCalls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture
def calls(qapp: object) -> Iterator[DeviceCalls]:
    made = DeviceCalls()
    yield made
    assert made.close()
    assert not [t for t in threading.enumerate() if t.name == "napari-scope devices"]


class Gate:
    """A device that answers when it is told to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.open.wait(30)
        return "answer"


def test_calls_are_made_in_order_elsewhere_and_told_here(
    calls: DeviceCalls, qtbot: QtBot
) -> None:
    made: list[tuple[int, threading.Thread]] = []
    told: list[tuple[object, threading.Thread]] = []

    def call(number: int) -> int:
        made.append((number, threading.current_thread()))
        return number

    for number in range(20):
        calls.do(
            "count",
            lambda number=number: call(number),  # type: ignore[misc]
            then=lambda result: told.append((result, threading.current_thread())),
        )
    assert calls.busy
    qtbot.waitUntil(lambda: not calls.busy)
    assert [number for number, _ in made] == list(range(20))
    assert [number for number, _ in told] == list(range(20))
    assert {t.name for _, t in made} == {"napari-scope devices"}
    assert {t for _, t in told} == {threading.main_thread()}


def test_of_the_same_key_the_last_one_counts_and_keeps_its_order(
    calls: DeviceCalls, qtbot: QtBot
) -> None:
    gate, made = Gate(), list[str]()
    calls.do("wait", gate)
    for number in range(100):
        calls.do("slide", lambda n=number: made.append(f"a{n}"), key="a")  # type: ignore[misc]
    calls.do("other", lambda: made.append("b"), key="b")
    calls.do("slide", lambda: made.append("last"), key="a")
    calls.do("no key", lambda: made.append("c"))
    gate.open.set()
    qtbot.waitUntil(lambda: not calls.busy)
    assert made == ["b", "last", "c"]


def test_in_order_nothing_is_left_out_between_others(
    calls: DeviceCalls, qtbot: QtBot
) -> None:
    gate, made = Gate(), list[str]()

    def do(name: str, key: str) -> None:
        calls.do(name, lambda: made.append(name), key=key, in_order=True)

    calls.do("wait", gate)
    do("focus away", "z")
    do("objective", "o")
    do("focus almost back", "z")
    do("focus back", "z")
    gate.open.set()
    qtbot.waitUntil(lambda: not calls.busy)
    assert made == ["focus away", "objective", "focus back"]


def test_the_call_under_way_is_not_replaced(calls: DeviceCalls, qtbot: QtBot) -> None:
    gate, told = Gate(), list[object]()
    calls.do("first", gate, key="a", then=told.append)
    qtbot.waitUntil(gate.begun.is_set)
    assert calls.now == "first"
    calls.do("second", lambda: "second", key="a", then=told.append)
    gate.open.set()
    qtbot.waitUntil(lambda: not calls.busy)
    assert told == ["answer", "second"]


def test_a_failure_is_told_and_the_next_call_is_made(
    calls: DeviceCalls, qtbot: QtBot
) -> None:
    failures: list[tuple[object, str]] = []
    own: list[BaseException] = []
    told: list[object] = []
    calls.failed.connect(lambda error, what: failures.append((error, what)))

    def fail() -> None:
        raise RuntimeError("it is stuck")

    calls.do("turn the wheel", fail, then=told.append, failed=own.append)
    calls.do("go on", lambda: 1, then=told.append)
    qtbot.waitUntil(lambda: not calls.busy)
    assert [(str(error), what) for error, what in failures] == [
        ("it is stuck", "turn the wheel")
    ]
    assert [str(error) for error in own] == ["it is stuck"]
    assert told == [1]


def test_an_error_in_what_comes_after_does_not_leave_the_slot(
    calls: DeviceCalls, qtbot: QtBot
) -> None:
    failures: list[str] = []
    calls.failed.connect(lambda error, what: failures.append(f"{what}: {error}"))

    def bad(_result: object) -> None:
        raise KeyError("no such row")

    calls.do("read", lambda: 1, then=bad)
    calls.do("fail", lambda: 1 / 0, failed=bad)
    qtbot.waitUntil(lambda: not calls.busy)
    assert failures == [
        "read: 'no such row'",
        "fail: 'no such row'",
        "fail: division by zero",
    ]


def test_busy_is_told_once_at_each_end(calls: DeviceCalls, qtbot: QtBot) -> None:
    told: list[bool] = []
    calls.busy_changed.connect(told.append)
    gate = Gate()
    calls.do("wait", gate)
    calls.do("again", lambda: None)
    gate.open.set()
    qtbot.waitUntil(lambda: not calls.busy)
    assert told == [True, False]


def test_too_many_calls_are_refused(
    calls: DeviceCalls, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.widgets.common.device_calls._MOST_WAITING", 3)
    gate, failures, made = Gate(), list[str](), list[int]()
    calls.failed.connect(lambda error, what: failures.append(what))
    calls.do("wait", gate)
    qtbot.waitUntil(gate.begun.is_set)
    for number in range(5):
        calls.do(f"call {number}", lambda n=number: made.append(n))  # type: ignore[misc]
    gate.open.set()
    qtbot.waitUntil(lambda: not calls.busy)
    assert failures == ["call 3", "call 4"]
    assert made == [0, 1, 2]


def test_a_device_that_hangs_does_not_hold_up_the_end(
    calls: DeviceCalls, qtbot: QtBot
) -> None:
    gate, told, busy = Gate(), list[object](), list[bool]()
    calls.busy_changed.connect(busy.append)
    calls.do("hang", gate, then=told.append)
    calls.do("never", lambda: told.append("never"))
    qtbot.waitUntil(gate.begun.is_set)
    assert not calls.end(0)
    assert not calls.busy and busy == [True, False]
    # The same thread takes up what is asked for next, after the device has answered.
    calls.do("after", lambda: "after", then=told.append)
    gate.open.set()
    qtbot.waitUntil(lambda: not calls.busy)
    assert told == ["after"]


def test_a_thread_with_nothing_to_do_ends(
    calls: DeviceCalls, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.widgets.common.device_calls._REST_S", 0.01)
    told: list[object] = []
    for number in range(3):
        calls.do("count", lambda n=number: n, then=told.append)  # type: ignore[misc]
        qtbot.waitUntil(lambda: not calls.busy)
        qtbot.waitUntil(lambda: calls._thread is None)
    assert told == [0, 1, 2]


def test_a_stop_does_not_wait(calls: DeviceCalls, qtbot: QtBot) -> None:
    gate, stopped = Gate(), threading.Event()
    failures: list[str] = []
    calls.failed.connect(lambda error, what: failures.append(f"{what}: {error}"))
    moved: list[str] = []
    calls.do("move", gate, key=("xy", "XY"))
    qtbot.waitUntil(gate.begun.is_set)
    calls.do("move on", lambda: moved.append("on"), key=("xy", "XY"))
    calls.do("focus", lambda: moved.append("z"), key=("z", "Z"))
    calls.drop(lambda key: key == ("xy", "XY"))
    calls.at_once("stop", stopped.set)
    assert stopped.wait(30)
    assert not gate.open.is_set()
    calls.at_once("stop", lambda: 1 / 0)
    qtbot.waitUntil(lambda: failures == ["stop: division by zero"])
    gate.open.set()
    qtbot.waitUntil(lambda: not calls.busy)
    assert moved == ["z"]


def test_a_result_for_a_deleted_object_harms_nobody(qtbot: QtBot) -> None:
    calls, gate = DeviceCalls(), Gate()
    calls.do("hang", gate)
    (thread,) = (t for t in threading.enumerate() if t.name == "napari-scope devices")
    calls.end(0)
    calls.deleteLater()
    qtbot.wait(10)
    gate.open.set()
    thread.join(30)
    assert not thread.is_alive()
