"""A plan: whatever describes an acquisition, copied and ready to be run.

`Plan` accepts a ``useq.MDASequence``, a list of ``useq.MDAEvent`` or a generator of
them. It owns a copy, because the engine writes the size of the field of view into the
sequence that it runs. A `PlanLayout` says which images and axes a finite plan will
fill; a generator has none, its axes are found while it runs.

This module knows no microscope: sizes that only a camera knows are passed in.

Examples
--------
>>> import useq
>>> plan = Plan.from_any(
...     useq.MDASequence(
...         time_plan={"interval": 0, "loops": 3}, channels=["DAPI", "FITC"]
...     )
... )
>>> plan.n_frames, plan.layout().labels["channel"]
(6, ('DAPI', 'FITC'))
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from useq import (
    AcquireImage,
    MDAEvent,
    MDASequence,
    RandomPoints,
    TIntervalLoops,
    WellPlatePlan,
)

from napari_scope.errors import PlanError
from napari_scope.events.axes import AxisNaming

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FieldLayout", "Plan", "PlanLayout", "PlanLike", "acquires_image"]

PlanLike: TypeAlias = "MDASequence | Iterable[MDAEvent]"

_PLACE_AXES = ("position", "grid", "row", "column")


def acquires_image(event: MDAEvent) -> bool:
    """Return whether an event takes an image (autofocus and custom actions do not)."""
    return event.action is None or isinstance(event.action, AcquireImage)


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
    """

    place: Mapping[str, int | str]
    name: str
    sizes: Mapping[str, int]
    x_um: float | None
    y_um: float | None
    z_um: float | None
    n_frames: int


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
    """

    order: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    fields: tuple[FieldLayout, ...]
    z_step_um: float | None
    interval_s: float | None
    n_frames: int


@dataclass
class _FieldDraft:
    place: dict[str, int | str]
    name: str
    stage: tuple[float | None, float | None, float | None]
    sizes: dict[str, int] = field(default_factory=dict)
    frames: int = 0


class Plan:
    """A plan that is ready to be run once.

    Use `Plan.from_any`.
    """

    def __init__(
        self, events: MDASequence | list[MDAEvent] | Iterator[MDAEvent]
    ) -> None:
        self._events = events
        self._layout: PlanLayout | None = None
        self._naming: AxisNaming | None = None

    @classmethod
    def from_any(cls, plan: PlanLike | Plan) -> Plan:
        """Return a plan that owns a copy of what it was given.

        Parameters
        ----------
        plan : MDASequence, iterable of MDAEvent, or Plan
            An iterator or generator is taken as it is: it is read during the run.

        Raises
        ------
        PlanError
            If it is none of these, or a list holds something else than events.
        """
        if isinstance(plan, Plan):
            plan = plan.source
        if isinstance(plan, MDASequence):
            return cls(_settled(plan.model_copy(deep=True)))
        if isinstance(plan, Iterator):
            return cls(_numbered(_checked(plan)))
        if isinstance(plan, MDAEvent):
            plan = [plan]
        if isinstance(plan, Iterable) and not isinstance(plan, str | bytes | dict):
            copies = (e.model_copy(deep=True) for e in _checked(iter(plan)))
            return cls(list(_numbered(copies)))
        raise PlanError(
            f"a plan is a useq.MDASequence or a list or generator of useq.MDAEvent, "
            f"found {type(plan).__name__}"
        )

    @property
    def source(self) -> MDASequence | list[MDAEvent] | Iterator[MDAEvent]:
        """What the engine is given to run."""
        return self._events

    @property
    def is_finite(self) -> bool:
        """Whether all events are known before the run."""
        return not isinstance(self._events, Iterator)

    @property
    def sequence(self) -> MDASequence | None:
        """The sequence, where the plan is one."""
        return self._events if isinstance(self._events, MDASequence) else None

    @property
    def naming(self) -> AxisNaming:
        """How the frames of this plan are named."""
        if self._naming is None:
            known = () if isinstance(self._events, Iterator) else self._sample()[0]
            self._naming = AxisNaming(known)
        return self._naming

    def _sample(self) -> tuple[MDASequence | list[MDAEvent], int]:
        """Return events that say all about a finite plan, and their repetitions.

        The time points of a sequence without gaps are alike, so the first two tell
        what a million hold.
        """
        sequence = self.sequence
        if sequence is None:
            assert not isinstance(self._events, Iterator)
            return self._events, 1
        times = sequence.time_plan
        if not isinstance(times, TIntervalLoops) or times.loops < 3:
            return sequence, 1
        short = sequence.replace(time_plan=times.model_copy(update={"loops": 2}))
        # Only now: counting goes through all time points.
        if _regular_count(short) is None:
            return sequence, 1
        return short, times.loops

    def channels(self) -> set[tuple[str, str]]:
        """Return the (group, preset) of every channel of a finite plan."""
        if isinstance(self._events, Iterator):
            return set()
        if isinstance(self._events, list):
            known = [e.channel for e in self._events if e.channel is not None]
            return {(c.group, c.config) for c in known}
        parts = [self._events, *_subsequences(self._events)]
        return {(c.group, c.config) for part in parts for c in part.channels}

    @property
    def is_timed(self) -> bool:
        """Whether the plan has a clock: time points with an interval."""
        if self.sequence is not None:
            parts = [self.sequence, *_subsequences(self.sequence)]
            return any(
                phase.interval.total_seconds() > 0
                for part in parts
                if part.time_plan is not None
                for phase in getattr(part.time_plan, "phases", [part.time_plan])
                if hasattr(phase, "interval")
            )
        return isinstance(self._events, list) and any(
            event.min_start_time for event in self._events
        )

    @property
    def n_frames(self) -> int | None:
        """Number of frames, or None for a generator."""
        if not self.is_finite:
            return None
        if self._layout is None and self.sequence is not None:
            sample, times = self._sample()
            if isinstance(sample, MDASequence):
                count = _regular_count(sample)
                if count is not None:
                    loops = sample.sizes.get("t") or 1
                    return count if times == 1 else count // loops * times
        return self.layout().n_frames

    def set_field_of_view(self, width_um: float, height_um: float) -> None:
        """Fill in the field of view of grids that do not state one.

        Grids are laid out in steps of the field, which only the camera knows. This
        makes a new sequence: useq remembers the places of one it went through.
        """
        sequence = self.sequence
        if sequence is None:
            return
        field_of_view = (width_um, height_um)
        wells = sequence.stage_positions
        if isinstance(wells, WellPlatePlan):
            points = _sized(wells.well_points_plan, field_of_view)
            wells = wells.replace(well_points_plan=points)
            self._replace(
                _with_field(sequence, field_of_view).replace(stage_positions=wells)
            )
            return
        positions = tuple(
            position.replace(sequence=_with_field(position.sequence, field_of_view))
            if position.sequence
            else position
            for position in sequence.stage_positions
        )
        sized = _with_field(sequence, field_of_view)
        self._replace(sized.replace(stage_positions=positions))

    def _replace(self, sequence: MDASequence) -> None:
        self._events = sequence
        self._layout = self._naming = None

    @property
    def needs_field_of_view(self) -> bool:
        """Whether a grid of the plan is laid out in steps of the field of view."""
        sequence = self.sequence
        if sequence is None:
            return False
        wells = sequence.stage_positions
        points = [wells.well_points_plan] if isinstance(wells, WellPlatePlan) else []
        parts = [sequence, *_subsequences(sequence)]
        grids = [part.grid_plan for part in parts] + points
        return any(_wants_field(grid) for grid in grids)

    def layout(self) -> PlanLayout:
        """Return which images and axes the plan will fill.

        Raises
        ------
        PlanError
            For a generator, and if two frames have the same axes.
        """
        if self._layout is None:
            if isinstance(self._events, Iterator):
                raise PlanError(
                    "the events of a generator are not known before it runs"
                )
            events, times = self._sample()
            layout = _scan(events, self.naming)
            self._layout = layout if times == 1 else _repeated(layout, times)
        return self._layout


def _with_field(
    sequence: MDASequence, field_of_view: tuple[float, float]
) -> MDASequence:
    """Return a sequence whose grid has the field of view, unless it states one."""
    grid = sequence.grid_plan
    if not _wants_field(grid):
        return sequence
    return sequence.replace(grid_plan=_sized(grid, field_of_view))


def _wants_field(grid: object) -> bool:
    """Return whether a grid has a field of view and does not state it."""
    fields = ("fov_width", "fov_height")
    return all(hasattr(grid, f) and getattr(grid, f) is None for f in fields)


def _sized(grid: Any, field_of_view: tuple[float, float]) -> Any:
    if not _wants_field(grid):
        return grid
    width, height = field_of_view
    return grid.model_copy(update={"fov_width": width, "fov_height": height})


def _subsequences(sequence: MDASequence) -> list[MDASequence]:
    return [p.sequence for p in sequence.stage_positions if p.sequence is not None]


def _settled(sequence: MDASequence) -> MDASequence:
    """Return a sequence that gives the same places each time it is gone through.

    Random points without a seed are drawn anew otherwise: the places that are stored
    would not be those that are visited.
    """
    replace: dict[str, Any] = {}
    grid = _seeded(sequence.grid_plan)
    if grid is not sequence.grid_plan:
        replace["grid_plan"] = grid
    wells = sequence.stage_positions
    if isinstance(wells, WellPlatePlan):
        points = _seeded(wells.well_points_plan)
        if points is not wells.well_points_plan:
            replace["stage_positions"] = wells.replace(well_points_plan=points)
    elif any(p.sequence is not None for p in wells):
        replace["stage_positions"] = tuple(
            p.replace(sequence=_settled(p.sequence)) if p.sequence else p for p in wells
        )
    return sequence.replace(**replace) if replace else sequence


def _seeded(points: Any) -> Any:
    if isinstance(points, RandomPoints) and points.random_seed is None:
        return points.model_copy(update={"random_seed": random.randrange(2**31)})
    return points


def _checked(events: Iterator[object]) -> Iterator[MDAEvent]:
    for number, event in enumerate(events):
        if not isinstance(event, MDAEvent):
            raise PlanError(
                f"event {number} of the plan is a {type(event).__name__}, "
                "expected useq.MDAEvent"
            )
        yield event


def _numbered(events: Iterator[MDAEvent]) -> Iterator[MDAEvent]:
    """Give events without any index the next time point, so that none is lost."""
    free = 0
    for event in events:
        if not event.index and "axes" not in event.metadata and acquires_image(event):
            event = event.model_copy(update={"index": {"t": free}})
        free = max(free, event.index.get("t", -1) + 1)
        yield event


def _regular_count(sequence: MDASequence | None) -> int | None:
    """Count the frames of a sequence without going through its events, if possible.

    Only a sequence without gaps is a product of its sizes.
    """
    if sequence is None or sequence.autofocus_plan is not None:
        return None
    if any(p.sequence is not None for p in sequence.stage_positions):
        return None
    if any(c.acquire_every != 1 or not c.do_stack for c in sequence.channels):
        return None
    sizes = [size for size in sequence.sizes.values() if size]
    return math.prod(sizes) if sizes else 0


def _scan(events: Iterable[MDAEvent], naming: AxisNaming) -> PlanLayout:
    order: list[str] = []
    labels: dict[str, dict[str, None]] = {}
    drafts: dict[tuple[tuple[str, int | str], ...], _FieldDraft] = {}
    seen: set[frozenset[tuple[str, int | str]]] = set()
    kinds: dict[str, type] = {}
    times: dict[int, float] = {}
    heights: dict[int, float] = {}
    stack: _FieldDraft | None = None
    for event in events:
        if not acquires_image(event):
            continue
        _check_storable(event)
        axes = naming.axes(event)
        identity = frozenset(axes.items())
        if identity in seen:
            raise PlanError(f"the plan takes the frame {axes} twice")
        seen.add(identity)
        place = {k: v for k, v in axes.items() if k in _PLACE_AXES}
        key = tuple(sorted(place.items()))
        draft = drafts.get(key)
        if draft is None:
            stage = (event.x_pos, event.y_pos, event.z_pos)
            draft = drafts[key] = _FieldDraft(place, _field_name(place, event), stage)
            draft.sizes = dict.fromkeys(axes.keys() - place.keys(), 0)
        elif axes.keys() - place.keys() != draft.sizes.keys():
            raise PlanError(
                f"the frame {axes} has other axes than those before it at this place",
                hint="give all frames of a place the same axes",
            )
        draft.frames += 1
        for name, value in axes.items():
            if name in _PLACE_AXES:
                continue
            if name not in order:
                order.append(name)
            if kinds.setdefault(name, type(value)) is not type(value):
                raise PlanError(
                    f"axis {name!r} has both numbers and labels, at the frame {axes}",
                    hint="give all frames either numbers or labels",
                )
            if isinstance(value, str):
                known = labels.setdefault(name, {})
                known.setdefault(value)
                value = list(known).index(value)
            elif value < 0:
                raise PlanError(
                    f"axis {name!r} starts at {value}; it must count from 0"
                )
            draft.sizes[name] = max(draft.sizes.get(name, 0), value + 1)
        time, height = axes.get("time"), axes.get("z")
        if isinstance(time, int) and event.min_start_time is not None:
            times.setdefault(time, event.min_start_time)
        if isinstance(height, int) and event.z_pos is not None:
            # Each field may begin at another height: one tells the step.
            stack = stack or draft
            if stack is draft:
                heights.setdefault(height, event.z_pos)
    fields = tuple(
        FieldLayout(d.place, d.name, d.sizes, *d.stage, d.frames)
        for d in _unique_names(list(drafts.values()))
    )
    return PlanLayout(
        order=tuple(order),
        labels={k: tuple(v) for k, v in labels.items()},
        fields=fields,
        z_step_um=_regular_step(heights),
        interval_s=_regular_step(times),
        n_frames=len(seen),
    )


def _check_storable(event: MDAEvent) -> None:
    """Refuse names and places that no format can hold, before anything is created."""
    names = [event.pos_name or ""]
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


def _repeated(layout: PlanLayout, times: int) -> PlanLayout:
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
