"""What a plan is given, item by item, made into numbered events.

An `Intake` remembers no events, only the numbers of labels and how far the time points
have come, so that a generator may give millions.

Examples
--------
>>> intake = Intake()
>>> [dict(intake.event(item).index) for item in (MDAEvent(), {"axes": {"z": 3}})]
[{'t': 0}, {'z': 3}]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from useq import MDAEvent, MDASequence

from napari_scope.errors import PlanError
from napari_scope.events.actions import acquires_image
from napari_scope.events.axes import AxisTable
from napari_scope.events.grids import settled, with_field_of_view
from napari_scope.events.pycro import from_pycro

__all__ = ["BatchLike", "EventLike", "Intake"]

EventLike: TypeAlias = "MDAEvent | Mapping[str, Any]"
"""An event: of useq, or a dictionary of pycro-manager."""

BatchLike: TypeAlias = "list[EventLike] | tuple[EventLike, ...] | MDASequence"
"""Events that hardware sequencing may merge, as one item of an iterator."""


class Intake:
    """Makes events of one plan from what comes.

    Parameters
    ----------
    numbered : bool
        Whether the text of an error says which event it is about.

    Attributes
    ----------
    table : AxisTable
        The numbers of the labels in the index of the events.
    field_of_view : tuple of float, optional
        Width and height in micrometers for the grids of sequences that come.
    """

    def __init__(self, *, numbered: bool = True) -> None:
        self._numbered = numbered
        self.table = AxisTable()
        self.field_of_view: tuple[float, float] | None = None
        self._count = 0
        self._free_time = 0

    def event(self, item: object, *, copied: bool = False) -> MDAEvent:
        """Return one event.

        Parameters
        ----------
        item : MDAEvent or mapping
            What was given.
        copied : bool
            Whether an MDAEvent is copied, because whoever gave it may still change it.

        Raises
        ------
        PlanError
            If it is no event; the message says which one.
        """
        number = self._count
        self._count += 1
        if isinstance(item, MDAEvent):
            event = item.model_copy(deep=True) if copied else item
        elif isinstance(item, Mapping):
            told = number if self._numbered else None
            event = from_pycro(item, table=self.table, number=told)
        else:
            where = f"event {number} of the plan" if self._numbered else "it"
            raise PlanError(
                f"{where} is a {type(item).__name__}, "
                "expected useq.MDAEvent or a dictionary"
            )
        # An event without any place gets the next time point, so that none is lost.
        if not event.index and "axes" not in event.metadata and acquires_image(event):
            event = event.model_copy(update={"index": {"t": self._free_time}})
        self._free_time = max(self._free_time, event.index.get("t", -1) + 1)
        return event

    def batch(self, item: object) -> list[MDAEvent]:
        """Return the events of one item of an iterator: one, a list, or a sequence."""
        if isinstance(item, MDASequence):
            sequence = settled(item)
            if self.field_of_view is not None:
                sequence = with_field_of_view(sequence, *self.field_of_view)
            return [self.event(event) for event in sequence]
        if isinstance(item, list | tuple):
            return [self.event(event) for event in item]
        return [self.event(item)]
