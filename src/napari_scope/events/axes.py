"""From an event to the identity of its frame.

An event's own axes (``event.metadata["axes"]``, as pycro-manager scripts give them)
win. Otherwise the index of useq is translated: letters become canonical names, the
channel becomes its preset's name and a named position its name.

Examples
--------
>>> from useq import MDAEvent
>>> frame_axes(MDAEvent(index={"t": 2, "c": 0, "z": 1}, channel="DAPI"))
{'time': 2, 'channel': 'DAPI', 'z': 1}

The index of useq holds numbers only. An `AxisTable` gives the labels of pycro-manager's
events a number, the same one for a whole run.

>>> table = AxisTable()
>>> [table.index("channel", name) for name in ("DAPI", "FITC", "DAPI")]
[0, 1, 0]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari_scope.errors import PlanError
from napari_scope.model import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from useq import MDAEvent

__all__ = ["AxisNaming", "AxisTable", "frame_axes"]


class AxisTable:
    """The numbers of the labels of one run, in order of first appearance.

    It grows with the number of different labels, not with that of events.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {}
        self._taken: dict[str, set[int]] = {}

    def index(self, axis: str, value: int | str) -> int:
        """Return the number of a sample; a new label gets the next free one."""
        if isinstance(value, int):
            return value
        axis = canonical(axis)
        numbers = self._numbers.setdefault(axis, {})
        number = numbers.get(value)
        if number is None:
            taken = self._taken.setdefault(axis, set())
            number = len(numbers)
            while number in taken:
                number += 1
            numbers[value] = number
            taken.add(number)
        return number

    def note(self, axis: str, label: str, number: int) -> None:
        """Note the number that a label has elsewhere; what is known already stays."""
        axis = canonical(axis)
        numbers = self._numbers.setdefault(axis, {})
        taken = self._taken.setdefault(axis, set())
        if label not in numbers and number not in taken:
            numbers[label] = number
            taken.add(number)

    def labels(self, axis: str) -> dict[int, str]:
        """Return the labels of an axis by their numbers."""
        numbers = self._numbers.get(canonical(axis), {})
        return {number: label for label, number in numbers.items()}


class AxisNaming:
    """How labels are chosen for one plan.

    A label must name one thing. Two channels of different groups may share a preset
    name, two positions may share a name: then the longer or the numbered form is used
    for all of them, so that no two frames get the same axes.

    Parameters
    ----------
    events : iterable of MDAEvent
        The events that are known before the run; none for a generator.
    """

    def __init__(self, events: Iterable[MDAEvent] = ()) -> None:
        channels: dict[int, set[tuple[str, str]]] = {}
        names: dict[str, set[int]] = {}
        unnamed = unnamed_channel = False
        for event in events:
            if "axes" in event.metadata:
                continue  # it has its names already
            if "c" in event.index:
                if event.channel is not None:
                    pair = (event.channel.group, event.channel.config)
                    channels.setdefault(event.index["c"], set()).add(pair)
                else:
                    unnamed_channel = True
            if "p" in event.index:
                if event.pos_name:
                    names.setdefault(event.pos_name, set()).add(event.index["p"])
                else:
                    unnamed = True
        known = [pair for pairs in channels.values() for pair in pairs]
        self._long_channels = len({config for _, config in known}) < len(known)
        # A row with several presets has no single name, nor have two rows with the
        # same one: fall back to numbers.
        self._numbered_channels = (
            unnamed_channel
            or any(len(pairs) > 1 for pairs in channels.values())
            or len(set(known)) < len(known)
        )
        self._numbered_positions = unnamed or any(len(p) > 1 for p in names.values())

    def axes(self, event: MDAEvent) -> dict[str, int | str]:
        """Return the axes of an event's frame."""
        own = event.metadata.get("axes")
        if own is not None:
            axes = _own_axes(own)
            # The engine tells the frames of several cameras apart by the index.
            if "cam" in event.index:
                axes.setdefault("camera", int(event.index["cam"]))
            return axes
        axes = {}
        for key, value in event.index.items():
            name = canonical(str(key))
            axes[name] = int(value)
            if name == "channel" and event.channel and not self._numbered_channels:
                channel = event.channel
                axes[name] = (
                    f"{channel.group}-{channel.config}"
                    if self._long_channels
                    else channel.config
                )
            elif name == "position" and event.pos_name:
                if not self._numbered_positions:
                    axes[name] = event.pos_name
        return axes


def _own_axes(own: object) -> dict[str, int | str]:
    if not isinstance(own, Mapping):
        raise PlanError(
            f"event metadata 'axes' must map names to numbers or labels, found {own!r}"
        )
    axes: dict[str, int | str] = {}
    for key, value in own.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            index = getattr(value, "__index__", None)
            if index is None or isinstance(value, bool):
                raise PlanError(
                    f"axis {key!r} of an event must be a whole number or a label, "
                    f"found {value!r}"
                )
            value = int(index())
        name = canonical(str(key))
        if name in axes:
            raise PlanError(f"the axes {dict(own)} of an event name {name!r} twice")
        axes[name] = value
    return axes


def frame_axes(event: MDAEvent) -> dict[str, int | str]:
    """Return the axes of a single event's frame."""
    return AxisNaming().axes(event)
