"""Events as pycro-manager writes them: dictionaries, read into ``useq.MDAEvent``.

`from_pycro` knows every key of pycro-manager's specification, of its first and of its
later versions, and refuses everything else by name. The caller's dictionary stays as
it was and shares nothing with the event. `to_pycro` (in ``pycro_write``) is the way
back; both together keep all that an event holds.

==================== ==============================================================
key                  becomes
==================== ==============================================================
axes                 ``metadata["axes"]`` as they are; ``index`` with numbers
channel              ``channel``; the axis ``channel`` if there is none
config_group         ``channel``
exposure             ``exposure`` (milliseconds)
min_start_time       ``min_start_time`` (seconds since the start of the acquisition)
x, y, z              ``x_pos``, ``y_pos``, ``z_pos`` (micrometers)
row, col, column     axes ``row`` and ``column``
keep_shutter_open    ``keep_shutter_open``
camera               property ``("Core", "Camera", name)``, before all others
stage_positions      properties ``(device, "Position", um)``, before all others
properties           ``properties``
slm_pattern          ``slm_image``
tags                 ``metadata``
==================== ==============================================================

An event with neither ``axes`` nor ``channel`` takes no image: its action is that of
`napari_scope.events.actions.hardware_only`.

This module knows no microscope: whether a device exists is found out by the run.

Examples
--------
>>> event = from_pycro({"axes": {"time": 2, "position": "left"}, "x": 10, "y": 0})
>>> dict(event.index), event.pos_name, event.x_pos
({'t': 2, 'p': 0}, 'left', 10.0)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError
from useq import MDAEvent

from napari_scope.events.actions import hardware_only
from napari_scope.events.axes import AxisTable
from napari_scope.events.event_checks import EventChecks, plain, shown
from napari_scope.model import canonical, short

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CAMERA", "EVENT_KEYS", "HIDDEN_METADATA", "OURS", "POSITION", "from_pycro"]

EVENT_KEYS = frozenset(
    {
        "axes",
        "camera",
        "channel",
        "col",
        "column",
        "config_group",
        "exposure",
        "keep_shutter_open",
        "min_start_time",
        "properties",
        "row",
        "slm_pattern",
        "stage_positions",
        "tags",
        "x",
        "y",
        "z",
    }
)
"""The keys of an event dictionary."""

OURS = "napari_scope"
"""The tag in which `to_pycro` keeps what no key can hold."""

CAMERA = ("Core", "Camera")
"""Device and property by which a camera is chosen."""

POSITION = "Position"
"""The property that stands for the place of a stage."""

HIDDEN_METADATA = frozenset({"axes", "runner_t0"})
"""Metadata of an event that are no tags: its axes, and what the runner notes."""

_IN_OURS = frozenset(
    {"action", "axes", "index", "pos_name", "reset_event_timer", "roi", "slm"}
)

_HINTS = {
    "special": "an acquisition ends with mark_finished()",
    "stage": "use 'stage_positions': [[device, micrometers]]",
    "channels": "use 'channel': {'group': ..., 'config': ...}, one for each event",
    "time": "use 'axes': {'time': ...}",
    "position": "use 'axes': {'position': ...}, with 'x' and 'y'",
    "timeout_ms": "the time a camera may take follows from its exposure",
    "index": "a dictionary has 'axes'; pass a useq.MDAEvent for an index",
}


def from_pycro(
    event: Mapping[str, Any],
    *,
    table: AxisTable | None = None,
    number: int | None = None,
) -> MDAEvent:
    """Return the event that a dictionary of pycro-manager describes.

    Parameters
    ----------
    event : mapping
        The dictionary; it is not changed.
    table : AxisTable, optional
        The numbers of labels; one for all events of a run, else a label of each event
        is number 0.
    number : int, optional
        Which event of the plan it is, for errors.

    Raises
    ------
    PlanError
        Naming the event and the key, what was expected and what was found.
    """
    checks = EventChecks(number)
    if not isinstance(event, Mapping):
        raise checks.error(
            f"expected a dictionary or a useq.MDAEvent, found {type(event).__name__}"
        )
    if not event:
        raise checks.error(
            "the event is empty, it would do nothing",
            "'axes': {} takes an image without any axis",
        )
    if not event.keys() <= EVENT_KEYS:
        checks.known_keys("the event", event, EVENT_KEYS, _HINTS)
    fields: dict[str, Any] = {}
    channel = _channel(event, checks)
    if channel is not None:
        fields["channel"] = {"group": channel[0], "config": channel[1]}
    for key, field, unit, above in _NUMBERS:
        if key in event:
            fields[field] = checks.number(f"{key!r}", event[key], unit, above=above)
    if "keep_shutter_open" in event:
        shutter = checks.flag("'keep_shutter_open'", event["keep_shutter_open"])
        fields["keep_shutter_open"] = shutter
    properties = list(_properties(event, checks))
    if properties or "properties" in event:
        fields["properties"] = properties
    if "slm_pattern" in event:
        fields["slm_image"] = {"data": _pattern(event["slm_pattern"], checks)}
    metadata = _tags(event, checks)
    ours = metadata.pop(OURS, None)
    axes = _axes(event, channel, checks)
    if axes is None:
        fields["action"] = hardware_only()
    else:
        numbers = table if table is not None else AxisTable()
        fields["index"] = {
            short(name): numbers.index(name, value) for name, value in axes.items()
        }
        for name, value in axes.items():
            if isinstance(value, str) and canonical(name) == "position":
                fields["pos_name"] = value
        metadata = {"axes": axes, **metadata}
    if metadata:
        fields["metadata"] = metadata
    if ours is not None:
        _take_ours(fields, ours, checks)
    try:
        return MDAEvent(**fields)
    except ValidationError as error:
        # Only what `to_pycro` kept in its tag has not been looked at yet.
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        message = f"{key} in the tag {OURS!r}: {first['msg']}"
        raise checks.error(message, "leave this tag as it was written") from error


# key, field of MDAEvent, unit, what it must be above
_NUMBERS: tuple[tuple[str, str, str, float | None], ...] = (
    ("exposure", "exposure", "milliseconds", 0.0),
    ("min_start_time", "min_start_time", "seconds", None),
    ("x", "x_pos", "micrometers", None),
    ("y", "y_pos", "micrometers", None),
    ("z", "z_pos", "micrometers", None),
)

_CHANNEL_KEYS = frozenset({"group", "config"})


def _channel(event: Mapping[str, Any], checks: EventChecks) -> tuple[str, str] | None:
    """Return group and preset, from either of the two keys."""
    found: tuple[str, str] | None = None
    if "config_group" in event:
        expected = "[group, preset]"
        value = event["config_group"]
        group, preset = checks.items("'config_group'", value, 2, expected)
        found = (
            checks.name("the group in 'config_group'", group),
            checks.name("the preset in 'config_group'", preset),
        )
    if "channel" not in event:
        return found
    value = event["channel"]
    if not isinstance(value, Mapping):
        raise checks.wrong(
            "'channel'",
            "{'group': ..., 'config': ...}",
            value,
            "the label of a channel is one of its 'axes'",
        )
    checks.known_keys("'channel'", value, _CHANNEL_KEYS)
    for key in ("group", "config"):
        if key not in value:
            raise checks.error(
                f"'channel' must have 'group' and 'config', found no {key!r}"
            )
    channel = (
        checks.name("'group' of 'channel'", value["group"]),
        checks.name("'config' of 'channel'", value["config"]),
    )
    if found is not None and found != channel:
        raise checks.error(
            f"'channel' and 'config_group' must be the same, found {channel} and "
            f"{found}",
            "they are two names of one thing: leave one of them out",
        )
    return channel


def _axes(
    event: Mapping[str, Any], channel: tuple[str, str] | None, checks: EventChecks
) -> dict[str, int | str] | None:
    """Return the axes of the image, or None if the event takes none."""
    tiles = [key for key in ("row", "col", "column") if key in event]
    if "axes" not in event and "channel" not in event:
        if tiles:
            raise checks.error(
                f"{tiles[0]!r} is the place of an image, but none is taken: neither "
                "'axes' nor 'channel' found",
                "add 'axes': {} to take an image",
            )
        return None
    axes: dict[str, int | str] = {}
    known: dict[str, int | str] = {}
    given = checks.mapping("'axes'", event["axes"]) if "axes" in event else {}
    for name, value in given.items():
        text = checks.name("the name of an axis", name)
        axis = canonical(text)
        if axis in ("x", "y"):
            raise checks.error(
                f"axis {text!r} is found, but x and y are the pixels of an image",
                "use the axes 'row' and 'column' for tiles; stage positions stand "
                "beside 'axes', not in it",
            )
        if axis in known:
            raise checks.error(f"the axis {axis!r} is found twice in {shown(given)}")
        axes[text] = known[axis] = checks.sample(f"axis {text!r}", value)
    for key in tiles:
        axis, sample = canonical(key), checks.sample(f"{key!r}", event[key])
        if known.setdefault(axis, sample) != sample:
            raise checks.error(
                f"{key!r} must be the same as the axis {axis!r}, found {sample!r} and "
                f"{known[axis]!r}",
                "leave one of them out",
            )
    if "channel" in event and channel is not None:
        known.setdefault("channel", channel[1])
    spelt = {canonical(name) for name in axes}
    return axes | {name: v for name, v in known.items() if name not in spelt}


def _properties(
    event: Mapping[str, Any], checks: EventChecks
) -> Iterator[tuple[str, str, Any]]:
    """Go through camera, stages and properties, in the order they are set in."""
    if "camera" in event:
        yield (*CAMERA, checks.name("'camera'", event["camera"], "a device"))
    if "stage_positions" in event:
        expected = "a list of [device, micrometers]"
        for item in checks.items(
            "'stage_positions'", event["stage_positions"], None, expected
        ):
            pair = checks.items("'stage_positions'", item, 2, expected)
            device = checks.name("a device in 'stage_positions'", pair[0])
            place = checks.number(
                f"the place of {device!r} in 'stage_positions'", pair[1], "micrometers"
            )
            yield device, POSITION, place
    if "properties" in event:
        expected = "a list of [device, property, value]"
        for item in checks.items("'properties'", event["properties"], None, expected):
            parts = checks.items("'properties'", item, 3, expected)
            device = checks.name("a device in 'properties'", parts[0])
            name = checks.name(f"a property of {device!r} in 'properties'", parts[1])
            yield device, name, _property_value(device, name, parts[2], checks)


def _property_value(device: str, name: str, value: object, checks: EventChecks) -> Any:
    found = plain(value)
    key = f"the value of {device}-{name} in 'properties'"
    if name == POSITION and isinstance(found, list | tuple):  # of an XY stage
        pair = checks.items(key, found, 2, "a text, a number or [x, y]")
        return tuple(checks.number(key, part, "micrometers") for part in pair)
    if isinstance(found, float):
        return checks.number(key, found, "any unit")
    if not isinstance(found, str | bool | int):
        raise checks.wrong(key, "a text or a number", value)
    return found


def _pattern(value: object, checks: EventChecks) -> Any:
    """Return a copy of a pattern: an array, nested lists, or one grey value."""
    expected = "an image, lists of whole numbers, bytes or one whole number"
    if isinstance(value, bytes | bytearray):
        pattern = np.frombuffer(bytes(value), np.uint8)
    elif isinstance(value, np.ndarray) and value.shape != ():
        pattern = value.copy()
        pattern.flags.writeable = False
    else:
        found = checks.json("'slm_pattern'", value)
        if type(found) is not int and not isinstance(found, list):
            raise checks.wrong("'slm_pattern'", expected, value)
        try:
            kind = np.asarray(found)
        except ValueError as error:  # lists of different lengths
            message = "lists of equal length"
            raise checks.wrong("'slm_pattern'", message, value) from error
        if kind.dtype.kind not in "iu" or not kind.size:
            raise checks.wrong("'slm_pattern'", expected, value)
        return found
    if pattern.dtype.kind not in "iub" or not pattern.size or pattern.ndim > 3:
        raise checks.wrong("'slm_pattern'", expected, value)
    return pattern


def _tags(event: Mapping[str, Any], checks: EventChecks) -> dict[str, Any]:
    if "tags" not in event:
        return {}
    tags = checks.mapping("'tags'", event["tags"])
    for name in HIDDEN_METADATA & tags.keys():
        raise checks.error(
            f"the tag {name!r} is found, which is taken", "choose another name for it"
        )
    return checks.json("'tags'", tags)  # type: ignore[return-value]


def _take_ours(fields: dict[str, Any], ours: object, checks: EventChecks) -> None:
    """Put back what `to_pycro` kept in a tag because no key can hold it."""
    kept = dict(checks.mapping(f"the tag {OURS!r}", ours))
    checks.known_keys(f"the tag {OURS!r}", kept, _IN_OURS)
    axes, slm = kept.pop("axes", None), kept.pop("slm", None)
    if axes is not None:
        fields["metadata"] = {"axes": axes, **fields.get("metadata", {})}
    if slm is not None and "slm_image" in fields:
        parts = checks.mapping(f"'slm' in the tag {OURS!r}", slm)
        fields["slm_image"] |= {k: parts.get(k) for k in ("device", "exposure")}
    fields.update({str(key): value for key, value in kept.items()})
