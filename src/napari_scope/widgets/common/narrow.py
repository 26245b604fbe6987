"""Boxes of numbers that may be narrower than their largest value.

Qt asks for the room of the largest number that a box may hold, ten million micrometers
for a stage. A fixed least width is wrong as well: a box is built in another font than
the window's style sheet gives it, and fonts grow. `keep_narrow` gives a box the room of
a sample in the font that it has at the time.

Examples
--------
>>> keep_narrow(box, "-0000.00")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QEvent, QObject

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

__all__ = ["keep_narrow"]

_OTHER_FONT: Final = (
    QEvent.Type.Polish,
    QEvent.Type.FontChange,
    QEvent.Type.StyleChange,
)


class _LeastWidth(QObject):
    """Gives a widget the room of a sample."""

    def __init__(self, widget: QWidget, sample: str) -> None:
        super().__init__(widget)
        self._widget, self._sample = widget, sample
        widget.installEventFilter(self)
        self._fit()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice another font."""
        if event is not None and event.type() in _OTHER_FONT:
            self._fit()
        return False

    def _fit(self) -> None:
        metrics = self._widget.fontMetrics()
        self._widget.setMinimumWidth(metrics.horizontalAdvance(self._sample))


def keep_narrow(widget: QWidget, sample: str) -> None:
    """Let a widget be as narrow as a sample text, whatever its font is.

    Parameters
    ----------
    widget : QWidget
        A box, of a number mostly.
    sample : str
        The text that must fit; with some characters for the box's own buttons.
    """
    _LeastWidth(widget, sample)
