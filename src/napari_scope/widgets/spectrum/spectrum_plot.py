"""Spectra over m/z: zoom, drag, pick a peak.

The wheel zooms along m/z, dragging moves, the height follows what is in sight. A click
goes to the nearest peak and moves the marker there; the marker can be dragged, too. The
highest peaks in sight carry their m/z. Profiles are lines, peaks are sticks. Whatever
the length of a spectrum, no more points are painted than the plot has pixels
(`napari_scope.widgets.spectrum.thinning`).

It knows nothing of files, images or the viewer.

Examples
--------
>>> plot = SpectrumPlot()  # doctest: +SKIP
>>> plot.show_traces([Trace.of("mean", spectrum)])  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy import API_NAME
from qtpy.QtCore import QSize, Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_scope.formats.msi import Spectrum
from napari_scope.widgets.spectrum.ion_choice import mz_text
from napari_scope.widgets.spectrum.thinning import thin_line, thin_sticks
from napari_scope.widgets.spectrum.trace import highest_peaks, nearest_peak

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_scope.widgets.spectrum.trace import Trace

    Values = npt.NDArray[Any]

__all__ = ["SpectrumPlot"]

_REACH_PX: Final = 8
_MOST_LABELS: Final = 8
_ROOM: Final = 0.14  # above the highest peak, for its m/z
_DECADES: Final = 4.5  # of a logarithmic plot
_LEAST_SPAN: Final = 1e-4  # m/z, as far as one can zoom in


def _pyqtgraph() -> Any:
    """Import pyqtgraph, which has no types, with the binding that all others use."""
    os.environ.setdefault("PYQTGRAPH_QT_LIB", API_NAME)
    return importlib.import_module("pyqtgraph")


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
        pg = self._pg = _pyqtgraph()
        self.view: Any = pg.PlotWidget()
        self.view.setAccessibleName("Spectrum")
        self.view.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.view.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.view.setToolTip(
            "Click: show the ion image of the nearest peak. Wheel: zoom, drag: move, "
            "double click: show all. The marker can be dragged."
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
        # By identity; the trace is kept with them, so none of another takes its place.
        self._kept: dict[int, tuple[Trace, tuple[Values, Values]]] = {}
        self._kept_view: tuple[float, float, int] | None = None
        self._items: list[Any] = []
        self._labels: list[Any] = []
        self._log = False
        self._relative = False
        self._floor = 0.0
        self._extent: tuple[float, float] | None = None
        self._marked: tuple[float, float] | None = None
        self._window: Any = pg.LinearRegionItem(movable=False)
        self._window.setZValue(-10)
        self._marker: Any = pg.InfiniteLine(angle=90, movable=True)
        for item in (self._window, self._marker):
            item.setVisible(False)
            self.item.addItem(item, ignoreBounds=True)
        self._marker.sigDragged.connect(self._on_dragged)
        # Many changes of the range come at once, while the window is made above all.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.draw)
        self.box.sigXRangeChanged.connect(lambda *_: self._soon.start())
        self.box.sigResized.connect(lambda *_: self._soon.start())
        self.view.scene().sigMouseClicked.connect(self._on_click)
        self.view.scene().sigMouseMoved.connect(self._on_moved)
        self._paint()

    def sizeHint(self) -> QSize:
        """Ask for room in which peaks can be told apart."""
        width = self.fontMetrics().averageCharWidth()
        return QSize(60 * width, 24 * width)

    def minimumSizeHint(self) -> QSize:
        """Be readable in a narrow dock, too."""
        width = self.fontMetrics().averageCharWidth()
        return QSize(30 * width, 9 * width)

    # ---- looks

    def set_colors(self, background: QColor, text: QColor) -> None:
        """Follow a theme."""
        self._colors = background, text
        self._paint()
        self.draw()

    def _paint(self) -> None:
        pg, (background, text) = self._pg, self._colors
        self.view.setBackground(background)
        self.item.setLabel("bottom", "m/z", color=text.name())
        for side in ("left", "bottom"):
            axis = self.item.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(pg.mkPen(text, width=1))
            axis.setTextPen(pg.mkPen(text))
        self.item.getAxis("left").setWidth(self.fontMetrics().averageCharWidth() * 9)
        dashes = Qt.PenStyle.DashLine
        self._marker.setPen(pg.mkPen(text, width=1, style=dashes))
        self._marker.setHoverPen(pg.mkPen(text, width=3))
        tint = QColor(text)
        tint.setAlpha(50)
        self._window.setBrush(tint)
        for line in self._window.lines:
            line.setPen(pg.mkPen(None))
        for label in self._labels:
            label.setColor(text)

    def set_log(self, on: bool) -> None:
        """Show intensities on a logarithmic scale, or not."""
        if on != self._log:
            self._log = on
            self.item.getAxis("left").setLogMode(on)
            self.draw()

    def set_relative(self, on: bool) -> None:
        """Draw the highest peak of each spectrum as 100, or all as they are."""
        if on != self._relative:
            self._relative = on
            self.draw()

    def _factor(self, trace: Trace) -> float:
        if not self._relative:
            return 1.0
        highest = float(trace.intensities.max(initial=0.0))
        return 100.0 / highest if highest > 0 else 1.0

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

    def show_traces(self, traces: Sequence[Trace]) -> None:
        """Show spectra; the part in sight stays, unless all was in sight."""
        all_in_sight = self._shows_all()
        self._traces = tuple(trace for trace in traces if trace.shown)
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
        while len(self._items) < len(self._traces):
            self._items.append(self._pg.PlotCurveItem())
            self.item.addItem(self._items[-1])
        while len(self._items) > len(self._traces):
            self.item.removeItem(self._items.pop())
        if self._extent is not None and (before is None or all_in_sight):
            self.show_all()
        self.draw()

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
        self._marked = None if mz is None else (mz, half_width)
        for item in (self._marker, self._window):
            item.setVisible(mz is not None)
        if mz is not None:
            self._marker.setValue(mz)
            self._window.setRegion((mz - half_width, mz + half_width))

    @property
    def marker(self) -> float | None:
        """The m/z that is marked."""
        return None if self._marked is None else self._marked[0]

    def bring_to_sight(self, mz: float) -> None:
        """Move the part in sight so that an m/z is in it."""
        low, high = self.shown_range
        if not low <= mz <= high:
            half = (high - low) / 2
            self.box.setXRange(mz - half, mz + half, padding=0)

    # ---- drawing

    def draw(self) -> None:
        """Draw the part in sight."""
        self._soon.stop()
        low, high = self.shown_range
        columns = max(64, int(self.box.width()))
        thinned = self._thinned(low, high, columns)
        factors = [self._factor(trace) for trace in self._traces]
        parts = [(x, y * f) for (x, y), f in zip(thinned, factors, strict=True)]
        highest = max((float(y.max()) for _, y in parts if len(y)), default=0.0)
        self._floor = highest / 10**_DECADES if highest > 0 else 0.1
        pg = self._pg
        for item, trace, (x, y) in zip(self._items, self._traces, parts, strict=True):
            y = self._height(y)
            if trace.is_profile:
                item.setData(x, y, connect="all")
            else:
                item.setData(
                    np.repeat(x, 2),
                    np.stack([np.full(len(y), self._base), y], 1).reshape(-1),
                    connect="pairs",
                )
            item.setPen(pg.mkPen(trace.color, width=1))
        base = self._base
        top = float(self._height(np.array([highest]))[0]) if highest > 0 else base + 1
        self.box.setYRange(base, base + (top - base) * (1 + _ROOM), padding=0)
        self._draw_labels(low, high)

    def _thinned(
        self, low: float, high: float, columns: int
    ) -> list[tuple[Values, Values]]:
        """Return the points to paint; those of a trace that stays are kept."""
        view = low, high, columns
        kept = self._kept if self._kept_view == view else {}
        found = {}
        for trace in self._traces:
            if id(trace) in kept:
                found[id(trace)] = kept[id(trace)]
                continue
            thin = thin_line if trace.is_profile else thin_sticks
            part = thin(trace.mz, trace.intensities, low, high, columns)
            found[id(trace)] = trace, part
        self._kept, self._kept_view = found, view
        return [found[id(trace)][1] for trace in self._traces]

    @property
    def _base(self) -> float:
        """Where a stick begins."""
        return float(np.log10(self._floor)) if self._log else 0.0

    def _height(self, values: Values) -> Values:
        if not self._log:
            return values
        heights: Values = np.log10(np.maximum(values, self._floor))
        return heights

    def _draw_labels(self, low: float, high: float) -> None:
        peaks: list[tuple[float, float]] = []
        if self._traces:
            room = self.fontMetrics().averageCharWidth() * 14
            most = min(_MOST_LABELS, int(self.box.width() / max(room, 1)))
            # What is painted is enough, and much less than the whole spectrum.
            first = self._traces[0]
            _, part = self._kept[id(first)]
            seen = replace(first, spectrum=Spectrum(*part))
            peaks = highest_peaks(seen, low, high, most)
        while len(self._labels) < len(peaks):
            label = self._pg.TextItem(color=self._colors[1], anchor=(0.5, 1.0))
            self.item.addItem(label, ignoreBounds=True)
            self._labels.append(label)
        for place, label in enumerate(self._labels):
            label.setVisible(place < len(peaks))
            if place < len(peaks):
                mz, value = peaks[place]
                label.setText(mz_text(mz))
                value *= self._factor(self._traces[0])
                label.setPos(mz, float(self._height(np.array([value]))[0]))

    # ---- mouse

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

    def _on_dragged(self) -> None:
        self.picked.emit(float(self._marker.value()))

    def _on_moved(self, point: Any) -> None:
        inside = self._traces and self.box.sceneBoundingRect().contains(point)
        x = float(self.box.mapSceneToView(point).x()) if inside else float("nan")
        self.pointed.emit(x)
