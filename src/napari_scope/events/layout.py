"""Which images and axes a finite plan will fill, found by going through its events.

`LayoutScan` takes event after event and refuses those that could not be stored: a
frame that is taken twice, another set of axes at the same place, numbers and labels on
one axis. A refused event leaves no trace in it, so that all of them can be listed.

Examples
--------
>>> from useq import MDAEvent
>>> from napari_scope.events import AxisNaming
>>> scan = LayoutScan(AxisNaming())
>>> for time in range(3):
...     scan.add(MDAEvent(index={"t": time}, min_start_time=2 * time))
>>> layout = scan.layout()
>>> layout.n_frames, layout.interval_s, layout.fields[0].sizes
(3, 2.0, {'time': 3})
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_scope.errors import PlanError
from napari_scope.events.actions import acquires_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from useq import MDAEvent, MDASequence

    from napari_scope.events.axes import AxisNaming

__all__ = ["FieldLayout", "LayoutScan", "PlanLayout", "PlateLayout", "repeated"]

_PLACE_AXES = ("position", "grid", "row", "column")


@dataclass(frozen=True, slots=True)
class FieldLayout:
    """One field of view: a position, or one tile of a grid at a position.

    Parameters
    ----------
    place : mapping
        The part of the frame axes that says where (``position``, ``grid``, ...).
    name : str
        Name to show and to store.
    sizes : mapping
        Number of samples on each other axis (the box around all planned frames).
    x_um, y_um, z_um : float, optional
        Stage position of the first planned frame, where the plan sets one.
    n_frames : int
        Number of frames planned here.
    well : tuple of int, optional
        Row and column of the well, counted from 0, of a field on a plate.
    """

    place: Mapping[str, int | str]
    name: str
    sizes: Mapping[str, int]
    x_um: float | None
    y_um: float | None
    z_um: float | None
    n_frames: int
    well: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class PlateLayout:
    """The plate that all fields of a plan lie on.

    Parameters
    ----------
    name : str, optional
        Its name, where the plan states one.
    rows, columns : int
        How many wells it has.
    """

    name: str | None
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class PlanLayout:
    """What a finite plan will fill.

    Parameters
    ----------
    order : tuple of str
        Canonical axis names, slowest first, without those of the place.
    labels : mapping
        For each axis with labels, the labels in order of first appearance.
    fields : tuple of FieldLayout
        The fields of view in order of first appearance.
    z_step_um, interval_s : float, optional
        Step of a regular z stack and interval of a regular time lapse.
    n_frames : int
        Frames planned in all.
    plate : PlateLayout, optional
        The plate, if all fields lie in wells.
    """

    order: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    fields: tuple[FieldLayout, ...]
    z_step_um: float | None
    interval_s: float | None
    n_frames: int
    plate: PlateLayout | None = None


@dataclass
class _FieldDraft:
    place: dict[str, int | str]
    name: str
    stage: tuple[float | None, float | None, float | None]
    well: tuple[int, int] | None
    sizes: dict[str, int] = field(default_factory=dict)
    frames: int = 0


class LayoutScan:
    """Goes through the events of a plan.

    Parameters
    ----------
    naming : AxisNaming
        How the frames are named.
    sequence : MDASequence, optional
        The sequence the events are from: it knows the plate of its positions.
    """

    def __init__(self, naming: AxisNaming, sequence: MDASequence | None = None) -> None:
        self._naming = naming
        self._plate, self._wells = _plate_of(sequence)
        self._order: list[str] = []
        self._labels: dict[str, dict[str, int]] = {}
        self._drafts: dict[tuple[tuple[str, int | str], ...], _FieldDraft] = {}
        self._seen: set[frozenset[tuple[str, int | str]]] = set()
        self._kinds: dict[str, type] = {}
        self._times: dict[int, float] = {}
        self._heights: dict[int, float] = {}
        self._stack: _FieldDraft | None = None

    def add(self, event: MDAEvent) -> None:
        """Take an event.

        Raises
        ------
        PlanError
            If its frame cannot be stored beside the others.
        """
        if not acquires_image(event):
            return
        axes = self._naming.axes(event)
        _check_storable(event, axes)
        identity = frozenset(axes.items())
        if identity in self._seen:
            raise PlanError(f"the plan takes the frame {axes} twice")
        place = {k: v for k, v in axes.items() if k in _PLACE_AXES}
        key = tuple(sorted(place.items()))
        draft = self._drafts.get(key)
        if draft is not None and axes.keys() - place.keys() != draft.sizes.keys():
            raise PlanError(
                f"the frame {axes} has other axes than those before it at this place",
                hint="give all frames of a place the same axes",
            )
        for name, value in axes.items():
            if name not in _PLACE_AXES:
                self._check_sample(name, value, axes)
        self._seen.add(identity)
        if draft is None:
            stage = (event.x_pos, event.y_pos, event.z_pos)
            name = _field_name(place, event)
            draft = _FieldDraft(place, name, stage, self._well_of(event))
            draft.sizes = dict.fromkeys(axes.keys() - place.keys(), 0)
            self._drafts[key] = draft
        draft.frames += 1
        for name, value in axes.items():
            if name not in _PLACE_AXES:
                self._take_sample(name, value, draft)
        self._take_steps(axes, event, draft)

    def _check_sample(
        self, name: str, value: int | str, axes: Mapping[str, int | str]
    ) -> None:
        if self._kinds.get(name, type(value)) is not type(value):
            raise PlanError(
                f"axis {name!r} has both numbers and labels, at the frame {axes}",
                hint="give all frames either numbers or labels",
            )
        if isinstance(value, int) and value < 0:
            raise PlanError(f"axis {name!r} starts at {value}; it must count from 0")

    def _take_sample(self, name: str, value: int | str, draft: _FieldDraft) -> None:
        if name not in self._kinds:
            self._kinds[name] = type(value)
            self._order.append(name)
        if isinstance(value, str):
            known = self._labels.setdefault(name, {})
            value = known.setdefault(value, len(known))
        draft.sizes[name] = max(draft.sizes[name], value + 1)

    def _take_steps(
        self, axes: Mapping[str, int | str], event: MDAEvent, draft: _FieldDraft
    ) -> None:
        time, height = axes.get("time"), axes.get("z")
        if isinstance(time, int) and event.min_start_time is not None:
            self._times.setdefault(time, event.min_start_time)
        if isinstance(height, int) and event.z_pos is not None:
            # Each field may begin at another height: one tells the step.
            self._stack = self._stack or draft
            if self._stack is draft:
                self._heights.setdefault(height, event.z_pos)

    def _well_of(self, event: MDAEvent) -> tuple[int, int] | None:
        position = event.index.get("p", len(self._wells))
        return self._wells[position] if 0 <= position < len(self._wells) else None

    def layout(self) -> PlanLayout:
        """Return what the events so far will fill."""
        drafts = _unique_names(list(self._drafts.values()))
        fields = tuple(
            FieldLayout(d.place, d.name, d.sizes, *d.stage, d.frames, d.well)
            for d in drafts
        )
        return PlanLayout(
            order=tuple(self._order),
            labels={k: tuple(v) for k, v in self._labels.items()},
            fields=fields,
            z_step_um=_regular_step(self._heights),
            interval_s=_regular_step(self._times),
            n_frames=len(self._seen),
            plate=self._plate,
        )


def repeated(layout: PlanLayout, times: int) -> PlanLayout:
    """Return the layout of a time lapse from that of its first two time points."""
    fields = tuple(
        replace(
            field,
            sizes={**field.sizes, "time": times},
            n_frames=field.n_frames // 2 * times,
        )
        for field in layout.fields
    )
    return replace(layout, fields=fields, n_frames=layout.n_frames // 2 * times)


def _plate_of(
    sequence: MDASequence | None,
) -> tuple[PlateLayout | None, Sequence[tuple[int, int]]]:
    """Return the plate of a sequence and the well of each position, if all have one."""
    if sequence is None:
        return None, ()
    places = sequence.stage_positions
    wells = [
        (place.plate_row, place.plate_col)
        for place in places
        if place.plate_row is not None and place.plate_col is not None
    ]
    if not wells or len(wells) < len(places):
        return None, ()
    plate = getattr(places, "plate", None)
    if plate is not None:
        return PlateLayout(plate.name or None, plate.rows, plate.columns), wells
    rows, columns = (max(numbers) + 1 for numbers in zip(*wells, strict=True))
    return PlateLayout(None, rows, columns), wells


def _check_storable(event: MDAEvent, axes: Mapping[str, int | str]) -> None:
    """Refuse names and places that no format can hold, before anything is created."""
    names = [event.pos_name or "", *axes, *map(str, axes.values())]
    if event.channel is not None:
        names += [event.channel.group, event.channel.config]
    for name in names:
        if not all(c.isprintable() or c in " \u00a0" for c in name):
            raise PlanError(
                f"the name {name!r} has characters that cannot be stored",
                hint="use letters, digits and signs that can be seen",
            )
    for axis, place in (("x", event.x_pos), ("y", event.y_pos), ("z", event.z_pos)):
        if place is not None and not math.isfinite(place):
            raise PlanError(f"the {axis} position {place} is not a number")


def _field_name(place: Mapping[str, int | str], event: MDAEvent) -> str:
    position = place.get("position")
    parts = []
    if position is not None:
        number = f"Pos{position:03d}" if isinstance(position, int) else position
        parts.append(event.pos_name or number)
    parts += [
        f"{name}{value:03d}" if isinstance(value, int) else str(value)
        for name, value in place.items()
        if name != "position"
    ]
    return "_".join(parts) or "image"


def _unique_names(drafts: list[_FieldDraft]) -> list[_FieldDraft]:
    used: set[str] = set()
    for draft in drafts:
        name, number = draft.name, 1
        while draft.name in used:
            number += 1
            draft.name = f"{name}_{number}"
        used.add(draft.name)
    return drafts


def _regular_step(values: Mapping[int, float]) -> float | None:
    """Return the step between neighbouring samples if it is the same everywhere."""
    if len(values) < 2:
        return None
    indices = sorted(values)
    steps = {
        round((values[b] - values[a]) / (b - a), 6)
        for a, b in itertools.pairwise(indices)
    }
    return abs(steps.pop()) or None if len(steps) == 1 else None
