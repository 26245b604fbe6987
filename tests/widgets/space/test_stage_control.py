"""The stage by hand, as a user moves it: buttons, keys, typed places, halt, home."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QFocusEvent
from qtpy.QtWidgets import QApplication

from napari_scope.widgets.space.confirm_button import ConfirmButton
from napari_scope.widgets.space.stage_control import StageControl
from napari_scope.widgets.space.stage_driver import StageDriver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.microscope import Microscope

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


@pytest.fixture
def driver(microscope: Microscope, qtbot: QtBot) -> Iterator[StageDriver]:
    driver = StageDriver(microscope)
    qtbot.waitUntil(lambda: driver.facts.grid is not None and driver.place is not None)
    yield driver
    driver.close()


@pytest.fixture
def control(driver: StageDriver, microscope: Microscope, qtbot: QtBot) -> StageControl:
    control = StageControl(driver, microscope)
    qtbot.addWidget(control)
    control.show()
    driver.place_changed.emit(driver.place)
    return control


def place(microscope: Microscope) -> tuple[float, float, float]:
    core = microscope.real_core
    x, y = core.getXYPosition()
    return round(x, 1), round(y, 1), round(core.getZPosition(), 1)


def click(qtbot: QtBot, button: Any) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_buttons_and_keys_step(
    control: StageControl, microscope: Microscope, qtbot: QtBot
) -> None:
    control.xy_step.setValue(20)
    control.z_step.setValue(2)
    buttons = {
        b.accessibleName(): b
        for b in control._pads.findChildren(type(control.halt_button))
    }
    click(qtbot, buttons["Move the stage one step to the right"])
    click(qtbot, buttons["Move the stage one step to the right"])
    click(qtbot, buttons["Move the stage one step down in the image"])
    click(qtbot, buttons["Move the focus one step up (PageUp)"])
    qtbot.waitUntil(lambda: place(microscope) == (40, 20, 2))
    control.setFocus()
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Up, Qt.Key.Key_PageDown):
        qtbot.keyClick(control, key)
    qtbot.keyClick(control, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: place(microscope) == (22, 0, 0))
    qtbot.waitUntil(lambda: control.x_box.value() == pytest.approx(22, abs=0.02))
    assert control.status.text() in ("At rest", "Moving")
    qtbot.waitUntil(lambda: control.status.text() == "At rest")


def test_a_step_goes_on_from_where_the_last_one_ended(
    control: StageControl, microscope: Microscope, qtbot: QtBot
) -> None:
    driver = control._driver
    driver._timer.stop()  # what it knows of the stage is old from now on
    control.xy_step.setValue(20)
    for number in (1, 2, 3):
        control.step(right=1)
        qtbot.waitUntil(lambda: not driver._moving)
        assert place(microscope)[0] == 20 * number
    # Somebody else moves the stage: that counts as soon as it is seen.
    microscope.real_core.setXYPosition(-100, 0)
    microscope.real_core.waitForSystem()
    driver._timer.start()
    qtbot.waitUntil(lambda: control.x_box.value() == -100 and not driver.moving)
    control.step(right=1)
    qtbot.waitUntil(lambda: place(microscope)[0] == -80)


def test_many_steps_are_one_move(
    control: StageControl,
    microscope: Microscope,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = microscope.real_core
    gate, moves = threading.Event(), []
    original = core.setXYPosition

    def slow(*arguments: Any) -> None:
        moves.append(arguments[-2:])
        assert threading.current_thread() is not threading.main_thread()
        assert gate.wait(20)
        original(*arguments)

    monkeypatch.setattr(core, "setXYPosition", slow)
    control.xy_step.setValue(10)
    for _ in range(6):
        control.step(right=1)
    control.step(down=1)
    qtbot.waitUntil(lambda: len(moves) == 1)
    gate.set()
    qtbot.waitUntil(lambda: place(microscope)[:2] == (60, 10))
    assert len(moves) <= 2  # the first step may be on its way already


def test_a_place_is_typed(
    control: StageControl, microscope: Microscope, qtbot: QtBot
) -> None:
    control.x_box.setFocus()
    control.x_box.selectAll()
    qtbot.keyClicks(control.x_box, "-33.5")
    microscope.real_core.setZPosition(5)  # what is typed stays while others change
    qtbot.waitUntil(lambda: control.z_box.value() == 5)
    qtbot.keyClick(control.x_box, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: place(microscope) == (-33.5, 0, 5))
    control.z_box.setFocus()
    control.z_box.selectAll()
    qtbot.keyClicks(control.z_box, "12")
    qtbot.keyClick(control.z_box, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: place(microscope) == (-33.5, 0, 12))


def test_halt_ends_a_move_that_goes_on(
    control: StageControl,
    driver: StageDriver,
    microscope: Microscope,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = microscope.real_core
    stopped: list[str] = []
    monkeypatch.setattr(core, "deviceBusy", lambda name: True)
    monkeypatch.setattr(core, "stop", stopped.append)
    driver.move_to(1000, 1000)
    driver.move_to(2000, 2000)
    qtbot.waitUntil(lambda: "Moving" in control.status.text())
    click(qtbot, control.halt_button)
    qtbot.waitUntil(lambda: not driver._moving)
    assert stopped == ["XY", "Z"]
    assert driver._target == {}


def test_errors_are_told(
    control: StageControl,
    driver: StageDriver,
    microscope: Microscope,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("out of range")

    heard: list[tuple[str, str]] = []
    driver.failed.connect(lambda error, what: heard.append((str(error), what)))
    core = microscope.real_core
    for name, act in (
        ("setXYPosition", lambda: driver.move_to(1, 1)),
        ("stop", control.halt_button.click),
        ("home", driver.home),
        ("setOriginXY", driver.set_origin),
        ("setFocusDevice", lambda: driver.choose(focus="Z")),
    ):
        monkeypatch.setattr(core, name, refuse)
        act()
        qtbot.waitUntil(lambda: bool(heard))
        message, what = heard.pop()
        assert "out of range" in message
        assert " not " in what
    driver.move_to(z_um=3)
    qtbot.waitUntil(lambda: place(microscope)[2] == 3)


def test_home_and_origin_ask_first(
    control: StageControl,
    microscope: Microscope,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []
    core = microscope.real_core
    monkeypatch.setattr(core, "home", lambda name: called.append(f"home {name}"))
    monkeypatch.setattr(core, "setOriginXY", lambda name: called.append("origin"))
    click(qtbot, control.home_button)
    assert control.home_button.text() == "Really home?"
    away = QFocusEvent(QEvent.Type.FocusOut)
    QApplication.sendEvent(control.home_button, away)  # the click is forgotten
    assert control.home_button.text() == "Home"
    click(qtbot, control.origin_button)
    click(qtbot, control.origin_button)
    qtbot.waitUntil(lambda: called == ["origin"])
    click(qtbot, control.home_button)
    click(qtbot, control.home_button)
    qtbot.waitUntil(lambda: called == ["origin", "home XY"])


def test_a_first_click_is_forgotten(qtbot: QtBot) -> None:
    button = ConfirmButton("Go", "Sure?")
    qtbot.addWidget(button)
    button._timer.setInterval(1)
    button.click()
    assert button.asking
    qtbot.waitUntil(lambda: not button.asking)


def test_locked_while_a_run_goes_on(
    control: StageControl, driver: StageDriver, microscope: Microscope, qtbot: QtBot
) -> None:
    from napari_scope.acquire import Acquisition

    with Acquisition(core=microscope.owner):
        qtbot.waitUntil(lambda: bool(microscope.lock_reason))
        assert "locked" in control.status.text()
        assert not control.home_button.isEnabled()
        assert not control.x_box.isEnabled()
        assert control.halt_button.isEnabled()
        qtbot.keyClick(control, Qt.Key.Key_Right)
        driver.move_to(50, 50)
        assert not driver.moving
    qtbot.waitUntil(lambda: not microscope.lock_reason)
    qtbot.waitUntil(control.x_box.isEnabled)
    assert place(microscope)[:2] == (0, 0)


def test_other_devices(
    control: StageControl, driver: StageDriver, microscope: Microscope, qtbot: QtBot
) -> None:
    core = microscope.real_core
    assert control.z_choice.isVisible() == (len(driver.facts.z_devices) > 1)
    core.setXYStageDevice("")
    driver.ask()
    qtbot.waitUntil(lambda: driver.facts.xy_device == "")
    assert not control.home_button.isEnabled()
    driver.move_to(1, 1)
    with qtbot.waitSignal(driver.failed) as told:
        pass
    assert "no XY stage" in str(told.args[0])
    driver.step_by(z_um=4)
    qtbot.waitUntil(lambda: core.getZPosition() == 4)
    driver.choose(xy="XY")
    qtbot.waitUntil(lambda: driver.facts.xy_device == "XY")
    qtbot.waitUntil(control.home_button.isEnabled)


def test_without_a_microscope(empty_owner: CoreOwner, qtbot: QtBot) -> None:
    from napari_scope.widgets.common.microscope import Microscope

    microscope = Microscope(empty_owner)
    driver = StageDriver(microscope)
    control = StageControl(driver, microscope)
    qtbot.addWidget(control)
    qtbot.waitUntil(lambda: driver.facts.why_not == "there is no camera")
    assert control.status.text() == "There is no stage"
    driver.step_by(1, 1, 1)
    assert not driver.moving
    driver.close()
    microscope.close()
