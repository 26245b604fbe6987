"""The newest frames of a live view, and who waits for them."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tests.threads import Thread

from napari_scope.acquire.live_board import FrameBoard
from napari_scope.acquire.live_frame import LiveFrame
from napari_scope.acquire.live_snap import snap_out_of_live
from napari_scope.errors import HardwareError


def frame(number: int, value: int = 0) -> LiveFrame:
    return LiveFrame("Camera", np.full((2, 3), value, "u1"), number, 0.0)


@pytest.fixture
def board() -> FrameBoard:
    return FrameBoard(threading.Condition())


def test_brightness_is_looked_at_now_and_then(board: FrameBoard) -> None:
    for step in range(4):
        board.read((frame(step, step),), step, now=10 + 0.15 * step)
    assert board.newest[0].number == 3 and board.reads == 4
    found = board.range_of("Camera")
    assert found is not None and found.high == 2
    board.publish((frame(9, 77),))
    found = board.range_of("Camera")
    assert found is not None and found.high == 77
    assert board.range_of("Other") is None


def test_rates_begin_anew(board: FrameBoard) -> None:
    for step in range(5):
        board.read((frame(step),), 10 * step, now=1e9 + step)
    assert board.fps == pytest.approx(10) and board.read_fps == pytest.approx(1)
    board.begin()
    assert board.fps == board.read_fps == 0


class _Reader:
    """Has delivered so many."""

    def __init__(self, delivered: int) -> None:
        self._delivered = delivered

    def peek(self) -> int:
        return self._delivered


def _wait(
    board: FrameBoard, *, ended: bool = False, timeout: float = 10.0
) -> tuple[LiveFrame, ...] | None:
    with board._change:
        return snap_out_of_live(board, _Reader(5), lambda: ended, timeout)  # type: ignore[arg-type]


def test_what_was_under_way_is_not_the_snap(board: FrameBoard) -> None:
    found: list[tuple[LiveFrame, ...] | None] = []
    thread = Thread(lambda: found.append(_wait(board)))
    thread.start()
    for number in (5, 6, 7):
        board.publish((frame(number),))
    thread.join()
    assert found[0] is not None and found[0][0].number == 7


def test_nothing_comes(board: FrameBoard) -> None:
    board.publish((frame(6),))
    with pytest.raises(HardwareError, match="delivered no image within"):
        _wait(board, timeout=0.01)
    assert _wait(board, ended=True) is None
