"""One image, at rest and out of a live view."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from napari_scope.acquire.live_snap import snap_at_rest, snap_out_of_live
from napari_scope.errors import HardwareError


class Board:
    """Publishes one frame at each look, up to a number."""

    def __init__(self, last: int) -> None:
        self.newest: tuple[Any, ...] = ()
        self._numbers = iter(range(1, last + 1))

    def wait_for(self, condition: Any, timeout: float) -> bool:
        while not condition():
            number = next(self._numbers, None)
            if number is None:
                return False
            self.newest = (SimpleNamespace(number=number),)
        return True


READER: Any = SimpleNamespace(peek=lambda: 3)


def test_the_image_began_after_the_call() -> None:
    # 3 have come: the 4th is being exposed, the 5th is the first that is new.
    frames = snap_out_of_live(Board(9), READER, lambda: False, 1.0)  # type: ignore[arg-type]
    assert frames is not None and frames[0].number == 5


def test_a_camera_that_gives_no_more_is_an_error() -> None:
    with pytest.raises(HardwareError, match=r"no image within 2\.5 s"):
        snap_out_of_live(Board(4), READER, lambda: False, 2.5)  # type: ignore[arg-type]


def test_the_end_of_the_live_view_ends_the_wait() -> None:
    ended = threading.Event()
    ended.set()
    assert snap_out_of_live(Board(9), READER, ended.is_set, 1.0) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [RuntimeError, IndexError, ValueError, MemoryError])
def test_at_rest_the_camera_is_asked_where_the_stage_is(error: type[Exception]) -> None:
    stage: Any = SimpleNamespace(look=lambda: "here")
    good: Any = SimpleNamespace(snap=lambda place: (place,))
    assert snap_at_rest(good, stage) == ("here",)

    def fail(_place: object) -> None:
        raise error("two\nlines")

    with pytest.raises(HardwareError, match="no image could be taken, two lines"):
        snap_at_rest(SimpleNamespace(snap=fail), stage)  # type: ignore[arg-type]
