"""Whether a run that is to be continued is the run that is on disk.

The first line of a journal says what was planned (`journal.plan_header`); a new stream
into the same store must plan the same, but for the length of the axis that the run
grows along. Each difference is found by name, so that the error says what to change.

Examples
--------
>>> import numpy as np
>>> from napari_scope.stream.spec import ImageSpec, StoreSpec
>>> images = (ImageSpec("a", sizes={"time": 3}),)
>>> old = StoreSpec("a", (8, 8), np.dtype("u2"), order=("time",), images=images)
>>> new = StoreSpec("a", (8, 9), np.dtype("u2"), order=("time",), images=images)
>>> differences(plan_of(old), plan_of(new))
['the shape of a frame is (8, 8) there and (8, 9) here']
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError, SettingsError
from napari_scope.stream.journal import jsonable, plan_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_scope.stream.recovery_plan import FrameLine
    from napari_scope.stream.spec import StoreSpec

__all__ = ["check_plan", "check_reached", "differences", "plan_of"]

_MOST_NAMED = 5

_WORDS = {
    "dtype": "the type of the pixels",
    "pixel_um": "the size of a pixel in micrometers",
    "z_um": "the step in z in micrometers",
    "interval_s": "the interval in seconds",
    "compression": "the compression",
    "order": "the order of storage",
    "version": "the version of the format",
}


def plan_of(spec: StoreSpec) -> dict[str, Any]:
    """Return what a journal would say of a plan."""
    plan: dict[str, Any] = json.loads(
        json.dumps(jsonable(plan_header(spec, "")["plan"]))
    )
    return plan


def check_plan(
    header: Mapping[str, Any], format: str, spec: StoreSpec, path: Path
) -> None:
    """Refuse to go on with a run that was planned otherwise.

    Parameters
    ----------
    header : mapping
        What its journal says.
    format : str
        The format that is wanted.
    spec : StoreSpec
        What is planned now.
    path : Path
        The store, for the error.

    Raises
    ------
    SettingsError
        Naming each difference.
    FormatError
        If the journal does not say what was planned.
    """
    if header.get("format") != format:
        raise SettingsError(
            f"the run was saved as {header.get('format')}, not as {format}",
            path=path,
            hint="a run goes on in the format that it was begun in",
        )
    plan = header.get("plan")
    if not isinstance(plan, dict):
        raise FormatError(
            "the journal does not say what was planned, so the run cannot be continued",
            path=path,
        )
    found = differences(plan, plan_of(spec))
    if found:
        more = len(found) - _MOST_NAMED
        told = "; ".join(found[:_MOST_NAMED]) + (
            f"; and {more} more" if more > 0 else ""
        )
        raise SettingsError(
            f"this is not the run that is there: {told}",
            path=path,
            hint="plan the same as at first, only the first axis may be longer; or "
            "choose another name",
        )


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Return how two plans differ, but for the length of the first axis, in words."""
    found: list[str] = []

    def compare(what: str, old: object, new: object) -> None:
        if old != new:
            found.append(f"{what} is {_text(old)} there and {_text(new)} here")

    compare("the shape of a frame", there.get("shape"), here.get("shape"))
    compare(_WORDS["dtype"], there.get("dtype"), here.get("dtype"))
    order, mine = there.get("order") or [], here.get("order") or []
    # A run that takes what comes learns its axes from the first frame.
    if order and mine:
        compare("the order of the axes", order, mine)
    free = (mine or order or [None])[0]
    compare_open = [_open_ended(there), _open_ended(here)]
    if compare_open[0] != compare_open[1]:
        words = ["was planned", "takes whatever comes"]
        found.append(
            f"the run {words[compare_open[0]]} there and {words[compare_open[1]]} here"
        )
        return found
    if not compare_open[0]:
        found += _labels(_mapping(there, "labels"), _mapping(here, "labels"), free)
        growing = there.get("growing") is True or here.get("growing") is True
        found += _images(_entries(there), _entries(here), free, growing)
    for part in ("scale", "storage"):
        old, new = there.get(part), here.get(part)
        if not (isinstance(old, dict) and isinstance(new, dict)):
            continue  # older journals do not say
        for key, word in _WORDS.items():
            if key in old and key in new:
                compare(word, old[key], new[key])
        for key in ("chunks", "shards"):
            before, now = _mapping(old, key), _mapping(new, key)
            # None is longer than its axis, and the free one may have become longer.
            for axis in sorted((before.keys() | now.keys()) - {free}):
                what = f"the size of {key} along {axis}"
                compare(what, before.get(axis), now.get(axis))
    return found


def _labels(
    there: Mapping[str, Any], here: Mapping[str, Any], free: str | None
) -> list[str]:
    found = []
    for axis in sorted(there.keys() | here.keys()):
        old, new = there.get(axis), here.get(axis)
        if old == new:
            continue
        if isinstance(old, list) and isinstance(new, list) and axis == free:
            if new[: len(old)] == old:
                continue
        found.append(f"the axis {axis} has {_text(old)} there and {_text(new)} here")
    return found


def _images(
    there: Sequence[Mapping[str, Any]],
    here: Sequence[Mapping[str, Any]],
    free: str | None,
    growing: bool,
) -> list[str]:
    found = []
    places = [[entry.get("place") for entry in entries] for entries in (there, here)]
    for old, new in zip(*places, strict=False):
        if old != new:
            found.append(f"a position is {_text(old)} there and {_text(new)} here")
    if len(there) != len(here):
        found.append(f"there are {len(there)} positions there and {len(here)} here")
    for old_image, new_image in zip(there, here, strict=False):
        sizes, mine = _mapping(old_image, "sizes"), _mapping(new_image, "sizes")
        for axis in sorted(sizes.keys() | mine.keys()):
            old, new = sizes.get(axis), mine.get(axis)
            longer = isinstance(old, int) and isinstance(new, int) and new >= old
            if old != new and not (axis == free and (longer or growing)):
                found.append(
                    f"the axis {axis} has the length {old} there and {new} here"
                )
    return list(dict.fromkeys(found))


def check_reached(
    lines: Sequence[FrameLine], names: Sequence[str], spec: StoreSpec, path: Path
) -> None:
    """Refuse a plan that has no place for frames that are there.

    Raises
    ------
    SettingsError
        Saying how far the run went.
    """
    if spec.open_ended:
        return
    for axis, name in enumerate(names):
        if spec.grows(name):
            continue
        reached = max((line.index[axis] + 1 for line in lines), default=0)
        room = max((image.sizes.get(name, 1) for image in spec.images), default=1)
        if reached > room:
            raise SettingsError(
                f"the axis {name} has the length {room} here, but {reached} of it are "
                "there",
                path=path,
                hint=f"plan at least {reached}, or leave it unbounded",
            )


def _open_ended(plan: Mapping[str, Any]) -> bool:
    return plan.get("growing") is True and plan.get("growing_axes") is None


def _mapping(plan: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = plan.get(key)
    return found if isinstance(found, dict) else {}


def _entries(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = plan.get("images")
    entries = found if isinstance(found, list) else []
    return [entry if isinstance(entry, dict) else {} for entry in entries]


def _text(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        text = ", ".join(map(str, value))
        return f"({text})" if len(text) < 200 else f"({text[:200]}...)"
    if isinstance(value, dict):
        return " ".join(map(str, value.values())) or "without a name"
    return str(value)
