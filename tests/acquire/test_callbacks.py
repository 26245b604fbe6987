"""The thread that calls a script's callbacks: order, bound, and its end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from napari_scope.acquire import AcqNotification, EventQueue, callbacks
from napari_scope.acquire.callbacks import Callbacks
from napari_scope.errors import ScopeError

IMAGE = AcqNotification.Image


def made(notified: Any, failed: Any = lambda error: None) -> Callbacks:
    found = Callbacks(
        notified, None, None, dataset=dict, events=EventQueue(), failed=failed
    )
    found.start()
    return found


def test_all_are_called_in_order() -> None:
    heard: list[Any] = []
    told = made(lambda news: heard.append(news.payload))
    for number in range(100):
        told.tell(IMAGE, IMAGE.IMAGE_SAVED, [{"time": number}])
    told.tell(IMAGE, IMAGE.DATA_SINK_FINISHED)
    told.finish()
    assert heard == [*({"time": n} for n in range(100)), None]


@pytest.mark.parametrize("way", ["heard", "released", "failed"])
def test_who_tells_waits_when_very_many_have_piled_up(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(callbacks, "_MOST_NEWS", 3)
    gate, errors = threading.Event(), []

    def slow(news: AcqNotification) -> None:
        assert gate.wait(30)
        if way == "failed":
            raise KeyError("oops")

    told = made(slow, errors.append)
    passed = threading.Event()

    def tell() -> None:
        for number in range(10):
            told.tell(IMAGE, IMAGE.IMAGE_SAVED, [{"time": number}])
        passed.set()

    teller = threading.Thread(target=tell)
    teller.start()
    assert not passed.wait(0.3)
    if way == "released":
        told.release()
        assert passed.wait(30)
    gate.set()
    assert passed.wait(30)
    teller.join()
    told.tell(IMAGE, IMAGE.DATA_SINK_FINISHED)
    told.finish()
    assert bool(errors) is (way == "failed")
    assert all(isinstance(error, ScopeError) for error in errors)
