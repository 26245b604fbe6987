"""The live strip as a user has it: clicks, keys, faults, locks, closing."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import useq
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from tests.threads import Thread

from napari_scope.acquire import CoreOwner, Run
from napari_scope.acquire.live_frame import PixelRange
from napari_scope.widgets.devices.live_strip import LiveStrip
from napari_scope.widgets.devices.live_words import (
    brightness_text,
    rate_text,
    saturation_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]

LONG = useq.MDASequence(time_plan={"interval": 30, "loops": 2})
SHORT = useq.MDASequence(time_plan={"interval": 0, "loops": 3})


@pytest.fixture
def owner(microscope: Microscope) -> CoreOwner:
    """Return the owner of the core that the microscope has."""
    return microscope.owner


@pytest.fixture
def scene(owner: CoreOwner) -> ViewerModel:
    core = owner.core
    core.setProperty("Camera", "OnCameraCCDXSize", "64")
    core.setProperty("Camera", "OnCameraCCDYSize", "48")
    core.setExposure(2)
    return ViewerModel()


@pytest.fixture
def strip(
    microscope: Microscope, scene: ViewerModel, qtbot: QtBot, settle: Callable[[], None]
) -> Iterator[LiveStrip]:
    made = LiveStrip(microscope, scene)  # type: ignore[arg-type]
    qtbot.addWidget(made)
    made.show()
    settle()
    yield made
    made.shut_down()


def click(qtbot: QtBot, button: Any) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_snap(strip: LiveStrip, scene: ViewerModel, qtbot: QtBot) -> None:
    assert strip.exposure_box.value() == 2
    assert not strip.keep_button.isEnabled()
    click(qtbot, strip.snap_button)
    qtbot.waitUntil(lambda: len(scene.layers) == 1, timeout=20_000)
    assert scene.layers[0].name == "Live"
    qtbot.waitUntil(lambda: "Camera" in strip.rate_label.text())
    qtbot.waitUntil(lambda: " to " in strip.range_label.text())
    assert not strip.live_button.isChecked()
    click(qtbot, strip.keep_button)
    assert len(scene.layers) == 2


def test_live_on_and_off(
    strip: LiveStrip, microscope: Microscope, scene: ViewerModel, qtbot: QtBot
) -> None:
    click(qtbot, strip.live_button)
    qtbot.waitUntil(lambda: len(scene.layers) == 1, timeout=20_000)
    qtbot.waitUntil(lambda: "frames/s" in strip.rate_label.text(), timeout=20_000)
    assert strip.live_button.isChecked()
    number = strip.view.frames[0].number
    click(qtbot, strip.snap_button)  # live goes on
    qtbot.waitUntil(lambda: strip.view.frames[0].number > number + 2)
    assert microscope.live.running
    click(qtbot, strip.live_button)
    qtbot.waitUntil(lambda: not microscope.live.running, timeout=20_000)
    qtbot.waitUntil(lambda: not strip.live_button.isChecked())
    assert not strip.error_panel.isVisible()


def test_exposure_while_live(
    strip: LiveStrip, microscope: Microscope, owner: CoreOwner, qtbot: QtBot
) -> None:
    click(qtbot, strip.live_button)
    qtbot.waitUntil(lambda: bool(strip.view.frames), timeout=20_000)
    set_to: list[float] = []
    real = microscope.live.set_exposure
    microscope.live.set_exposure = lambda ms: (set_to.append(ms), real(ms))  # type: ignore[method-assign,assignment,return-value]
    for value in range(3, 13):  # a hand on the wheel
        strip.exposure_box.setValue(value)
    qtbot.waitUntil(lambda: owner.core.getExposure() == 12, timeout=20_000)
    assert len(set_to) < 10  # the last one counts
    qtbot.waitUntil(lambda: strip.view.frames[0].exposure_ms == 12, timeout=20_000)
    assert microscope.live.running
    assert strip.exposure_box.value() == 12


def test_exposure_that_somebody_else_sets(
    strip: LiveStrip, owner: CoreOwner, qtbot: QtBot
) -> None:
    owner.core.setExposure(33)
    qtbot.waitUntil(lambda: strip.exposure_box.value() == 33, timeout=20_000)


def test_shortcuts(
    shown_viewer: napari.Viewer, microscope: Microscope, qtbot: QtBot
) -> None:
    strip = LiveStrip(microscope, shown_viewer)
    shown_viewer.window.add_dock_widget(strip, name="Live")
    window = strip.window()
    with qtbot.waitActive(window, timeout=20_000):
        window.activateWindow()
    strip.exposure_box.setFocus()
    qtbot.keyClick(strip.exposure_box, Qt.Key.Key_F6)
    qtbot.waitUntil(lambda: len(shown_viewer.layers) == 1, timeout=20_000)
    qtbot.keyClick(strip.exposure_box, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: microscope.live.running, timeout=20_000)
    qtbot.keyClick(strip.exposure_box, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: not microscope.live.running, timeout=20_000)
    click(qtbot, strip.live_button)
    qtbot.waitUntil(lambda: microscope.live.running, timeout=20_000)
    # The window is closed while live: nothing is left behind.
    shown_viewer.close()
    strip.shut_down()
    qtbot.waitUntil(lambda: not microscope.live.running, timeout=20_000)


class TestFaults:
    def test_snap_raises(
        self, strip: LiveStrip, owner: CoreOwner, monkeypatch: Any, qtbot: QtBot
    ) -> None:
        def fail() -> None:
            raise RuntimeError("no light")

        monkeypatch.setattr(owner.core, "snapImage", fail)
        failed: list[object] = []
        strip._microscope.call_failed.connect(lambda *told: failed.append(told))
        click(qtbot, strip.snap_button)
        qtbot.waitUntil(strip.error_panel.isVisible, timeout=20_000)
        assert "Could not snap an image" in strip.error_panel.text.text()
        assert "no light" in strip.error_panel.text.text()
        assert not failed  # told once
        monkeypatch.undo()
        click(qtbot, strip.snap_button)
        qtbot.waitUntil(lambda: bool(strip.view.frames), timeout=20_000)

    def test_camera_fails_while_live(
        self, strip: LiveStrip, owner: CoreOwner, monkeypatch: Any, qtbot: QtBot
    ) -> None:
        click(qtbot, strip.live_button)
        qtbot.waitUntil(lambda: bool(strip.view.frames), timeout=20_000)

        def fail() -> int:
            raise RuntimeError("unplugged")

        monkeypatch.setattr(owner.core, "getRemainingImageCount", fail)
        qtbot.waitUntil(strip.error_panel.isVisible, timeout=20_000)
        assert "The live view has ended" in strip.error_panel.text.text()
        qtbot.waitUntil(lambda: not strip.live_button.isChecked(), timeout=20_000)
        monkeypatch.undo()
        strip.error_panel.dismiss_button.click()
        qtbot.wait(250)
        assert not strip.error_panel.isVisible()  # told once
        click(qtbot, strip.live_button)
        qtbot.waitUntil(lambda: strip._microscope.live.running, timeout=20_000)

    def test_camera_does_not_start(
        self, strip: LiveStrip, owner: CoreOwner, monkeypatch: Any, qtbot: QtBot
    ) -> None:
        def fail(interval: float) -> None:
            raise RuntimeError("busy")

        monkeypatch.setattr(owner.core, "startContinuousSequenceAcquisition", fail)
        click(qtbot, strip.live_button)
        qtbot.waitUntil(strip.error_panel.isVisible, timeout=20_000)
        assert "busy" in strip.error_panel.text.text()
        qtbot.waitUntil(lambda: not strip.live_button.isChecked())

    def test_camera_that_hangs_does_not_hold_up_the_window(
        self, strip: LiveStrip, owner: CoreOwner, monkeypatch: Any, qtbot: QtBot
    ) -> None:
        click(qtbot, strip.live_button)
        qtbot.waitUntil(lambda: bool(strip.view.frames), timeout=20_000)
        freed, real = threading.Event(), owner.core.stopSequenceAcquisition
        threads: list[str] = []

        def hang(label: str) -> None:
            threads.append(threading.current_thread().name)
            freed.wait(20)
            real(label)

        monkeypatch.setattr(owner.core, "stopSequenceAcquisition", hang)
        click(qtbot, strip.live_button)  # returns
        qtbot.waitUntil(lambda: bool(threads), timeout=20_000)
        assert threads == ["napari-scope live"]
        freed.set()
        qtbot.waitUntil(lambda: not strip._microscope.live.running, timeout=20_000)

    def test_quick_fingers(
        self, strip: LiveStrip, microscope: Microscope, qtbot: QtBot, settle: Any
    ) -> None:
        for _ in range(7):
            click(qtbot, strip.live_button)
        settle()
        assert strip.live_button.isChecked()
        qtbot.waitUntil(lambda: bool(strip.view.frames), timeout=20_000)
        for _ in range(6):
            click(qtbot, strip.live_button)
        click(qtbot, strip.live_button)
        settle()
        qtbot.waitUntil(lambda: not microscope.live.running, timeout=20_000)
        qtbot.waitUntil(lambda: not strip.live_button.isChecked(), timeout=20_000)

    def test_the_outcome_of_an_earlier_click_is_not_that_of_the_last(
        self, strip: LiveStrip, microscope: Microscope, qtbot: QtBot, settle: Any
    ) -> None:
        strip.set_live(False)
        assert microscope.calls.settle(10) == ""  # made, but not told yet
        gate = threading.Event()
        microscope.do("wait", lambda: gate.wait(10))
        click(qtbot, strip.live_button)
        qtbot.wait(50)  # now it is told
        assert strip.live_button.isChecked()
        click(qtbot, strip.live_button)
        gate.set()
        settle()
        assert not microscope.live.running and not strip.live_button.isChecked()

    def test_image_that_cannot_be_shown(
        self, strip: LiveStrip, microscope: Microscope, monkeypatch: Any, qtbot: QtBot
    ) -> None:
        def fail(*args: object, **options: object) -> bool:
            raise ValueError("no such colour")

        monkeypatch.setattr(
            "napari_scope.widgets.devices.live_view.LiveLayer.show", fail
        )
        click(qtbot, strip.live_button)
        qtbot.waitUntil(strip.error_panel.isVisible, timeout=20_000)
        assert "no such colour" in strip.error_panel.text.text()
        qtbot.waitUntil(lambda: not microscope.live.running, timeout=20_000)


class TestRuns:
    def test_run_of_a_script_locks_the_strip(
        self, strip: LiveStrip, microscope: Microscope, owner: CoreOwner, qtbot: QtBot
    ) -> None:
        click(qtbot, strip.live_button)
        qtbot.waitUntil(lambda: bool(strip.view.frames), timeout=20_000)
        runs: list[Run] = []
        script = Thread(lambda: runs.append(Run(owner, LONG, []).start()))
        script.start()
        script.join()
        qtbot.waitUntil(lambda: not strip.snap_button.isEnabled(), timeout=20_000)
        qtbot.waitUntil(lambda: not strip.live_button.isChecked(), timeout=20_000)
        assert not strip.error_panel.isVisible()
        assert strip.snap_button.toolTip() == microscope.lock_reason
        runs[0].cancel()
        qtbot.waitUntil(strip.snap_button.isEnabled, timeout=20_000)
        assert not microscope.live.running  # the default

    def test_live_again_after_the_run_if_wanted(
        self,
        strip: LiveStrip,
        microscope: Microscope,
        owner: CoreOwner,
        monkeypatch: Any,
        qtbot: QtBot,
    ) -> None:
        monkeypatch.setattr(
            "napari_scope.widgets.devices.live_strip.preferences",
            lambda: SimpleNamespace(live_after_run=True),
        )
        click(qtbot, strip.live_button)
        qtbot.waitUntil(lambda: bool(strip.view.frames), timeout=20_000)
        number = strip.view.frames[0].number
        Run(owner, SHORT, []).start().wait()
        qtbot.waitUntil(lambda: microscope.live.running, timeout=20_000)
        qtbot.waitUntil(lambda: strip.view.frames[0].number > number, timeout=20_000)

    def test_configuration_loaded_while_live(
        self, strip: LiveStrip, microscope: Microscope, qtbot: QtBot
    ) -> None:
        click(qtbot, strip.live_button)
        qtbot.waitUntil(lambda: bool(strip.view.frames), timeout=20_000)
        with qtbot.waitSignal(microscope.loaded, timeout=20_000):
            microscope.load()
        assert not microscope.live.running
        assert not strip.error_panel.isVisible()
        qtbot.waitUntil(strip.live_button.isEnabled, timeout=20_000)
        qtbot.waitUntil(lambda: not strip.live_button.isChecked(), timeout=20_000)


def test_without_a_camera(empty_owner: CoreOwner, qtbot: QtBot) -> None:
    from napari_scope.widgets.common.microscope import Microscope

    microscope = Microscope(empty_owner)
    strip = LiveStrip(microscope, ViewerModel())  # type: ignore[arg-type]
    qtbot.addWidget(strip)
    qtbot.waitUntil(lambda: strip.rate_label.text() == "No camera is loaded")
    assert not strip.live_button.isEnabled()
    strip.shut_down()
    microscope.close()


def test_two_strips_and_closing(
    strip: LiveStrip, microscope: Microscope, scene: ViewerModel, qtbot: QtBot
) -> None:
    other = LiveStrip(microscope, scene)  # type: ignore[arg-type]
    qtbot.addWidget(other)
    click(qtbot, strip.live_button)
    qtbot.waitUntil(lambda: bool(other.view.frames), timeout=20_000)
    qtbot.waitUntil(other.live_button.isChecked)
    assert len(scene.layers) == 1
    other.shut_down()
    other.shut_down()
    assert microscope.live.running  # somebody still looks on
    strip.shut_down()
    qtbot.waitUntil(lambda: not microscope.live.running, timeout=20_000)


def test_state(strip: LiveStrip) -> None:
    strip.restore({"contrast": "always", "follow": False})
    assert strip.view.contrast_mode == "always"
    assert strip.view.following is False
    assert strip.state() == {"contrast": "always", "follow": False}
    strip.restore({"contrast": "nonsense"})
    assert strip.view.contrast_mode == "always"


def test_words() -> None:
    rates = [PixelRange(0, 4095, 0.5), PixelRange(0, 10, 0.0), None]
    assert "50.0 % saturated" in saturation_text(rates, "red")
    assert "under 0.01 %" in saturation_text([PixelRange(0, 255, 1e-6)], "red")
    assert saturation_text(rates[1:], "red") == ""
    assert brightness_text([(rates[0], 12), (None, 12)]) == "0 to 4,095 of 4,095"
    assert brightness_text([(PixelRange(-0.5, 1.25, None), None)]) == "-0.5 to 1.25"
    assert (
        rate_text("A, B", 0.25, 0.25, running=True) == "A, B · 0.25 frames/s, all shown"
    )
    assert rate_text("", 0.0, 0.0, running=True) == "Waiting for a frame"


def test_everything_has_a_name_and_a_tip(strip: LiveStrip) -> None:
    for widget in (
        strip.snap_button,
        strip.live_button,
        strip.exposure_box,
        strip.contrast_box,
        strip.contrast_button,
        strip.fit_button,
        strip.follow_button,
        strip.keep_button,
    ):
        assert widget.toolTip()
        assert widget.accessibleName() or widget.text()
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus
