"""The marker of the plot of spectra: a line that can be dragged, and its window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PlotMarker"]


class PlotMarker:
    """Marks an m/z and its window.

    Parameters
    ----------
    pg : module
        pyqtgraph.
    plot : PlotItem
        What it is drawn into.
    dragged : callable
        Called with the m/z while the user drags the line.
    """

    def __init__(self, pg: Any, plot: Any, dragged: Callable[[float], object]) -> None:
        self._pg = pg
        self.mz: float | None = None
        self.window: Any = pg.LinearRegionItem(movable=False)
        self.window.setZValue(-10)
        self.line: Any = pg.InfiniteLine(angle=90, movable=True)
        for item in (self.window, self.line):
            item.setVisible(False)
            plot.addItem(item, ignoreBounds=True)
        self.line.sigDragged.connect(lambda line: dragged(float(line.value())))

    def put(self, mz: float | None, half_width: float) -> None:
        """Mark an m/z and half of the width of its window, or nothing."""
        self.mz = mz
        for item in (self.window, self.line):
            item.setVisible(mz is not None)
        if mz is not None:
            self.line.setValue(mz)
            self.window.setRegion((mz - half_width, mz + half_width))

    def set_color(self, color: QColor) -> None:
        """Follow a theme."""
        make = self._pg.mkPen
        self.line.setPen(make(color, width=1, style=Qt.PenStyle.DashLine))
        self.line.setHoverPen(make(color, width=3))
        tint = QColor(color)
        tint.setAlpha(50)
        self.window.setBrush(tint)
        for edge in self.window.lines:
            edge.setPen(make(None))
