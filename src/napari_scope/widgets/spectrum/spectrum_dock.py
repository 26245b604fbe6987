"""The Spectra dock: spectra of mass-spectrometry images, and images of their peaks.

The mouse on an image shows the spectrum under it, a click keeps it. A click on a peak
shows its ion image in a layer that follows; "Add ion image" keeps it in a colour of its
own. Mean and highest spectra are of the chosen regions, or of what is drawn. Everything
is read in threads, the newest of what is asked for comes first, and what takes long has
a bar and can be cancelled.

The dock finds out what is looked at and brings parts together that do not know each
other: plot, pages, canvas and layers. It holds a file only as long as one of its layers
is in the viewer.

Examples
--------
>>> dock = SpectrumDock(viewer)  # doctest: +SKIP
>>> viewer.window.add_dock_widget(dock, name="Spectra", area="bottom")  # doctest: +SKIP
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_scope.layers.msi_about import about
from napari_scope.widgets.common.closing import main_window_of
from napari_scope.widgets.common.dock import ScopeDock
from napari_scope.widgets.common.error_panel import ErrorPanel, explain
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.frames.theme_colors import theme_colors
from napari_scope.widgets.spectrum.data_bar import DataBar
from napari_scope.widgets.spectrum.ion_choice import mz_text
from napari_scope.widgets.spectrum.ion_desk import IonDesk
from napari_scope.widgets.spectrum.long_work import LongWork
from napari_scope.widgets.spectrum.looked_at import LookedAt, title_of
from napari_scope.widgets.spectrum.mz_targets import MzTarget
from napari_scope.widgets.spectrum.newest_reading import NewestReading
from napari_scope.widgets.spectrum.pages import Pages
from napari_scope.widgets.spectrum.place import beside_the_layers, prefer_bottom
from napari_scope.widgets.spectrum.problem_watch import ProblemWatch
from napari_scope.widgets.spectrum.saving import Saving
from napari_scope.widgets.spectrum.spectra_desk import SpectraDesk
from napari_scope.widgets.spectrum.spectrum_plot import SpectrumPlot
from napari_scope.widgets.spectrum.trace import legend_of

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtGui import QResizeEvent, QShowEvent

__all__ = ["SpectrumDock"]

_NOTHING: Final = (
    "Open a mass-spectrometry image, an imzML file for example (File, Open), "
    "and its spectra are shown here."
)


class SpectrumDock(ScopeDock):
    """Shows spectra.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer, "spectra")
        prefer_bottom()
        # A dock of napari's menu is given a proxy, of which each layer is another one.
        self._viewer: Any = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.bar = DataBar()
        self.plot = SpectrumPlot()
        self.readout = QLabel()
        self.legend = QLabel()
        self.pages = pages = Pages()
        self.work = LongWork()
        self.error_panel = ErrorPanel()
        self._lay_out()
        self.looked_at = at = LookedAt(self._viewer, self)
        self.spectra = SpectraDesk(self._viewer, at, pages.traces, self.work, self)
        self.ions = IonDesk(
            self._viewer, at, pages.form, pages.table, self.plot, self.work, self
        )
        self.saving = Saving(self, self._viewer, at, pages, self.work)
        self.saving.fill(self.bar.export_menu)
        self.problems = ProblemWatch()
        self._facts = NewestReading(self, "napari-scope spectra facts")
        self._connect_parts()
        self._on_theme()
        self.restore_remembered()
        at.refresh()

    def _lay_out(self) -> None:
        self.readout.setTextFormat(Qt.TextFormat.PlainText)
        self.readout.setSizePolicy(self.bar.file_label.sizePolicy())
        self.legend.setMinimumWidth(1)  # long names do not widen the window
        words = QHBoxLayout()
        words.addWidget(self.readout, 1)
        words.addWidget(self.legend)
        left = QWidget()
        inner = QVBoxLayout(left)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(2)
        inner.addWidget(self.plot, 1)
        inner.addLayout(words)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(left)
        # An error takes its room from the pages: the plot is low enough.
        right = QWidget()
        side = QVBoxLayout(right)
        side.setContentsMargins(0, 0, 0, 0)
        side.addWidget(self.error_panel)
        side.addWidget(self.pages, 1)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self.empty_label = QLabel(_NOTHING)
        self.empty_label.setWordWrap(True)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        full = QWidget()
        body = QVBoxLayout(full)
        body.setContentsMargins(0, 0, 0, 0)
        body.addWidget(self.bar)
        body.addWidget(self.splitter, 1)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty_label)
        self.stack.addWidget(full)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.stack, 1)
        layout.addWidget(self.work)

    def _connect_parts(self) -> None:
        pages, bar, at = self.pages, self.bar, self.looked_at
        at.changed.connect(self._on_changed)
        at.regions_changed.connect(lambda: bar.show_origin(at.origin, at.regions))
        bar.dataset_chosen.connect(at.choose_dataset)
        bar.regions_chosen.connect(at.choose_regions)
        bar.problems_wanted.connect(lambda: pages.setCurrentWidget(pages.about))
        pages.traces.changed.connect(self._draw)
        self.spectra.cursor_changed.connect(self._draw)
        for desk in (self.spectra, self.ions):
            desk.said.connect(self.readout.setText)
            desk.failed.connect(self._on_failed)
            desk.read.connect(self._look_for_problems)
        self.saving.failed.connect(self._on_failed)
        self.work.failed.connect(self._on_failed)
        self.work.ended.connect(self._look_for_problems)
        pages.mean_button.clicked.connect(lambda: self.spectra.show_summary("mean"))
        pages.skyline_button.clicked.connect(
            lambda: self.spectra.show_summary("skyline")
        )
        pages.drawn_button.clicked.connect(self.spectra.show_drawn)
        pages.log_box.toggled.connect(self.plot.set_log)
        pages.relative_box.toggled.connect(self.plot.set_relative)
        pages.all_button.clicked.connect(self.ions.add_ticked)
        self.plot.pointed.connect(self._on_pointed)
        self._facts.finished.connect(self._on_facts)
        self._facts.failed.connect(self._on_no_facts)
        self._viewer.events.theme.connect(self._on_theme)

    # ---- state

    def state(self) -> dict[str, Any]:
        """Return what is remembered: how images are made, the list, the page."""
        return {
            "form": self.pages.form.state(),
            "page": self.pages.currentIndex(),
            "log": self.pages.log_box.isChecked(),
            "relative": self.pages.relative_box.isChecked(),
            "targets": [
                [t.name, t.mz, t.tolerance, t.unit] for t in self.pages.table.targets
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the state of an earlier session."""
        self.pages.form.restore(state.get("form", {}))
        self.pages.setCurrentIndex(int(state.get("page", 0)))
        self.pages.log_box.setChecked(bool(state.get("log", False)))
        self.pages.relative_box.setChecked(bool(state.get("relative", False)))
        self.pages.table.set_targets(
            MzTarget(
                str(name),
                float(mz),
                None if width is None else float(width),
                "Da" if unit == "Da" else "ppm",
            )
            for name, mz, width, unit in state.get("targets", ())
        )

    def on_shut_down(self) -> None:
        """Let go of the viewer and the file, end the threads."""
        self._viewer.events.theme.disconnect(self._on_theme)
        self.looked_at.stop()
        self.spectra.close()
        self.ions.close()
        self._facts.close()
        self.work.close_work()

    def sizeHint(self) -> QSize:
        """Ask for a low place below the image, or a narrow one beside it."""
        height = self.fontMetrics().height()
        return QSize(24 * height, 20 * height)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Find a place in the window that leaves room for the plot."""
        super().showEvent(event)
        window = main_window_of(self)
        if window is not None:
            beside_the_layers(window)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Lay plot and pages side by side, or one below the other."""
        super().resizeEvent(event)
        wide = self.width() > 1.3 * self.height()
        wanted = Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical
        if self.splitter.orientation() != wanted:
            self.splitter.setOrientation(wanted)

    # ---- what is looked at

    @property
    def busy(self) -> bool:
        """Whether something is read."""
        parts = (self.work, self.spectra, self.ions, self._facts)
        return self.looked_at.pending or any(part.busy for part in parts)

    def _on_changed(self, _before: object) -> None:
        origin = self.looked_at.origin
        self.bar.show_origin(origin, None)
        self.stack.setCurrentIndex(0 if origin is None else 1)
        self.readout.clear()
        self.error_panel.clear()
        self._facts.forget()
        if origin is None:
            self.plot.forget()
            self.pages.about.set_document({}, "")
            return
        self.pages.about.set_document({}, "Reading…")
        self._facts.do(origin, partial(about, origin))
        self.problems.look(origin.reader)
        self.ions.look_here()
        self._draw()

    def _draw(self) -> None:
        self.plot.show_traces(self.pages.traces.traces, self.spectra.cursor)
        self.legend.setText(legend_of(self.plot.traces))

    def _look_for_problems(self) -> None:
        """Tell what was found to be wrong with the file while it was read."""
        origin = self.looked_at.origin
        if origin is None:
            return
        changed, news = self.problems.look(origin.reader)
        if changed:
            self.bar.show_problems()
            self._facts.do(origin, partial(about, origin))
        for problem in news:
            notify(f"{title_of(origin)}: {problem}", "warning")

    # ---- looks and words

    def _on_pointed(self, mz: float) -> None:
        if np.isfinite(mz):
            self.readout.setText(f"m/z {mz_text(mz)}")

    def _on_facts(self, origin: Any, document: Any) -> None:
        if origin is self.looked_at.origin:
            self.pages.about.set_document(document)

    def _on_no_facts(self, origin: Any, error: Any) -> None:
        if origin is self.looked_at.origin:
            words = explain(error).message
            self.pages.about.set_document({}, f"The file cannot be read: {words}")

    def _on_failed(self, what: str, error: Any) -> None:
        self.error_panel.show_error(error, what)

    def _on_theme(self, _: object = None) -> None:
        self.plot.set_colors(*theme_colors(self._viewer))
