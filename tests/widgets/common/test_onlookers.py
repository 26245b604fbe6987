"""The live view and the watch of the stage are made once, and end together."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from napari_scope.widgets.common.onlookers import Onlookers

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

pytestmark = pytest.mark.gui


class Made:
    made: ClassVar[list[Made]] = []

    def __init__(self, core: object, **settings: Any) -> None:
        self.core, self.settings, self.closed = core, settings, 0
        Made.made.append(self)

    def held(self) -> AbstractContextManager[object]:
        return nullcontext("held")

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def onlookers(monkeypatch: pytest.MonkeyPatch, qapp: object) -> Onlookers:
    monkeypatch.setattr(Made, "made", [])
    monkeypatch.setattr("napari_scope.acquire.live.LiveCamera", Made)
    monkeypatch.setattr("napari_scope.acquire.stage_watch.StageWatch", Made)
    return Onlookers("core")  # type: ignore[arg-type]


def test_they_are_made_when_they_are_asked_for(onlookers: Onlookers) -> None:
    assert not Made.made
    live: Any = onlookers.live
    stage: Any = onlookers.stage
    assert live.settings == {"stage": stage} and live is onlookers.live
    assert Made.made == [stage, live]
    assert stage.settings["poll_s"] > 0 and live.core == stage.core == "core"


def test_they_end_together_and_are_made_anew(onlookers: Onlookers) -> None:
    first: Any = onlookers.live
    onlookers.close()
    onlookers.close()
    assert [made.closed for made in Made.made] == [1, 1]
    assert onlookers.live is not first and len(Made.made) == 4


def test_a_camera_that_nobody_has_seen_need_not_stop(onlookers: Onlookers) -> None:
    with onlookers.beside_live() as held:
        assert held is None
    assert not Made.made
    assert onlookers.live
    with onlookers.beside_live() as held:
        assert held == "held"
