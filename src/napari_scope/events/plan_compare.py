"""Whether two plans say the same, and in words where they do not.

Tables and forms know less than useq: whoever shows a plan reads it back and compares.
What makes no difference to a run counts as equal: the order of axes that are not used,
the seed of random points that had none, a field of view that is left to the camera.

Examples
--------
>>> import useq
>>> plan = useq.MDASequence(channels=["DAPI"], z_plan={"range": 4, "step": 1})
>>> plan_differences(plan, plan.replace(axis_order="tpgzc"))
['the order of the axes: cz would become zc']
>>> plan_differences(plan, plan.replace(metadata={"pymmcore_widgets": {}}))
[]
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import useq

from napari_scope.events.plan_axes import axes_in_use

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["own_metadata", "plan_differences"]

_TITLES = {
    "time": "the time plan",
    "positions": "the positions",
    "grid": "the grid",
    "z": "the z stack",
    "channels": "the channels",
    "autofocus": "the autofocus",
    "shutter": "the shutter",
    "order": "the order of the axes",
    "metadata": "the metadata",
    "setup": "the set-up event",
}
_DIGITS = 6  # below any step of a stage, above the noise of floats
_MOST_WORDS = 90
_FOREIGN_KEY = "pymmcore_widgets"  # what its tables write into each plan


def plan_differences(wanted: useq.MDASequence, shown: useq.MDASequence) -> list[str]:
    """Return in words what differs; nothing if the plans mean the same."""
    before, after = _facts(wanted), _facts(shown)
    _forgive(before, after)
    found = []
    for key, title in _TITLES.items():
        if before[key] == after[key]:
            continue
        one, other = _first_different(before[key], after[key])
        found.append(f"{title}: {_words(one)} would become {_words(other)}")
    return found


def own_metadata(plan: useq.MDASequence) -> dict[str, Any]:
    """Return the metadata of a plan without what tables write into it."""
    return {key: value for key, value in plan.metadata.items() if key != _FOREIGN_KEY}


def _facts(plan: useq.MDASequence) -> dict[str, Any]:
    wells = plan.stage_positions
    subs: list[useq.MDASequence] = []
    places: Any
    if isinstance(wells, useq.WellPlatePlan):
        places = _json(wells)
        places["selected_wells"] = sorted(_pairs(places["selected_wells"]))
    else:
        places = [_position(place) for place in wells]
        subs = [p.sequence for p in wells if p.sequence is not None]
    used = set().union(*map(axes_in_use, (plan, *subs)))
    order = "".join(str(axis) for axis in plan.axis_order if str(axis) in used)
    return {
        "time": _times(plan.time_plan),
        "positions": places,
        "grid": _typed(plan.grid_plan),
        "z": _typed(plan.z_plan),
        "channels": [_json(channel) for channel in plan.channels],
        "autofocus": _typed(plan.autofocus_plan),
        "shutter": sorted(map(str, plan.keep_shutter_open_across)),
        "order": order if len(order) > 1 else "",
        "metadata": own_metadata(plan),
        "setup": _typed(plan.setup),
    }


def _forgive(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Take over what the first plan leaves open."""
    _forgive_grid(before["grid"], after["grid"])
    one, other = before["positions"], after["positions"]
    if isinstance(one, dict) and isinstance(other, dict):
        _forgive_grid(one["well_points_plan"], other["well_points_plan"])
    elif isinstance(one, list) and isinstance(other, list):
        for first, second in zip(one, other, strict=False):
            if first["sequence"] and second["sequence"]:
                _forgive(first["sequence"], second["sequence"])


def _forgive_grid(one: Any, other: Any) -> None:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return
    for key in ("fov_width", "fov_height", "random_seed"):
        if key in one and one[key] is None and key in other:
            other[key] = None


def _position(place: useq.Position) -> dict[str, Any]:
    facts = _json(place.model_copy(update={"sequence": None}))
    sub = place.sequence
    facts["sequence"] = None
    if sub is not None and _says_something(sub):
        facts["sequence"] = _facts(sub)
    return facts


def _says_something(plan: useq.MDASequence) -> bool:
    """Return whether a position's own plan is more than an empty one."""
    facts = _facts(plan)
    return any(facts.values())


def _times(plan: Any) -> Any:
    if plan is None:
        return None
    phases = plan.phases if isinstance(plan, useq.MultiPhaseTimePlan) else [plan]
    found = []
    for phase in phases:
        try:
            interval = phase.interval.total_seconds()
            found.append([round(interval, _DIGITS), phase.num_timepoints()])
        except (AttributeError, ValueError, ZeroDivisionError, OverflowError):
            found.append(_typed(phase))
    return found


def _typed(model: Any) -> Any:
    if model is None:
        return None
    return {"kind": type(model).__name__, **_json(model)}


def _json(model: Any) -> dict[str, Any]:
    made = _rounded(json.loads(model.model_dump_json(exclude={"uid"})))
    assert isinstance(made, dict)
    return made


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS) + 0.0  # never -0.0
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def _pairs(wells: Any) -> Iterable[tuple[int, int]]:
    if not wells:
        return []
    rows, columns = wells
    return list(zip(rows, columns, strict=True))


def _first_different(one: Any, other: Any) -> tuple[Any, Any]:
    """Go down to the smallest part that says where two values differ."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for first, second in zip(one, other, strict=True):
            if first != second:
                return _first_different(first, second)
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [k for k in {**one, **other} if one.get(k) != other.get(k)]
        if "kind" in keys:
            return one["kind"], other["kind"]
        if len(keys) == 1 or (len(keys) > 1 and one.keys() == other.keys()):
            key = keys[0]
            first, second = _first_different(one.get(key), other.get(key))
            label = str(key)
            return f"{label} {_words(first)}", f"{label} {_words(second)}"
    return one, other


def _words(value: Any) -> str:
    if value is None or value == [] or value == "":
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _MOST_WORDS else f"{text[: _MOST_WORDS - 2]} …"
