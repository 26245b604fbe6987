"""Runs of a core are told once, in order, in the GUI thread."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.threads import Thread

from napari_scope.acquire.registry import _tell
from napari_scope.widgets.common.core_runs import CoreRuns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui


@pytest.fixture
def told() -> list[tuple[str, str, int]]:
    return []


@pytest.fixture
def runs(
    empty_owner: CoreOwner, told: list[tuple[str, str, int]]
) -> Iterator[CoreRuns]:
    made = CoreRuns(empty_owner.core)
    for what in ("started", "ended"):
        getattr(made, what).connect(
            lambda run, what=what: told.append((what, run.name, threading.get_ident()))
        )
    made.wake()
    yield made
    made.rest()


def _run(core: object, name: str, *, done: bool = False) -> Any:
    return SimpleNamespace(core=core, name=name, done=done, report=None, error=None)


def _announce(what: Any, run: Any) -> None:
    thread = Thread(lambda: _tell(what, run))
    thread.start()
    thread.join()


def test_told_in_order_and_in_the_gui_thread(
    runs: CoreRuns, told: list[tuple[str, str, int]], qtbot: QtBot
) -> None:
    core = runs._core
    first, second = _run(core, "first"), _run(core, "second")
    _announce("started", first)
    _announce("started", first)
    qtbot.waitUntil(lambda: runs.running)
    first.done = True
    _announce("started", second)  # before anybody has looked
    qtbot.waitUntil(lambda: runs.latest is second)
    second.done = True
    _announce("ended", second)
    qtbot.waitUntil(lambda: len(told) == 4)
    words = [(what, name) for what, name, _ in told]
    assert words == [
        ("started", "first"),
        ("ended", "first"),
        ("started", "second"),
        ("ended", "second"),
    ]
    assert {thread for *_, thread in told} == {threading.get_ident()}
    assert not runs.running and runs.latest is second


def test_runs_of_others_and_at_rest(
    runs: CoreRuns, told: list[tuple[str, str, int]], qtbot: QtBot
) -> None:
    _announce("started", _run(object(), "of another core"))
    _announce("started", _run(runs._core, "too late"))
    runs.rest()
    runs.rest()
    qtbot.wait(30)
    assert not told and runs.latest is None


def test_an_end_that_nobody_announces(
    runs: CoreRuns, told: list[tuple[str, str, int]], qtbot: QtBot
) -> None:
    run = _run(runs._core, "quiet")
    _announce("started", run)
    qtbot.waitUntil(lambda: len(told) == 1)
    runs.look()
    assert len(told) == 1
    run.done = True
    runs.look()
    assert [what for what, *_ in told] == ["started", "ended"]
