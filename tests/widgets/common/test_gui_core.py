"""The widgets of pymmcore-widgets on a core whose devices are slow or broken."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QTimer

from napari_scope.errors import AcquisitionError, HardwareError
from napari_scope.widgets.common.core_events import GuiCore
from napari_scope.widgets.common.core_setters import setter_of
from napari_scope.widgets.common.device_calls import DeviceCalls
from napari_scope.widgets.common.icons import icon_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymmcore_plus import CMMCorePlus
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QWidget

    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui


class Bench:
    """A core as widgets see it, with gates before its methods."""

    def __init__(self, core: CMMCorePlus, qtbot: QtBot) -> None:
        self.real = core
        self.qtbot = qtbot
        self.calls = DeviceCalls()
        self.reason = ""
        self.refused: list[tuple[str, str]] = []
        self.failures: list[tuple[Any, str]] = []
        self.calls.failed.connect(
            lambda error, what: self.failures.append((error, what))
        )
        self.core = GuiCore(
            core,
            self.calls,
            lock=lambda: self.reason,
            refused=lambda what, reason: self.refused.append((what, reason)),
        )
        self.gate = threading.Event()
        self.entered: list[tuple[str, tuple[Any, ...], threading.Thread]] = []
        self._patch = pytest.MonkeyPatch()

    def hold_back(self, *names: str) -> None:
        """Let methods of the core wait for the gate: a device that takes its time."""
        for name in names:
            self._patch.setattr(self.real, name, self._slow(name))

    def _slow(self, name: str) -> Callable[..., Any]:
        method = getattr(self.real, name)

        def slow(*args: Any, **kwargs: Any) -> Any:
            self.entered.append((name, args, threading.current_thread()))
            assert self.gate.wait(30)
            return method(*args, **kwargs)

        return slow

    def act(self, action: Callable[[], object], method: str) -> None:
        """Do what a user does; it must return although the device has not answered."""
        action()
        self.qtbot.waitUntil(lambda: any(e[0] == method for e in self.entered))
        ticks: list[float] = []
        timer = QTimer()
        timer.timeout.connect(lambda: ticks.append(time.monotonic()))
        timer.start(1)
        self.qtbot.waitUntil(lambda: len(ticks) > 5)
        timer.stop()
        # The device is still busy: the window was alive meanwhile.
        assert not self.gate.is_set() and self.calls.busy
        threads = {thread for name, _, thread in self.entered if name == method}
        assert threading.main_thread() not in threads

    def open(self) -> None:
        self.gate.set()
        self.qtbot.waitUntil(lambda: not self.calls.busy)

    def close(self) -> None:
        self.gate.set()
        assert self.calls.close()
        self._patch.undo()
        self.core.close()


@pytest.fixture(scope="module")
def demo(qapp: object) -> Iterator[CoreOwner]:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire import CoreOwner

    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        yield owner


@pytest.fixture
def bench(
    demo: CoreOwner, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    for module in ("superqt.iconify", "pymmcore_widgets.control._stage_widget"):
        monkeypatch.setattr(f"{module}.svg_path", lambda *_, **__: icon_file("run"))
    made = Bench(demo.core, qtbot)
    yield made
    made.close()
    demo.core.clearROI()


def _shown(qtbot: QtBot, widget: QWidget) -> Any:
    qtbot.addWidget(widget)
    widget.show()
    return widget


def test_property_widget(bench: Bench, qtbot: QtBot) -> None:
    from pymmcore_widgets import PropertyWidget

    widget = _shown(qtbot, PropertyWidget("Camera", "Gain", mmcore=bench.core))
    bench.real.setProperty("Camera", "Gain", 0)
    bench.hold_back("setProperty")
    bench.act(lambda: widget.setValue(3), "setProperty")
    widget.setValue(4)
    widget.setValue(5)  # of those that wait the last one counts
    bench.open()
    assert [args[2] for _, args, _ in bench.entered] == [3, 5]
    assert bench.real.getProperty("Camera", "Gain") == "5"
    qtbot.waitUntil(lambda: widget.value() == 5)


def test_presets_widget(bench: Bench, qtbot: QtBot) -> None:
    from pymmcore_widgets import PresetsWidget

    widget = _shown(qtbot, PresetsWidget("Channel", mmcore=bench.core))
    bench.real.setConfig("Channel", "DAPI")
    bench.hold_back("setConfig")
    bench.act(lambda: widget.setValue("FITC"), "setConfig")
    widget._combo.textActivated.emit("FITC")  # as a click does, after the change
    bench.open()
    assert [args for _, args, _ in bench.entered] == [("Channel", "FITC")]
    assert bench.real.getCurrentConfig("Channel") == "FITC"
    qtbot.waitUntil(lambda: widget.value() == "FITC")


def test_stage_widget_adds_its_steps_up(bench: Bench, qtbot: QtBot) -> None:
    from pymmcore_widgets import StageWidget

    bench.real.setXYPosition(0, 0)
    bench.real.waitForDevice("XY")
    widget = _shown(qtbot, StageWidget("XY", mmcore=bench.core))
    bench.hold_back("setXYPosition")
    bench.act(lambda: widget._on_move_requested(10, 0), "setXYPosition")
    for _ in range(4):
        widget._on_move_requested(10, 5)
    bench.open()
    bench.real.waitForDevice("XY")
    assert bench.real.getXYPosition() == pytest.approx([50, 20], abs=0.1)
    qtbot.waitUntil(lambda: abs(widget._x_pos.value() - 50) < 0.1)


def test_halt_is_never_queued_nor_refused(bench: Bench, qtbot: QtBot) -> None:
    bench.hold_back("setXYPosition")
    stopped = threading.Event()
    bench._patch.setattr(bench.real, "stop", lambda label: stopped.set())
    bench.act(lambda: bench.core.setXYPosition("XY", 500, 0), "setXYPosition")
    bench.core.setXYPosition("XY", 900, 0)
    bench.core.setRelativeXYPosition("XY", 1, 1)
    bench.reason = "A run goes on"
    bench.core.stop("XY")
    assert stopped.wait(30) and not bench.gate.is_set()
    bench.reason = ""
    bench.open()
    assert [args for name, args, _ in bench.entered] == [("XY", 500, 0)]


def test_shutters_widget(bench: Bench, qtbot: QtBot) -> None:
    from pymmcore_widgets import ShuttersWidget

    bench.real.setAutoShutter(False)
    bench.real.setShutterOpen("White Light Shutter", False)
    qtbot.wait(20)
    widget = _shown(qtbot, ShuttersWidget("White Light Shutter", mmcore=bench.core))
    bench.hold_back("setShutterOpen", "setAutoShutter")
    bench.act(widget.shutter_button.click, "setShutterOpen")
    bench.open()
    qtbot.waitUntil(lambda: widget._is_open)
    widget.autoshutter_checkbox.setChecked(True)
    qtbot.waitUntil(bench.real.getAutoShutter)
    qtbot.waitUntil(lambda: widget.autoshutter_checkbox.isChecked())


def test_camera_roi_widget(bench: Bench, qtbot: QtBot) -> None:
    from pymmcore_widgets import CameraRoiWidget

    widget = _shown(qtbot, CameraRoiWidget(mmcore=bench.core))
    bench.hold_back("setROI")
    bench.act(lambda: widget.camera_roi_combo.setCurrentText("256 x 256"), "setROI")
    bench.open()
    assert bench.real.getROI("Camera")[2:] == [256, 256]
    qtbot.waitUntil(lambda: widget.roi_width.value() == 256)


def test_exposure_widget(bench: Bench, qtbot: QtBot) -> None:
    from pymmcore_widgets import ExposureWidget

    widget = _shown(qtbot, ExposureWidget(mmcore=bench.core))
    bench.hold_back("setExposure")
    bench.act(lambda: widget.spinBox.setValue(33.0), "setExposure")
    bench.open()
    assert bench.real.getExposure() == 33.0
    qtbot.waitUntil(lambda: widget.spinBox.value() == 33.0)


def test_objective_live_snap_and_table(bench: Bench, qtbot: QtBot) -> None:
    from pymmcore_widgets import (
        GroupPresetTableWidget,
        LiveButton,
        ObjectivesWidget,
        PropertyBrowser,
    )

    objectives = _shown(qtbot, ObjectivesWidget(mmcore=bench.core))
    live = _shown(qtbot, LiveButton(mmcore=bench.core))
    _shown(qtbot, GroupPresetTableWidget(mmcore=bench.core))
    _shown(qtbot, PropertyBrowser(mmcore=bench.core))
    qtbot.wait(20)
    bench.real.setPosition("Z", 7)
    bench.real.waitForDevice("Z")
    bench.hold_back("setState", "waitForDevice", "setPosition")
    combo = objectives._combo._combo
    other = next(
        combo.itemText(i)
        for i in range(combo.count())
        if combo.itemText(i) != combo.currentText()
    )
    bench.act(lambda: combo.setCurrentText(other), "waitForDevice")
    bench.open()
    # The focus goes away before the objective turns, and back afterwards.
    made = [(name, args[1]) for name, args, _ in bench.entered if args[1:]]
    assert made[0] == ("setPosition", 0)
    assert made[1][0] == "setState"
    assert made[-1] == ("setPosition", 7)
    assert bench.real.getStateLabel("Objective") == other
    live.click()
    qtbot.waitUntil(bench.real.isSequenceRunning)
    qtbot.waitUntil(lambda: not bench.calls.busy)
    live.click()
    qtbot.waitUntil(lambda: not bench.real.isSequenceRunning())
    qtbot.waitUntil(lambda: not bench.calls.busy)


def test_what_a_device_refuses_the_widget_does_not_show(
    bench: Bench, qtbot: QtBot
) -> None:
    from pymmcore_widgets import PropertyWidget

    bench.real.setProperty("Camera", "Gain", 1)
    widget = _shown(qtbot, PropertyWidget("Camera", "Gain", mmcore=bench.core))

    def fail(*args: object) -> None:
        raise RuntimeError("the cable is out")

    bench._patch.setattr(bench.real, "setProperty", fail)
    widget.setValue(6)
    qtbot.waitUntil(lambda: widget.value() == 1)
    ((error, what),) = bench.failures
    assert isinstance(error, HardwareError) and "the cable is out" in str(error)
    assert what == "set Camera Gain"
    assert (error.device, error.property) == ("Camera", "Gain")  # type: ignore[attr-defined]


def test_while_it_is_locked_nothing_is_set_and_widgets_are_told(
    bench: Bench, qtbot: QtBot
) -> None:
    from pymmcore_widgets import PresetsWidget, PropertyWidget

    bench.real.setProperty("Camera", "Gain", 2)
    bench.real.setConfig("Channel", "DAPI")
    gain = _shown(qtbot, PropertyWidget("Camera", "Gain", mmcore=bench.core))
    channel = _shown(qtbot, PresetsWidget("Channel", mmcore=bench.core))
    bench.reason = "A run goes on"
    bench.core.suspended = True  # as during a run
    gain.setValue(7)
    channel.setValue("Cy5")
    qtbot.waitUntil(lambda: gain.value() == 2 and channel.value() == "DAPI")
    assert bench.real.getProperty("Camera", "Gain") == "2"
    assert bench.real.getCurrentConfig("Channel") == "DAPI"
    assert set(bench.refused) == {
        ("set Camera Gain", "A run goes on"),
        ("set Channel to Cy5", "A run goes on"),
    }
    with pytest.raises(AcquisitionError, match="A run goes on"):
        _in_thread(lambda: bench.core.snapImage())
    assert _in_thread(lambda: bench.core.getCameraDevice()) == "Camera"


def _in_thread(function: Callable[[], Any]) -> Any:
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(function())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def test_a_call_that_waited_into_a_run_is_refused(bench: Bench, qtbot: QtBot) -> None:
    bench.real.setProperty("Camera", "Gain", 0)
    bench.hold_back("setExposure")
    bench.act(lambda: bench.core.setExposure(5.0), "setExposure")
    bench.core.setProperty("Camera", "Gain", 3)
    bench.reason = "A run goes on"
    bench.open()
    assert bench.real.getProperty("Camera", "Gain") == "0"
    ((error, _what),) = bench.failures
    assert isinstance(error, AcquisitionError)


def test_a_device_that_hangs_holds_up_no_question(bench: Bench, qtbot: QtBot) -> None:
    real, core = bench.real, bench.core
    real.setExposure(5000)
    real.getProperty("Camera", "Gain")
    before = core.getXYPosition(), core.getExposure(), core.getROI("Camera")
    core.read_all()
    taken = threading.Event()

    def snap() -> None:
        real.snapImage()  # five seconds; the module of all demo devices is locked
        taken.set()

    started = threading.Event()
    bench.calls.do("begin", started.set)
    bench.calls.do("snap", snap)
    qtbot.waitUntil(lambda: bench.calls.now == "snap")
    qtbot.wait(50)
    assert (core.getXYPosition(), core.getExposure(), core.getROI("Camera")) == before
    gain = real.getPropertyFromCache("Camera", "Gain")
    assert core.getProperty("Camera", "Gain") == gain
    assert core.getCurrentConfig("Channel") in real.getAvailableConfigs("Channel")
    for prop in core.iterProperties(as_object=True):
        prop.isReadOnly(), prop.allowedValues(), prop.type()
    assert core.deviceBusy("XY")
    assert not taken.is_set(), "the questions waited for the camera"
    qtbot.waitUntil(taken.is_set, timeout=30_000)
    qtbot.waitUntil(lambda: not bench.calls.busy)
    real.setExposure(10)


def test_what_nobody_knows_is_an_error_in_the_end(
    bench: Bench, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.widgets.common.core_answers._FIRST_S", 0.05)
    bench.hold_back("getFocusDirection", "setExposure", "getAutoFocusOffset")
    bench.act(lambda: bench.core.setExposure(5.0), "setExposure")
    for name in ("getFocusDirection", "getFocusDirection"):
        with pytest.raises(RuntimeError, match="does not answer"):
            getattr(bench.core, name)("Z")
    bench.open()
    qtbot.waitUntil(lambda: bench.core.getFocusDirection("Z") is not None)


def test_a_burst_of_changes_is_told_once_in_turns(bench: Bench, qtbot: QtBot) -> None:
    heard: list[tuple[str, str, object]] = []
    threads: set[threading.Thread] = set()

    def hear(*args: Any) -> None:
        heard.append(args)
        threads.add(threading.current_thread())

    own: list[object] = []
    bench.core.events.propertyChanged.connect(hear)
    bench.core.events.devicePropertyChanged("Camera", "Gain").connect(own.append)
    emit = bench.real.events.propertyChanged.emit

    def burst() -> None:
        for number in range(10_000):
            emit("Camera", f"P{number % 50}", str(number))
        emit("Camera", "Gain", "8")

    # The GUI thread is busy meanwhile, as it would be with painting.
    thread = threading.Thread(target=burst)
    thread.start()
    thread.join()
    assert heard == []
    qtbot.waitUntil(lambda: own == ["8"])
    assert len(heard) == 51 and threads == {threading.main_thread()}
    assert ("Camera", "P49", "9999") in heard


def test_turns_are_short_where_there_is_much_to_tell(
    bench: Bench, qtbot: QtBot
) -> None:
    ticks: list[int] = []
    heard: list[object] = []
    bench.core.events.propertyChanged.connect(lambda *args: heard.append(args))
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(len(heard)))
    emit = bench.real.events.propertyChanged.emit
    thread = threading.Thread(
        target=lambda: [emit("Camera", f"P{n}", "1") for n in range(10_000)]
    )
    thread.start()
    thread.join()
    timer.start(0)
    qtbot.waitUntil(lambda: len(heard) == 10_000, timeout=30_000)
    timer.stop()
    # The window was alive between the first event and the last.
    assert [n for n in ticks if 0 < n < 10_000]


def test_what_a_blocked_call_emits_is_told_to_nobody(
    bench: Bench, qtbot: QtBot
) -> None:
    heard: list[object] = []
    bench.core.events.configDefined.connect(lambda *args: heard.append(args))
    bench.core.events.blockSignals(True)
    bench.core.defineConfig("Channel", "Mine", "Camera", "Gain", "1")
    bench.core.events.blockSignals(False)
    bench.core.defineConfig("Channel", "Mine", "Camera", "Gain", "2")
    qtbot.waitUntil(lambda: len(heard) == 1)
    bench.core.deleteConfig("Channel", "Mine")


def test_methods_are_the_same_object_each_time(bench: Bench) -> None:
    assert bench.core.setExposure is bench.core.setExposure
    assert bench.core.getDeviceObject("XY")._mmc is bench.core
    assert bench.core.mda is bench.real.mda
    with pytest.raises(AttributeError):
        _ = bench.core.no_such_method


def test_without_calls_it_is_the_core(demo: CoreOwner) -> None:
    core = GuiCore(demo.core)
    core.setExposure(12.0)
    assert demo.core.getExposure() == 12.0
    core.close()
    core.close()


@pytest.mark.parametrize(
    ("name", "args", "words", "key"),
    [
        ("setProperty", ("A", "B", 1), "set A B", ("property", "A", "B")),
        (
            "setConfig",
            ("Channel", "DAPI"),
            "set Channel to DAPI",
            ("config", "Channel"),
        ),
        ("setXYPosition", (1.0, 2.0), "move the stage", ("xy",)),
        ("setXYPosition", ("XY", 1.0, 2.0), "move the stage", ("xy", "XY")),
        ("setCameraDevice", ("Cam",), "choose the camera", ("Camera",)),
        ("setPumpVolume", ("Pump", 1.0), "make the call setPumpVolume", None),
        ("waitForSystem", (), "wait for the microscope", None),
    ],
)
def test_setters_in_words(name: str, args: Any, words: str, key: object) -> None:
    setter = setter_of(name)
    assert setter is not None
    assert setter.words(args) == words
    assert setter.key(args) == key


def test_relative_moves_are_never_replaced() -> None:
    setter = setter_of("setRelativePosition")
    assert setter is not None
    assert setter.key((1.0,)) != setter.key((1.0,))


@pytest.mark.parametrize(
    "name",
    ["defineConfig", "deleteConfig", "setPixelSizeUm", "setChannelGroup", "snapX"],
)
def test_what_stays_where_it_is_called(name: str) -> None:
    assert setter_of(name) is None
