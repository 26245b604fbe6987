"""Curves of numbers over frames or time: one panel for each unit, all with one x axis.

The mouse wheel zooms, dragging pans, a click on a point tells which one it was, and a
vertical line shows where the viewer is. When numbers come, the x axis follows them to
their end, unless the user has zoomed. pyqtgraph is imported when the first plot is
made. It knows nothing of frames, files or the viewer.

Examples
--------
>>> plot = NumberPlot()  # doctest: +SKIP
>>> plot.show_curves([Curve("z_um", x, y, "µm", frames)], "time (s)")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QImage
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_scope.widgets.common.plotting import CURVE_COLORS, pyqtgraph
from napari_scope.widgets.frames.plot_panel import Curve, PlotPanel, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Curve", "NumberPlot"]

_MOST_PANELS: Final = 6
_ROOM: Final = 0.02  # of the width, at both ends of the curves

_Range = tuple[float, float]


class NumberPlot(QWidget):
    """Shows curves.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    frame_clicked : Signal
        The user has clicked on a point; carries the number of its frame.
    """

    frame_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pg: Any = pyqtgraph()
        self._view: Any = self._pg.GraphicsLayoutWidget()
        self._view.setAccessibleName("Plot")
        self._view.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        # pyqtgraph would like 640 pixels; a dock has what it has.
        self._view.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._view.setToolTip(
            "Wheel: zoom, drag: move, right button: more. A click on a point shows "
            "its frame."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)
        self._colors = QColor("#262930"), QColor("#d0d4da")
        self._curves: tuple[Curve, ...] = ()
        self._x_title = ""
        self._panels: list[PlotPanel] = []
        self._marker_x: float | None = None
        self._given_x: _Range | None = None
        self._view.scene().sigMouseClicked.connect(self._on_click)
        self._paint_background()

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is shown."""
        return self._curves

    @property
    def panels(self) -> list[Any]:
        """The plots, from the top."""
        return [panel.plot for panel in self._panels]

    @property
    def marker(self) -> float | None:
        """Where the line of the viewer is drawn, None where it is not."""
        return self._panels[0].marker if self._panels else None

    def sizeHint(self) -> QSize:
        """Ask for room for a panel, however many there are."""
        width = self.fontMetrics().averageCharWidth()
        return QSize(48 * width, 36 * width)

    def minimumSizeHint(self) -> QSize:
        """Never be lower than one panel."""
        return self.sizeHint() / 2

    # ---- looks

    def set_colors(self, background: QColor, text: QColor) -> None:
        """Follow a theme."""
        if (background, text) != self._colors:
            self._colors = background, text
            self._paint_background()
            self._rebuild(self._zoomed_x(), self._zoomed_y())

    def _paint_background(self) -> None:
        self._view.setBackground(self._colors[0])

    # ---- what is shown

    def show_curves(self, curves: Sequence[Curve], x_title: str) -> None:
        """Show curves; what was zoomed into stays, as long as x means the same.

        Parameters
        ----------
        curves : sequence of Curve
            The curves; those beyond six panels are left out.
        x_title : str
            What x is, with its unit.
        """
        zoomed = self._zoomed_x() if x_title == self._x_title else None
        names = [(c.name, c.group, c.part) for c in curves]
        same = names == [(c.name, c.group, c.part) for c in self._curves]
        self._curves = tuple(curves)
        if not same or x_title != self._x_title:
            self._x_title = x_title
            self._rebuild(zoomed, [])
            return
        for panel, own in zip(self._panels, self._groups(), strict=True):
            panel.feed(own)
        if zoomed is None and self._panels:
            self._show_all_x()

    def _groups(self) -> list[list[Curve]]:
        groups: dict[str, list[Curve]] = {}
        for curve in self._curves:
            groups.setdefault(curve.group, []).append(curve)
        return list(groups.values())[:_MOST_PANELS]

    def _rebuild(self, x: _Range | None, y: Sequence[_Range | None]) -> None:
        """Draw everything anew, zoomed as before where that is given."""
        self._view.clear()
        self._panels.clear()
        self._given_x = None
        text = self._colors[1]
        width = self.fontMetrics().averageCharWidth() * 11
        number = 0
        for row, curves in enumerate(self._groups()):
            colors = [
                CURVE_COLORS[n % len(CURVE_COLORS)]
                for n in range(number, number + len(curves))
            ]
            number += len(curves)
            plot = self._view.addPlot(row=row, col=0)
            plot.getAxis("left").setWidth(width)  # so that all begin at one place
            if self._panels:
                plot.setXLink(self._panels[0].plot)
            self._panels.append(PlotPanel(self._pg, plot, curves, colors, text))
        if not self._panels:
            return
        last = self.panels[-1]
        last.setLabel("bottom", escaped(self._x_title), color=text.name())
        if x is None:
            self._show_all_x()
        else:
            self.panels[0].setXRange(*x, padding=0)
            self._given_x = np.nan, np.nan  # not ours: the zoom of the user
        for plot, own in zip(self.panels, y, strict=False):
            if own is not None:
                plot.setYRange(*own, padding=0)
        self.set_marker(self._marker_x)

    # ---- what part of it is seen

    def _zoomed_x(self) -> _Range | None:
        """Return what the user has zoomed into along x, None if into nothing."""
        if not self._panels or self._given_x is None:
            return None
        box = self.panels[0].vb
        low, high = (float(end) for end in box.viewRange()[0])
        given_low, given_high = self._given_x
        little = 1e-6 * max(abs(given_high - given_low), 1e-12)
        same = abs(low - given_low) < little and abs(high - given_high) < little
        return None if same or box.state["autoRange"][0] else (low, high)

    def _zoomed_y(self) -> list[_Range | None]:
        found: list[_Range | None] = []
        for plot in self.panels:
            low, high = plot.viewRange()[1]
            auto = plot.vb.state["autoRange"][1]
            found.append(None if auto else (float(low), float(high)))
        return found

    def _show_all_x(self) -> None:
        extents = [panel.extent() for panel in self._panels]
        known = [extent for extent in extents if extent is not None]
        low = min((extent[0] for extent in known), default=0.0)
        high = max((extent[1] for extent in known), default=1.0)
        room = (high - low) * _ROOM or 0.5
        first = self.panels[0]
        first.setXRange(low - room, high + room, padding=0)
        shown = first.viewRange()[0]
        self._given_x = float(shown[0]), float(shown[1])

    def set_marker(self, x: float | None) -> None:
        """Show where the viewer is, or nothing."""
        self._marker_x = x if x is not None and np.isfinite(x) else None
        for panel in self._panels:
            panel.set_marker(self._marker_x)

    def show_all(self) -> None:
        """Zoom out to everything, and follow it from now on."""
        if self._panels:
            self._show_all_x()
        for plot in self.panels:
            plot.enableAutoRange(y=True)

    # ---- clicks

    def _on_click(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or event.double():
            return
        frame = self.frame_near(event.scenePos())
        if frame is not None:
            self.frame_clicked.emit(frame)

    def frame_near(self, scene_point: Any) -> int | None:
        """Return the frame whose point is nearest, None if none is near.

        Parameters
        ----------
        scene_point : QPointF
            A point of the scene of the plot.
        """
        for panel in self._panels:
            if panel.holds(scene_point):
                return panel.frame_near(scene_point)
        return None

    # ---- export

    def paint_now(self) -> None:
        """Paint what has changed, so that it can be known how long that takes."""
        self._view.viewport().repaint()

    def picture(self) -> QImage:
        """Return what is shown; the image may be saved in any thread."""
        return self._view.grab().toImage()  # type: ignore[no-any-return]
