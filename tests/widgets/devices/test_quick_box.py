from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import Qt

from napari_scope.widgets.devices.preset_box import PresetBox
from napari_scope.widgets.devices.quick_box import ObjectiveBox, QuickBox
from napari_scope.widgets.devices.shutter_box import ShutterBox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

pytestmark = pytest.mark.gui


@pytest.fixture
def quick(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    settle: Callable[[], None],
) -> Iterator[QuickBox]:
    made = QuickBox(microscope, table_core)
    qtbot.addWidget(made)
    made.show()
    made.rebuild()
    settle()
    yield made
    made.close_down()
    made.close_down()


def test_the_channel_follows_its_group(
    quick: QuickBox, microscope: Microscope, settle: Callable[[], None]
) -> None:
    assert quick.preset is not None and quick.preset.value() == "DAPI"
    microscope.core.setChannelGroup("LightPath")
    settle()
    assert quick.preset.value() == "Eyepiece"
    microscope.core.deleteConfigGroup("LightPath")
    settle()
    assert quick.preset is None or quick.preset.value() != "Eyepiece"
    microscope.core.setChannelGroup("Channel")
    settle()
    assert quick.preset is not None and quick.preset.value() == "DAPI"


def test_the_objective_turns_and_the_focus_stays(
    quick: QuickBox,
    microscope: Microscope,
    qtbot: QtBot,
    settle: Callable[[], None],
) -> None:
    core = microscope.real_core
    core.setPosition("Z", 12.0)
    box = quick.objective
    assert isinstance(box, ObjectiveBox) and box.currentText() == "Nikon 10X S Fluor"
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Down)
    settle()
    assert core.getState("Objective") == box.currentIndex() != 1
    core.setState("Objective", 0)
    settle()
    assert box.currentIndex() == 0
    assert core.getPosition("Z") == 12.0


def test_an_objective_that_does_not_turn_shows_where_it_is(
    quick: QuickBox,
    microscope: Microscope,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    settle: Callable[[], None],
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("no answer")

    monkeypatch.setattr(microscope.real_core, "setProperty", fail)
    box = quick.objective
    assert box is not None
    box.setFocus()
    with qtbot.waitSignal(microscope.call_failed, timeout=5000):
        qtbot.keyClick(box, Qt.Key.Key_Down)
    settle()
    quick.show_truth()
    assert isinstance(box, ObjectiveBox) and box.currentText() == "Nikon 10X S Fluor"


def test_the_shutter_opens_by_a_click(
    quick: QuickBox,
    microscope: Microscope,
    qtbot: QtBot,
    settle: Callable[[], None],
) -> None:
    core, shutter = microscope.real_core, quick.shutter
    assert isinstance(shutter, ShutterBox)
    assert shutter.autoshutter_checkbox.isChecked()
    assert not shutter.shutter_button.isEnabled()
    shutter.autoshutter_checkbox.click()
    settle()
    assert not core.getAutoShutter() and shutter.shutter_button.isEnabled()
    was_open = core.getShutterOpen()
    qtbot.mouseClick(shutter.shutter_button, Qt.MouseButton.LeftButton)
    settle()
    assert core.getShutterOpen() is not was_open
    assert shutter.shutter_button.text() == ("Closed" if was_open else "Open")
    choice = quick.shutter_choice
    assert choice is not None
    choice.setCurrentText("LED Shutter")
    choice.textActivated.emit("LED Shutter")
    settle()
    assert core.getShutterDevice() == "LED Shutter"
    assert quick.shutter is not None
    assert quick.shutter.shutter_device == "LED Shutter"


def test_without_channels_turret_and_shutters_nothing_is_shown(
    microscope: Microscope, table_core: TableCore, qtbot: QtBot
) -> None:
    core = microscope.real_core
    core.unloadAllDevices()
    core.loadDevice("Cam", "DemoCamera", "DCam")
    core.initializeDevice("Cam")
    quick = QuickBox(microscope, table_core)
    qtbot.addWidget(quick)
    quick.rebuild()
    assert quick.group is quick.objective is quick.shutter is None
    quick.show_truth()
    quick.set_locked("x")
    core.defineConfig("Objective lens", "a", "Cam", "Gain", "1")
    quick.rebuild()
    assert isinstance(quick.objective, PresetBox)
    assert quick.preset is None  # no group is the channel group
    quick.close_down()


def test_a_shutter_that_is_gone_is_no_warning_and_not_asked(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    settle: Callable[[], None],
) -> None:
    box = ShutterBox("LED Shutter", microscope, table_core)
    qtbot.addWidget(box)
    settle()
    microscope.real_core.unloadAllDevices()
    with qtbot.assertNotEmitted(microscope.call_failed, wait=50):
        box.show_truth()
        settle()
    assert not box.isEnabled()
