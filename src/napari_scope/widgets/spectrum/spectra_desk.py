"""Where spectra come from: the pixel under the mouse, a click, regions, drawings.

It reads in threads what is asked for and puts it into the list of traces. The spectrum
under the mouse is in no list: it is drawn as long as no other is.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.layers.msi import msi_of
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.spectrum.drawn_region import drawing_of
from napari_scope.widgets.spectrum.looked_at import title_of
from napari_scope.widgets.spectrum.newest_reading import NewestReading
from napari_scope.widgets.spectrum.pixel_watch import PixelWatch
from napari_scope.widgets.spectrum.summaries import Part, pixel_trace, summarised

if TYPE_CHECKING:
    from napari_scope.layers.msi import MSILayer
    from napari_scope.widgets.spectrum.long_work import LongWork
    from napari_scope.widgets.spectrum.looked_at import LookedAt
    from napari_scope.widgets.spectrum.pixel_watch import Pixel
    from napari_scope.widgets.spectrum.trace import Trace
    from napari_scope.widgets.spectrum.trace_list import TraceList

__all__ = ["SpectraDesk"]

_CURSOR: Final = "Cursor"
_CURSOR_COLOR: Final = "#8f959e"
_CLICKED: Final = "Clicked pixel"


class SpectraDesk(QObject):
    """Gets spectra.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    looked_at : LookedAt
        Whose spectra they are.
    traces : TraceList
        Takes them.
    work : LongWork
        Adds up those of many pixels.
    parent : QObject
        Owner.

    Attributes
    ----------
    cursor_changed : Signal
        There is another spectrum under the mouse, or none.
    said : Signal
        A line for the user.
    failed : Signal
        What was done, and the exception.
    read : Signal
        A spectrum was read, or could not be.
    """

    cursor_changed = Signal()
    said = Signal(str)
    failed = Signal(str, object)
    read = Signal()

    def __init__(
        self,
        viewer: Any,
        looked_at: LookedAt,
        traces: TraceList,
        work: LongWork,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._at = looked_at
        self._traces = traces
        self._work = work
        self.cursor: Trace | None = None
        self._reading = NewestReading(self, "napari-scope spectrum")
        self._reading.finished.connect(self._on_spectrum)
        self._reading.failed.connect(self._on_failed)
        self.watch = PixelWatch(viewer, self)
        self.watch.hovered.connect(self._on_hovered)
        self.watch.clicked.connect(self._on_clicked)
        looked_at.changed.connect(self._on_changed)
        looked_at.layer_changed.connect(self._on_layer)

    @property
    def busy(self) -> bool:
        """Whether a spectrum is read."""
        return self._reading.busy

    def close(self) -> None:
        """Let go of the viewer, end the thread."""
        self.watch.stop()
        self._reading.close()

    # ---- what is looked at

    def _on_layer(self) -> None:
        origin = self._at.origin
        shape = (0, 0, 0) if origin is None else origin.data.pixels.shape
        self.watch.look_at(self._at.layer if origin is not None else None, shape)

    def _on_changed(self, before: Any) -> None:
        self._reading.forget()
        self.cursor = None
        origin = self._at.origin
        if origin is None:
            self._traces.clear_traces()
            return
        if before is not None:
            self._traces.put_aside(title_of(before), _identity(before))
            self._traces.take_back(_identity(origin))
        self._summarise(Part("mean", "Mean"), only_small=True)

    # ---- single pixels

    def _on_hovered(self, pixel: Pixel | None) -> None:
        if pixel is not None:
            self._read("hover", pixel)

    def _on_clicked(self, pixel: Pixel, kept: bool) -> None:
        self._read("keep" if kept else "click", pixel)

    def _read(self, what: str, pixel: Pixel) -> None:
        origin = self._at.origin
        if origin is not None:
            self._reading.do(
                (what, origin, pixel), partial(pixel_trace, origin.data, pixel)
            )

    def _on_spectrum(self, key: Any, trace: Any) -> None:
        what, origin, pixel = key
        self.read.emit()
        if not self._at.is_same(origin):
            return
        where = ", ".join(str(n) for n in pixel[: 3 if pixel[2] else 2])
        if what == "hover":
            self.cursor = replace(trace, name=_CURSOR, color=_CURSOR_COLOR)
            self.cursor_changed.emit()
        else:
            self.cursor = None
            name = f"Pixel {where}" if what == "keep" else _CLICKED
            self._traces.put(replace(trace, name=name))
        words = "no spectrum"
        if len(trace.mz):
            total = float(trace.intensities.sum())
            words = f"{len(trace.mz):,} values, sum {total:.4g}"
        self.said.emit(f"x, y = {where}: {words}")

    def _on_failed(self, key: Any, error: Any) -> None:
        what, origin, pixel = key
        self.read.emit()
        if not self._at.is_same(origin):
            return
        title = f"The spectrum of pixel ({pixel[0]}, {pixel[1]}) cannot be read"
        if what == "hover":  # no panel for each pixel that the mouse passes
            self.cursor = None
            self.cursor_changed.emit()
            self.said.emit(f"{title}: {explain(error).message}")
        else:
            self.failed.emit(title, error)

    # ---- many pixels

    def show_summary(self, kind: str) -> None:
        """Show the mean ("mean") or the highest values ("skyline") of all chosen."""
        self._summarise(Part(kind, "Mean" if kind == "mean" else "Skyline"))

    def show_drawn(self) -> None:
        """Show the mean spectrum of what is drawn on the image."""
        image = self._at.layer
        if image is None:
            return
        active = self._viewer.layers.selection.active
        others = [
            layer
            for layer in reversed(self._viewer.layers)
            if msi_of(layer.metadata) is None
        ]
        for layer in [*([active] if active is not None else []), *others]:
            drawing = drawing_of(layer, image)
            if drawing is not None:
                self._summarise(Part("mean", drawing.name, drawing))
                return
        notify("Draw a closed shape, or a label, on the image first.", "warning")

    def _summarise(self, part: Part, only_small: bool = False) -> None:
        origin, regions = self._at.origin, self._at.regions
        if origin is None:
            return
        if regions is not None and part.drawing is None:
            table = origin.data.pixels
            names = [r.name for r in table.regions if r.index in regions]
            part = replace(part, name=f"{part.name} of {', '.join(names)}")

        def then(trace: Any) -> None:
            if trace is not None and self._at.is_same(origin):
                self._traces.put(trace)

        self._work.do(
            f"Adding up spectra: {part.name}",
            partial(summarised, origin, part, regions, only_small),
            then,
            key=origin.reader,
        )


def _identity(origin: MSILayer) -> str:
    return f"{origin.dataset} of {os.fspath(origin.reader.basename)}"
