"""A box for a number: keeps six decimals and shows only those that say something."""

from __future__ import annotations

from qtpy.QtWidgets import QDoubleSpinBox, QWidget

__all__ = ["NumberBox", "trimmed"]

DECIMALS = 6


def trimmed(value: float, decimal_point: str = ".") -> str:
    """Return a number without zeros at its end.

    >>> trimmed(20.0), trimmed(0.125), trimmed(-0.0000001)
    ('20', '0.125', '0')
    """
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return ("0" if text in ("-0", "") else text).replace(".", decimal_point)


class NumberBox(QDoubleSpinBox):
    """A box for a number.

    Parameters
    ----------
    low, high : float
        Limits.
    step : float
        What the arrows change.
    suffix : str
        Unit.
    tip : str
        Tooltip and accessible name.
    parent : QWidget, optional
        Parent.
    """

    def __init__(
        self,
        low: float,
        high: float,
        step: float = 1.0,
        suffix: str = "",
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setDecimals(DECIMALS)
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setSuffix(suffix)
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        # Half of a number that is being typed is not meant yet.
        self.setKeyboardTracking(False)

    def textFromValue(self, v: float) -> str:
        """Return the number as it is shown."""
        point = self.locale().decimalPoint()
        return trimmed(v, str(point))
