from __future__ import annotations

import gc
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import useq
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_scope.acquire import Acquisition, CoreOwner, Run
from napari_scope.acquire.registry import loading
from napari_scope.errors import AcquisitionError, ConfigurationError
from napari_scope.widgets.common import configuration_loader
from napari_scope.widgets.common import microscope as module
from napari_scope.widgets.common.microscope import Microscope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui

_PLAN = useq.MDASequence(time_plan=useq.TIntervalLoops(interval=0, loops=3))
_LONG = useq.MDASequence(time_plan=useq.TIntervalLoops(interval=0.05, loops=500))


class Told:
    """Everything a microscope tells, in order."""

    def __init__(self, microscope: Microscope) -> None:
        self.all: list[tuple[str, Any]] = []
        self._microscope = microscope
        for name in ("loading", "loaded"):
            getattr(microscope, name).connect(lambda name=name: self.note(name))
        for name in ("load_failed", "lock_changed", "run_started", "run_ended"):
            getattr(microscope, name).connect(
                lambda what, name=name: self.note(name, what)
            )

    def note(self, name: str, what: Any = None) -> None:
        assert threading.current_thread() is threading.main_thread()
        if name == "run_ended":
            assert what.done
        self.all.append((name, what))

    def names(self) -> list[str]:
        return [name for name, _ in self.all]

    def of(self, name: str) -> list[Any]:
        return [what for known, what in self.all if known == name]


@pytest.fixture(scope="module")
def demo(qapp: object) -> Iterator[CoreOwner]:
    from pymmcore_plus import CMMCorePlus

    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        owner.core.setROI(0, 0, 32, 24)
        owner.core.setExposure(1)
        yield owner


@pytest.fixture
def microscope(demo: CoreOwner, no_thread_is_left: None) -> Iterator[Microscope]:
    made = Microscope(demo)
    yield made
    made.close()
    made.close()


# ----------------------------------------------------------------- loading


def test_loading_locks_and_tells(empty_owner: CoreOwner, qtbot: QtBot) -> None:
    microscope = Microscope(empty_owner)
    told = Told(microscope)
    widgets: list[str] = []
    microscope.core.events.systemConfigurationLoaded.connect(
        lambda: widgets.append("loaded")
    )
    microscope.load()
    microscope.load()  # it goes on already
    assert microscope.is_loading
    assert microscope.lock_reason == "The microscope is being loaded"
    qtbot.waitUntil(lambda: "loaded" in told.names(), timeout=30_000)
    assert told.names() == ["loading", "lock_changed", "lock_changed", "loaded"]
    assert microscope.lock_reason == "" and widgets == ["loaded"]
    assert empty_owner.config == "demo"
    assert microscope.remembered.configurations == []
    microscope.close()


def test_a_load_that_fails(
    empty_owner: CoreOwner, qtbot: QtBot, tmp_path: Path
) -> None:
    microscope = Microscope(empty_owner)
    told = Told(microscope)
    bad = tmp_path / "bad.cfg"
    bad.write_text("Device,X,NoSuchLibrary,Y\n")
    microscope.load(bad)
    qtbot.waitUntil(lambda: "load_failed" in told.names(), timeout=30_000)
    (error,) = told.of("load_failed")
    assert isinstance(error, ConfigurationError)
    assert microscope.lock_reason == "" and not microscope.is_loading
    assert microscope.remembered.configurations == []
    microscope.close()


def test_a_configuration_that_somebody_else_loads(
    empty_owner: CoreOwner, qtbot: QtBot
) -> None:
    microscope = Microscope(empty_owner)
    told = Told(microscope)
    # The console, in the GUI thread; another plugin, in a thread.
    empty_owner.core.loadSystemConfiguration("MMConfig_demo.cfg")
    qtbot.waitUntil(lambda: told.names().count("loaded") == 1)
    thread = threading.Thread(
        target=empty_owner.core.loadSystemConfiguration, args=("MMConfig_demo.cfg",)
    )
    thread.start()
    qtbot.waitUntil(lambda: told.names().count("loaded") == 2, timeout=30_000)
    thread.join()
    microscope.close()


def test_a_widget_that_loads_does_so_through_the_microscope(
    empty_owner: CoreOwner, qtbot: QtBot
) -> None:
    microscope = Microscope(empty_owner)
    with qtbot.waitSignal(microscope.loaded, timeout=30_000):
        microscope.core.loadSystemConfiguration("MMConfig_demo.cfg")
        assert microscope.is_loading
    assert empty_owner.config == "demo"
    microscope.close()


@pytest.mark.parametrize("wanted", ["demo", "last", "gone", "none"])
def test_what_is_loaded_at_the_start(
    empty_owner: CoreOwner,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    wanted: str,
) -> None:
    last = tmp_path / "last.cfg"
    last.write_text("")
    microscope = Microscope(empty_owner)
    microscope.remembered.add_configuration(last)
    if wanted == "gone":
        last.unlink()
    chosen = "last" if wanted == "gone" else wanted
    monkeypatch.setattr(
        configuration_loader,
        "preferences",
        lambda: module_preferences(startup_configuration=chosen),
    )
    asked: list[object] = []
    monkeypatch.setattr(microscope, "load", lambda path=None: asked.append(path))
    microscope.load_at_start()
    expected = {"demo": [None], "last": [last], "gone": [None], "none": []}
    assert asked == expected[wanted]
    microscope.close()


def module_preferences(**values: Any) -> Any:
    from napari_scope.widgets.common.preferences import Preferences

    return Preferences(**values)


def test_nothing_is_loaded_over_devices(
    microscope: Microscope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microscope, "load", lambda path=None: pytest.fail("loaded"))
    microscope.load_at_start()


# ----------------------------------------------------------------- runs


def test_a_run_of_ours(microscope: Microscope, qtbot: QtBot) -> None:
    told = Told(microscope)
    run = Run(microscope.owner, _LONG).start()
    qtbot.waitUntil(lambda: microscope.running)
    assert microscope.run is run and microscope.lock_reason == "A run goes on"
    assert microscope.core.suspended
    run.cancel()
    qtbot.waitUntil(lambda: "run_ended" in told.names())
    assert told.names() == ["lock_changed", "run_started", "lock_changed", "run_ended"]
    assert not microscope.running and microscope.run is run
    assert microscope.lock_reason == "" and not microscope.core.suspended
    qtbot.wait(150)
    assert told.names().count("run_ended") == 1


@pytest.mark.parametrize("who", ["run_mda", "acquisition"])
def test_a_run_of_a_script(
    microscope: Microscope, qtbot: QtBot, tmp_path: Path, who: str
) -> None:
    told = Told(microscope)
    core = microscope.real_core

    def script() -> None:
        if who == "run_mda":
            core.run_mda(_PLAN, block=True)
            return
        with Acquisition(
            directory=tmp_path, name="s", core=core, show_display=False
        ) as acq:
            acq.acquire([{"axes": {"time": t}} for t in range(3)])

    thread = threading.Thread(target=script)
    thread.start()
    qtbot.waitUntil(lambda: "run_ended" in told.names(), timeout=30_000)
    thread.join()
    (run,) = told.of("run_started")
    assert told.of("run_ended") == [run]
    assert run.progress().saved == 3
    assert getattr(run, "is_foreign", False) is (who == "run_mda")


def test_runs_one_after_the_other_are_told_in_order(
    microscope: Microscope, qtbot: QtBot
) -> None:
    told = Told(microscope)
    runs = []
    for _ in range(3):
        run = Run(microscope.owner, _PLAN).start()
        runs.append(run)
        run.wait(30)
    qtbot.waitUntil(lambda: told.names().count("run_ended") == 3)
    order = [x for x in told.all if x[0].startswith("run_")]
    assert order == [
        (name, run) for run in runs for name in ("run_started", "run_ended")
    ]


def test_a_run_that_goes_on_when_the_first_dock_opens(
    demo: CoreOwner, qtbot: QtBot
) -> None:
    run = Run(demo, _LONG).start()
    microscope = Microscope(demo)
    told = Told(microscope)
    qtbot.waitUntil(lambda: told.of("run_started") == [run])
    run.cancel()
    qtbot.waitUntil(lambda: told.of("run_ended") == [run])
    microscope.close()


def test_other_uses_lock_as_well(microscope: Microscope, qtbot: QtBot) -> None:
    with loading(microscope.real_core):
        qtbot.waitUntil(lambda: microscope.lock_reason.startswith("Another part"))
    qtbot.waitUntil(lambda: microscope.lock_reason == "")


def test_what_widgets_want_meanwhile_is_refused_with_one_notice(
    microscope: Microscope, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[str] = []
    monkeypatch.setattr(module, "notify", lambda text, *_, **__: notices.append(text))
    refused: list[tuple[str, str]] = []
    microscope.call_refused.connect(lambda *args: refused.append(args))
    run = Run(microscope.owner, _LONG).start()
    qtbot.waitUntil(lambda: microscope.running)
    for exposure in (20.0, 21.0, 22.0):
        microscope.core.setExposure(exposure)
    run.cancel()
    qtbot.waitUntil(lambda: not microscope.running)
    assert refused == [("set the exposure", "A run goes on")] * 3
    assert notices == ["Could not set the exposure: a run goes on."]


# ----------------------------------------------------------------- live and stage


def test_live_and_stage_are_made_once_and_ended(
    microscope: Microscope, qtbot: QtBot
) -> None:
    first = object()
    microscope.hold(first)
    live, stage = microscope.live, microscope.stage
    assert microscope.live is live and microscope.stage is stage
    assert live.stage is stage
    microscope.release(first)
    microscope.hold(first)
    assert microscope.live is not live and microscope.stage is not stage


def test_calls_that_live_may_refuse_are_made_beside_it(
    microscope: Microscope, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    class Live:
        @contextmanager
        def held(self) -> Iterator[None]:
            order.append("held")
            yield
            order.append("free")

        def close(self) -> None:
            """Nothing to do."""

    monkeypatch.setattr(microscope._onlookers, "_live", Live())
    core = microscope.real_core
    monkeypatch.setattr(core, "setProperty", lambda *a: order.append("-".join(a)))
    monkeypatch.setattr(core, "setROI", lambda *a: order.append("roi"))
    microscope.core.setProperty("Camera", "Binning", "2")
    microscope.core.setProperty("Objective", "State", "1")
    microscope.core.setProperty("Core", "Camera", "Camera")
    microscope.core.setROI(0, 0, 8, 8)
    qtbot.waitUntil(lambda: not microscope.calls.busy)
    assert order == [
        *("held", "Camera-Binning-2", "free", "Objective-State-1"),
        *("held", "Core-Camera-Camera", "free", "held", "roi", "free"),
    ]


# ----------------------------------------------------------------- its life


@pytest.fixture
def own_core(qapp: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let microscopes without an owner have a core of their own."""
    from pymmcore_plus import CMMCorePlus

    monkeypatch.setattr(module, "CoreOwner", lambda: CoreOwner(CMMCorePlus()))


def test_one_for_the_process(own_core: None) -> None:
    first = Microscope.shared()
    assert Microscope.shared() is first
    first.close()
    second = Microscope.shared()
    assert second is not first
    second.close()


def test_when_nobody_holds_it_it_rests_but_devices_stay(
    demo: CoreOwner, qtbot: QtBot
) -> None:
    microscope = Microscope(demo)
    told = Told(microscope)
    one, two = object(), object()
    for user in (one, two, one):
        microscope.hold(user)
    microscope.do("something", lambda: None)
    microscope.release(one)
    assert microscope._timer.isActive()
    microscope.release(two)
    microscope.release(two)
    assert not microscope._timer.isActive()
    for thread in threading.enumerate():
        if thread.name.startswith("napari-scope"):
            thread.join(10)
            assert not thread.is_alive()
    run = Run(demo, _LONG).start()
    qtbot.wait(50)
    assert told.of("run_started") == []
    assert demo.has_devices
    microscope.hold(one)  # who opens a dock again finds all as it was
    qtbot.waitUntil(lambda: told.of("run_started") == [run])
    run.cancel()
    qtbot.waitUntil(lambda: told.of("run_ended") == [run])
    microscope.close()


def test_with_the_last_window_the_devices_go(qtbot: QtBot, own_core: None) -> None:
    microscope = Microscope()
    core = microscope.real_core
    with qtbot.waitSignal(microscope.loaded, timeout=30_000):
        microscope.load()
    windows = [QMainWindow(), QMainWindow()]
    docks = [QWidget(), QWidget()]
    for window, dock in zip(windows, docks, strict=True):
        window.setCentralWidget(dock)
        microscope.hold(dock)
    qtbot.waitUntil(lambda: len(microscope._windows._known) == 2)
    for dock in docks:  # closed by its button: its window is still there
        microscope.release(dock)
    assert len(core.getLoadedDevices()) > 1 and not microscope._closed
    windows[0].deleteLater()
    qtbot.wait(20)
    assert not microscope._closed
    windows[1].deleteLater()
    qtbot.waitUntil(lambda: microscope._closed)
    assert len(core.getLoadedDevices()) == 1


def test_a_dock_that_hears_of_the_end_of_its_window_later(
    qtbot: QtBot, own_core: None
) -> None:
    microscope = Microscope()
    window, dock = QMainWindow(), QWidget()
    window.setCentralWidget(dock)
    microscope.hold(dock)
    qtbot.waitUntil(lambda: microscope._windows.are_there)
    window.deleteLater()
    qtbot.waitUntil(lambda: not microscope._windows.are_there)
    assert not microscope._closed
    microscope.release(dock)
    assert microscope._closed


def test_a_device_that_hangs_at_the_end(
    qtbot: QtBot, own_core: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    microscope = Microscope()
    gate, entered = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        assert gate.wait(30)

    end = microscope.calls.end
    monkeypatch.setattr(microscope.calls, "end", lambda timeout=0.1: end(0.1))
    microscope.do("hang", hang)
    assert entered.wait(30)
    microscope.close()  # returns although the device has not
    assert not gate.is_set()
    gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith("napari-scope"):
            thread.join(30)


def test_nothing_keeps_it_alive(demo: CoreOwner, qtbot: QtBot) -> None:
    microscope = Microscope(demo)
    microscope.hold(user := object())
    with qtbot.waitSignal(microscope.busy_changed, check_params_cb=lambda b: not b):
        microscope.do("something", lambda: None)
    timers = microscope.findChildren(QTimer)
    assert timers
    microscope.release(user)
    assert not [timer for timer in timers if timer.isActive()]
    microscope.close()
    known = weakref.ref(microscope)
    timers.clear()
    del microscope
    gc.collect()
    assert known() is None


def test_failures_of_calls_are_told(microscope: Microscope, qtbot: QtBot) -> None:
    with qtbot.waitSignal(microscope.call_failed) as caught:
        microscope.do("divide", lambda: 1 / 0)
    assert caught.args is not None
    assert isinstance(caught.args[0], ZeroDivisionError) and caught.args[1] == "divide"
    states: list[bool] = []
    microscope.busy_changed.connect(states.append)
    microscope.do("nothing", lambda: None)
    qtbot.waitUntil(lambda: states == [True, False])


# ----------------------------------------------------------------- before a run


def test_what_was_asked_for_is_done_before_a_run_begins(
    microscope: Microscope, demo: CoreOwner, qtbot: QtBot
) -> None:
    core, refused, moved = demo.core, list[str](), list[bool]()
    microscope.call_refused.connect(lambda what, _reason: refused.append(what))
    qtbot.waitUntil(lambda: not microscope.calls.busy)
    gate = threading.Event()
    microscope.do("wait", lambda: gate.wait(30))
    microscope.core.setExposure(3.0)
    microscope.do(
        "move", lambda: (core.setPosition(12.0), moved.append(core.mda.is_running()))
    )
    threading.Timer(0.1, gate.set).start()
    run = Run(demo, _PLAN).start()
    assert moved == [False] and core.getExposure() == 3.0
    # Nobody has looked since the run began; it is locked all the same.
    assert microscope.lock_reason
    microscope.core.setZPosition(99.0)
    run.wait(30)
    qtbot.waitUntil(lambda: not microscope.calls.busy)
    assert refused == ["move the focus"] and core.getPosition() == 12.0
    core.setPosition(0.0)
    core.setExposure(1)


def test_a_device_that_hangs_keeps_a_run_from_starting(
    microscope: Microscope,
    demo: CoreOwner,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_scope.widgets.common.calls_gate._PATIENCE_S", 0.05)
    qtbot.waitUntil(lambda: not microscope.calls.busy)
    gate, moved = threading.Event(), list[str]()
    microscope.do("move the stage", lambda: gate.wait(30))
    microscope.do("move the focus", lambda: moved.append("focus"))
    with pytest.raises(AcquisitionError, match=r"not answered .* move the stage"):
        Run(demo, _PLAN).start()
    gate.set()
    qtbot.waitUntil(lambda: not microscope.calls.busy)
    assert moved == []
    # A call that starts a run does not wait for itself.
    runs: list[Run] = []
    microscope.do("run", lambda: runs.append(Run(demo, _PLAN).start()))
    qtbot.waitUntil(lambda: bool(runs) and runs[0].done, timeout=30_000)
    assert runs[0].wait(1).saved == 3
