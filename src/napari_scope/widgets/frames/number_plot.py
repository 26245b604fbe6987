"""Curves of numbers over frames or time: one panel for each unit, all with one x axis.

The mouse wheel zooms, dragging pans, a click on a point tells which one it was, and a
vertical line shows where the viewer is. pyqtgraph is imported when the first plot is
made. It knows nothing of frames, files or the viewer.

Examples
--------
>>> plot = NumberPlot()  # doctest: +SKIP
>>> plot.show_curves([Curve("z_um", x, y, "µm", frames)], "time (s)")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy import API_NAME
from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["Curve", "NumberPlot"]

# Readable on napari's dark and on its light background, and told apart by most eyes.
_COLORS: Final = (
    "#3d8fd1",
    "#e08a2e",
    "#3fa45b",
    "#c65bb0",
    "#d9534f",
    "#8a7be0",
    "#2ba8a8",
    "#a08a2c",
)
_MOST_SYMBOLS: Final = 2000
_NEAR_PX: Final = 12
_MOST_PANELS: Final = 6


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


def _pyqtgraph() -> Any:
    """Import pyqtgraph, which has no types, with the binding that all others use."""
    os.environ.setdefault("PYQTGRAPH_QT_LIB", API_NAME)
    return importlib.import_module("pyqtgraph")


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
        self._pg: Any = _pyqtgraph()
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
        self._panels: list[tuple[Any, list[Curve]]] = []
        self._markers: list[Any] = []
        self._marker_x: float | None = None
        self._view.scene().sigMouseClicked.connect(self._on_click)
        self._paint_background()

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is shown."""
        return self._curves

    @property
    def panels(self) -> list[Any]:
        """The plots, from the top."""
        return [panel for panel, _ in self._panels]

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
            self.show_curves(self._curves, self._x_title)

    def _paint_background(self) -> None:
        self._view.setBackground(self._colors[0])

    # ---- what is shown

    def show_curves(self, curves: Sequence[Curve], x_title: str) -> None:
        """Show curves; where the same panels stay, what was zoomed into stays too.

        Parameters
        ----------
        curves : sequence of Curve
            The curves; those beyond six panels are left out.
        x_title : str
            What x is, with its unit.
        """
        names = [(c.name, c.unit, c.panel) for c in curves]
        same = x_title == self._x_title and self._panels and names == self._names
        ranges = None
        if same:
            ranges = [
                (panel.viewRange(), panel.vb.state["autoRange"])
                for panel, _ in self._panels
            ]
        self._curves, self._x_title = tuple(curves), x_title
        self._names = names
        self._build()
        if ranges is not None:
            for (panel, _), ((x, y), auto) in zip(self._panels, ranges, strict=True):
                if not auto[0]:
                    panel.setXRange(*x, padding=0)
                if not auto[1]:
                    panel.setYRange(*y, padding=0)

    _names: list[tuple[str, str, str]] = []  # noqa: RUF012

    def _build(self) -> None:
        self._view.clear()
        self._panels.clear()
        self._markers.clear()
        groups: dict[str, list[Curve]] = {}
        for curve in self._curves:
            groups.setdefault(curve.unit or curve.panel or curve.name, []).append(curve)
        shown = list(groups.items())[:_MOST_PANELS]
        number = 0
        for row, (group, curves) in enumerate(shown):
            panel = self._panel(row, group, curves, last=row == len(shown) - 1)
            names = []
            alone = len({curve.quantity for curve in curves}) == 1
            for curve in curves:
                color = _COLORS[number % len(_COLORS)]
                self._draw(panel, curve, color)
                name = curve.part if alone and curve.part else curve.name
                names.append(f'<span style="color:{color}">{_escaped(name)}</span>')
                number += 1
            if len(curves) > 1:
                # Above the plot: a legend within it would hide points of a narrow one.
                panel.setTitle("&nbsp;&nbsp; ".join(names), size="8pt")
            if self._panels:
                panel.setXLink(self._panels[0][0])
            self._panels.append((panel, curves))
        self.set_marker(self._marker_x)

    def _panel(self, row: int, group: str, curves: Sequence[Curve], last: bool) -> Any:
        text = self._colors[1]
        panel = self._view.addPlot(row=row, col=0)
        names = dict.fromkeys(curve.quantity for curve in curves)
        title = ", ".join(names) if len(names) < 3 else group
        unit = curves[0].unit
        if unit and f"({unit})" not in title:
            title = f"{title} ({unit})" if len(names) < 3 else unit
        panel.setLabel("left", _escaped(title), color=text.name())
        if last:
            panel.setLabel("bottom", _escaped(self._x_title), color=text.name())
        for side in ("left", "bottom"):
            axis = panel.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(self._pg.mkPen(text, width=1))
            axis.setTextPen(self._pg.mkPen(text))
        panel.getAxis("left").setWidth(self.fontMetrics().averageCharWidth() * 11)
        panel.showGrid(x=True, y=True, alpha=0.2)
        return panel

    def _draw(self, panel: Any, curve: Curve, color: str) -> None:
        few = len(curve.x) <= _MOST_SYMBOLS
        kept = np.isfinite(curve.x) & np.isfinite(curve.y)
        # Without the gaps: each channel has a value in every other frame only.
        item = panel.plot(
            curve.x[kept],
            curve.y[kept],
            pen=self._pg.mkPen(color, width=1),
            symbol="o" if few else None,
            symbolSize=5,
            symbolPen=None,
            symbolBrush=color,
            skipFiniteCheck=True,
        )
        if not few and np.all(np.diff(curve.x[kept]) >= 0):
            # As many points as there are pixels, peaks kept.
            item.setDownsampling(auto=True, method="peak")
            item.setClipToView(True)

    def set_marker(self, x: float | None) -> None:
        """Show where the viewer is, or nothing."""
        self._marker_x = x
        for panel, line in zip(self.panels, self._markers, strict=False):
            panel.removeItem(line)
        self._markers.clear()
        if x is None or not np.isfinite(x):
            return
        for panel in self.panels:
            pen = self._pg.mkPen(self._colors[1], width=1, style=Qt.PenStyle.DashLine)
            line = self._pg.InfiniteLine(x, angle=90, pen=pen)
            panel.addItem(line, ignoreBounds=True)
            self._markers.append(line)

    def show_all(self) -> None:
        """Zoom out to everything."""
        for panel in self.panels:
            panel.enableAutoRange()

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
        for panel, curves in self._panels:
            box = panel.vb
            if not box.sceneBoundingRect().contains(scene_point):
                continue
            at = box.mapSceneToView(scene_point)
            wide, high = box.viewPixelSize()
            best, found = float(_NEAR_PX), None
            for curve in curves:
                away = np.hypot((curve.x - at.x()) / wide, (curve.y - at.y()) / high)
                if not np.isfinite(away).any():
                    continue
                place = int(np.nanargmin(away))
                if away[place] < best:
                    best, found = float(away[place]), int(curve.frames[place])
            return found
        return None

    # ---- export

    def save_picture(self, path: Path) -> bool:
        """Save what is shown as a PNG file; returns whether that worked."""
        return bool(self._view.grab().save(str(path), "PNG"))


def _escaped(text: str) -> str:
    """Return a text in which nothing is markup: names come from files."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
