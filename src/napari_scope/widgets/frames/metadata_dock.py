"""The Metadata dock: the frame that is looked at, its store, and numbers over time.

The first tab has what was saved with the frame under the sliders and the selected
layer: of stores, of a run that goes on, of the live view, and of any other layer what
napari knows. The second has what the store says of itself, the third plots any number.

Files are read in threads, one call at a time and only the latest; pixels never, but for
the intensities that are asked for. The dock finds out which frame is meant; how it is
shown is the business of its tabs.

Examples
--------
>>> dock = MetadataDock(viewer)  # doctest: +SKIP
>>> viewer.window.add_dock_widget(dock, name="Metadata")  # doctest: +SKIP
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QTabWidget, QVBoxLayout

from napari_scope.errors import ScopeError
from napari_scope.formats.frame_records import Place
from napari_scope.formats.frame_table import FrameSheet, frame_table
from napari_scope.formats.store_summary import store_summary
from napari_scope.layers import origin_of
from napari_scope.layers.live_origin import run_origin_of
from napari_scope.stream.frame_records import StreamFrames
from napari_scope.widgets.common.dock import ScopeDock
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.common.microscope import Microscope
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.frames.field_view import FieldView
from napari_scope.widgets.frames.frame_document import (
    LAYER_SECTION,
    FrameDocument,
    layer_document,
    sorted_facts,
)
from napari_scope.widgets.frames.frame_reader import FrameReader
from napari_scope.widgets.frames.frame_tab import FrameTab
from napari_scope.widgets.frames.latest_call import LatestCall
from napari_scope.widgets.frames.plots_tab import PlotsTab
from napari_scope.widgets.frames.show_frame import show_frame
from napari_scope.widgets.frames.theme_colors import theme_colors
from napari_scope.widgets.frames.viewed_point import ViewedPoint
from napari_scope.widgets.frames.viewed_value import ViewedValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari.viewer

    from napari_scope.layers import LayerOrigin
    from napari_scope.model import Dataset, Image

__all__ = ["MetadataDock"]

_PULSE_MS: Final = 500
_NO_LAYER: Final = "Select a layer to see what is known of it."
_NO_STORE: Final = "This layer was not opened from a data set of a microscope."


class MetadataDock(ScopeDock):
    """Shows what is known of frames and stores.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    microscope : Microscope, optional
        Whose runs are shown while they go on; by default the shared one.
    """

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        microscope: Microscope | None = None,
    ) -> None:
        super().__init__(napari_viewer, "metadata")
        self.microscope = Microscope.shared() if microscope is None else microscope
        self.microscope.hold(self)
        self._viewer: Any = napari_viewer
        self._origin: LayerOrigin | None = None
        self._shown = FrameDocument()
        self._summary_of: object = None
        self.frame_tab = FrameTab()
        self.store_view = FieldView()
        self.plots_tab = PlotsTab()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.frame_tab, "Fra&me")
        self.tabs.addTab(self.store_view, "Sto&re")
        self.tabs.addTab(self.plots_tab, "Pl&ots")
        self.tabs.setTabToolTip(0, "The frame under the sliders")
        self.tabs.setTabToolTip(1, "What the store says of itself")
        self.tabs.setTabToolTip(2, "Any saved number over time or frames")
        layout = QVBoxLayout(self)
        # The image needs the width more than the edges of a dock do.
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.tabs, 1)
        self._frames = FrameReader(self)
        self._frames.read.connect(self._show)
        self._frames.slow.connect(self.frame_tab.show_reading)
        self._stores = LatestCall(self, "napari-scope store facts")
        self._stores.finished.connect(self._on_summary)
        self._stores.failed.connect(self._on_summary_failed)
        # Which point of the plots a frame is, and where a point is: that may read.
        self._marks = LatestCall(self, "napari-scope plot place")
        self._marks.finished.connect(self._on_marked)
        self._clicks = LatestCall(self, "napari-scope frame place")
        self._clicks.finished.connect(self._on_place)
        self._clicks.failed.connect(self._on_no_place)
        self._point = ViewedPoint(napari_viewer, self)
        self._point.cursor_counts = True
        self._point.changed.connect(self.refresh)
        self._value = ViewedValue(napari_viewer, self)
        self._value.changed.connect(self.frame_tab.show_value)
        self._viewer.events.theme.connect(self._on_theme)
        self.plots_tab.frame_clicked.connect(self._on_frame_clicked)
        self.plots_tab.read.connect(self._mark)
        self.frame_tab.sheet_wanted = self._open_sheet
        self.tabs.currentChanged.connect(self._on_tab)
        # What grows by itself, a run or a live view, is looked at twice a second.
        self._pulse = QTimer(self)
        self._pulse.setInterval(_PULSE_MS)
        self._pulse.timeout.connect(self._on_pulse)
        self._pulse.start()
        self.microscope.run_ended.connect(self._on_run_ended)
        self._on_theme()
        self.restore_remembered()
        self.refresh()

    # ---- state

    def state(self) -> dict[str, Any]:
        """Return what is remembered: pins, what is plotted, the tab."""
        return {
            "pins": list(self.frame_tab.view.pins),
            "store pins": list(self.store_view.pins),
            "plots": self.plots_tab.chosen,
            "marks": self.frame_tab.marks,
            "tab": self.tabs.currentIndex(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the state of an earlier session."""
        self.frame_tab.view.set_pins([str(n) for n in state.get("pins", ())])
        self.store_view.set_pins([str(n) for n in state.get("store pins", ())])
        self.plots_tab.set_chosen([str(n) for n in state.get("plots", ())])
        self.frame_tab.set_marks(bool(state.get("marks", True)))
        self.tabs.setCurrentIndex(int(state.get("tab", 0)))

    def on_shut_down(self) -> None:
        """Let go of the viewer and the microscope, end the threads."""
        self._pulse.stop()
        self._point.stop()
        self._value.stop()
        self._viewer.events.theme.disconnect(self._on_theme)
        self.microscope.run_ended.disconnect(self._on_run_ended)
        self._frames.close()
        for call in (self._stores, self._marks, self._clicks):
            call.close()
        self.plots_tab.shut_down()
        self.frame_tab.shut_down()
        self.microscope.release(self)

    # ---- which frame

    @property
    def origin(self) -> LayerOrigin | None:
        """Where the selected layer comes from; None of a layer of others."""
        return self._origin

    @property
    def busy(self) -> bool:
        """Whether something is being read."""
        return self._frames.busy or self._stores.busy or self.plots_tab.busy

    def refresh(self) -> None:
        """Look at the viewer, and show what is under its sliders."""
        if self.is_shut_down:
            return
        layer = self._viewer.layers.selection.active
        self._point.listen_to(layer)
        self._value.soon()
        self._origin = None
        if layer is None:
            self._forget(_NO_LAYER)
            return
        metadata = layer.metadata
        origin = origin_of(metadata) or run_origin_of(metadata)
        about = layer_document(layer)
        if origin is None:
            self._show_layer(layer, about)
            return
        self._origin = origin
        if len(origin.axes) != layer.ndim:
            self._show_layer(layer, about)
            return
        self._frames.look(origin, self._point.on(layer), about)
        self._offer_store(origin)

    def _forget(self, words: str) -> None:
        self._frames.forget()
        self._stores.forget()
        self._summary_of = None
        self._shown = FrameDocument()
        self.frame_tab.show_nothing(words)
        self.store_view.set_document({}, words)
        self.plots_tab.set_source(None, None)

    def _show_layer(self, layer: Any, about: dict[str, object]) -> None:
        """Show a layer that has no store: the live view, or one of others."""
        self._frames.forget()
        self._stores.forget()
        self._summary_of = None
        facts = layer.metadata.get("napari_scope")
        live = isinstance(facts, dict) and "live" in facts
        if live and isinstance(facts, dict):
            about.pop("metadata", None)
            sections = {**sorted_facts(facts), LAYER_SECTION: about}
            title = "live frame" if facts["live"] else "snapped frame"
            self._show(FrameDocument(title, sections, facts, is_there=True))
        else:
            self._show(FrameDocument(str(layer.name), {LAYER_SECTION: about}, about))
        self.store_view.set_document({}, _NO_STORE)
        if self._origin is None:
            self.plots_tab.set_source(None, None)

    def _show(self, found: FrameDocument) -> None:
        if not self._frames.busy:
            self._shown = found
        self.frame_tab.show_frame(found)
        self._mark()

    def _on_pulse(self) -> None:
        layer = self._viewer.layers.selection.active
        if layer is None or not self.isVisible():
            return
        facts = layer.metadata.get("napari_scope")
        live = isinstance(facts, dict) and facts.get("live") is True
        if live:
            self.refresh()
            return
        origin = self._origin
        if origin is None or origin.dataset.finished:
            return
        if not self._shown.is_there and not self._frames.busy:
            self.refresh()
        if origin.dataset.format != "run" or self.microscope.running:
            self.plots_tab.grow()

    def _on_run_ended(self, _run: object) -> None:
        self._summary_of = None
        self.refresh()
        self.plots_tab.grow()

    # ---- the store

    def _offer_store(self, origin: LayerOrigin) -> None:
        dataset = origin.dataset
        # The layers of a run have data sets of their own over the same images.
        key = dataset.path or id(dataset.images[0].levels[0])
        self.plots_tab.set_source(key, partial(_open_table, dataset))
        if self.tabs.currentWidget() is not self.store_view:
            return
        if self._summary_of == id(dataset):
            return
        self._summary_of = id(dataset)
        self.store_view.set_document({}, "Reading…")
        self._stores.do(id(dataset), partial(_summary, dataset), about=id(dataset))

    def _on_tab(self, _: int) -> None:
        if self._origin is not None and not self.is_shut_down:
            self._offer_store(self._origin)

    def _on_summary(self, key: object, result: object) -> None:
        assert isinstance(result, dict)
        if key == self._summary_of:
            self.store_view.set_document(result)

    def _on_summary_failed(self, _key: object, error: object) -> None:
        assert isinstance(error, BaseException)
        words = explain(error).message
        self.store_view.set_document({}, f"The store cannot be read: {words}")

    def _open_sheet(self) -> tuple[FrameSheet, Sequence[Image]] | None:
        """Return the table of the store that is shown, for an export; in a thread."""
        origin = self._origin
        return None if origin is None else _open_table(origin.dataset)

    # ---- plots

    def _mark(self) -> None:
        sheet, place = self.plots_tab.sheet, self._shown.place
        if sheet is None or place is None:
            self._marks.forget()
            self.plots_tab.set_current(None)
            return
        find = partial(sheet.number_at, place.image, place.index)
        self._marks.do(place, find, about=id(sheet))

    def _on_marked(self, place: object, number: object) -> None:
        if place == self._shown.place:
            self.plots_tab.set_current(number if isinstance(number, int) else None)

    def _on_frame_clicked(self, number: int) -> None:
        sheet, origin = self.plots_tab.sheet, self._origin
        if sheet is not None and origin is not None:
            self._clicks.do(origin, partial(sheet.place, number), about=id(sheet))

    def _on_place(self, origin: object, place: object) -> None:
        if origin is not self._origin or self._origin is None:
            return  # another store is looked at by now
        if isinstance(place, Place):
            show_frame(self._viewer, self._origin, place)

    def _on_no_place(self, _origin: object, error: object) -> None:
        assert isinstance(error, BaseException)
        notify(f"The frame cannot be shown: {explain(error).message}", "warning")

    def _on_theme(self, _: object = None) -> None:
        self.plots_tab.plot.set_colors(*theme_colors(self._viewer))


def _summary(dataset: Dataset) -> dict[str, object]:
    """Return the summary of a store; of a run, of the first store that it writes."""
    if dataset.format != "run":
        return store_summary(dataset)
    from napari_scope.formats import open_dataset

    frames = dataset.images[0].frames
    path = frames.path if isinstance(frames, StreamFrames) else None
    if path is not None:
        try:
            return store_summary(open_dataset(path))
        except ScopeError:
            pass  # not all of it is there yet: what is known by the run
    return store_summary(dataset)


def _open_table(dataset: Dataset) -> tuple[FrameSheet, Sequence[Image]]:
    """Open the table of a data set, or of a run that goes on."""
    for image in dataset.images:
        if isinstance(image.frames, StreamFrames):
            records = image.frames.records()
            if records is not None:
                return FrameSheet(records, dataset.path), dataset.images
    return frame_table(dataset), dataset.images
