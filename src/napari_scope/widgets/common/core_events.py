"""The core as widgets may see it: its events arrive in the GUI thread.

pymmcore-plus emits its events in whatever thread caused them, and depending on what
was imported first it uses psygnal or Qt for it. The tables of pymmcore-widgets connect
to them directly, so a configuration that is loaded in another thread would reach into
widgets from there. `GuiCore` stands between: it is the core in everything but its
``events``, which repeat the core's own in the GUI thread.

While a run goes on the repeating is suspended: the engine changes properties many
times a second, and no table needs to hear of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymmcore_plus import CMMCorePlus

__all__ = ["GuiCore"]

# What the tables of the plan editor and the hardware box listen to.
_REPEATED = (
    "systemConfigurationLoaded",
    "channelGroupChanged",
    "configDefined",
    "configGroupDeleted",
    "pixelSizeChanged",
    "propertyChanged",
    "roiSet",
)


class _Relay(QObject):
    """Carries events from any thread into the one it lives in."""

    arrived = Signal(str, object)


class GuiCore:
    """A core whose events are emitted in the GUI thread.

    Parameters
    ----------
    core : CMMCorePlus
        The core. All attributes but ``events`` are its own.
    """

    def __init__(self, core: CMMCorePlus) -> None:
        from pymmcore_plus.core.events import QCoreSignaler

        self._core = core
        self._events = QCoreSignaler()
        self._relay = _Relay()
        # Made in the GUI thread, so an event from any other thread is queued for it.
        self._relay.arrived.connect(self._repeat)
        self._connected: list[tuple[Any, Callable[..., None]]] = []
        self.suspended = False
        for name in _REPEATED:
            signal = getattr(core.events, name)
            slot = self._sender(name)
            signal.connect(slot)
            self._connected.append((signal, slot))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    @property
    def events(self) -> Any:
        """The core's events, in the GUI thread."""
        return self._events

    def close(self) -> None:
        """Stop listening to the core; idempotent."""
        connected, self._connected = self._connected, []
        # At the end of a process Qt deletes its objects in any order; the signals of
        # a deleted one must not be touched.
        events = self._core.events
        if isinstance(events, QObject) and not isalive(events):  # type: ignore[no-untyped-call]
            return
        for signal, slot in connected:
            signal.disconnect(slot)

    def _sender(self, name: str) -> Callable[..., None]:
        relay = self._relay

        def send(*args: object) -> None:
            relay.arrived.emit(name, args)

        return send

    def _repeat(self, name: str, args: tuple[object, ...]) -> None:
        if self.suspended or not self._connected:
            return
        getattr(self._events, name).emit(*args)
