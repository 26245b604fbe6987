"""What is known of a microscope without waiting for it.

A getter of the core waits as long as another thread is in a call to a device of the
same module: a stage that moves for ten seconds would hold up a window that asks for
its name. `Answers` asks in a thread of its own and waits for a moment only. If nothing
comes it gives the last answer to the same question, or what the core itself remembers
(its cache of properties), or what the core's last event said.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymmcore_plus import CMMCorePlus

__all__ = ["ASKS_HARDWARE", "NEVER_WAITS", "Answers"]

# How long a question may hold up the GUI: while calls are known to be under way, while
# none is, and for the first answer to a question that was never answered.
_BUSY_S = 0.03
_IDLE_S = 0.2
_FIRST_S = 2.0

ASKS_HARDWARE = frozenset(
    {
        "deviceBusy",
        "getAutoFocusOffset",
        "getConfigGroupState",
        "getCurrentConfig",
        "getCurrentFocusScore",
        "getCurrentPixelSizeConfig",
        "getExposure",
        "getLastFocusScore",
        "getPixelSizeAffine",
        "getPixelSizeUm",
        "getPosition",
        "getProperty",
        "getROI",
        "getShutterOpen",
        "getState",
        "getStateLabel",
        "getXPosition",
        "getXYPosition",
        "getYPosition",
        "getZPosition",
        "isContinuousFocusEnabled",
        "isContinuousFocusLocked",
        "isContinuousFocusDrive",
        "systemBusy",
    }
)
"""Getters that talk to a device, which may be slow or not answer at all."""

NEVER_WAITS = frozenset(
    {
        "getAPIVersionInfo",
        "getAutoFocusDevice",
        "getAutoShutter",
        "getAvailableConfigGroups",
        "getAvailableConfigs",
        "getAvailablePixelSizeConfigs",
        "getCameraDevice",
        "getChannelGroup",
        "getCircularBufferMemoryFootprint",
        "getConfigData",
        "getConfigGroupStateFromCache",
        "getCurrentConfigFromCache",
        "getFocusDevice",
        "getLoadedDevices",
        "getPixelSizeConfigData",
        "getPrimaryLogFile",
        "getPropertyFromCache",
        "getShutterDevice",
        "getSystemStateCache",
        "getTimeoutMs",
        "getVersionInfo",
        "getXYStageDevice",
        "isConfigDefined",
        "isGroupDefined",
    }
)
"""Getters that only read the memory of the core; no device holds them up."""

# What never changes for a device: read once, so that it is known later.
_OF_DEVICE = (
    "getDeviceType",
    "getDeviceName",
    "getFocusDirection",
    "getNumberOfStates",
    "getStateLabels",
    "getDeviceLibrary",
    "getDeviceDescription",
    "getDevicePropertyNames",
    "getDeviceInitializationState",
)
_OF_PROPERTY = (
    "hasProperty",
    "isPropertyReadOnly",
    "isPropertyPreInit",
    "isPropertySequenceable",
    "getPropertyType",
    "hasPropertyLimits",
    "getPropertyLowerLimit",
    "getPropertyUpperLimit",
    "getAllowedPropertyValues",
)


class Answers:
    """Asks a core and remembers what it said.

    Parameters
    ----------
    core : CMMCorePlus
        The core.
    """

    def __init__(self, core: CMMCorePlus) -> None:
        self._core = core
        self._known: dict[tuple[object, ...], Any] = {}
        self._asker = _Asker()

    def ask(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, busy: bool
    ) -> Any:
        """Return what a getter of the core says, or said last.

        Parameters
        ----------
        name : str
            The getter.
        args, kwargs
            What it is asked.
        busy : bool
            Whether the core is known to be in a call that may take long.

        Raises
        ------
        RuntimeError
            What the core raised; or that a device does not answer and nothing is
            known of it.
        """
        key = _key(name, args, kwargs)
        if not busy and name not in ASKS_HARDWARE:
            return self._fetch(name, args, kwargs, key)
        request = self._asker.ask(
            lambda: self._fetch(name, args, kwargs, key), _BUSY_S if busy else _IDLE_S
        )
        if request is not None:
            return request.outcome()
        with contextlib.suppress(KeyError, IndexError, RuntimeError, ValueError):
            return self._remembered(name, args)
        if key in self._known:
            return self._known[key]
        request = self._asker.ask(
            lambda: self._fetch(name, args, kwargs, key), _FIRST_S, patient=True
        )
        if request is None:
            words = ", ".join(str(arg) for arg in args)
            raise RuntimeError(f"{name}({words}): the device does not answer")
        return request.outcome()

    def heard(self, name: str, args: tuple[Any, ...]) -> None:
        """Take note of an event of the core; called on any thread."""
        if name == "XYStagePositionChanged":
            self._known["xy", args[0]] = [args[1], args[2]]
        elif name == "stagePositionChanged":
            self._known["z", args[0]] = args[1]
        elif name == "exposureChanged":
            self._known["exposure", args[0]] = args[1]
        elif name == "shutterOpenChanged":
            self._known["getShutterOpen", args[0]] = args[1]
        elif name == "roiSet":
            self._known["getROI", args[0]] = list(args[1:])
        elif name == "systemConfigurationLoaded":
            self._known.clear()
        elif name.startswith("config") and name != "configSet":
            for key in [*self._known]:
                if "Config" in str(key[0]):
                    self._known.pop(key, None)

    def read_all(self) -> None:
        """Learn what devices and properties there are; for another thread."""
        from pymmcore_plus import DeviceType

        for kind in DeviceType:
            self._learn("getLoadedDevicesOfType", kind)
        for device in self._core.getLoadedDevices():
            for name in _OF_DEVICE:
                self._learn(name, device)
            for prop in self._core.getDevicePropertyNames(device):
                for name in _OF_PROPERTY:
                    self._learn(name, device, prop)

    def end(self) -> None:
        """End the thread, without waiting for a device; may be used again."""
        self._asker.end()

    def _learn(self, name: str, *args: object) -> None:
        with contextlib.suppress(RuntimeError):
            self._fetch(name, args, {}, (name, *args))

    def _fetch(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: tuple[object, ...] | None,
    ) -> Any:
        answer = getattr(self._core, name)(*args, **kwargs)
        if key is not None:
            self._known[key] = answer
        return answer

    def _remembered(self, name: str, args: tuple[Any, ...]) -> Any:
        """Return what the core, or its last event, says without asking a device."""
        core, known = self._core, self._known
        label = args[0] if args else ""
        if name == "getProperty":
            return core.getPropertyFromCache(*args)
        if name == "getState":
            return int(core.getPropertyFromCache(label, "State"))
        if name == "getStateLabel":
            return core.getPropertyFromCache(label, "Label")
        if name == "getCurrentConfig":
            return core.getCurrentConfigFromCache(label)
        if name == "getConfigGroupState":
            return core.getConfigGroupStateFromCache(*args)
        if name == "getPixelSizeUm":
            return core.getPixelSizeUm(True)
        if name == "getPixelSizeAffine":
            return core.getPixelSizeAffine(True)
        if name in ("getXYPosition", "getXPosition", "getYPosition"):
            x, y = known["xy", label or core.getXYStageDevice()]
            return {"getXPosition": x, "getYPosition": y}.get(name, [x, y])
        if name in ("getPosition", "getZPosition"):
            return known["z", label or core.getFocusDevice()]
        if name == "getExposure":
            return known["exposure", label or core.getCameraDevice()]
        raise KeyError(name)


def _key(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[object, ...] | None:
    key = (name, *args, *sorted(kwargs.items()))
    try:
        hash(key)
    except TypeError:
        return None  # nothing to be remembered under
    return key


class _Request:
    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.done = threading.Event()
        self.given_up = False
        self._result: Any = None
        self._error: BaseException | None = None

    def work(self) -> None:
        try:
            self._result = self.function()
        except BaseException as error:  # raised for the one who asked
            self._error = error
        self.done.set()

    def outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result


class _Asker:
    """A thread that asks one question at a time; used by the GUI thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[_Request | None] | None = None
        self._latest: _Request | None = None

    def ask(
        self, function: Callable[[], Any], timeout: float, *, patient: bool = False
    ) -> _Request | None:
        """Return the answered request, or None if no answer came in time.

        As long as an earlier question has no answer, no time is spent on the next: of
        a hundred questions to a device that hangs only the first one waits.
        """
        before = self._latest
        if before is not None and not before.done.is_set():
            if not patient or before.given_up:
                return None
            if not before.done.wait(timeout):
                before.given_up = True
                return None
        if self._queue is None:
            self._queue = queue.SimpleQueue()
            threading.Thread(
                target=_answer,
                args=(self._queue,),
                name="napari-scope questions",
                daemon=True,
            ).start()
        self._latest = request = _Request(function)
        self._queue.put(request)
        if request.done.wait(timeout):
            return request
        request.given_up = patient
        return None

    def end(self) -> None:
        if self._queue is not None:
            self._queue.put(None)
        self._queue = self._latest = None


def _answer(questions: queue.SimpleQueue[_Request | None]) -> None:
    while (request := questions.get()) is not None:
        request.work()
