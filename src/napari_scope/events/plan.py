"""A plan: whatever describes an acquisition, copied and ready to be run.

`Plan` accepts a ``useq.MDASequence``, a list or generator of events, or one event; an
event is a ``useq.MDAEvent`` or a dictionary as pycro-manager has them. It owns a copy,
because the engine writes the size of the field of view into the sequence that it runs.
A `PlanLayout` says which images and axes a finite plan will fill; a generator has
none, its axes are found while it runs.

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
>>> plan = Plan.from_any([{"axes": {"z": 0}, "z": 10}, {"axes": {"z": 1}, "z": 12}])
>>> plan.n_frames, plan.layout().z_step_um
(2, 2.0)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from useq import MDAEvent, MDASequence, TIntervalLoops

from napari_scope.errors import PlanError
from napari_scope.events.axes import AxisNaming, AxisTable
from napari_scope.events.grids import (
    settled,
    subsequences,
    wants_field_of_view,
    with_field_of_view,
)
from napari_scope.events.intake import BatchLike, EventLike, Intake
from napari_scope.events.layout import LayoutScan, PlanLayout, repeated
from napari_scope.events.plates import with_plate_at

__all__ = ["Plan", "PlanLike"]

PlanLike: TypeAlias = "MDASequence | EventLike | Iterable[EventLike | BatchLike]"


class Plan:
    """A plan that is ready to be run once.

    Use `Plan.from_any`. The events of a generator come out once, either through
    `source` or through `batches`.
    """

    def __init__(
        self,
        events: MDASequence | list[MDAEvent] | None,
        intake: Intake,
        batches: Iterator[list[MDAEvent]] | None = None,
    ) -> None:
        self._batches = batches
        self._intake = intake
        self._events: MDASequence | list[MDAEvent] | Iterator[MDAEvent]
        if batches is not None:
            self._events = itertools.chain.from_iterable(batches)
        else:
            assert events is not None
            self._events = events
        self._layout: PlanLayout | None = None
        self._naming: AxisNaming | None = None

    @classmethod
    def from_any(cls, plan: PlanLike | Plan) -> Plan:
        """Return a plan that owns a copy of what it was given.

        Parameters
        ----------
        plan : MDASequence, MDAEvent, mapping, iterable of these, or Plan
            A mapping is an event of pycro-manager, see `from_pycro`. An iterator or
            generator is taken as it is: it is read during the run. Its items may be
            lists of events, or sequences, too, see `batches`.

        Raises
        ------
        PlanError
            If it is none of these, or a list holds something else than events. What
            an iterator gives is looked at when it comes.
        """
        if isinstance(plan, Plan):
            if plan._batches is not None:
                return cls(None, plan._intake, plan._batches)
            assert not isinstance(plan._events, Iterator)
            plan = plan._events
        intake = Intake()
        if isinstance(plan, MDASequence):
            return cls(settled(plan.model_copy(deep=True)), intake)
        if isinstance(plan, Iterator):
            return cls(None, intake, map(intake.batch, plan))
        if isinstance(plan, MDAEvent | Mapping):
            plan = [plan]
        if isinstance(plan, Iterable) and not isinstance(plan, str | bytes):
            return cls([intake.event(item, copied=True) for item in plan], intake)
        raise PlanError(
            "a plan is a useq.MDASequence or a list or generator of events "
            f"(useq.MDAEvent or dictionaries), found {type(plan).__name__}"
        )

    @property
    def source(self) -> MDASequence | list[MDAEvent] | Iterator[MDAEvent]:
        """What the engine is given to run: event by event."""
        return self._events

    def batches(self) -> Iterator[Iterable[MDAEvent]]:
        """Go through the events in batches that hardware sequencing may merge.

        Each item of an iterator is a batch of its own: one event, all events of a
        list, or those of a sequence. Events of different batches are never merged,
        since the second may depend on the first. All that a finite plan holds is one
        batch.
        """
        return iter([self._events]) if self._batches is None else self._batches

    @property
    def table(self) -> AxisTable:
        """The numbers of the labels in the index of the events."""
        return self._intake.table

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
        parts = [self._events, *subsequences(self._events)]
        return {(c.group, c.config) for part in parts for c in part.channels}

    @property
    def is_timed(self) -> bool:
        """Whether the plan has a clock: time points with an interval."""
        if self.sequence is not None:
            parts = [self.sequence, *subsequences(self.sequence)]
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
        makes a new sequence: useq remembers the places of one it went through. Of an
        iterator it concerns the sequences that come.
        """
        self._intake.field_of_view = (width_um, height_um)
        sequence = self.sequence
        if sequence is not None:
            self._replace(with_field_of_view(sequence, width_um, height_um))

    def set_focus(self, z_um: float | None) -> None:
        """Let the wells of a plate lie where the focus is; they name no height.

        To be called after `set_field_of_view`.
        """
        sequence = self.sequence
        if sequence is not None and sequence.stage_positions:
            self._replace(with_plate_at(sequence, z_um))

    def _replace(self, sequence: MDASequence) -> None:
        self._events = sequence
        self._layout = self._naming = None

    @property
    def needs_field_of_view(self) -> bool:
        """Whether a grid of the plan is laid out in steps of the field of view."""
        return self.sequence is not None and wants_field_of_view(self.sequence)

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
            scan = LayoutScan(self.naming, self.sequence)
            for event in events:
                scan.add(event)
            layout = scan.layout()
            self._layout = layout if times == 1 else repeated(layout, times)
        return self._layout


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
