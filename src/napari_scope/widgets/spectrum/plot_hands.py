"""Hands on the plot of spectra: which key and which drag does what.

Arrow keys move and zoom, Home shows all, Page Up and Page Down go from peak to peak.
Shift and drag draws a box around what is to be zoomed into; a plain drag moves.

It knows pyqtgraph's box and a face of the plot, `Hands.Plot`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

__all__ = ["Hands"]

_STEP: Final = 0.2  # of what is in sight
_ZOOM: Final = 1.5


class Hands(QObject):
    """Turns keys and drags into what a plot can do.

    Parameters
    ----------
    plot : Hands.Plot
        The plot; also the owner.
    view : QWidget
        What has the keyboard's focus.
    box : ViewBox
        pyqtgraph's.
    """

    class Plot(Protocol):
        """What is asked of the plot."""

        @property
        def marker(self) -> float | None: ...  # noqa: D102
        @property
        def shown_range(self) -> tuple[float, float]: ...  # noqa: D102
        def show_range(self, low: float, high: float) -> None: ...  # noqa: D102
        def show_all(self) -> None: ...  # noqa: D102
        def go_to_peak(self, forward: bool) -> None: ...  # noqa: D102

    def __init__(self, plot: Plot, view: QWidget, box: Any) -> None:
        super().__init__(view)
        self._plot = plot
        self._box = box
        self._move = box.mouseDragEvent
        box.mouseDragEvent = self._on_drag
        # Only along m/z: the height follows what is in sight.
        box.showAxRect = lambda part: plot.show_range(part.left(), part.right())
        self._keys: dict[Qt.Key, Callable[[], object]] = {
            Qt.Key.Key_Left: lambda: self._shift(-_STEP),
            Qt.Key.Key_Right: lambda: self._shift(_STEP),
            Qt.Key.Key_Up: lambda: self._zoom(1 / _ZOOM),
            Qt.Key.Key_Down: lambda: self._zoom(_ZOOM),
            Qt.Key.Key_Plus: lambda: self._zoom(1 / _ZOOM),
            Qt.Key.Key_Minus: lambda: self._zoom(_ZOOM),
            Qt.Key.Key_Home: plot.show_all,
            Qt.Key.Key_PageUp: lambda: plot.go_to_peak(False),
            Qt.Key.Key_PageDown: lambda: plot.go_to_peak(True),
        }
        view.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take the keys that are ours."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            call = self._keys.get(Qt.Key(event.key()))
            plain = event.modifiers() in (
                Qt.KeyboardModifier.NoModifier,
                Qt.KeyboardModifier.KeypadModifier,
                Qt.KeyboardModifier.ShiftModifier,  # plus, on many keyboards
            )
            if call is not None and plain:
                call()
                return True
        return super().eventFilter(watched, event)

    def _shift(self, part: float) -> None:
        low, high = self._plot.shown_range
        step = part * (high - low)
        self._plot.show_range(low + step, high + step)

    def _zoom(self, factor: float) -> None:
        """Zoom around the marker if it is in sight, and around the middle if not."""
        low, high = self._plot.shown_range
        fixed, marker = (low + high) / 2, self._plot.marker
        if marker is not None and low <= marker <= high:
            fixed = marker
        self._plot.show_range(
            fixed + (low - fixed) * factor, fixed + (high - fixed) * factor
        )

    def _on_drag(self, event: Any, axis: int | None = None) -> None:
        if event.isStart():
            shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            box = self._box
            box.setMouseMode(box.RectMode if shift else box.PanMode)
        self._move(event, axis)
