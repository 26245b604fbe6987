"""One record for each frame of a store: its axes, what became of it, what was noted.

A `FrameRecord` has the facts as they were saved, in the words of whoever saved them.
`cells` makes one row of a table of it: nested facts get dotted names, and the facts
that everyone notes (time, exposure, place of the stage) one name each, whatever the
format called them. Numbers in names have their unit at the end: ``exposure_ms``.

Where records come from is the business of a `RecordSource`: the journal of a run, the
index of an NDTiff store, or the images of any data set. Here is only what they share.

Examples
--------
>>> facts = {"Exposure": 10.0, "Camera": {"Gain": "2"}, "XPositionUm": 5}
>>> cells(FrameRecord(0, {"time": 3}, facts))
{'axes.time': 3, 'exposure_ms': 10.0, 'x_um': 5, 'Camera.Gain': '2'}
>>> as_number("2"), as_number("two"), unit_of("exposure_ms"), unit_of("XPositionUm")
(2.0, None, 'ms', 'µm')
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.model import Axes

__all__ = [
    "KNOWN_FACTS",
    "FrameRecord",
    "ListRecords",
    "Place",
    "RecordSource",
    "as_number",
    "cells",
    "leaves",
    "unit_of",
]

KNOWN_FACTS: Final = (
    "time",
    "elapsed_ms",
    "exposure_ms",
    "x_um",
    "y_um",
    "z_um",
    "camera",
    "channel",
    "position_name",
)
"""Names that facts get whatever a format calls them, in the order of the columns."""

_SAME: Final = {
    "ReceivedTime": "time",
    "ElapsedTime-ms": "elapsed_ms",
    "Exposure": "exposure_ms",
    "Exposure-ms": "exposure_ms",
    "XPositionUm": "x_um",
    "YPositionUm": "y_um",
    "ZPositionUm": "z_um",
    "XPosition_um_Intended": "x_um_intended",
    "YPosition_um_Intended": "y_um_intended",
    "ZPosition_um_Intended": "z_um_intended",
    "Core-Camera": "camera",
    "Camera": "camera",
    "Channel": "channel",
    "PositionName": "position_name",
}
_AGAIN: Final = ("Axes",)  # facts that repeat the axes of the index
_MOST_CELLS: Final = 2000  # of one frame; what is beyond is no table any more
_UNITS: Final = (
    (re.compile(r"(_ms|-ms)$"), "ms"),
    (re.compile(r"(_um|_um_intended|_um_Intended|Um|_UM)$"), "µm"),
    (re.compile(r"(?<=[a-z0-9])_s$"), "s"),
    (re.compile(r"(?i)temperature$"), "°C"),
    (re.compile(r"_degrees?$"), "°"),
    (re.compile(r"_percent$"), "%"),
)


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """What is known of one frame.

    Parameters
    ----------
    number : int
        Its running number in the store, from 0 on; in the order of acquisition where
        the store knows it.
    axes : mapping
        Its identity.
    facts : mapping
        What was saved with it, JSON-able.
    status : str
        ``"saved"``, or ``"skipped"`` or ``"dropped"`` for a frame that was planned.
    reason : str
        Why it is not there.
    problem : str
        Why its facts cannot be read; the other frames have theirs.
    """

    number: int
    axes: Axes
    facts: Mapping[str, object] = field(default_factory=dict)
    status: str = "saved"
    reason: str = ""
    problem: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the record as JSON has it."""
        found: dict[str, object] = {
            "frame": self.number,
            "axes": dict(self.axes),
            "status": self.status,
        }
        if self.reason:
            found["reason"] = self.reason
        if self.problem:
            found["problem"] = self.problem
        return {**found, "metadata": dict(self.facts)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame is in the images of its data set.

    Parameters
    ----------
    image : int
        Number of the image.
    index : mapping
        Short axis name (``t``, ``c``, ``z``, custom ones) to index.
    """

    image: int
    index: Mapping[str, int]


class RecordSource(Protocol):
    """Where records come from. It may grow; what was there stays as it was."""

    def __len__(self) -> int:
        """Return the number of records."""

    def record(self, number: int) -> FrameRecord:
        """Return a record; it reads files, and notes in the record what is damaged."""

    def refresh(self) -> int:
        """Look for new records; returns how many there are now."""

    def place(self, number: int) -> Place | None:
        """Return where the pixels of a frame are, None where that is not known."""

    def number_at(self, image: int, index: Mapping[str, int]) -> int | None:
        """Return the record of the frame at a place, or None."""


class ListRecords:
    """Records that a document lists, each with its axes and facts.

    Parameters
    ----------
    entries : list
        As the attributes of OME-Zarr have them: ``{"axes": {...}, "time": ...}``.
    """

    def __init__(self, entries: list[Any]) -> None:
        self._entries = [entry for entry in entries if isinstance(entry, dict)]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._entries)

    def record(self, number: int) -> FrameRecord:
        """Return a record."""
        facts = dict(self._entries[number])
        return FrameRecord(number, checked_axes(facts.pop("axes", None)), facts)

    def refresh(self) -> int:
        """Return the number of records; there are never new ones."""
        return len(self._entries)

    def place(self, number: int) -> Place | None:
        """Return None: the list does not say."""
        return None

    def number_at(self, image: int, index: Mapping[str, int]) -> int | None:
        """Return None: the list does not say."""
        return None


def checked_axes(found: object) -> dict[str, int | str]:
    """Return the axes that a document names; values that are none are left out."""
    if not isinstance(found, Mapping):
        return {}
    return {
        str(name): value
        for name, value in found.items()
        if isinstance(value, str) or type(value) is int
    }


def cells(record: FrameRecord) -> dict[str, object]:
    """Return the row of a frame in a table, without its number.

    Values are text, numbers, booleans or None; lists that are no mappings are JSON
    text. The axes come first, then the facts that everyone notes, then the rest.
    """
    known: dict[str, object] = {}
    rest: dict[str, object] = {}
    for name, value in leaves(record.facts):
        given = _SAME.get(name, name)
        if given in KNOWN_FACTS:
            known.setdefault(given, value)
        else:
            rest.setdefault(given, value)
    row: dict[str, object] = {f"axes.{k}": v for k, v in record.axes.items()}
    if record.status != "saved":
        row["status"] = record.status
    if record.reason:
        row["reason"] = record.reason
    if record.problem:
        row["problem"] = record.problem
    row.update((name, known[name]) for name in KNOWN_FACTS if name in known)
    row.update((k, v) for k, v in rest.items() if k not in row)
    return row


def leaves(facts: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Iterate over the single values of nested facts, with dotted names.

    A list of ``[device, property, value]``, as this package saves properties, becomes
    names like ``properties.Camera.Gain``.
    """
    # A stack of our own: the depth of a foreign file is not bounded by Python's.
    stack: list[Iterator[tuple[str, object]]] = [
        iter([(str(k), v) for k, v in facts.items() if k not in _AGAIN])
    ]
    count = 0
    while stack and count < _MOST_CELLS:
        part = next(stack[-1], None)
        if part is None:
            stack.pop()
            continue
        name, value = part
        inner = _inner(value)
        if inner is not None:
            stack.append(iter([(f"{name}.{k}", v) for k, v in inner.items()]))
            continue
        count += 1
        if isinstance(value, (list, tuple)):
            value = _text(value)
        elif isinstance(value, Mapping):
            value = ""
        yield name, value


def _inner(value: object) -> Mapping[str, object] | None:
    """Return what a value is made of, None where it is a single one."""
    if isinstance(value, Mapping):
        return {str(k): v for k, v in value.items()} if value else None
    if not isinstance(value, list) or not value:
        return None
    if all(
        isinstance(item, (list, tuple))
        and len(item) == 3
        and isinstance(item[0], str)
        and isinstance(item[1], str)
        for item in value
    ):
        return {f"{device}.{name}": setting for device, name, setting in value}
    if any(isinstance(item, Mapping) for item in value):
        return {str(number): item for number, item in enumerate(value)}
    return None


def _text(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):
        return "(nested too deeply)"


def as_number(value: object) -> float | None:
    """Return a finite number, also one that is written as text, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and (len(value) > 40 or "_" in value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def unit_of(name: str) -> str:
    """Return the unit that a name ends with, or an empty text."""
    last = name.rpartition(".")[2]
    for pattern, unit in _UNITS:
        if pattern.search(last):
            return unit
    return ""
