"""Runs begin on a thread, or are given up before anybody has heard of them."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QObject

from napari_scope.errors import AcquisitionError
from napari_scope.widgets.acquiring.run_starter import RunStarter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


class Run:
    def __init__(self) -> None:
        self.done, self.cancels = False, 0

    def cancel(self) -> None:
        self.cancels += 1


class Planned:
    """Begins when its gates are open: before it is made, and after it."""

    def __init__(self) -> None:
        self.run = Run()
        self.made, self.begun = threading.Event(), threading.Event()
        self.thread: threading.Thread | None = None
        self.owner: object = None

    def start(self, owner: object, on_made: Callable[[Any], None]) -> Run:
        self.thread, self.owner = threading.current_thread(), owner
        assert self.made.wait(20)
        on_made(self.run)
        assert self.begun.wait(20)
        return self.run


@pytest.fixture
def planned() -> Iterator[Planned]:
    made = Planned()
    yield made
    made.made.set()
    made.begun.set()


@pytest.fixture
def starter(qapp: object, planned: Planned) -> Iterator[RunStarter]:
    parent = QObject()
    microscope: Any = SimpleNamespace(owner="owner")
    made = RunStarter(microscope, parent)
    made.setProperty("parent", parent)
    yield made
    planned.made.set()
    planned.begun.set()
    made.close()


def test_a_run_begins_on_a_thread(
    starter: RunStarter, planned: Planned, qtbot: QtBot
) -> None:
    starter.start(planned)  # type: ignore[arg-type]
    assert starter.starting and not starter.owns(planned.run)
    planned.made.set()
    planned.begun.set()
    with qtbot.waitSignal(starter.started) as told:
        pass
    assert told.args == [planned.run] and planned.owner == "owner"
    assert planned.thread is not threading.main_thread()
    assert starter.owns(planned.run) and not starter.owns(Run())
    assert not starter.starting and planned.run.cancels == 0
    starter.cancel_all()
    assert planned.run.cancels == 1
    planned.run.done = True
    starter.cancel_all()
    assert planned.run.cancels == 1


def test_what_is_given_up_before_it_is_made_does_not_begin(
    starter: RunStarter, planned: Planned, qtbot: QtBot
) -> None:
    starter.give_up()  # nothing is about to start: it counts for nothing
    starter.start(planned)  # type: ignore[arg-type]
    assert not starter.given_up
    starter.give_up()
    planned.made.set()
    with qtbot.waitSignal(starter.failed) as told:
        pass
    assert isinstance(told.args[0], AcquisitionError)
    assert not starter.owns(planned.run) and not starter.starting


def test_what_is_given_up_later_is_cancelled(
    starter: RunStarter, planned: Planned, qtbot: QtBot
) -> None:
    starter.start(planned)  # type: ignore[arg-type]
    planned.made.set()
    qtbot.waitUntil(lambda: starter.owns(planned.run))
    starter.give_up()
    planned.begun.set()
    with qtbot.waitSignal(starter.started):
        pass
    assert planned.run.cancels


def test_closing_waits_and_cancels(starter: RunStarter, planned: Planned) -> None:
    starter.start(planned)  # type: ignore[arg-type]
    planned.made.set()
    while not starter.owns(planned.run):
        planned.made.wait(0.001)
    threading.Timer(0.05, planned.begun.set).start()
    starter.close()
    starter.close()
    assert planned.run.cancels == 1 and not starter.starting
