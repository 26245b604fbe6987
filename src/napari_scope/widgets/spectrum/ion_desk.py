"""Where ion images come from: the marker in the plot, the form, the list.

The image of the marker is read as soon as it moves, the newest first, and shown in the
layer that follows. What is to be kept is read in a thread of its own, one after the
other: the marker may move on meanwhile. Many images are long work.
"""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.errors import CancelledError
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.spectrum.ion_choice import ion_image, ion_images, mz_text
from napari_scope.widgets.spectrum.ion_layers import IonLayers
from napari_scope.widgets.spectrum.mz_targets import MzTarget
from napari_scope.widgets.spectrum.newest_reading import NewestReading
from napari_scope.widgets.spectrum.slider_link import SliderLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.layers.msi import MSILayer
    from napari_scope.widgets.spectrum.ion_choice import IonChoice
    from napari_scope.widgets.spectrum.ion_form import IonForm
    from napari_scope.widgets.spectrum.long_work import LongWork
    from napari_scope.widgets.spectrum.looked_at import LookedAt
    from napari_scope.widgets.spectrum.mz_table import MzTable
    from napari_scope.widgets.spectrum.spectrum_plot import SpectrumPlot

__all__ = ["IonDesk"]

_MOST_WAITING: Final = 64
"""Ion images that may wait to be read and kept; more are refused, with a word."""


class IonDesk(QObject):
    """Gets ion images and shows them.

    The m/z of the form, the marker of the plot and the m/z slider of napari are one.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Takes the layers.
    looked_at : LookedAt
        Whose images they are.
    form : IonForm
        How they are made.
    table : MzTable
        The list.
    plot : SpectrumPlot
        Its marker is where the form is.
    work : LongWork
        Makes many.
    parent : QObject
        Owner.

    Attributes
    ----------
    said : Signal
        A line for the user.
    failed : Signal
        What was done, and the exception.
    read : Signal
        An image was read, or could not be.
    """

    said = Signal(str)
    failed = Signal(str, object)
    read = Signal()

    def __init__(
        self,
        viewer: Any,
        looked_at: LookedAt,
        form: IonForm,
        table: MzTable,
        plot: SpectrumPlot,
        work: LongWork,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._at = looked_at
        self._form = form
        self._table = table
        self._plot = plot
        self._work = work
        self.layers = IonLayers(viewer)
        self._outdated = threading.Event()
        self._reading = NewestReading(self, "napari-scope ion image")
        self._reading.finished.connect(self._on_image)
        self._reading.failed.connect(self._on_failed)
        self._wanted: deque[tuple[MSILayer, IonChoice, tuple[int, ...] | None]]
        self._wanted = deque()  # what is to be kept; the first one is read
        self._left = threading.Event()
        self._keeping = NewestReading(self, "napari-scope kept ion image")
        self._keeping.finished.connect(self._on_kept)
        self._keeping.failed.connect(self._on_not_kept)
        self._slider = SliderLink(viewer, looked_at, self)
        self._slider.moved.connect(self._on_slider)
        form.changed.connect(self.choose)
        form.add_wanted.connect(self.add)
        form.list_wanted.connect(self.add_to_list)
        table.chosen.connect(self._on_target)
        plot.picked.connect(form.set_mz)
        looked_at.changed.connect(self._on_changed)
        looked_at.regions_changed.connect(self.choose)

    @property
    def busy(self) -> bool:
        """Whether an image is read."""
        return self._reading.busy or bool(self._wanted)

    def close(self) -> None:
        """Let go of the viewer, end the threads."""
        self._slider.stop()
        self._outdated.set()
        self._reading.close()
        self._wanted.clear()
        self._left.set()
        self._keeping.close()

    def _on_changed(self, before: Any) -> None:
        self._outdated.set()
        self._reading.forget()
        self._wanted.clear()
        self._left.set()
        self._left = threading.Event()
        self._keeping.forget()
        self.layers.let_go()
        origin = self._at.origin
        gone = origin is None or (before and origin.reader is not before.reader)
        if before is not None and gone:
            self._work.cancel_about(before.reader)
        if origin is None:
            return
        data = origin.data
        if not data.index_ready:
            self._work.do(
                "Sorting the peaks, for quick ion images",
                lambda cancelled, progress: data.prepare_index(
                    cancelled=cancelled, progress=progress
                ),
                lambda _: None,
                key=origin.reader,
            )

    def choose(self) -> None:
        """Mark what the form says in the plot, and show its image if that follows."""
        choice = self._form.value()
        if choice is None:
            self._plot.set_marker(None, 0.0)
            return
        self._plot.set_marker(choice.mz, choice.half_width)
        self._slider.show_mz(choice.mz)
        if self._form.follows:
            self._follow(choice)

    def look_here(self) -> None:
        """Take the m/z along to another data set; its image only if one is shown."""
        choice = self._form.value()
        if choice is None:
            return
        self._plot.set_marker(choice.mz, choice.half_width)
        self._slider.show_mz(choice.mz)
        self._refresh_preview(choice)

    def _on_slider(self, mz: float) -> None:
        """Go where the slider is; the stack is what the user looks at."""
        self._form.show_mz(mz)
        choice = self._form.value()
        if choice is not None:
            self._plot.set_marker(choice.mz, choice.half_width)
            self._plot.bring_to_sight(choice.mz)
            self._refresh_preview(choice)

    def _refresh_preview(self, choice: IonChoice) -> None:
        layer = self.layers.preview
        if self._form.follows and layer is not None and layer.visible:
            self._follow(choice)

    def add(self) -> None:
        """Keep the ion image of the marker as a layer of its own."""
        origin, choice = self._at.origin, self._form.value()
        if origin is None or choice is None:
            return
        wanted = origin, choice, self._at.regions
        if len(self._wanted) >= _MOST_WAITING:
            self.said.emit(f"{_MOST_WAITING} ion images are being read: wait for them")
            return
        self._wanted.append(wanted)
        if len(self._wanted) == 1:
            self._keep_next()

    def _keep_next(self) -> None:
        if self._wanted:
            origin, choice, regions = self._wanted[0]
            self._keeping.do(
                (origin, choice),
                partial(ion_image, origin.data, choice, regions, self._left.is_set),
            )

    def _follow(self, choice: IonChoice) -> None:
        origin, regions = self._at.origin, self._at.regions
        if origin is None:
            return
        self._outdated.set()
        self._outdated = outdated = threading.Event()
        self._reading.do(
            (origin, choice),
            partial(ion_image, origin.data, choice, regions, outdated.is_set),
        )

    def _on_image(self, key: Any, image: Any) -> None:
        self._show(key, image, self.layers.follow)

    def _on_kept(self, key: Any, image: Any) -> None:
        self._wanted.popleft()
        self._show(key, image, self.layers.keep)
        self._keep_next()

    def _show(self, key: Any, image: Any, take: Callable[..., object]) -> None:
        origin, choice = key
        self.read.emit()
        if not self._at.is_same(origin):
            return
        take(origin, choice, image)
        if not image.any():
            self.said.emit(f"{choice.name}: nothing there. Is the window too narrow?")

    def _on_failed(self, key: Any, error: Any) -> None:
        origin, choice = key
        self.read.emit()
        if self._at.is_same(origin) and not isinstance(error, CancelledError):
            self.failed.emit(f"No ion image of {choice.name}", error)

    def _on_not_kept(self, key: Any, error: Any) -> None:
        self._wanted.popleft()
        self._on_failed(key, error)
        self._keep_next()

    # ---- the list

    def add_to_list(self) -> None:
        """Keep the m/z of the marker in the list."""
        choice = self._form.value()
        if choice is not None:
            mz = round(choice.mz, 6)
            self._table.add([MzTarget("", mz, choice.tolerance, choice.unit)])
            self.said.emit(f"m/z {mz_text(mz)} is in the list")

    def _on_target(self, target: MzTarget) -> None:
        self._form.set_window(target.mz, target.tolerance, target.unit)
        self._plot.bring_to_sight(target.mz)

    def add_ticked(self) -> None:
        """Add the ion images of all ticked rows of the list as layers."""
        origin, targets = self._at.origin, self._table.ticked
        if origin is None or not targets:
            notify("Tick some rows of the list first.", "warning")
            return
        pattern = self._form.pattern()
        choices = [pattern.at(t.mz, t.tolerance, t.unit, t.name) for t in targets]

        def then(images: Any) -> None:
            if self._at.is_same(origin):
                for choice, image in zip(choices, images, strict=True):
                    self.layers.keep(origin, choice, image)

        self._work.do(
            f"Making {len(choices)} ion images",
            partial(ion_images, origin.data, choices, self._at.regions),
            then,
            key=origin.reader,
        )
