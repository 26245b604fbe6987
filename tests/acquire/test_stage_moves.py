"""Moves of the stage: until they have arrived, with what can go wrong."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from napari_scope.acquire.stage_moves import StageFacts, StageMoves, stage_facts
from napari_scope.errors import HardwareError

if TYPE_CHECKING:
    from napari_scope.acquire import CoreOwner


class Core:
    """A core with stages that need some looks to arrive."""

    def __init__(self, looks: int = 3) -> None:
        self.place = [0.0, 0.0, 0.0]
        self.looks = self.left = looks
        self.stopped: list[str] = []
        self.refuses = ""
        self.xy, self.z = "XY", "Z"
        self.looked = threading.Event()

    def getXYStageDevice(self) -> str:
        return self.xy

    def getFocusDevice(self) -> str:
        return self.z

    def getXYPosition(self, _device: str) -> tuple[float, float]:
        return self.place[0], self.place[1]

    def setXYPosition(self, device: str, x: float, y: float) -> None:
        self._check(device)
        self.place[:2] = x, y
        self.left = self.looks

    def setPosition(self, device: str, z: float) -> None:
        self._check(device)
        self.place[2] = z
        self.left = self.looks

    def deviceBusy(self, device: str) -> bool:
        if self.refuses == "busy":
            raise RuntimeError("no answer")
        self.looked.set()
        self.left -= 1
        return self.left >= 0

    def stop(self, device: str) -> None:
        self._check(device)
        self.stopped.append(device)

    def home(self, device: str) -> None:
        self._check(device)
        self.place[:2] = 0, 0

    def setOriginXY(self, device: str) -> None:
        self._check(device)
        self.place[:2] = 0, 0

    def setXYStageDevice(self, device: str) -> None:
        self._check(device)
        self.xy = device

    def setFocusDevice(self, device: str) -> None:
        self.z = device

    def _check(self, device: str) -> None:
        if self.refuses == device:
            raise RuntimeError(f'Error in device "{device}":\n out of range (1)')


def moves(core: Core, **options: Any) -> StageMoves:
    return StageMoves(core, **options)  # type: ignore[arg-type]


def test_a_move_ends_when_the_stage_has_arrived() -> None:
    core = Core()
    moves(core).to(x_um=3, z_um=7)
    assert core.place == [3, 0, 7]
    assert core.left < 0
    core.place[:2] = 5, 6
    moves(core).to(y_um=1)
    assert core.place[:2] == [5, 1]
    moves(core).home()
    assert core.place[:2] == [0, 0]
    moves(core).choose(xy="Other", focus="Piezo")
    assert (core.xy, core.z) == ("Other", "Piezo")


def test_a_halt_ends_the_wait() -> None:
    core = Core(looks=10**9)
    stage = moves(core)
    thread = threading.Thread(target=lambda: stage.to(x_um=1, y_um=1))
    thread.start()
    assert core.looked.wait(10)
    stage.halt()
    thread.join(10)
    assert not thread.is_alive()
    assert core.stopped == ["XY", "Z"]


def test_a_stage_that_hangs() -> None:
    with pytest.raises(HardwareError, match=r"XY did not arrive within 0\.05 s"):
        moves(Core(looks=10**9), longest_s=0.05).to(x_um=1, y_um=1)


def test_what_is_refused_says_what_and_where() -> None:
    core = Core()
    core.refuses = "XY"
    with pytest.raises(HardwareError, match=r"XY cannot go to x = 1\.00") as error:
        moves(core).to(x_um=1)
    assert "out of range (1)" in error.value.message
    for call, words in (
        (moves(core).home, "cannot home"),
        (moves(core).set_origin, "cannot set its origin"),
        (moves(core).halt, "cannot be stopped"),
        (lambda: moves(core).choose(xy="XY"), "cannot be chosen"),
    ):
        with pytest.raises(HardwareError, match=words):
            call()
    core.refuses = "busy"
    with pytest.raises(HardwareError, match="say whether it moves: no answer"):
        moves(core).to(z_um=1)
    with pytest.raises(HardwareError, match="no place at nan"):
        moves(core).to(z_um=float("nan"))


def test_without_stages() -> None:
    core = Core()
    core.xy = core.z = ""
    for call, words in (
        (lambda: moves(core).to(x_um=1), "no XY stage"),
        (lambda: moves(core).to(z_um=1), "no focus drive"),
        (moves(core).home, "no XY stage"),
        (moves(core).set_origin, "no XY stage"),
    ):
        with pytest.raises(HardwareError, match=words):
            call()
    moves(core).halt()


def test_facts_of_the_demo_microscope(owner: CoreOwner) -> None:
    facts = stage_facts(owner.core)
    assert (facts.xy_device, facts.focus_device) == ("XY", "Z")
    assert facts.xy_devices == ("XY",)
    assert "Z" in facts.z_devices
    assert facts.image_px == (512, 512)
    assert "DAPI" in facts.channels
    assert facts.grid is not None
    assert facts.grid.affine == (1, 0, 0, 1)
    owner.core.setXYStageDevice("")
    facts = stage_facts(owner.core)
    assert facts.grid is None
    assert facts.why_not == "tiles need an XY stage"
    assert facts.image_px == (0, 0)
    owner.core.unloadAllDevices()
    assert stage_facts(owner.core) == StageFacts(why_not="there is no camera")
