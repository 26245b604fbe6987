"""Watching the stage: own thread, tolerance, rests, errors told once."""

from __future__ import annotations

import threading
from typing import Any

from tests.threads import wait_until

from napari_scope.acquire.stage_watch import StagePlace, StageWatch


class Stage:
    """A core with a stage that does what it is told."""

    def __init__(self) -> None:
        self.place = [0.0, 0.0, 0.0]
        self.fails = ""
        self.asked = 0
        self.threads: set[str] = set()
        self.has = {"XY": True, "Z": True}

    def getXYStageDevice(self) -> str:
        return "XY" if self.has["XY"] else ""

    def getFocusDevice(self) -> str:
        return "Z" if self.has["Z"] else ""

    def getXYPosition(self) -> list[float]:
        self.asked += 1
        self.threads.add(threading.current_thread().name)
        if self.fails:
            raise RuntimeError(self.fails)
        return self.place[:2]

    def getZPosition(self) -> float:
        return self.place[2]


def watching(stage: Stage, **options: Any) -> StageWatch:
    options.setdefault("in_use", lambda core: False)
    return StageWatch(stage, poll_s=0.002, **options)  # type: ignore[arg-type]


def test_place_is_asked_for_on_a_thread_while_somebody_looks() -> None:
    stage = Stage()
    watch = watching(stage)
    assert watch.place is None
    watch.start("map")
    watch.start("live")
    watch.start("map")  # again is harmless
    wait_until(lambda: watch.place is not None)
    stage.place = [10.0, 20.0, 3.0]
    wait_until(lambda: watch.place == StagePlace(10.0, 20.0, 3.0))
    watch.stop("map")
    stage.place = [11.0, 20.0, 3.0]
    wait_until(lambda: watch.place == StagePlace(11.0, 20.0, 3.0))
    watch.stop("live")
    assert not watch.running
    assert watch.close()
    asked = stage.asked
    assert stage.threads == {"napari-scope stage"}
    watch.start("late")  # closed for good
    assert stage.asked == asked
    assert not [t for t in threading.enumerate() if t.name == "napari-scope stage"]


def test_it_starts_again_after_everybody_left() -> None:
    stage = Stage()
    watch = watching(stage)
    for place in (5.0, 6.0, 7.0):
        stage.place[0] = place
        watch.start()
        wait_until(lambda p=place: watch.place is not None and watch.place.x_um == p)
        watch.stop()
    watch.close()


def test_noise_is_no_move() -> None:
    stage = Stage()
    watch = watching(stage, tolerance_um=0.1)
    watch.look()
    number, first = watch.number, watch.place
    stage.place = [0.05, -0.05, 0.02]
    assert watch.look() is first
    assert watch.number == number
    stage.place = [1.0, 0.0, 0.0]
    assert watch.look() == StagePlace(1.0, 0.0, 0.0, moving=True)
    stage.place = [1.04, 0.0, 0.0]  # it has arrived, and trembles
    assert watch.look() == StagePlace(1.0, 0.0, 0.0)


def test_devices_that_are_not_there() -> None:
    stage = Stage()
    stage.has = {"XY": False, "Z": True}
    watch = watching(stage)
    assert watch.look() == StagePlace(None, None, 0.0)
    stage.has = {"XY": True, "Z": False}
    assert watch.look() == StagePlace(0.0, 0.0, None, moving=True)


def test_it_rests_while_the_microscope_is_in_use() -> None:
    stage = Stage()
    busy = threading.Event()
    busy.set()
    looked = threading.Event()

    def in_use(core: object) -> bool:
        looked.set()
        return busy.is_set()

    watch = watching(stage, in_use=in_use)
    watch.start()
    assert looked.wait(20)
    assert stage.asked == 0
    busy.clear()
    wait_until(lambda: stage.asked)
    watch.close()


def test_errors_are_told_once_and_end() -> None:
    stage = Stage()
    stage.place = [4.0, 5.0, 6.0]
    watch = watching(stage)
    watch.look()
    stage.fails = "the port is gone"
    stage.place[2] = 7.0
    place = watch.look()
    # where it was last, and the focus all the same
    assert (place.x_um, place.y_um, place.z_um) == (4.0, 5.0, 7.0)
    error = watch.error
    assert error is not None
    assert "XY stage does not tell where it is: the port is gone" in error.message
    watch.look()
    assert watch.error is error
    stage.fails = ""
    watch.look()
    assert watch.error is None
