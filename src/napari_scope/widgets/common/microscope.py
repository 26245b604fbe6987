"""The one microscope that all docks share: its core, its lock, the run that goes on.

Docks never load a configuration, move a device or look for runs by themselves; they
ask the `Microscope`. It makes calls that may take long off the GUI thread, tells when
the devices are not to be touched and why, and tells of every run of its core, whoever
started it.

Examples
--------
>>> microscope = Microscope.shared()  # doctest: +SKIP
>>> microscope.hold(dock)  # doctest: +SKIP
>>> microscope.do("snap", core.snapImage)  # doctest: +SKIP
>>> microscope.release(dock)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QApplication

from napari_scope.acquire import CoreOwner
from napari_scope.acquire.registry import is_in_use, runs_of, watch_runs
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.core_events import GuiCore
from napari_scope.widgets.common.device_calls import DeviceCalls
from napari_scope.widgets.common.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymmcore_plus import CMMCorePlus

__all__ = ["Microscope"]

_POLL_MS = 100
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
    busy_changed = Signal(bool)
    _told = Signal(str, object)

    _shared: ClassVar[Microscope | None] = None

    def __init__(self, owner: CoreOwner | None = None) -> None:
        super().__init__()
        self._owner = CoreOwner() if owner is None else owner
        self._owns_owner = owner is None
        self._core = GuiCore(self._owner.core)
        self._users: list[object] = []
        self._run: Any = None
        self._lock_reason = ""
        self._closed = False
        self.remembered = Remembered()
        self.calls = DeviceCalls(self)
        self.calls.failed.connect(self.call_failed)
        self.calls.busy_changed.connect(self.busy_changed)
        self._loader = BackgroundCall(self)
        self._loader.finished.connect(self._on_loaded)
        self._loader.failed.connect(self._on_load_failed)
        self._wanted: Path | None = None
        self._told.connect(self._on_told)
        self._stop_watching = watch_runs(self._hear)
        # Runs that are not ours announce themselves to nobody: they are looked for.
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()
        for run in runs_of(self._owner.core):
            self._hear("started", run)

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
        if user not in self._users:
            self._users.append(user)

    def release(self, user: object) -> None:
        """Note that a dock does not use it any more; the last one closes it."""
        if user in self._users:
            self._users.remove(user)
            if not self._users:
                self.close()

    def close(self) -> None:
        """Stop everything and let go of the core; idempotent."""
        if self._closed:
            return
        self._closed = True
        if Microscope._shared is self:
            Microscope._shared = None
        self._stop_watching()
        self._timer.stop()
        self._loader.close()
        self.calls.close()
        self._core.close()
        if self._owns_owner:
            self._owner.close()

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

    def do(
        self,
        what: str,
        function: Callable[[], object],
        *,
        then: Callable[[object], object] | None = None,
        key: object = None,
    ) -> None:
        """Make a call of the core soon, off the GUI thread; see `DeviceCalls.do`."""
        self.calls.do(what, function, then=then, key=key)

    # ---- loading

    @property
    def is_loading(self) -> bool:
        """Whether a configuration is being loaded."""
        return self._loader.busy

    def load(self, path: Path | None = None) -> None:
        """Load a configuration in the background; the demo microscope by default."""
        if self.is_loading:
            return
        self._wanted = path
        self._core.suspended = True
        self._loader.start(lambda: self._owner.load(path), "load configuration")
        self.loading.emit()
        self._look()

    def _on_loaded(self, _result: object) -> None:
        if self._wanted is not None:
            self.remembered.add_configuration(self._wanted)
        self._after_load()
        self.loaded.emit()

    def _on_load_failed(self, error: object) -> None:
        self._after_load()
        self.load_failed.emit(error)

    def _after_load(self) -> None:
        self._core.suspended = False
        # Widgets heard nothing while the configuration was being loaded.
        self._core.events.systemConfigurationLoaded.emit()
        self._look()

    # ---- the lock

    @property
    def lock_reason(self) -> str:
        """Why devices must not be touched now; empty when they may."""
        return self._lock_reason

    def _look(self) -> None:
        if self._closed:
            return
        if self.is_loading:
            reason = _LOADING
        elif self._run is not None and not self._run.done:
            reason = _RUNNING
        elif is_in_use(self._owner.core):
            reason = _IN_USE
        else:
            reason = ""
        if reason != self._lock_reason:
            self._lock_reason = reason
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
            self._told.emit(what, run)

    def _on_told(self, what: str, run: Any) -> None:
        if self._closed:
            return
        if what == "started":
            self._run = run
            self._core.suspended = True
            self._look()
            self.run_started.emit(run)
            return
        if not run.done:
            # Told while it closes its books: the very end is a moment away.
            QTimer.singleShot(_POLL_MS // 5, lambda: self._on_told(what, run))
            return
        if run is self._run:
            self._core.suspended = False
        self._look()
        self.run_ended.emit(run)
