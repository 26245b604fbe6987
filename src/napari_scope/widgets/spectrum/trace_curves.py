"""The curves of spectra: as many points as there are pixels, only what changed is fed.

Profiles are lines, peaks are sticks. The spectrum under the mouse changes a hundred
times a second; those beside it are neither thinned nor handed over again.

It knows pyqtgraph's plot, traces and what part of them is in sight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.widgets.spectrum.thinning import thin_line, thin_sticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_scope.widgets.spectrum.trace import Trace

    Values = npt.NDArray[Any]

__all__ = ["Scale", "TraceCurves"]

_DECADES: Final = 4.5  # of a logarithmic plot


@dataclass(frozen=True, slots=True)
class Scale:
    """How intensities become heights.

    Parameters
    ----------
    log : bool
        Whether heights are logarithms.
    relative : bool
        Whether the highest peak of each spectrum is 100.
    floor : float
        What is lower is drawn as high as this, on a logarithmic scale.
    """

    log: bool = False
    relative: bool = False
    floor: float = 0.0

    @property
    def base(self) -> float:
        """Where a stick begins."""
        return float(np.log10(self.floor)) if self.log else 0.0

    def heights(self, values: Values) -> Values:
        """Return how high values are drawn that have been multiplied already."""
        if not self.log:
            return values
        heights: Values = np.log10(np.maximum(values, self.floor))
        return heights

    def factor(self, trace: Trace) -> float:
        """Return what the intensities of a trace are multiplied by."""
        if not self.relative:
            return 1.0
        return 100.0 / trace.highest if trace.highest > 0 else 1.0


@dataclass(frozen=True, eq=False, slots=True)
class _Fed:
    """What a curve was handed over from."""

    trace: Trace
    x: Values
    how: object

    def is_of(self, trace: Trace, x: Values, how: object) -> bool:
        return self.trace is trace and self.x is x and self.how == how


class TraceCurves:
    """Draws traces into a plot.

    Parameters
    ----------
    pg : module
        pyqtgraph.
    plot : PlotItem
        What they are drawn into.
    """

    def __init__(self, pg: Any, plot: Any) -> None:
        self._pg = pg
        self._plot = plot
        self.items: list[Any] = []
        self._fed: list[_Fed | None] = []
        # By identity; the trace is kept with them, so none of another takes its place.
        self._thin: dict[int, tuple[Trace, tuple[Values, Values]]] = {}
        self._view: tuple[float, float, int] | None = None

    def look(
        self, traces: Sequence[Trace], low: float, high: float, columns: int
    ) -> list[tuple[Values, Values]]:
        """Return m/z and intensities of the points to paint, of each trace.

        Parameters
        ----------
        traces : sequence of Trace
            What is shown.
        low, high : float
            The part in sight, in m/z.
        columns : int
            How wide it is, in pixels.
        """
        view = low, high, columns
        kept = self._thin if self._view == view else {}
        found = {}
        for trace in traces:
            if id(trace) in kept:
                found[id(trace)] = kept[id(trace)]
                continue
            thin = thin_line if trace.is_profile else thin_sticks
            part = thin(trace.mz, trace.intensities, low, high, columns)
            found[id(trace)] = trace, part
        self._thin, self._view = found, view
        return [found[id(trace)][1] for trace in traces]

    @staticmethod
    def floor_of(highest: float) -> float:
        """Return the lowest value that a logarithmic scale shows."""
        return highest / 10**_DECADES if highest > 0 else 0.1

    def feed(
        self,
        traces: Sequence[Trace],
        parts: Sequence[tuple[Values, Values]],
        scale: Scale,
        front: int,
    ) -> int:
        """Draw traces; returns how many of them were handed over anew.

        Parameters
        ----------
        traces : sequence of Trace
            What is shown.
        parts : sequence of (ndarray, ndarray)
            What `look` has returned of them.
        scale : Scale
            How intensities become heights.
        front : int
            How many are drawn in front of the others.
        """
        while len(self.items) < len(traces):
            self.items.append(self._pg.PlotCurveItem())
            self._fed.append(None)
            self._plot.addItem(self.items[-1])
        while len(self.items) > len(traces):
            self._plot.removeItem(self.items.pop())
            self._fed.pop()
        new = 0
        for place, (trace, (x, y)) in enumerate(zip(traces, parts, strict=True)):
            how = scale if scale.log else scale.relative
            before = self._fed[place]
            if before is not None and before.is_of(trace, x, how):
                continue
            new += 1
            self._fed[place] = _Fed(trace, x, how)
            item = self.items[place]
            item.setZValue(place if place < front else -1)
            heights = scale.heights(y * scale.factor(trace))
            if trace.is_profile:
                item.setData(x, heights, connect="all")
            else:
                feet = np.full(len(y), scale.base)
                sticks = np.stack([feet, heights], 1).reshape(-1)
                item.setData(np.repeat(x, 2), sticks, connect="pairs")
            if before is None or before.trace.color != trace.color:
                item.setPen(self._pg.mkPen(trace.color, width=1))
        return new
