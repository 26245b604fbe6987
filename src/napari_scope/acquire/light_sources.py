"""Which properties of a microscope are likely to make light: switches and intensities.

No device says that it is a lamp. `controls_of` lists what could be a control of light:
every property that can be set while the microscope is in use and that is a switch, a
number between two limits, or a choice. `likely` picks those that sound like light, as a
beginning: who sits at the microscope knows better.

Examples
--------
>>> lamp = LightControl("Lumencor", "Blue_Level", "amount", "Generic")
>>> focus = LightControl("ZDrive", "Speed", "amount", "Stage")
>>> [control.name for control in likely([lamp, focus])]
['Blue_Level']
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["LightControl", "controls_of", "likely", "off_value"]

_OFF: Final = ("0", "off", "closed", "close", "false", "no", "disabled", "disable")
_ON: Final = ("1", "on", "open", "true", "yes", "enabled", "enable")
_NO_LIGHT: Final = ("Camera", "Stage", "XYStage", "Core", "AutoFocus", "Serial", "Hub")
_LIGHT: Final = re.compile(
    r"intensit|power|brightness|illum|laser|led|lamp|light|lumencor|spectra|cool.?led"
    r"|sola\b|aura|obis|excelitas|x-?cite|halogen|\d{3} ?nm",
    re.IGNORECASE,
)
_SETS_LIGHT: Final = re.compile(
    r"intensit|power|level|brightness|enable|state|on.?off|\bon\b|label|emission|shutter",
    re.IGNORECASE,
)
_MOST_CHOICES: Final = 24


class _Core(Protocol):
    def getLoadedDevices(self) -> Sequence[str]: ...

    def getDeviceType(self, label: str) -> object: ...

    def getDevicePropertyNames(self, label: str) -> Sequence[str]: ...

    def isPropertyReadOnly(self, label: str, name: str) -> bool: ...

    def isPropertyPreInit(self, label: str, name: str) -> bool: ...

    def hasPropertyLimits(self, label: str, name: str) -> bool: ...

    def getAllowedPropertyValues(self, label: str, name: str) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class LightControl:
    """A property that may be a control of light.

    Parameters
    ----------
    device, name : str
        The property.
    kind : {"switch", "amount", "choice"}
        On or off, a number between two limits, or one of some values.
    device_type : str
        Micro-Manager's type of the device, as "Shutter".
    off, on : str
        The values of a switch.
    """

    device: str
    name: str
    kind: Literal["switch", "amount", "choice"]
    device_type: str = ""
    off: str = ""
    on: str = ""


def controls_of(core: _Core) -> list[LightControl]:
    """Return all properties that could be a control of light.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope; only what it keeps in its memory is asked.

    Raises
    ------
    RuntimeError
        If devices are unloaded meanwhile.
    """
    found = []
    for device in core.getLoadedDevices():
        kind = core.getDeviceType(device)
        words = str(getattr(kind, "name", kind)).removesuffix("Device")
        if words in _NO_LIGHT:
            continue
        names = core.getDevicePropertyNames(device)
        for name in names:
            if core.isPropertyReadOnly(device, name) or core.isPropertyPreInit(
                device, name
            ):
                continue
            if name == "State" and "Label" in names:
                continue  # the same in words
            made = _control(core, device, name, words)
            if made is not None:
                found.append(made)
    return found


def _control(core: _Core, device: str, name: str, kind: str) -> LightControl | None:
    if core.hasPropertyLimits(device, name):
        return LightControl(device, name, "amount", kind)
    values = list(core.getAllowedPropertyValues(device, name))
    off = off_value(values)
    if off:
        on = next(value for value in values if value != off)
        return LightControl(device, name, "switch", kind, off, on)
    if 1 < len(values) <= _MOST_CHOICES:
        return LightControl(device, name, "choice", kind)
    return None


def off_value(values: Iterable[str]) -> str:
    """Return the value of a switch that is off; empty if it is no switch.

    Examples
    --------
    >>> off_value(["On", "Off"]), off_value(["0", "1"]), off_value(["2", "4"])
    ('Off', '0', '')
    """
    found = list(values)
    off = [value for value in found if value.strip().lower() in _OFF]
    on = [value for value in found if value.strip().lower() in _ON]
    return off[0] if len(found) == 2 and len(off) == len(on) == 1 else ""


def likely(controls: Iterable[LightControl]) -> list[LightControl]:
    """Return those that sound like light.

    Parameters
    ----------
    controls : iterable of LightControl
        What there is.
    """
    return [
        control
        for control in controls
        if (control.device_type == "Shutter" and control.kind == "switch")
        or (
            _LIGHT.search(f"{control.device} {control.name}")
            and _SETS_LIGHT.search(control.name)
            and "closedposition" not in control.name.lower()
            and not (control.kind == "choice" and control.name == "State Device")
        )
    ]
