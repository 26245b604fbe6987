"""The core as the tables of pymmcore-widgets may read it: no device is ever asked.

A table shows hundreds of properties at once. On a real microscope each of them is a
question over a serial line, asked in the GUI thread; a device that is unplugged answers
after seconds or raises. `TableCore` answers from what the core knows already: its cache
holds every property as it was read when the configuration was loaded, set, or told by
the device. What differs from the device itself is found by `read_properties`, in
another thread.

It also keeps numbers from the tables that Qt's editors cannot hold: an integer of more
than 32 bits becomes a text, an impossible value is not told.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus, PropertyType

    from napari_scope.widgets.common.core_events import GuiCore

__all__ = ["PropertyReading", "TableCore", "read_properties"]

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1


@dataclass(frozen=True, slots=True)
class PropertyReading:
    """What a device says of one of its properties.

    Parameters
    ----------
    device, name : str
        The property.
    value : str
        Its value; empty where it could not be read.
    problem : str
        Why it could not be read; empty where it could.
    """

    device: str
    name: str
    value: str
    problem: str = ""


def read_properties(core: CMMCorePlus) -> list[PropertyReading]:
    """Ask all devices for all their properties; takes long, not for the GUI thread."""
    readings: list[PropertyReading] = []
    for device in core.getLoadedDevices():
        try:
            names = core.getDevicePropertyNames(device)
        except RuntimeError:  # unloaded meanwhile
            continue
        for name in names:
            try:
                value = core.getProperty(device, name)
            except RuntimeError as error:
                problem = " ".join(str(error).split())
                readings.append(PropertyReading(device, name, "", problem))
            else:
                readings.append(PropertyReading(device, name, str(value)))
    return readings


class _SafeEvents(QObject):
    """The events of the core, without values that an editor cannot take."""

    propertyChanged = Signal(str, str, object)

    def __init__(self, core: TableCore, events: Any) -> None:
        super().__init__()
        self._core = core
        self._events = events
        events.propertyChanged.connect(self._repeat)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._events, name)

    def close(self) -> None:
        self._events.propertyChanged.disconnect(self._repeat)

    def _repeat(self, device: str, name: str, value: object) -> None:
        if self._core.can_show(device, name, value):
            self.propertyChanged.emit(device, name, value)


class TableCore:
    """A core that answers tables without asking a device.

    Parameters
    ----------
    core : GuiCore
        The core as widgets see it; all that is not named here is its own.
    """

    def __init__(self, core: GuiCore) -> None:
        self._core = core
        self._events = _SafeEvents(self, core.events)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def close(self) -> None:
        """Listen to the core no longer; once."""
        self._events.close()

    @property
    def events(self) -> Any:
        """The core's events; values that cannot be shown are left out."""
        return self._events

    def getProperty(self, device: str, name: str) -> str:
        """Return a property from the cache; only one never read is asked for."""
        with contextlib.suppress(RuntimeError, ValueError):
            return str(self._core.getPropertyFromCache(device, name))
        return str(self._core.getProperty(device, name))

    getPropertyFromCache = getProperty

    def getCurrentConfig(self, group: str) -> str:
        """Return the preset that the cache fits."""
        with contextlib.suppress(RuntimeError, ValueError):
            return str(self._core.getCurrentConfigFromCache(group))
        return str(self._core.getCurrentConfig(group))

    def getPixelSizeUm(self, _cached: bool = True) -> float:
        """Return the size of a pixel, from the cache."""
        with contextlib.suppress(RuntimeError, ValueError):
            return float(self._core.getPixelSizeUm(True))
        return float(self._core.getPixelSizeUm())

    def getPropertyType(self, device: str, name: str) -> PropertyType:
        """Return the type; an integer too long for an editor is a text."""
        from pymmcore_plus import PropertyType

        kind: PropertyType = self._core.getPropertyType(device, name)
        if kind is PropertyType.Integer and not self._fits(device, name):
            return PropertyType.String
        return kind

    def hasPropertyLimits(self, device: str, name: str) -> bool:
        """Return whether there are limits that a slider can show."""
        if not self._core.hasPropertyLimits(device, name):
            return False
        low, high = self._limits(device, name)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            return False
        value = self._number(device, name)
        return value is None or low <= value <= high

    def can_show(self, device: str, name: str, value: object) -> bool:
        """Return whether an editor can show a value of this property."""
        from pymmcore_plus import PropertyType

        try:
            kind = self._core.getPropertyType(device, name)
        except RuntimeError:  # unloaded meanwhile
            return False
        if kind not in (PropertyType.Integer, PropertyType.Float):
            return True
        number = _as_number(value)
        if number is None:
            return False
        return kind is PropertyType.Float or _INT_MIN <= number <= _INT_MAX

    def _fits(self, device: str, name: str) -> bool:
        number = self._number(device, name)
        if number is not None and not _INT_MIN <= number <= _INT_MAX:
            return False
        if not self._core.hasPropertyLimits(device, name):
            return True
        return all(_INT_MIN <= end <= _INT_MAX for end in self._limits(device, name))

    def _limits(self, device: str, name: str) -> tuple[float, float]:
        return (
            self._core.getPropertyLowerLimit(device, name),
            self._core.getPropertyUpperLimit(device, name),
        )

    def _number(self, device: str, name: str) -> float | None:
        try:
            return _as_number(self.getProperty(device, name))
        except RuntimeError:
            return None


def _as_number(value: object) -> float | None:
    try:
        number = float(str(value) or 0)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
