"""Ending a run properly after the present step of an axis.

Examples
--------
>>> from useq import MDAEvent
>>> last = LastStep()
>>> last.begin(MDAEvent(index={"t": 3, "c": 0}))
>>> last.wish("t")
>>> [last.comes_before(MDAEvent(index={"t": t, "c": 1})) for t in (3, 4, 3)]
[False, True, True]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import AcquisitionError

if TYPE_CHECKING:
    from useq import MDAEvent

__all__ = ["LastStep"]


class LastStep:
    """Knows which step is the present one, and whether it is to be the last.

    Attributes
    ----------
    index : dict, optional
        The index of the event that was begun last.
    axis : str, optional
        The axis after whose present step the run is to end.
    over : bool
        Whether that has happened; it is for good.
    """

    def __init__(self) -> None:
        self.index: dict[str, int] | None = None
        self.axis: str | None = None
        self.over = False
        self._value: int | None = None

    def wish(self, axis: str | None) -> None:
        """Let the present step of an axis be the last; None takes it back.

        Raises
        ------
        AcquisitionError
            If the events have no such axis.
        """
        index = self.index
        if axis is not None and index is not None and axis not in index:
            raise AcquisitionError(
                f"this run has no axis {axis!r}",
                hint=f"its axes are {', '.join(map(repr, index)) or 'none'}",
            )
        self._value = None if axis is None or index is None else index[axis]
        self.axis = axis

    def begin(self, event: MDAEvent) -> None:
        """Note which event was begun last."""
        self.index = {str(name): value for name, value in event.index.items()}
        if self.axis is not None and self._value is None:
            # Wished before the first event: this is the step that is meant.
            self._value = self.index.get(self.axis)

    def comes_before(self, event: MDAEvent) -> bool:
        """Return whether the run is to end before an event."""
        if self.axis is not None and self._value is not None:
            value = event.index.get(self.axis)
            if value is not None and value != self._value:
                self.over = True
        return self.over
