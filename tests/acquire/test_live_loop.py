"""What becomes of a camera that runs, stands still, changes or fails."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from napari_scope.acquire import live_loop
from napari_scope.acquire.camera_turns import CameraTurns
from napari_scope.acquire.live_board import FrameBoard
from napari_scope.acquire.live_loop import CameraLoop, one_line, refuse_in_use
from napari_scope.errors import AcquisitionError, HardwareError

if TYPE_CHECKING:
    from collections.abc import Callable

# More would be a loop without an end.
MOST = 50


class Camera:
    """A reader whose every look is told to the test."""

    def __init__(self, at_look: Callable[[Camera], None]) -> None:
        self.begun = self.ended = self.delivered = self.looks = 0
        self.runs = self.changed = False
        self._at_look = at_look

    def begin(self) -> None:
        assert self.begun < MOST
        self.begun += 1
        self.runs, self.changed = True, False

    def end(self) -> None:
        self.ended += 1
        self.runs = False

    def is_running(self) -> bool:
        return self.runs

    def was_changed(self) -> bool:
        return self.changed

    def has_news(self) -> bool:
        assert self.looks < MOST
        self.looks += 1
        self._at_look(self)
        return self.runs

    def read(self, _place: object) -> tuple[Any, ...]:
        return ()


class Core:
    def __init__(self) -> None:
        self.busy = False
        self.mda = SimpleNamespace(is_running=lambda: self.busy)


@pytest.fixture(autouse=True)
def used(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Say whether a run has the core."""
    flag = threading.Event()
    monkeypatch.setattr(live_loop, "is_in_use", lambda _core: flag.is_set())
    monkeypatch.setattr(live_loop, "_GRACE_S", 0.02)
    return flag


def loop_of(camera: Camera, core: Any, turns: CameraTurns) -> CameraLoop:
    stage: Any = SimpleNamespace(place=None)
    turns.wanted = True
    return CameraLoop(core, camera, FrameBoard(turns.change), turns, stage)  # type: ignore[arg-type]


def test_it_is_stopped_once_when_it_is_not_wanted_any_more() -> None:
    turns = CameraTurns()

    def end(_camera: Camera) -> None:
        turns.wanted = False

    camera = Camera(end)
    loop = loop_of(camera, Core(), turns)
    loop.run()
    assert (camera.begun, camera.ended) == (1, 1)
    assert not loop.going and not loop.made_way


def test_a_run_that_asked_nobody_gets_the_camera() -> None:
    core, turns = Core(), CameraTurns()

    def begin_run(_camera: Camera) -> None:
        core.busy = True

    camera = Camera(begin_run)
    loop = loop_of(camera, core, turns)
    loop.run()
    assert loop.made_way and not turns.wanted and camera.ended == 1


def test_a_changed_camera_is_started_anew_until_it_is_in_use(
    used: threading.Event,
) -> None:
    turns = CameraTurns()

    def change(camera: Camera) -> None:
        camera.changed, camera.runs = True, False
        if camera.begun == 3:
            used.set()

    camera = Camera(change)
    loop = loop_of(camera, Core(), turns)
    loop.run()
    assert camera.begun == 3 and loop.made_way


def test_a_camera_without_images_is_not_started_for_ever() -> None:
    def change(camera: Camera) -> None:
        camera.changed, camera.runs = True, False

    camera, turns = Camera(change), CameraTurns()
    with pytest.raises(HardwareError, match="delivers no image"):
        loop_of(camera, Core(), turns).run()
    assert camera.begun == camera.ended < MOST


def test_a_camera_that_stops_by_itself_is_an_error() -> None:
    def stop(camera: Camera) -> None:
        camera.runs = False

    camera = Camera(stop)
    with pytest.raises(HardwareError, match="the camera has stopped"):
        loop_of(camera, Core(), CameraTurns()).run()
    assert camera.ended == 1


def test_a_camera_that_does_not_start_says_why(used: threading.Event) -> None:
    camera = Camera(lambda _camera: None)

    def fail() -> None:
        raise RuntimeError("no\npower")

    camera.begin = fail  # type: ignore[method-assign]
    with pytest.raises(HardwareError, match="does not start, no power"):
        loop_of(camera, Core(), CameraTurns()).run()
    used.set()
    with pytest.raises(AcquisitionError, match="in use by a run"):
        loop_of(camera, Core(), CameraTurns()).run()
    with pytest.raises(AcquisitionError):
        refuse_in_use(Core())  # type: ignore[arg-type]
    assert one_line(KeyError()) == "KeyError"
