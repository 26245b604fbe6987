from __future__ import annotations

from typing import Any

import pytest

from napari_scope.acquire import easing
from napari_scope.acquire.easing import Easing


class Core:
    """A core with a buffer for 100 images, and a clock that goes as it is slept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.free = 100
        self.fills = 0
        monkeypatch.setattr(easing, "time", self)

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.free -= self.fills

    def getBufferTotalCapacity(self) -> int:
        return 100

    def getBufferFreeCapacity(self) -> int:
        return self.free


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    return Core(monkeypatch)


def rested_s(eased: Easing, core: Core, given_up: Any = lambda: False) -> float:
    begun = core.now
    eased.rest(given_up)
    return core.now - begun


def test_nobody_rests_unasked(core: Core) -> None:
    eased = Easing(core)  # type: ignore[arg-type]
    assert rested_s(eased, core) == 0
    with eased.asked():
        pass
    assert rested_s(eased, core) == 0


def test_a_rest_is_short_and_who_asks_again_gets_what_is_left(core: Core) -> None:
    eased = Easing(core)  # type: ignore[arg-type]
    with eased.asked():
        core.now += 0.2
        with eased.asked():
            core.now += 0.01
        assert rested_s(eased, core) == pytest.approx(0.04, abs=0.003)
        assert rested_s(eased, core) == 0
    with eased.asked():
        assert rested_s(eased, core) == pytest.approx(0.25, abs=0.003)


def test_the_buffer_of_the_camera_is_never_more_than_half_full(core: Core) -> None:
    eased = Easing(core)  # type: ignore[arg-type]
    core.fills = 10
    with eased.asked():
        assert 0 < rested_s(eased, core) < 0.25
    assert 40 <= core.free < 50


def test_a_run_that_is_given_up_does_not_rest(core: Core) -> None:
    eased = Easing(core)  # type: ignore[arg-type]
    with eased.asked():
        assert rested_s(eased, core, lambda: True) == 0
