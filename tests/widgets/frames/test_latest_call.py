from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QObject

from napari_scope.widgets.frames import latest_call
from napari_scope.widgets.frames.latest_call import LatestCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Yield what holds calls up; open at the end."""
    made = threading.Event()
    yield made
    made.set()


@pytest.fixture
def call(qapp: object) -> Iterator[LatestCall]:
    owner = QObject()
    made = LatestCall(owner, "napari-scope test")
    made.heard = []  # type: ignore[attr-defined]
    made.finished.connect(lambda key, result: made.heard.append((key, result)))  # type: ignore[attr-defined]
    made.failed.connect(lambda key, error: made.heard.append((key, str(error))))  # type: ignore[attr-defined]
    yield made
    made.close()


def heard(call: LatestCall) -> list[Any]:
    return call.heard  # type: ignore[attr-defined, no-any-return]


def held(gate: threading.Event, result: object) -> Callable[[], object]:
    def wait() -> object:
        assert gate.wait(20)
        return result

    return wait


def test_of_calls_that_wait_only_the_newest_is_made(
    call: LatestCall, gate: threading.Event, qtbot: QtBot
) -> None:
    call.do(0, held(gate, "first"), about="store")
    for key in (1, 2, 3):
        call.do(key, lambda key=key: f"call {key}", about="store")  # type: ignore[misc]
    assert call.busy and call.waiting
    qtbot.wait(50)
    assert heard(call) == []
    gate.set()
    qtbot.waitUntil(lambda: not call.busy)
    assert heard(call) == [(0, "first"), (3, "call 3")]


def test_another_store_does_not_wait_for_one_that_hangs(
    call: LatestCall,
    gate: threading.Event,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latest_call, "_PATIENCE_S", 1000.0)
    call.do(0, held(gate, "late"), about="far")
    call.do(1, lambda: 1 / 0, about="near")
    qtbot.waitUntil(lambda: not call.busy)
    assert heard(call) == [(1, "division by zero")]
    gate.set()
    qtbot.wait(60)
    assert len(heard(call)) == 1  # what was left behind is not told


def test_the_same_store_is_given_some_patience(
    call: LatestCall,
    gate: threading.Event,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latest_call, "_PATIENCE_S", 0.1)
    call.do(0, held(gate, "late"), about="far")
    call.do(1, lambda: "newest", about="far")
    qtbot.waitUntil(lambda: heard(call) == [(1, "newest")])


def test_only_a_few_are_left_behind(
    call: LatestCall, gate: threading.Event, qtbot: QtBot
) -> None:
    for key in range(10):
        call.do(key, held(gate, key), about=key)
    hanging = [t for t in threading.enumerate() if t.name == "napari-scope test"]
    assert len(hanging) == latest_call._MOST_LEFT + 1
    gate.set()
    qtbot.waitUntil(lambda: not call.busy)
    assert heard(call)[-1] == (9, 9)


def test_nothing_is_told_of_what_was_forgotten(
    call: LatestCall, gate: threading.Event, qtbot: QtBot
) -> None:
    call.do(0, held(gate, "x"))
    call.forget()
    gate.set()
    qtbot.waitUntil(lambda: not call.busy)
    call.close()
    call.do(1, lambda: "after the end")
    assert not call.busy and heard(call) == []
