"""How long threads wait for each other while a run goes on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from napari_scope.acquire.switching import quick_switching

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def interval() -> Iterator[float]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    yield 0.004
    sys.setswitchinterval(before)


def test_the_last_run_sets_it_back() -> None:
    first, second = quick_switching(), quick_switching()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert sys.getswitchinterval() < 0.001
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(0.004)


def test_a_shorter_one_is_left_alone() -> None:
    sys.setswitchinterval(0.0001)
    with quick_switching():
        assert sys.getswitchinterval() == pytest.approx(0.0001)
    assert sys.getswitchinterval() == pytest.approx(0.0001)


def test_what_somebody_sets_meanwhile_stays() -> None:
    with quick_switching():
        sys.setswitchinterval(0.01)
    assert sys.getswitchinterval() == pytest.approx(0.01)


def test_an_error_sets_it_back_too() -> None:
    with pytest.raises(ValueError, match="x"), quick_switching():
        raise ValueError("x")
    assert sys.getswitchinterval() == pytest.approx(0.004)
