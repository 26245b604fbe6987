"""One panel of a plot: the curves of one unit, drawn once and fed with new numbers.

A run that goes on brings numbers twice a second. Only the numbers of a curve are
replaced then: axes, titles and zoom stay. Where a curve has more points than the
screen has pixels it is thinned, peaks kept: what is painted is bounded, however long
the run.

It knows pyqtgraph and `Curve`, not what the panels beside it show.

Examples
--------
>>> panel = PlotPanel(pyqtgraph, item, curves, colors)  # doctest: +SKIP
>>> panel.feed(longer_curves)  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import Qt

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from qtpy.QtGui import QColor

__all__ = ["Curve", "PlotPanel"]

_MOST_SYMBOLS: Final = 400  # beyond it they would hide each other
_NEAR_PX: Final = 12


@dataclass(frozen=True, slots=True)
class Curve:
    """A row of numbers.

    Parameters
    ----------
    name : str
        What they are.
    x, y : ndarray of float
        The points; NaN where there is none.
    unit : str
        Unit of y; curves of one unit share a panel.
    frames : ndarray of int
        Number of the frame of each point.
    panel : str
        Curves without a unit share a panel where this is the same.
    part : str
        Which part of the frames it is, of a quantity that has a curve for each part.
    """

    name: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    unit: str
    frames: npt.NDArray[np.int64]
    panel: str = ""
    part: str = ""

    @property
    def quantity(self) -> str:
        """What the numbers are, without the part."""
        return self.name.removesuffix(f", {self.part}") if self.part else self.name

    @property
    def group(self) -> str:
        """Curves of one group share a panel."""
        return self.unit or self.panel or self.name


class PlotPanel:
    """Draws curves into a plot of pyqtgraph.

    Parameters
    ----------
    pg : module
        pyqtgraph.
    plot : pyqtgraph.PlotItem
        An empty plot.
    curves : sequence of Curve
        The curves; how many there are, and their names, stay as they are.
    colors : sequence of str
        A colour for each.
    text : QColor
        Colour of titles and axes.

    Attributes
    ----------
    plot : pyqtgraph.PlotItem
        The plot.
    """

    def __init__(
        self,
        pg: Any,
        plot: Any,
        curves: Sequence[Curve],
        colors: Sequence[str],
        text: QColor,
    ) -> None:
        self._pg = pg
        self.plot = plot
        self._curves: tuple[Curve, ...] = ()
        self._text = text
        self._marker: Any = None
        self._lay_out(curves, colors)
        self._items = [
            plot.plot(pen=pg.mkPen(color, width=1), skipFiniteCheck=True)
            for color in colors
        ]
        self._colors = tuple(colors)
        # Along x all panels follow the plot as a whole; along y each its own curves.
        plot.enableAutoRange(x=False, y=True)
        self.feed(curves)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is shown."""
        return self._curves

    def feed(self, curves: Sequence[Curve]) -> None:
        """Show other numbers in the same curves."""
        self._curves = tuple(curves)
        for item, curve, color in zip(self._items, curves, self._colors, strict=True):
            # Without the gaps: each channel has a value in every other frame only.
            kept = np.isfinite(curve.x) & np.isfinite(curve.y)
            x, y = curve.x[kept], curve.y[kept]
            few = len(x) <= _MOST_SYMBOLS
            many = not few and bool(np.all(x[1:] >= x[:-1]))
            item.setDownsampling(ds=1, auto=many, method="peak")
            item.setClipToView(many)
            item.setData(
                x,
                y,
                symbol="o" if few else None,
                symbolSize=5,
                symbolPen=None,
                symbolBrush=color,
            )

    def extent(self) -> tuple[float, float] | None:
        """Return the least and the largest x of all points, None without any."""
        low, high = np.inf, -np.inf
        for curve in self._curves:
            x = curve.x[np.isfinite(curve.x)]
            if len(x):
                low, high = min(low, float(x.min())), max(high, float(x.max()))
        return (low, high) if low <= high else None

    def set_marker(self, x: float | None) -> None:
        """Draw the line where the viewer is, or none."""
        if x is None:
            if self._marker is not None:
                self.plot.removeItem(self._marker)
                self._marker = None
            return
        if self._marker is None:
            pen = self._pg.mkPen(self._text, width=1, style=Qt.PenStyle.DashLine)
            self._marker = self._pg.InfiniteLine(x, angle=90, pen=pen)
            self.plot.addItem(self._marker, ignoreBounds=True)
        self._marker.setValue(x)

    @property
    def marker(self) -> float | None:
        """Where the line is."""
        return None if self._marker is None else float(self._marker.value())

    def frame_near(self, scene_point: Any) -> int | None:
        """Return the frame whose point is nearest, None if none is near."""
        box = self.plot.vb
        at = box.mapSceneToView(scene_point)
        wide, high = box.viewPixelSize()
        best, found = float(_NEAR_PX), None
        for curve in self._curves:
            away = np.hypot((curve.x - at.x()) / wide, (curve.y - at.y()) / high)
            if not np.isfinite(away).any():
                continue
            place = int(np.nanargmin(away))
            if away[place] < best:
                best, found = float(away[place]), int(curve.frames[place])
        return found

    def holds(self, scene_point: Any) -> bool:
        """Return whether a point of the scene is in this panel."""
        return bool(self.plot.vb.sceneBoundingRect().contains(scene_point))

    # ---- looks

    def _lay_out(self, curves: Sequence[Curve], colors: Sequence[str]) -> None:
        quantities = dict.fromkeys(curve.quantity for curve in curves)
        title = ", ".join(quantities) if len(quantities) < 3 else curves[0].group
        unit = curves[0].unit
        if unit and f"({unit})" not in title:
            title = f"{title} ({unit})" if len(quantities) < 3 else unit
        self.plot.setLabel("left", escaped(title), color=self._text.name())
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(self._pg.mkPen(self._text, width=1))
            axis.setTextPen(self._pg.mkPen(self._text))
        self.plot.showGrid(x=True, y=True, alpha=0.2)
        if len(curves) > 1:
            alone = len(quantities) == 1
            names = [
                f'<span style="color:{color}">'
                f"{escaped(c.part if alone and c.part else c.name)}</span>"
                for c, color in zip(curves, colors, strict=True)
            ]
            # Above the plot: a legend within it would hide points of a narrow one.
            self.plot.setTitle("&nbsp;&nbsp; ".join(names), size="8pt")


def escaped(text: str) -> str:
    """Return a text in which nothing is markup: names come from files."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
