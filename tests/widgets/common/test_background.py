from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import QObject

from napari_scope.widgets.common import background, notices
from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


def test_result_arrives_in_the_gui_thread(qtbot: QtBot) -> None:
    parent = QObject()
    call = BackgroundCall(parent)
    threads: list[threading.Thread] = []
    call.finished.connect(lambda _: threads.append(threading.current_thread()))
    with qtbot.waitSignal(call.finished) as caught:
        call.start(threading.current_thread, "worker")
        assert call.busy
    assert caught.args is not None
    assert caught.args[0].name == "worker"
    assert threads == [threading.main_thread()]
    assert not call.busy


def test_exception_is_handed_over_as_a_value(qtbot: QtBot) -> None:
    parent = QObject()
    call = BackgroundCall(parent)

    def fail() -> None:
        raise ValueError("no")

    with qtbot.waitSignal(call.failed) as caught:
        call.start(fail, "worker")
    assert caught.args is not None
    assert isinstance(caught.args[0], ValueError)
    with qtbot.waitSignal(call.finished):
        call.start(lambda: None, "again")


@pytest.mark.parametrize("closed", [False, True])
def test_an_exception_keeps_nothing_of_its_call(qtbot: QtBot, closed: bool) -> None:
    class File:
        pass

    parent, gate = QObject(), threading.Event()
    call = BackgroundCall(parent, abandon=True)
    opened: list[weakref.ref[File]] = []

    def fail() -> None:
        file = File()
        opened.append(weakref.ref(file))
        assert gate.wait(30)
        raise ValueError("no")

    gc.disable()
    try:
        call.start(fail, "worker")
        thread = call._thread
        assert thread is not None
        qtbot.waitUntil(lambda: bool(opened))
        if closed:
            call.close()
        gate.set()
        thread.join(30)
        qtbot.waitUntil(lambda: not call.busy)
        assert opened[0]() is None
    finally:
        gc.enable()


def test_only_one_call_at_a_time(qtbot: QtBot) -> None:
    parent = QObject()
    call = BackgroundCall(parent)
    gate = threading.Event()
    call.start(gate.wait, "first")
    with pytest.raises(RuntimeError, match="first is still running"):
        call.start(lambda: None, "second")
    gate.set()
    qtbot.waitUntil(lambda: not call.busy)


def test_close_abandons_what_nobody_waits_for(qtbot: QtBot) -> None:
    parent = QObject()
    call = BackgroundCall(parent, abandon=True)
    delivered: list[object] = []
    call.finished.connect(delivered.append)
    gates = [threading.Event(), threading.Event()]
    call.start(lambda: gates[0].wait(30) and "abandoned", "worker")
    (worker,) = (t for t in threading.enumerate() if t.name == "worker")
    assert worker.daemon  # it cannot keep the process alive
    call.close()  # returns although the call has not
    assert worker.is_alive() and not call.busy
    call.start(lambda: gates[1].wait(30) and "next", "next")
    (following,) = (t for t in threading.enumerate() if t.name == "next")
    # The abandoned call ends last, before anybody has looked.
    for gate, thread in ((gates[1], following), (gates[0], worker)):
        gate.set()
        thread.join(30)
    qtbot.waitUntil(lambda: not call.busy)
    assert delivered == ["next"]


def test_close_waits_and_delivers_nothing(qtbot: QtBot) -> None:
    parent = QObject()
    call = BackgroundCall(parent)
    delivered: list[object] = []
    call.finished.connect(delivered.append)
    ran = threading.Event()
    call.start(ran.set, "worker")
    call.close()
    call.close()
    assert ran.is_set() and not call.busy
    qtbot.wait(80)
    assert delivered == []


def test_close_does_not_wait_for_ever(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_PATIENCE_S", 0.05)
    said: list[str] = []
    monkeypatch.setattr(notices, "notify", lambda text, level: said.append(text))
    parent, gate = QObject(), threading.Event()
    call = BackgroundCall(parent)
    call.start(lambda: gate.wait(30), "napari-scope load")
    (thread,) = (t for t in threading.enumerate() if t.name == "napari-scope load")
    assert thread.daemon and thread in background._awaited
    call.close()
    assert said == ["'load' does not end and is left behind"]
    # At the end of the program, too, it is waited for only so long.
    monkeypatch.setattr(background, "_LAST_PATIENCE_S", 0.05)
    background._wait_for_the_last()
    assert thread.is_alive()
    gate.set()
    thread.join(30)
