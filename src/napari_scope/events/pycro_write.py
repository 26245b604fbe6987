"""From ``useq.MDAEvent`` to the event dictionaries of pycro-manager.

What a dictionary has no key for is kept in the tag ``"napari_scope"``, so that
`from_pycro` can put it back: the name of a position that is numbered, a camera region,
an autofocus or custom action with its index, ``reset_event_timer``, device and
exposure of an SLM. pycro-manager itself ignores this tag: there an autofocus event
only sets the hardware. ``event.sequence``, a mere reference, is left out.

Of two ways to write a thing one is used: ``config_group`` for the channel, ``axes``
for row and column, ``camera`` and ``stage_positions`` for such properties at the
front; keys that only repeat the default are left out.

Examples
--------
>>> from useq import MDAEvent
>>> to_pycro(MDAEvent(index={"t": 1, "c": 0}, channel="DAPI", z_pos=3))
{'axes': {'time': 1, 'channel': 'DAPI'}, 'config_group': ['Channel', 'DAPI'], 'z': 3.0}
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from useq import MDASequence

from napari_scope.errors import PlanError
from napari_scope.events.actions import acquires_image, is_hardware_only
from napari_scope.events.axes import AxisNaming
from napari_scope.events.pycro import CAMERA, HIDDEN_METADATA, OURS, POSITION
from napari_scope.model import canonical, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from useq import MDAEvent, PropertyTuple

    from napari_scope.events.axes import AxisTable

__all__ = ["to_pycro", "to_pycro_events"]

_NUMBERS = (
    ("exposure", "exposure"),
    ("min_start_time", "min_start_time"),
    ("x_pos", "x"),
    ("y_pos", "y"),
    ("z_pos", "z"),
)

_ONE = AxisNaming()


def to_pycro(
    event: MDAEvent, *, naming: AxisNaming | None = None, table: AxisTable | None = None
) -> dict[str, Any]:
    """Return the dictionary of an event; nothing in it is shared with the event.

    Parameters
    ----------
    event : MDAEvent
        The event.
    naming : AxisNaming, optional
        How the frames of the plan are named (`Plan.naming`).
    table : AxisTable, optional
        Takes note of the numbers that labels have in this event, so that `from_pycro`
        with the same table gives the same index again.

    Raises
    ------
    PlanError
        If the metadata of the event have the name of our own tag.
    """
    found: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    if acquires_image(event):
        found["axes"] = axes = _axes(event, naming or _ONE)
        label = next((v for k, v in axes.items() if canonical(k) == "position"), None)
        if event.pos_name and event.pos_name != label:
            ours["pos_name"] = event.pos_name
        if table is not None:
            _note_labels(event, axes, table)
    else:
        if not is_hardware_only(event):
            ours["action"] = event.action.model_dump(mode="json")
        elif event.action.data:  # type: ignore[union-attr]
            ours["action"] = event.action.model_dump(mode="json")
        if event.index:
            ours["index"] = {str(k): v for k, v in event.index.items()}
        if "axes" in event.metadata:
            ours["axes"] = copy.deepcopy(event.metadata["axes"])
        if event.pos_name:
            ours["pos_name"] = event.pos_name
    if event.channel is not None:
        found["config_group"] = [event.channel.group, event.channel.config]
    for field, key in _NUMBERS:
        value = getattr(event, field)
        if value is not None:
            found[key] = value
    if event.keep_shutter_open:
        found["keep_shutter_open"] = True
    if event.properties is not None:
        _put_properties(found, event.properties)
    if event.slm_image is not None:
        slm = event.slm_image
        found["slm_pattern"] = copy.deepcopy(slm.data)
        kept = {"device": slm.device, "exposure": slm.exposure}
        if any(value is not None for value in kept.values()):
            ours["slm"] = kept
    if event.roi is not None:
        ours["roi"] = event.roi.model_dump()
    if event.reset_event_timer:
        ours["reset_event_timer"] = True
    tags = {
        key: copy.deepcopy(value)
        for key, value in event.metadata.items()
        if key not in HIDDEN_METADATA
    }
    if ours:
        if OURS in tags:
            raise PlanError(
                f"the metadata {OURS!r} of an event is taken for what a dictionary "
                f"has no key for, found {tags[OURS]!r}",
                hint="choose another name for it",
            )
        tags[OURS] = ours
    if tags:
        found["tags"] = tags
    return found


def to_pycro_events(plan: MDASequence | Iterable[MDAEvent]) -> list[dict[str, Any]]:
    """Return the events of a sequence, or a list of events, as dictionaries.

    Frames get the axes that a run of the plan gives them: channels and positions have
    their names where these are unique.

    Examples
    --------
    >>> to_pycro_events(MDASequence(z_plan={"absolute": [1.0, 3.0]}))
    [{'axes': {'z': 0}, 'z': 1.0}, {'axes': {'z': 1}, 'z': 3.0}]
    """
    events = plan if isinstance(plan, MDASequence) else list(plan)
    naming = AxisNaming(events)
    return [to_pycro(event, naming=naming) for event in events]


def _axes(event: MDAEvent, naming: AxisNaming) -> dict[str, int | str]:
    axes = naming.axes(event)
    own = event.metadata.get("axes")
    if own is None:
        return axes
    # As they were written: `naming` gives the long names.
    names = {canonical(str(name)): str(name) for name in own}
    return {names.get(name, name): value for name, value in axes.items()}


def _note_labels(event: MDAEvent, axes: dict[str, int | str], table: AxisTable) -> None:
    for name, value in axes.items():
        if isinstance(value, str) and short(name) in event.index:
            table.note(name, value, event.index[short(name)])


def _put_properties(found: dict[str, Any], properties: Sequence[PropertyTuple]) -> None:
    """Put camera and stages at the front under their own keys, the rest as it is."""
    rest = [tuple(item) for item in properties]
    if rest and rest[0][:2] == CAMERA and _is_name(rest[0][2]):
        found["camera"] = rest.pop(0)[2]
    stages = 0
    while stages < len(rest) and _is_stage(rest[stages]):
        stages += 1
    if stages:
        found["stage_positions"] = [[item[0], item[2]] for item in rest[:stages]]
    if rest[stages:] or not properties:
        found["properties"] = [
            [device, name, list(value) if isinstance(value, tuple) else value]
            for device, name, value in rest[stages:]
        ]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_stage(item: tuple[Any, ...]) -> bool:
    # A whole number may be the position of a filter wheel, which is a property.
    return item[1] == POSITION and isinstance(item[2], float)
