"""The table of time points, without the library of units where it is not needed.

pymmcore-widgets reads each time in it with pint, which at its first use reads the
definitions of all units: a fifth of a second in the opening of a dock. Here the times
that the table itself writes ("1 s", "1 h and 30 min") are read by `seconds_of`; only
what else a user types is left to pint.

Examples
--------
>>> seconds_of("1 h and 30 min"), seconds_of("250 ms"), seconds_of("a while")
(5400.0, 0.25, None)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pymmcore_widgets.useq_widgets import TimePlanWidget
from pymmcore_widgets.useq_widgets._column_info import (
    QQuantityValidator,
    QTimeLineEdit,
    TimeDeltaColumn,
    WdgGetSet,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from qtpy.QtGui import QValidator

__all__ = ["TimeTable", "seconds_of"]

# Times and divided by, so that 100 ms are 0.1 s to the last digit.
_UNITS: Final = {
    "µs": (1, 1_000_000),
    "us": (1, 1_000_000),
    "ms": (1, 1000),
    "s": (1, 1),
    "min": (60, 1),
    "h": (3600, 1),
    "d": (86_400, 1),
}
_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]+)\s*(?:,|and\b)?")


def seconds_of(text: str | None) -> float | None:
    """Return how long a text says, in seconds; None if it is not plain.

    Parameters
    ----------
    text : str, optional
        Numbers with the units d, h, min, s, ms and µs.
    """
    total, at, text = 0.0, 0, (text or "").rstrip()
    while at < len(text):
        found = _PART.match(text, at)
        if found is None or found[2] not in _UNITS:
            return None
        times, divided = _UNITS[found[2]]
        total += float(found[1]) * times / divided
        at = found.end()
    return total if text else None


class _Validator(QQuantityValidator):
    def validate(self, a0: str | None, a1: int) -> tuple[QValidator.State, str, int]:
        if a0 is not None and seconds_of(a0) is not None:
            return (self.State.Acceptable, a0, a1)
        return super().validate(a0, a1)


class _Cell(QTimeLineEdit):
    def __init__(self, minimum_unit: Any) -> None:
        super().__init__(minimum_unit=minimum_unit)
        self._validator = _Validator(parent=self)
        self.setValidator(self._validator)
        self.setDimensionality("second")

    def value(self) -> float:
        plain = seconds_of(self.text())
        return super().value() if plain is None else plain

    def setValue(self, value: float | str | timedelta) -> None:
        plain = seconds_of(value) if isinstance(value, str) else None
        super().setValue(value if plain is None else plain)


_CELL: Final[Any] = WdgGetSet(
    _Cell,
    lambda cell: cell.value(),
    lambda cell, value: cell.setValue(value),
    lambda cell, changed: cell.textModified.connect(changed),
)


class _Column(TimeDeltaColumn):
    def _init_widget(self) -> QTimeLineEdit:
        return _Cell(self.minimum_unit)


class TimeTable(TimePlanWidget):
    """The table of time points of pymmcore-widgets, quick to open."""

    INTERVAL = _Column(
        key="interval",
        default="1 s",
        minimum_unit="milliseconds",
        data_type=_CELL,
    )
    DURATION = _Column(
        key="duration", default="0 s", minimum_unit="seconds", data_type=_CELL
    )
