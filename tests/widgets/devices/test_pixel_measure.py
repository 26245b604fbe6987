"""Pixels are measured from the page; nothing is changed before the user says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt

from napari_scope.acquire.pixel_calibration import PixelCalibration
from napari_scope.errors import CancelledError
from napari_scope.widgets.devices import pixel_measure
from napari_scope.widgets.devices.pixel_measure import PixelMeasure

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def box(microscope: Microscope, qtbot: QtBot) -> PixelMeasure:
    made = PixelMeasure(microscope)
    qtbot.addWidget(made)
    made.show()
    return made


def test_what_was_measured_is_shown_and_used_when_wanted(
    box: PixelMeasure,
    microscope: Microscope,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    asked: list[float] = []

    def measured(core: Any, *, step_um: float, **_: object) -> PixelCalibration:
        asked.append(step_um)
        return PixelCalibration((0.0, -0.65, 0.65, 0.0), 0.2)

    monkeypatch.setattr(pixel_measure, "measure_pixels", measured)
    core = microscope.real_core
    before = core.getPixelSizeUm()
    box.step.setValue(25)
    qtbot.mouseClick(box.measure_button, LEFT)
    qtbot.waitUntil(box.use_button.isVisible)
    assert asked == [25]
    assert "0.65 µm, turned by 90°" in box.words.text()
    assert "Res10x" in box.use_button.text()
    assert core.getPixelSizeUm() == before
    with qtbot.waitSignal(box.defined):
        qtbot.mouseClick(box.use_button, LEFT)
    assert core.getPixelSizeUm() == pytest.approx(0.65)
    assert not box.use_button.isVisible()


def test_a_sample_that_does_not_follow_the_stage_is_said(
    box: PixelMeasure, microscope: Microscope, qtbot: QtBot
) -> None:
    """The demo camera's waves stay where they are, whatever the stage does."""
    core = microscope.real_core
    core.setProperty("XY", "Velocity", 10)
    core.setExposure(1)
    with qtbot.waitSignal(microscope.call_failed) as failed:
        qtbot.mouseClick(box.measure_button, LEFT)
        assert box.busy
    assert "the image" in str(failed.args[0])
    assert not box.busy
    assert "Measure" in box.measure_button.text()
    assert core.getXYPosition() == pytest.approx((0, 0), abs=0.1)


def test_it_can_be_stopped(
    box: PixelMeasure, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    def measured(core: Any, *, cancelled: Any, **_: object) -> PixelCalibration:
        while not cancelled():
            pass
        raise CancelledError("cancelled")

    monkeypatch.setattr(pixel_measure, "measure_pixels", measured)
    qtbot.mouseClick(box.measure_button, LEFT)
    assert "Stop" in box.measure_button.text()
    qtbot.mouseClick(box.measure_button, LEFT)
    qtbot.waitUntil(lambda: not box.busy)
    assert "stays" in box.words.text()
    assert not box.use_button.isVisible()
