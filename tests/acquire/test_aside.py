"""Calls that block, and what happens to them when nobody waits any more."""

from __future__ import annotations

import threading

import pytest

from napari_scope.acquire.aside import Aside


def test_errors_come_out() -> None:
    aside = Aside(lambda: False)

    def fail() -> None:
        raise RuntimeError("no light")

    with pytest.raises(RuntimeError, match="no light"):
        aside.call(fail)
    assert not aside.is_busy


def test_meanwhile_runs_while_the_other_blocks() -> None:
    aside, let_go = Aside(lambda: False), threading.Event()
    here = threading.current_thread()
    seen = []

    def meanwhile() -> None:
        seen.append(threading.current_thread())
        let_go.set()

    assert aside.call(lambda: let_go.wait(20), meanwhile)
    assert seen == [here]


def test_what_is_left_behind_is_waited_for_later() -> None:
    let_go, given_up = threading.Event(), threading.Event()
    aside = Aside(given_up.is_set)
    assert not aside.call(lambda: let_go.wait(20), given_up.set)
    assert aside.is_busy
    threading.Timer(0.05, let_go.set).start()
    aside.rest()
    assert not aside.is_busy


def test_an_error_of_meanwhile_leaves_the_call_behind() -> None:
    let_go = threading.Event()
    aside = Aside(lambda: False)

    def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        aside.call(lambda: let_go.wait(20), fail)
    assert aside.is_busy
    let_go.set()
    aside.rest()
