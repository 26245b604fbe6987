"""Tests of `napari_scope.acquire.awaited`: milestones find those who wait."""

from __future__ import annotations

import gc

import pytest

from napari_scope.acquire.awaited import AwaitedFrames
from napari_scope.acquire.futures import AcquisitionFuture, key_of
from napari_scope.acquire.notifications import AcqNotification
from napari_scope.errors import AcquisitionError

SAVED = AcqNotification.Image.IMAGE_SAVED
EXPOSED = AcqNotification.Camera.POST_SNAP


class Running:
    """What a future asks of its acquisition."""

    def get_dataset(self) -> object:
        return None

    def holds_up_the_run(self) -> bool:
        return False


def waiting_for(book: AwaitedFrames, *times: int) -> AcquisitionFuture:
    future = AcquisitionFuture(Running(), complete=True)
    assert book.watch(future)
    book.expect(future, [key_of({"time": time}) for time in times])
    return future


def test_a_milestone_reaches_all_who_expect_the_frame() -> None:
    book = AwaitedFrames()
    one, two, other = (waiting_for(book, 0) for _ in "abc")
    del other
    third = waiting_for(book, 1)
    book.reached(EXPOSED, [{"time": 0}])
    for future in (one, two):
        future.await_execution(EXPOSED, timeout=0)
    with pytest.raises(TimeoutError):
        third.await_execution(EXPOSED, timeout=0)


def test_what_is_saved_is_forgotten() -> None:
    book = AwaitedFrames()
    future = waiting_for(book, 0)
    book.reached(SAVED, [{"time": 0}])
    future.await_execution(SAVED, timeout=0)
    del future
    gc.collect()
    assert book.is_empty


def test_what_is_only_exposed_is_still_expected() -> None:
    book = AwaitedFrames()
    future = waiting_for(book, 0)
    book.reached(EXPOSED, [{"time": 0}])
    assert not book.is_empty
    book.reached(SAVED, [{"time": 0}])
    future.await_execution(SAVED, timeout=0)


def test_a_frame_that_will_not_come() -> None:
    book = AwaitedFrames()
    future = waiting_for(book, 0, 1)
    book.gone({"time": 1})
    book.reached(SAVED, [{"time": 0}])
    future.await_execution(SAVED, timeout=0)
    with pytest.raises(AcquisitionError, match="will not come"):
        future.await_execution(SAVED, {"time": 1}, timeout=0)


def test_the_first_reason_counts_and_nobody_is_taken_in_after_it() -> None:
    book = AwaitedFrames()
    future = waiting_for(book, 0)
    first, second = RuntimeError("first"), RuntimeError("second")
    assert book.ended is None
    assert book.refuse(first) is first
    assert book.refuse(second) is first
    assert not book.watch(AcquisitionFuture(Running(), complete=True))
    book.end(second)
    with pytest.raises(AcquisitionError, match="first"):
        future.await_execution(SAVED)
    assert book.ended is first
