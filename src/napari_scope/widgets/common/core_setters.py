"""What of the core's methods may take long, and how widgets learn the true value.

pymmcore-widgets call the core on the GUI thread. Those calls that talk to a device are
made elsewhere; `setter_of` tells which they are, in words for the user, and which of
several waiting ones the last replaces. `truths` are the events that tell a widget what
is really set, for a call that failed or was refused.

Methods that only change the memory of the core stay where they are called: definitions
of groups, presets and pixel sizes (the widgets that edit them read them back in the
next line), the channel group, logging, the delays and labels that the configuration
wizard writes. Loading single devices is a dialogue with the wizard, in which each
answer decides on the next question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Setter", "setter_of", "truths"]


@dataclass(frozen=True, slots=True)
class Setter:
    """A method of the core that may take long.

    Parameters
    ----------
    what : str
        What it does, in words; ``{0}`` and ``{1}`` are the first arguments.
    kind : str
        What it sets: of waiting calls of one kind and device the last one counts.
        Empty if every call counts.
    distinct : int
        How many of the first arguments, where they are names, tell devices apart.
    moves : bool
        Whether it begins something that `stop` ends.
    tells : bool
        Whether the true value is told afterwards, because the core does not.
    stops_live : bool
        Whether a camera that runs may refuse it.
    """

    what: str
    kind: str = ""
    distinct: int = 1
    moves: bool = False
    tells: bool = False
    stops_live: bool = False

    def key(self, args: tuple[Any, ...]) -> tuple[object, ...] | None:
        """Return the key of a call; None or a key of its own if every call counts."""
        if not self.kind:
            return ("move", object()) if self.moves else None
        names = [arg for arg in args[: self.distinct] if isinstance(arg, str)]
        return (self.kind, *names)

    def words(self, args: tuple[Any, ...]) -> str:
        """Return what a call does, in words."""
        try:
            return self.what.format(*args)
        except IndexError:
            return self.what.split(" {")[0]


_SETTERS = {
    "setProperty": Setter("set {0} {1}", "property", 2, stops_live=True),
    "setState": Setter("set the state of {0}", "state"),
    "setStateLabel": Setter("set {0} to {1}", "state"),
    "setConfig": Setter("set {0} to {1}", "config", stops_live=True),
    "setSystemState": Setter("set the state of the system", stops_live=True),
    "setXYPosition": Setter("move the stage", "xy", moves=True),
    "setRelativeXYPosition": Setter("move the stage", moves=True),
    "setRelativeXYZPosition": Setter("move the stage", moves=True),
    "setPosition": Setter("move the focus", "z", moves=True),
    "setZPosition": Setter("move the focus", "z", moves=True),
    "setRelativePosition": Setter("move the focus", moves=True),
    "home": Setter("send {0} home", moves=True),
    "setOrigin": Setter("set the origin"),
    "setOriginX": Setter("set the origin"),
    "setOriginY": Setter("set the origin"),
    "setOriginXY": Setter("set the origin"),
    "setAdapterOrigin": Setter("set the origin"),
    "setAdapterOriginXY": Setter("set the origin"),
    "setExposure": Setter("set the exposure", "exposure", stops_live=True),
    "setROI": Setter("set the region of the camera", "roi", stops_live=True),
    "clearROI": Setter("use the whole camera", "roi", tells=True, stops_live=True),
    "setMultiROI": Setter("set the regions of the camera", "roi", stops_live=True),
    "setShutterOpen": Setter("move the shutter", "shutter"),
    "setAutoShutter": Setter("set the automatic shutter", "autoshutter"),
    # The camera that runs would write into the buffer that is thrown away.
    "setCircularBufferMemoryFootprint": Setter(
        "set the memory for images", "buffer", 0, stops_live=True
    ),
    "setCameraDevice": Setter("choose the camera", "Camera", 0, stops_live=True),
    "setShutterDevice": Setter("choose the shutter", "Shutter", 0),
    "setFocusDevice": Setter("choose the focus", "Focus", 0),
    "setXYStageDevice": Setter("choose the stage", "XYStage", 0),
    "setAutoFocusDevice": Setter("choose the autofocus", "AutoFocus", 0),
    "setAutoFocusOffset": Setter("set the autofocus offset", "offset"),
    "enableContinuousFocus": Setter("switch the continuous focus", "lock"),
    "fullFocus": Setter("focus", moves=True),
    "incrementalFocus": Setter("focus", moves=True),
    "snap": Setter("snap an image", "snap"),
    "snapImage": Setter("snap an image", "snap"),
    "startContinuousSequenceAcquisition": Setter("start live"),
    "startSequenceAcquisition": Setter("start the camera"),
    "stopSequenceAcquisition": Setter("stop the camera"),
    "waitForDevice": Setter("wait for {0}"),
    "waitForDeviceType": Setter("wait for devices"),
    "waitForConfig": Setter("wait for {0}"),
    "waitForSystem": Setter("wait for the microscope"),
    "sleep": Setter("wait"),
}

# Only the memory of the core, see the text of the module.
_MEMORY = frozenset(
    {
        "setChannelGroup",
        "setContext",
        "setDeviceAdapterSearchPaths",
        "setDeviceDelayMs",
        "setDeviceTimeoutMs",
        "setFocusDirection",
        "setParentLabel",
        "setPixelSizeAffine",
        "setPixelSizeOptimalZUm",
        "setPixelSizeUm",
        "setPixelSizedxdz",
        "setPixelSizedydz",
        "setPrimaryLogFile",
        "setPrimaryLogFileRotation",
        "setPrimaryLogLevel",
        "setStderrLogLevel",
        "setTimeoutMs",
    }
)

_ROLES = ("Camera", "Shutter", "Focus", "XYStage", "AutoFocus")


def setter_of(name: str) -> Setter | None:
    """Return how a method is called elsewhere; None if it stays where it is called.

    Examples
    --------
    >>> setter_of("setExposure").words((10.0,)), setter_of("defineConfig")
    ('set the exposure', None)
    """
    known = _SETTERS.get(name)
    if known is not None or name in _MEMORY or not name.startswith("set"):
        return known
    # Pumps, galvos, light modulators, serial ports: whatever it is, it is a device.
    return Setter(f"make the call {name}")


def truths(
    kind: str, args: tuple[Any, ...], read: Callable[..., Any]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the events that tell what is really set.

    Parameters
    ----------
    kind : str
        What was to be set, see `Setter`.
    args : tuple
        The arguments of the call.
    read : callable
        Takes the name and the arguments of a getter.

    Raises
    ------
    RuntimeError
        If the device does not say.
    """
    label = args[0] if args and isinstance(args[0], str) else ""
    if kind == "property":
        yield "propertyChanged", (*args[:2], read("getProperty", *args[:2]))
    elif kind == "state":
        for prop in ("State", "Label"):
            yield "propertyChanged", (label, prop, read("getProperty", label, prop))
    elif kind == "config":
        presets = read("getAvailableConfigs", label)
        preset = args[1] if args[1] in presets else next(iter(presets), None)
        if preset is None:
            return
        for device, prop, _value in read("getConfigData", label, preset):
            value = read("getProperty", device, prop)
            yield "propertyChanged", (device, prop, value)
    elif kind == "xy":
        label = label or read("getXYStageDevice")
        yield "XYStagePositionChanged", (label, *read("getXYPosition", label))
    elif kind == "z":
        label = label or read("getFocusDevice")
        yield "stagePositionChanged", (label, read("getPosition", label))
    elif kind == "exposure":
        label = label or read("getCameraDevice")
        yield "exposureChanged", (label, read("getExposure", label))
    elif kind == "roi":
        label = label or read("getCameraDevice")
        yield "roiSet", (label, *read("getROI", label))
    elif kind == "shutter":
        label = label or read("getShutterDevice")
        yield "shutterOpenChanged", (label, bool(read("getShutterOpen", label)))
    elif kind == "autoshutter":
        yield "autoShutterSet", (bool(read("getAutoShutter")),)
    elif kind in _ROLES:
        yield "propertyChanged", ("Core", kind, read(f"get{kind}Device"))
