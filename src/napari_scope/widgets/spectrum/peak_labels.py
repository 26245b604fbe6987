"""The m/z of the highest peaks in sight, written above them.

It knows pyqtgraph's plot and peaks, no spectra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_scope.widgets.spectrum.ion_choice import mz_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QColor

__all__ = ["MOST_LABELS", "PeakLabels"]

MOST_LABELS: Final = 8


class PeakLabels:
    """Writes numbers into a plot.

    Parameters
    ----------
    pg : module
        pyqtgraph.
    plot : PlotItem
        What they are written into.
    """

    def __init__(self, pg: Any, plot: Any) -> None:
        self._pg = pg
        self._plot = plot
        self._color: QColor | None = None
        self.items: list[Any] = []

    @property
    def texts(self) -> list[str]:
        """What is written."""
        return [item.toPlainText() for item in self.items if item.isVisible()]

    def set_color(self, color: QColor) -> None:
        """Follow a theme."""
        self._color = color
        for item in self.items:
            item.setColor(color)

    def write(
        self, peaks: Sequence[tuple[float, float]], low: float, high: float, room: float
    ) -> None:
        """Write the m/z of peaks.

        Parameters
        ----------
        peaks : sequence of (float, float)
            m/z and height.
        low, high : float
            The part in sight, in m/z.
        room : float
            Half of the width of a label, in m/z: none leaves the picture.
        """
        while len(self.items) < len(peaks):
            item = self._pg.TextItem(color=self._color, anchor=(0.5, 1.0))
            self._plot.addItem(item, ignoreBounds=True)
            self.items.append(item)
        for place, item in enumerate(self.items):
            item.setVisible(place < len(peaks))
            if place >= len(peaks):
                continue
            mz, height = peaks[place]
            item.setText(mz_text(mz))
            beside = 0.0 if mz - low < room else 1.0 if high - mz < room else 0.5
            item.setAnchor((beside, 1.0))
            item.setPos(mz, height)
