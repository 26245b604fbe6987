"""Spectra over m/z: zoom, drag, pick a peak.

The wheel zooms along m/z, dragging moves, Shift and drag zooms into a part, the height
follows what is in sight. A click goes to the nearest peak and moves the marker there;
the marker can be dragged, too. The highest peaks in sight carry their m/z. Whatever the
length of a spectrum, no more points are painted than the plot has pixels
(`napari_scope.widgets.spectrum.trace_curves`).

It knows nothing of files, images or the viewer.

Examples
--------
>>> plot = SpectrumPlot()  # doctest: +SKIP
>>> plot.show_traces([Trace.of("mean", spectrum)])  # doctest: +SKIP
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QSize, Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_scope.widgets.common.plotting import pyqtgraph
from napari_scope.widgets.spectrum.peak_labels import MOST_LABELS, PeakLabels
from napari_scope.widgets.spectrum.plot_hands import Hands
from napari_scope.widgets.spectrum.plot_marker import PlotMarker
from napari_scope.widgets.spectrum.trace import (
    highest_peaks,
    nearest_peak,
    peak_beside,
)
from napari_scope.widgets.spectrum.trace_curves import Scale, TraceCurves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QResizeEvent

    from napari_scope.widgets.spectrum.trace import Trace

__all__ = ["SpectrumPlot"]

_REACH_PX: Final = 8
_LEAST_SPAN: Final = 1e-4  # m/z, as far as one can zoom in
_LOW_LINES: Final = 9  # of text: a plot that is lower has no room for titles
_STEADY: Final = 0.4  # of the height: what the highest peak may lose before it shrinks


class SpectrumPlot(QWidget):
    """Shows spectra.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    picked : Signal
        The user has chosen an m/z: by a click on a peak, or with the marker.
    pointed : Signal
        The mouse is over an m/z; NaN where it is over none.
    """

    picked = Signal(float)
    pointed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        pg = pyqtgraph()
        self.view: Any = pg.PlotWidget()
        self.view.setAccessibleName("Spectrum")
        self.view.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.view.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.view.setToolTip(
            "Click: show the ion image of the nearest peak. Wheel: zoom, drag: move, "
            "Shift + drag: zoom into a part, double click: show all. The marker can be "
            "dragged. Arrow keys move and zoom, Page Up and Page Down go from peak to "
            "peak, Home shows all."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self.item: Any = self.view.getPlotItem()
        self.box: Any = self.item.getViewBox()
        self.box.setMouseEnabled(x=True, y=False)
        self.box.disableAutoRange()
        self.box.setDefaultPadding(0)
        self.item.hideButtons()
        self.item.setMenuEnabled(False)
        self._colors = QColor("#262930"), QColor("#d0d4da")
        self._traces: tuple[Trace, ...] = ()
        self._kept: tuple[Trace, ...] = ()  # without the one under the mouse
        self.curves = TraceCurves(pg, self.item)
        self.labels = PeakLabels(pg, self.item)
        self._labelled: tuple[object, Sequence[Any]] = ((), ())
        self._scale = Scale()
        self._top = 0.0  # the highest value that the height is for
        self._extent: tuple[float, float] | None = None
        self._mark = PlotMarker(pg, self.item, self.picked.emit)
        # Many changes of the range come at once, while the window is made above all.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.draw)
        self.box.sigXRangeChanged.connect(lambda *_: self._soon.start())
        self.box.sigResized.connect(lambda *_: self._soon.start())
        self.view.scene().sigMouseClicked.connect(self._on_click)
        self.view.scene().sigMouseMoved.connect(self._on_moved)
        self._hands = Hands(self, self.view, self.box)
        self._paint()

    def sizeHint(self) -> QSize:
        """Ask for room in which peaks can be told apart."""
        width = self.fontMetrics().averageCharWidth()
        return QSize(60 * width, 24 * width)

    def minimumSizeHint(self) -> QSize:
        """Be readable in a narrow dock, too."""
        width = self.fontMetrics().averageCharWidth()
        return QSize(30 * width, 9 * width)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Give up the titles of the axes where there is no room for them."""
        super().resizeEvent(event)
        self._show_titles()

    # ---- looks

    def set_colors(self, background: QColor, text: QColor) -> None:
        """Follow a theme."""
        self._colors = background, text
        self._paint()
        self.draw()

    def _paint(self) -> None:
        background, text = self._colors
        mk_pen = pyqtgraph().mkPen
        self.view.setBackground(background)
        for side in ("left", "bottom"):
            axis = self.item.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(mk_pen(text, width=1))
            axis.setTextPen(mk_pen(text))
        self._mark.set_color(text)
        self.labels.set_color(text)
        self._show_titles()

    def _show_titles(self) -> None:
        words = "% of highest" if self._scale.relative else "Intensity"
        metrics, color = self.fontMetrics(), self._colors[1].name()
        roomy = self.height() >= _LOW_LINES * metrics.height()
        for side, title in (("left", words), ("bottom", "m/z")):
            self.item.setLabel(side, title, color=color)
            self.item.getAxis(side).showLabel(roomy)
        # Always of one width: what follows the mouse must not move the axis.
        numbers = metrics.averageCharWidth() * 9
        self.item.getAxis("left").setWidth(numbers + roomy * metrics.height())

    def set_log(self, on: bool) -> None:
        """Show intensities on a logarithmic scale, or not."""
        if on != self._scale.log:
            self._scale = replace(self._scale, log=on)
            self.item.getAxis("left").setLogMode(on)
            self.draw()

    def set_relative(self, on: bool) -> None:
        """Draw the highest peak of each spectrum as 100, or all as they are."""
        if on != self._scale.relative:
            self._scale = replace(self._scale, relative=on)
            self._show_titles()
            self.draw()

    # ---- what is shown

    @property
    def traces(self) -> tuple[Trace, ...]:
        """What is shown."""
        return self._traces

    @property
    def shown_range(self) -> tuple[float, float]:
        """The lowest and the highest m/z in sight."""
        low, high = self.box.viewRange()[0]
        return float(low), float(high)

    def show_traces(
        self, traces: Sequence[Trace], passing: Trace | None = None
    ) -> None:
        """Show spectra; the part in sight stays, unless all was in sight.

        Parameters
        ----------
        traces : sequence of Trace
            The spectra; those that are hidden are left out.
        passing : Trace, optional
            One that is soon another, that under the mouse: it is drawn behind the
            others, and neither height nor labels follow it if that can be helped.
        """
        all_in_sight = self._shows_all()
        old = self._kept
        self._kept = kept = tuple(trace for trace in traces if trace.shown)
        self._traces = kept if passing is None else (*kept, passing)
        steady = len(old) == len(kept) and all(map(operator.is_, old, kept))
        filled = [trace.mz for trace in self._traces if len(trace.mz)]
        before = self._extent
        if filled:
            low = min(float(mz[0]) for mz in filled)
            high = max(float(mz[-1]) for mz in filled)
            room = max((high - low) * 0.02, 0.5)
            # It never shrinks: what follows the mouse must not move the axis.
            old_low, old_high = before or (np.inf, -np.inf)
            low, high = min(low - room, old_low), max(high + room, old_high)
            self._extent = low, high
            self.box.setLimits(
                xMin=low - (high - low),
                xMax=high + (high - low),
                minXRange=_LEAST_SPAN,
            )
        if self._extent is not None and (before is None or all_in_sight):
            self.show_all()
        self.draw(steady=steady and before == self._extent)

    def _shows_all(self) -> bool:
        if self._extent is None:
            return True
        low, high = self.shown_range
        return bool(np.allclose((low, high), self._extent, rtol=1e-6))

    def show_all(self) -> None:
        """Zoom out to all m/z."""
        if self._extent is not None:
            self.box.setXRange(*self._extent, padding=0)

    def show_range(self, low: float, high: float) -> None:
        """Zoom to a part."""
        self.box.setXRange(low, high, padding=0)

    def forget(self) -> None:
        """Show nothing; the next spectrum is shown whole."""
        self._extent = None
        self.show_traces(())
        self.set_marker(None, 0.0)

    # ---- the marker

    def set_marker(self, mz: float | None, half_width: float) -> None:
        """Mark an m/z and its window, or nothing."""
        self._mark.put(mz, half_width)

    @property
    def marker(self) -> float | None:
        """The m/z that is marked."""
        return self._mark.mz

    def bring_to_sight(self, mz: float) -> None:
        """Move the part in sight so that an m/z is in it."""
        low, high = self.shown_range
        if not low <= mz <= high:
            half = (high - low) / 2
            self.box.setXRange(mz - half, mz + half, padding=0)

    # ---- drawing

    def draw(self, steady: bool = False) -> None:
        """Draw the part in sight.

        Parameters
        ----------
        steady : bool
            Whether the height is to stay as it is, as long as all fits and fills it.
        """
        self._soon.stop()
        low, high = self.shown_range
        columns = max(64, int(self.box.width()))
        parts = self.curves.look(self._traces, low, high, columns)
        scale = self._scale
        highest = max(
            (
                float(y.max()) * scale.factor(trace)
                for trace, (_, y) in zip(self._traces, parts, strict=True)
                if len(y)
            ),
            default=0.0,
        )
        if not (steady and _STEADY * self._top <= highest <= self._top):
            self._top = highest
        floor = TraceCurves.floor_of(self._top)
        self._scale = scale = replace(scale, floor=floor)
        self.curves.feed(self._traces, parts, scale, len(self._kept))
        base = scale.base
        top = base + 1
        if self._top > 0:
            top = float(np.log10(self._top)) if scale.log else self._top
        words = (self.fontMetrics().height() + 10) / max(1.0, float(self.box.height()))
        self.box.setYRange(base, base + (top - base) / (1 - min(0.5, words)), padding=0)
        self._draw_labels(low, high, parts)

    def _draw_labels(self, low: float, high: float, parts: Sequence[Any]) -> None:
        shown = parts[: len(self._kept)] or parts
        width = max(1.0, float(self.box.width()))
        # All that they depend on; a part is the same object as long as it is the same.
        how = low, high, width, self._scale
        before, same_parts = self._labelled
        if how == before and len(shown) == len(same_parts):
            if all(map(operator.is_, shown, same_parts)):
                return
        self._labelled = how, shown
        letter = self.fontMetrics().averageCharWidth()
        most = min(MOST_LABELS, int(width / (letter * 14)))
        # What is painted is enough, and much less than the whole spectra.
        drawn = [
            (mz, values * self._scale.factor(trace))
            for trace, (mz, values) in zip(self._traces, shown, strict=False)
        ]
        found = highest_peaks(drawn, low, high, most)
        tops = self._scale.heights(np.array([value for _, value in found]))
        peaks = [(mz, float(h)) for (mz, _), h in zip(found, tops, strict=True)]
        self.labels.write(peaks, low, high, 5 * letter * (high - low) / width)

    # ---- keyboard and mouse

    def go_to_peak(self, forward: bool) -> None:
        """Pick the next peak in sight or beyond, or the one before."""
        low, high = self.shown_range
        start = self.marker
        if start is None or not low <= start <= high:
            start = low if forward else high
        reach = float(self.box.viewPixelSize()[0]) * _REACH_PX
        mz = peak_beside(self._traces[:1], start, forward, reach)
        if mz is not None:
            self.picked.emit(mz)
            self.bring_to_sight(mz)

    def mz_near(self, scene_point: Any) -> float | None:
        """Return the m/z of the peak near a point of the scene."""
        wide = float(self.box.viewPixelSize()[0])
        mz = float(self.box.mapSceneToView(scene_point).x())
        return nearest_peak(self._traces, mz, _REACH_PX * wide)

    def _on_click(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if not self.box.sceneBoundingRect().contains(event.scenePos()):
            return
        if event.double():
            self.show_all()
            return
        mz = self.mz_near(event.scenePos())
        if mz is not None:
            self.picked.emit(mz)

    def _on_moved(self, point: Any) -> None:
        inside = self._traces and self.box.sceneBoundingRect().contains(point)
        x = float(self.box.mapSceneToView(point).x()) if inside else float("nan")
        self.pointed.emit(x)
