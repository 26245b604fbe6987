"""The one microscope that all docks share: its core, its lock, the run that goes on.

Docks never load a configuration, move a device or look for runs by themselves; they
ask the `Microscope`. It makes calls that may take long off the GUI thread, tells when
the devices are not to be touched and why, and tells of every run of its core, whoever
started it.

It works while a dock holds it. When the last one has let go its timers and threads
rest, but the devices stay loaded: who closes a dock and opens it again does not load
the microscope again. With the last window that had a dock, or with the program, the
devices are let go.

Examples
--------
>>> microscope = Microscope.shared()  # doctest: +SKIP
>>> microscope.hold(dock)  # doctest: +SKIP
>>> microscope.do("snap", core.snapImage)  # doctest: +SKIP
>>> microscope.release(dock)  # doctest: +SKIP
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QApplication, QWidget

from napari_scope.acquire import CoreOwner
from napari_scope.acquire.foreign_watch import ForeignWatch
from napari_scope.acquire.registry import is_in_use, runs_of, watch_runs
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.calls_gate import CallsGate
from napari_scope.widgets.common.core_events import GuiCore
from napari_scope.widgets.common.core_repeater import connect_directly, is_alive
from napari_scope.widgets.common.device_calls import DeviceCalls
from napari_scope.widgets.common.log_book import LogBook
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.common.preferences import preferences
from napari_scope.widgets.common.remembered import Remembered
from napari_scope.widgets.common.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.live import LiveCamera
    from napari_scope.acquire.stage_watch import StageWatch

__all__ = ["Microscope"]

_log = logging.getLogger(__name__)
_POLL_MS = 100
_MOST_WARNINGS = 20  # of a run that are logged
_NOTICE_S = 3.0  # a slider that is dragged in vain tells so once
_DEMO_FILE = "MMConfig_demo.cfg"
_LOADING = "The microscope is being loaded"
_RUNNING = "A run goes on"
_IN_USE = "Another part of the program uses the microscope"


class Microscope(QObject):
    """A core as all docks share it; everything is called in the GUI thread.

    Parameters
    ----------
    owner : CoreOwner, optional
        Owner of the core. By default a new one, which adopts the core that other
        parts of the program use.

    Attributes
    ----------
    loading, loaded : Signal
        A configuration has begun to load; it has been loaded, by whomever.
    load_failed : Signal
        It could not be loaded; carries the exception.
    lock_changed : Signal
        Devices must not be touched from now on, with the reason; empty when they may.
    run_started, run_ended : Signal
        A run of this core, whoever started it; carries the run. When it has ended all
        its files are closed.
    call_failed : Signal
        A call of `do` raised; carries the exception and what was being done.
    call_refused : Signal
        A widget wanted to touch a device while it must not; carries what was to be
        done and the reason.
    busy_changed : Signal
        Calls of `do` are under way, or not any more.
    """

    loading = Signal()
    loaded = Signal()
    load_failed = Signal(object)
    lock_changed = Signal(str)
    run_started = Signal(object)
    run_ended = Signal(object)
    call_failed = Signal(object, str)
    call_refused = Signal(str, str)
    busy_changed = Signal(bool)
    _told = Signal(str, object)

    _shared: ClassVar[Microscope | None] = None

    def __init__(self, owner: CoreOwner | None = None) -> None:
        super().__init__()
        self._owner = CoreOwner() if owner is None else owner
        self._owns_owner = owner is None
        self._users: list[object] = []
        self._run: Any = None
        self._open_run: Any = None  # told as started, not yet as ended
        self._lock_reason = ""
        self._closed = False
        self._awake = False
        self._live: LiveCamera | None = None
        self._stage: StageWatch | None = None
        self._noticed_at = 0.0
        LogBook.shared()
        self.remembered = Remembered()
        self.calls = DeviceCalls(self)
        self.calls.failed.connect(self._on_call_failed)
        self.calls.busy_changed.connect(self.busy_changed)
        self._gate = CallsGate(self._owner.core, self.calls)
        self._core = GuiCore(
            self._owner.core,
            self.calls,
            lock=self._why_not_now,
            refused=self._on_refused,
            load=self._load_for_widget,
            beside_live=self._beside_live,
        )
        self._core.events.systemConfigurationLoaded.connect(self._on_other_load)
        self._loader = BackgroundCall(self)
        self._loader.finished.connect(self._on_loaded)
        self._loader.failed.connect(self._on_load_failed)
        self._wanted: Path | None = None
        self._told.connect(self._on_told)
        self._foreign = ForeignWatch(
            self._owner.core,
            wanted=lambda: preferences().show_other_runs,
            connect=connect_directly,
            alive=is_alive,
        )
        self._stop_watching: Callable[[], None] = lambda: None
        # Runs that are not ours announce themselves to nobody: they are looked for.
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._look)
        self._windows = Windows(self)
        self._windows.all_gone.connect(self._on_windows_gone)
        self._wake()

    @classmethod
    def shared(cls) -> Microscope:
        """Return the microscope of this process; made when first asked for."""
        if cls._shared is None or cls._shared._closed:
            cls._shared = cls()
            application = QApplication.instance()
            if application is not None:
                application.aboutToQuit.connect(cls._shared.close)
        return cls._shared

    # ---- who uses it

    def hold(self, user: object) -> None:
        """Note that a dock uses the microscope."""
        if not any(user is known for known in self._users):
            self._users.append(user)
        self._wake()

    def release(self, user: object) -> None:
        """Note that a dock does not use it any more.

        After the last one it rests; if no window is left that had a dock, it closes.
        """
        if any(user is known for known in self._users):
            self._users = [known for known in self._users if known is not user]
            if not self._users:
                self._rest()
                if self._windows.were_there and not self._windows.are_there:
                    self.close()

    def _on_windows_gone(self) -> None:
        # Docks that hear of the end of the window after this release it themselves.
        if not self._users:
            self.close()

    def _wake(self) -> None:
        if self._awake or self._closed:
            return
        self._awake = True
        self._core.listen()
        self._gate.open()
        self._stop_watching = watch_runs(self._hear)
        self._foreign.start()
        self._timer.start()
        # Told in a moment: the dock that has just begun to hold it is not built yet.
        for run in runs_of(self._owner.core):
            QTimer.singleShot(0, partial(self._on_told, "started", run))
        if self._owner.has_devices:
            self._learn_devices()
        self._look()

    def _rest(self) -> None:
        """Stop timers and threads; devices stay loaded."""
        self._awake = False
        self._gate.close()
        self._stop_watching()
        live, self._live = self._live, None
        stage, self._stage = self._stage, None
        if live is not None:
            live.close()
        if stage is not None:
            stage.close()
        for stop in (
            self._timer.stop,
            self._foreign.stop,
            partial(self.calls.end, 0),
            self._core.close,
        ):
            with suppress(RuntimeError):  # Qt has deleted it: the program ends
                stop()

    def close(self) -> None:
        """Stop everything and let go of the core; idempotent."""
        if self._closed:
            return
        self._closed = True
        if Microscope._shared is self:
            Microscope._shared = None
        self._rest()
        self._windows.forget()
        answered = False
        with suppress(RuntimeError):  # as above
            self._loader.close()
        with suppress(RuntimeError):
            answered = self.calls.end()
        if self._owns_owner:
            if answered:
                self._owner.close()
            else:
                # Unloading would wait for the device that hangs, for ever.
                threading.Thread(
                    target=self._owner.close, name="napari-scope close", daemon=True
                ).start()

    # ---- the core

    @property
    def owner(self) -> CoreOwner:
        """The owner of the core; what runs are started with."""
        return self._owner

    @property
    def core(self) -> GuiCore:
        """The core as widgets may see it."""
        return self._core

    @property
    def real_core(self) -> CMMCorePlus:
        """The core itself: for other threads, never for widgets."""
        return self._owner.core

    @property
    def live(self) -> LiveCamera:
        """The live view of the camera; made when first asked for."""
        if self._live is None:
            from napari_scope.acquire.live import LiveCamera

            self._live = LiveCamera(self._owner.core, stage=self.stage)
        return self._live

    @property
    def stage(self) -> StageWatch:
        """Where the stage is; made when first asked for."""
        if self._stage is None:
            from napari_scope.acquire.stage_watch import StageWatch

            self._stage = StageWatch(
                self._owner.core, poll_s=preferences().poll_stage_ms / 1000
            )
        return self._stage

    def _beside_live(self) -> AbstractContextManager[object]:
        """Return a context in which the camera does not run; on another thread."""
        live = self._live
        return nullcontext() if live is None else live.held()

    def do(
        self,
        what: str,
        function: Callable[[], object],
        *,
        then: Callable[[object], object] | None = None,
        key: object = None,
    ) -> None:
        """Make a call of the core soon, off the GUI thread; see `DeviceCalls.do`.

        Nothing is done for a dock that has let go of it.
        """
        if self._awake:
            self.calls.do(what, function, then=then, key=key)

    def _learn_devices(self) -> None:
        """Read what widgets will ask for, so that they never wait for it."""
        core = self._core
        self.calls.do("read the properties", core.read_all, key="read the properties")

    def _on_call_failed(self, error: object, what: str) -> None:
        _log.error("could not %s: %s", what, " ".join(str(error).split()))
        self.call_failed.emit(error, what)

    def _on_refused(self, what: str, reason: str) -> None:
        now = time.monotonic()
        if now - self._noticed_at > _NOTICE_S or not self._noticed_at:
            self._noticed_at = now
            why = f"{reason[:1].lower()}{reason[1:]}"
            notify(f"Could not {what}: {why}.", "warning", key="refused")
        self.call_refused.emit(what, reason)

    # ---- loading

    @property
    def is_loading(self) -> bool:
        """Whether a configuration is being loaded."""
        return self._loader.busy

    def load(self, path: Path | None = None) -> None:
        """Load a configuration in the background; the demo microscope by default."""
        if self.is_loading or self._closed:
            return
        self._wanted = path
        self._core.suspended = True
        self._loader.start(lambda: self._owner.load(path), "napari-scope load")
        _log.info("loading %s", "the demo microscope" if path is None else path)
        self.loading.emit()
        self._look()

    def load_at_start(self) -> None:
        """Load what the preferences say, unless devices are loaded already."""
        if self.is_loading or self._owner.has_devices:
            return
        wanted = preferences().startup_configuration
        latest = next(iter(self.remembered.configurations), None)
        if wanted == "last" and latest is not None and latest.is_file():
            self.load(latest)
        elif wanted != "none":
            self.load()

    def _load_for_widget(self, name: str) -> None:
        self.load(None if Path(name).name == _DEMO_FILE else Path(name))

    def _on_loaded(self, _result: object) -> None:
        if self._wanted is not None:
            self.remembered.add_configuration(self._wanted)
        self._after_load()
        _log.info(
            "loaded, the camera is %s", self.real_core.getCameraDevice() or "none"
        )
        self.loaded.emit()

    def _on_load_failed(self, error: object) -> None:
        self._after_load()
        _log.error("the microscope was not loaded: %s", error)
        self.load_failed.emit(error)

    def _after_load(self) -> None:
        # The events of the loading are told by one: everything is new.
        self._core.forget_events()
        self._core.suspended = self.running
        self._learn_devices()
        self._look()
        events = self._core.events
        events.systemConfigurationLoaded.disconnect(self._on_other_load)
        events.systemConfigurationLoaded.emit()
        events.systemConfigurationLoaded.connect(self._on_other_load)

    def _on_other_load(self) -> None:
        """Take note that a script or another plugin has loaded a configuration."""
        if not self.is_loading and not self._closed:
            self._learn_devices()
            self._look()
            self.loaded.emit()

    # ---- the lock

    @property
    def lock_reason(self) -> str:
        """Why devices must not be touched now; empty when they may."""
        if not self._lock_reason and is_in_use(self._owner.core):
            return _IN_USE  # since a moment; what it is will be told
        return self._lock_reason

    def _why_not_now(self) -> str:
        """Return why a setter must not be made now; on any thread.

        What waited when a run was started is done before the run begins.
        """
        let = self._gate.lets_through and self.calls.is_here
        return "" if let else self.lock_reason

    def _look(self) -> None:
        if self._closed:
            return
        for user in self._users:
            if isinstance(user, QWidget):
                self._windows.note(user)
        self._foreign.look()
        if self._open_run is not None and self._open_run.done:
            self._end(self._open_run)
        if self.is_loading:
            reason = _LOADING
        elif self.running:
            reason = _RUNNING
        elif is_in_use(self._owner.core):
            reason = _IN_USE
        else:
            reason = ""
        if reason != self._lock_reason:
            self._lock_reason = reason
            self._noticed_at = 0.0
            self.lock_changed.emit(reason)

    # ---- runs

    @property
    def run(self) -> Any:
        """The run that goes on, else the latest one, else None."""
        return self._run

    @property
    def running(self) -> bool:
        """Whether a run goes on."""
        return self._run is not None and not self._run.done

    def _hear(self, what: str, run: Any) -> None:
        """Be told of a run, on any thread."""
        if run.core is self._owner.core:
            with suppress(RuntimeError):  # Qt has deleted this object meanwhile
                self._told.emit(what, run)

    def _on_told(self, what: str, run: Any) -> None:
        if self._closed or not self._awake:
            return
        if what == "started":
            self._start(run)
        elif run is self._open_run:
            # Told while it closes its books: the very end is a moment away.
            QTimer.singleShot(_POLL_MS // 5, self._look)

    def _start(self, run: Any) -> None:
        if run is self._run:
            return
        if self._open_run is not None:
            self._end(self._open_run)  # told before the beginning of the next one
        self._run = self._open_run = run
        self._core.suspended = True
        self._look()
        _log.info("run %s has started", run.name)
        self.run_started.emit(run)

    def _end(self, run: Any) -> None:
        self._open_run = None
        if not self.is_loading:
            self._core.suspended = False
        self._look()
        _log_end(run)
        self.run_ended.emit(run)


def _log_end(run: Any) -> None:
    report = run.report
    if run.error is not None:
        _log.error("run %s failed: %s", run.name, run.error)
    if report is not None:
        _log.info(
            "run %s is %s: %d saved, %d skipped, %d dropped in %.1f s",
            *(run.name, report.state.value, report.saved, len(report.skipped)),
            *(report.dropped, report.duration_s),
        )
        for text in report.warnings[:_MOST_WARNINGS]:
            _log.warning("run %s: %s", run.name, text)
