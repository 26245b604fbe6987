"""The core's events, repeated in the GUI thread, however many there are.

pymmcore-plus emits its events in whatever thread caused them, and depending on what
was imported first it uses psygnal or Qt for it. Widgets must hear of them in the GUI
thread only. Between two turns of the GUI the latest event of each kind counts: a
property that has changed a thousand times is told once, with its last value. What is
left after some milliseconds waits for the next turn, so that a burst of changes never
holds up the window.

While it is suspended (a run goes on, a configuration is loaded) events are kept, the
latest of each kind, and told afterwards.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject, Qt, QTimer, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymmcore_plus import CMMCorePlus

__all__ = ["EventRepeater", "connect_directly", "is_alive"]

# How long events are told in one turn of the GUI, and the pause until the next. A
# single event may be heard by a hundred widgets: forty turns a second are plenty.
_TURN_S = 0.008
_PAUSE_MS = 25

# The events, with how many of their first arguments tell one kind from another.
_REPEATED = {
    "propertiesChanged": 0,
    "propertyChanged": 2,
    "channelGroupChanged": 0,
    "configGroupChanged": 1,
    "configSet": 1,
    "systemConfigurationLoaded": 0,
    "pixelSizeChanged": 0,
    "pixelSizeAffineChanged": 0,
    "stagePositionChanged": 1,
    "XYStagePositionChanged": 1,
    "exposureChanged": 1,
    "SLMExposureChanged": 1,
    "shutterOpenChanged": 1,
    "imageSnapped": 1,
    "sequenceAcquisitionStopped": 1,
    "continuousSequenceAcquisitionStarting": 0,
    "continuousSequenceAcquisitionStarted": 0,
    # The public names of these two are wrappers of pymmcore-plus for old arguments.
    "_sequenceAcquisitionStarting": 1,
    "_sequenceAcquisitionStarted": 1,
    "autoShutterSet": 0,
    "configGroupDeleted": 1,
    "configDeleted": 2,
    "configDefined": 5,
    "roiSet": 1,
}


def is_alive(signals: object) -> bool:
    """Return whether signals can be touched: Qt may have deleted their object."""
    return not isinstance(signals, QObject) or bool(isalive(signals))  # type: ignore[no-untyped-call]


def connect_directly(signal: Any, slot: Callable[..., None]) -> None:
    """Connect a signal of psygnal or Qt so that the thread that emits calls the slot.

    A plain connection to a Qt signal would put every single event into the queue of
    the GUI thread.
    """
    # PyQt's tell their Qt signature, those of PySide and psygnal do not.
    if hasattr(signal, "signal") or type(signal).__module__.startswith("PySide"):
        signal.connect(slot, Qt.ConnectionType.DirectConnection)
    else:
        signal.connect(slot)


class EventRepeater(QObject):
    """Listens to a core and repeats what it hears.

    Parameters
    ----------
    core : CMMCorePlus
        The core.
    heard : callable
        Called with name and arguments of each event at once, on any thread.

    Attributes
    ----------
    events : QCoreSignaler
        Signals with the names of the core's, emitted in the GUI thread.
    """

    _woken = Signal()
    _echoed = Signal(str, object)

    def __init__(
        self, core: CMMCorePlus, heard: Callable[[str, tuple[Any, ...]], None]
    ) -> None:
        from pymmcore_plus.core.events import QCoreSignaler

        super().__init__()
        self.events: Any = QCoreSignaler()
        self._core = core
        self._heard = heard
        self._gui = threading.get_ident()
        self._lock = threading.Lock()
        self._pending: dict[tuple[object, ...], tuple[str, tuple[Any, ...]]] = {}
        self._awake = False
        self._suspended = False
        self._connected: list[tuple[Any, Callable[..., None]]] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._tell)
        queued = Qt.ConnectionType.QueuedConnection
        self._woken.connect(self._tell, queued)  # type: ignore[call-arg]
        self._echoed.connect(self._emit, queued)  # type: ignore[call-arg]

    # ------------------------------------------------------------- life

    def listen(self) -> None:
        """Listen to the core; again is harmless."""
        if self._connected:
            return
        events: Any = self._core.events
        for name, distinct in _REPEATED.items():
            signal = getattr(events, name, None)
            if signal is None:
                continue  # an event that this version does not have
            slot = self._hearer(name, distinct)
            connect_directly(signal, slot)
            self._connected.append((signal, slot))

    def close(self) -> None:
        """Stop listening and forget what was not told; again is harmless."""
        connected, self._connected = self._connected, []
        with contextlib.suppress(RuntimeError):  # deleted with the application
            self._timer.stop()
        self.forget()
        self._awake = False
        # At the end of a process Qt deletes its objects in any order; the signals of
        # a deleted one must not be touched.
        if not is_alive(self._core.events):
            return
        for signal, slot in connected:
            with contextlib.suppress(TypeError, ValueError, RuntimeError):
                signal.disconnect(slot)

    def forget(self) -> None:
        """Forget the events that were not told yet."""
        with self._lock:
            self._pending.clear()

    @property
    def suspended(self) -> bool:
        """Whether events are kept instead of told."""
        return self._suspended

    @suspended.setter
    def suspended(self, suspended: bool) -> None:
        with self._lock:
            self._suspended = suspended
            wake = bool(self._pending) and not suspended and not self._awake
            self._awake = self._awake or wake
        if wake:
            self._woken.emit()

    def echo(self, name: str, args: tuple[Any, ...]) -> None:
        """Tell an event of our own in the next turn of the GUI, suspended or not."""
        with contextlib.suppress(RuntimeError):  # deleted meanwhile: nobody listens
            self._echoed.emit(name, args)

    # ------------------------------------------------------------- events

    def _hearer(self, name: str, distinct: int) -> Callable[..., None]:
        def hear(*args: Any) -> None:
            self._hear(name, distinct, args)

        return hear

    def _hear(self, name: str, distinct: int, args: tuple[Any, ...]) -> None:
        """Take note of an event; called on any thread."""
        self._heard(name, args)
        if threading.get_ident() == self._gui:
            # Whoever blocks the signals around a call means the events of that call.
            if self.events.signalsBlocked():
                return
            if not self._pending and not self._suspended:
                self._emit(name, args)
                return
        key = (name, *args[:distinct])
        with self._lock:
            # Told in the order of the last change, not of the first.
            self._pending.pop(key, None)
            self._pending[key] = (name, args)
            wake = not self._awake and not self._suspended
            self._awake = self._awake or wake
        if wake:
            with contextlib.suppress(RuntimeError):  # deleted meanwhile
                self._woken.emit()

    def _tell(self) -> None:
        with self._lock:
            if not self._pending or self._suspended:
                self._awake = False
                return
        end = time.perf_counter() + _TURN_S
        while time.perf_counter() < end:
            with self._lock:
                if not self._pending or self._suspended:
                    break
                name, args = self._pending.pop(next(iter(self._pending)))
            self._emit(name, args)
        # What comes meanwhile is gathered.
        self._timer.start()

    def _emit(self, name: str, args: tuple[Any, ...]) -> None:
        getattr(self.events, name).emit(*args)
