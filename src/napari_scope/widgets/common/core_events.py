"""The core as widgets may see it: it never holds up the window.

The widgets of pymmcore-widgets call the core on the GUI thread and connect to its
events directly. `GuiCore` is the core in everything, but

- what moves or changes a device is done by `DeviceCalls` and returns at once; if it
  fails, or is refused because a run goes on, the widget is told the true value by the
  event it listens to anyway;
- what asks a device waits for a moment only, see `core_answers`;
- ``events`` repeats the events of the core in the GUI thread, see `core_repeater`.

All this concerns the GUI thread only. For other threads it is the core itself.

Examples
--------
>>> core = GuiCore(owner.core, calls)  # doctest: +SKIP
>>> core.setXYPosition(100, 200)  # on its way when this returns  # doctest: +SKIP
"""

from __future__ import annotations

import threading
import types
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from napari_scope.errors import AcquisitionError, HardwareError, ScopeError
from napari_scope.widgets.common.core_answers import NEVER_WAITS, Answers
from napari_scope.widgets.common.core_repeater import EventRepeater
from napari_scope.widgets.common.core_setters import setter_of, truths

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from pymmcore_plus import CMMCorePlus

    from napari_scope.widgets.common.core_setters import Setter
    from napari_scope.widgets.common.device_calls import DeviceCalls

__all__ = ["GuiCore"]

_GETTERS = ("get", "is", "has", "deviceBusy", "systemBusy", "deviceTypeBusy")
# They give images, of which none is to be kept.
_NO_QUESTIONS = ("getImage", "getLastImage", "getNBefore", "getTagged", "getTags")
_MOVES = ("xy", "z", "move")
_BUSY = ("deviceBusy", "systemBusy", "deviceTypeBusy")
# Methods of pymmcore-plus in Python, made of the methods above: with this object as
# their core they neither block nor hand out objects that do.
_COMPOSED = frozenset(
    {
        "describe",
        "getConfigGroupObject",
        "getDeviceObject",
        "getDeviceSchema",
        "getOrGuessChannelGroup",
        "getPropertyObject",
        "getZPosition",
        "guessObjectiveDevices",
        "iterConfigGroups",
        "iterDevices",
        "iterProperties",
    }
)


def _failure(setter: Setter, args: tuple[Any, ...], error: Exception) -> Exception:
    """Return the error of a device, with the device and the property it is about."""
    if isinstance(error, ScopeError):
        return error
    reason = " ".join(str(error).split()) or type(error).__name__
    failure: Any = HardwareError(
        f"could not {setter.words(args)}, {reason}",
        hint="check the device, its power and its cable",
    )
    names = [arg for arg in args if isinstance(arg, str)]
    failure.device = names[0] if names and setter.kind != "config" else ""
    failure.property = names[1] if setter.kind == "property" and names[1:] else ""
    return failure  # type: ignore[no-any-return]


def _free() -> str:
    return ""


def _say_nothing(what: str, reason: str) -> None:
    """Tell nobody of a refused call."""


class GuiCore:
    """A core that widgets can use in the GUI thread.

    Parameters
    ----------
    core : CMMCorePlus
        The core.
    calls : DeviceCalls, optional
        Makes the calls that may take long; without it they are made where they are
        called.
    lock : callable
        Returns why devices must not be touched now; empty when they may.
    refused : callable
        Called with what was to be done, and the reason, when a call is refused.
    load : callable, optional
        Loads a configuration for the widgets that want to.
    beside_live : callable
        Returns a context in which the camera does not run; on another thread.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        calls: DeviceCalls | None = None,
        *,
        lock: Callable[[], str] = _free,
        refused: Callable[[str, str], None] = _say_nothing,
        load: Callable[[str], None] | None = None,
        beside_live: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._core = core
        self._calls = calls
        self._lock = lock
        self._refused = refused
        self._load = load
        self._beside_live = beside_live
        self._gui = threading.get_ident()
        self._answers = Answers(core)
        self._repeater = EventRepeater(core, self._answers.heard)
        self._latest: tuple[object, ...] | None = None
        self.listen()

    # ------------------------------------------------------------- life

    def listen(self) -> None:
        """Listen to the core, from the start and after `close`."""
        self._repeater.listen()

    def close(self) -> None:
        """Stop listening to the core, end the threads; idempotent."""
        self._repeater.close()
        self._answers.end()

    @property
    def suspended(self) -> bool:
        """Whether events are kept until later: a run changes properties all the time.

        The latest of each kind is told when it ends.
        """
        return self._repeater.suspended

    @suspended.setter
    def suspended(self, suspended: bool) -> None:
        self._repeater.suspended = suspended

    def forget_events(self) -> None:
        """Forget the events that were kept."""
        self._repeater.forget()

    def read_all(self) -> None:
        """Learn what devices and properties there are; for another thread."""
        self._answers.read_all()

    # ------------------------------------------------------------- the core

    @property
    def events(self) -> Any:
        """The core's events, in the GUI thread."""
        return self._repeater.events

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._core, name)
        if self._calls is None or name.startswith("_") or not callable(attribute):
            return attribute
        made = self._made(name)
        if made is None:
            return attribute
        # Kept: who connects a method to a signal must be able to disconnect it.
        self.__dict__[name] = made
        return made

    def _made(self, name: str) -> Callable[..., Any] | None:
        if name in _COMPOSED:
            return types.MethodType(getattr(type(self._core), name), self)
        if name == "loadSystemConfiguration" and self._load is not None:
            return self._load_configuration
        if name == "stop":
            return self._stop
        setter = setter_of(name)
        if setter is not None:
            return self._setter(name, setter)
        if name in NEVER_WAITS or name.startswith(_NO_QUESTIONS):
            return None
        if name.startswith(_GETTERS):
            return self._getter(name)
        return None

    @property
    def _elsewhere(self) -> bool:
        """Whether this is another thread than that of the GUI."""
        return threading.get_ident() != self._gui

    @property
    def _busy(self) -> bool:
        calls = self._calls
        return (calls is not None and calls.busy) or bool(self._lock())

    # ------------------------------------------------------------- asking

    def _getter(self, name: str) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Any:
            if self._elsewhere:
                return getattr(self._core, name)(*args, **kwargs)
            if name in _BUSY and self._calls is not None and self._calls.busy:
                return True  # what waits for a device makes it busy, too
            return self._answers.ask(name, args, kwargs, busy=self._busy)

        return ask

    def _read(self, name: str, *args: Any) -> Any:
        if self._elsewhere:
            return getattr(self._core, name)(*args)
        return self._answers.ask(name, args, {}, busy=True)

    # ------------------------------------------------------------- setting

    def _setter(self, name: str, setter: Setter) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            reason = self._lock()
            if self._elsewhere:
                if reason:
                    raise AcquisitionError(f"{setter.words(args)}: {reason}")
                return getattr(self._core, name)(*args, **kwargs)
            if reason:
                self._refuse(setter, args, reason)
            else:
                self._queue(name, setter, args, kwargs)
            return None

        return call

    def _queue(
        self, name: str, setter: Setter, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        assert self._calls is not None  # there would be no setter
        asked = (name, *args, *kwargs.items())
        if setter.kind and self._calls.busy and self._same_as_latest(asked):
            # A combo box tells of one choice by two signals.
            return
        self._latest = asked

        def work() -> list[tuple[str, tuple[Any, ...]]]:
            reason = self._lock()
            if reason:  # a run has begun while this call waited
                self._tell_truth(setter, args)
                raise AcquisitionError(reason, hint="wait for its end or cancel it")
            live = self._wants_live_held(setter, args)
            try:
                with self._beside_live() if live else nullcontext():
                    getattr(self._core, name)(*args, **kwargs)
            except Exception as error:
                self._tell_truth(setter, args)
                raise _failure(setter, args, error) from error
            if setter.tells:
                self._tell_truth(setter, args)
            return []

        self._calls.do(setter.words(args), work, key=setter.key(args), in_order=True)

    def _wants_live_held(self, setter: Setter, args: tuple[Any, ...]) -> bool:
        """Whether a camera that runs may refuse a call; on another thread."""
        if not setter.stops_live or setter.kind != "property":
            return setter.stops_live
        device = str(args[0]) if args else ""
        if device == "Core":
            return args[1:2] == ("Camera",)
        kind = self._core.getDeviceType(device)
        return str(getattr(kind, "name", "")).startswith("Camera")

    def _same_as_latest(self, asked: tuple[object, ...]) -> bool:
        try:
            return bool(self._latest == asked)
        except ValueError:  # arrays are not compared
            return False

    def _refuse(self, setter: Setter, args: tuple[Any, ...], reason: str) -> None:
        self._tell_truth(setter, args)
        self._refused(setter.words(args), reason)

    def _tell_truth(self, setter: Setter, args: tuple[Any, ...]) -> None:
        """Tell the widgets what is really set; on any thread."""
        try:
            for name, values in truths(setter.kind, args, self._read):
                self._repeater.echo(name, values)
        except (RuntimeError, ValueError, IndexError):
            pass  # the device does not say; the widget keeps what it shows

    def _stop(self, *args: Any) -> None:
        """Stop a stage now, whatever waits or goes on; never refused."""
        if self._elsewhere or self._calls is None:
            self._core.stop(*args)
            return
        self._calls.drop(lambda key: isinstance(key, tuple) and key[0] in _MOVES)
        self._latest = None
        self._calls.at_once("stop the stage", lambda: self._core.stop(*args))

    def _load_configuration(
        self, fileName: str = "MMConfig_demo.cfg", **_others: object
    ) -> None:
        if self._elsewhere or self._load is None:
            self._core.loadSystemConfiguration(fileName)
        else:
            self._load(str(fileName))
