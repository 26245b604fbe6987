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
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QApplication, QWidget

from napari_scope.acquire import CoreOwner
from napari_scope.acquire.registry import is_in_use
from napari_scope.widgets.common.calls_gate import CallsGate
from napari_scope.widgets.common.configuration_loader import (
    ConfigurationLoader,
    path_of_widget,
)
from napari_scope.widgets.common.core_events import GuiCore
from napari_scope.widgets.common.core_runs import CoreRuns
from napari_scope.widgets.common.device_calls import DeviceCalls
from napari_scope.widgets.common.log_book import LogBook
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.common.onlookers import Onlookers
from napari_scope.widgets.common.remembered import Remembered
from napari_scope.widgets.common.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.live import LiveCamera
    from napari_scope.acquire.stage_watch import StageWatch

__all__ = ["Microscope"]

_log = logging.getLogger(__name__)
_POLL_MS = 100
_NOTICE_S = 3.0  # a slider that is dragged in vain tells so once
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
        A configuration has begun to load; the devices are others now: loaded, by
        whomever, or let go.
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

    _shared: ClassVar[Microscope | None] = None

    def __init__(self, owner: CoreOwner | None = None) -> None:
        super().__init__()
        self._owner = CoreOwner() if owner is None else owner
        self._owns_owner = owner is None
        self._users: list[object] = []
        self._lock_reason = ""
        self._closed = False
        self._awake = False
        self._onlookers = Onlookers(self._owner.core)
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
            load=lambda name: self.load(path_of_widget(name)),
            beside_live=self._onlookers.beside_live,
        )
        self._core.events.systemConfigurationLoaded.connect(self._on_other_load)
        self._loader = ConfigurationLoader(self._owner, self.remembered, self)
        self._loader.loaded.connect(self._on_loaded)
        self._loader.failed.connect(self._on_load_failed)
        self._runs = CoreRuns(self._owner.core, self)
        self._runs.started.connect(self._on_run_started)
        self._runs.ended.connect(self._on_run_ended)
        # Runs that are not ours announce themselves to nobody: they are looked for.
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self.look)
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
        self._runs.wake()
        self._timer.start()
        if self._owner.has_devices:
            self._learn_devices()
        self.look()

    def _rest(self) -> None:
        """Stop timers and threads; devices stay loaded."""
        self._awake = False
        self._gate.close()
        self._runs.rest()
        self._onlookers.close()
        for stop in (
            self._timer.stop,
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
        return self._onlookers.live

    @property
    def stage(self) -> StageWatch:
        """Where the stage is; made when first asked for."""
        return self._onlookers.stage

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
        self._core.suspended = True
        self._loader.load(path)
        self.loading.emit()
        self.look()

    def load_at_start(self) -> None:
        """Load what the preferences say, unless devices are loaded already."""
        if self.is_loading or self._owner.has_devices:
            return
        wanted = self._loader.wanted_at_start()
        if wanted is not None:
            self.load(*wanted)

    def _on_loaded(self) -> None:
        self._after_load()
        self.loaded.emit()

    def _on_load_failed(self, error: object) -> None:
        self._after_load()
        self.load_failed.emit(error)

    def _after_load(self) -> None:
        # The events of the loading are told by one: everything is new.
        self._core.forget_events()
        self._core.suspended = self.running
        self._learn_devices()
        self.look()
        events = self._core.events
        events.systemConfigurationLoaded.disconnect(self._on_other_load)
        events.systemConfigurationLoaded.emit()
        events.systemConfigurationLoaded.connect(self._on_other_load)

    def _on_other_load(self) -> None:
        """Take note that a script or another plugin has loaded a configuration."""
        if not self.is_loading and not self._closed:
            self._learn_devices()
            self.look()
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

    def look(self) -> None:
        """Look now whether the microscope is free; it is done ten times a second."""
        if self._closed:
            return
        for user in self._users:
            if isinstance(user, QWidget):
                self._windows.note(user)
        self._runs.look()
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
        return self._runs.latest

    @property
    def running(self) -> bool:
        """Whether a run goes on."""
        return self._runs.running

    def _on_run_started(self, run: object) -> None:
        self._core.suspended = True
        self.look()
        self.run_started.emit(run)

    def _on_run_ended(self, run: object) -> None:
        if not self.is_loading:
            self._core.suspended = False
        self.look()
        self.run_ended.emit(run)
