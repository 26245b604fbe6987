"""The tab "This frame" of the Browse dock: what was saved with the frame in view.

The metadata are read in a thread; while one wish is read, the newest is kept.

Examples
--------
>>> tab = FrameTab(napari_viewer)  # doctest: +SKIP
>>> tab.look()  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_scope.layers import origin_of
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.frames.frame_report import FrameReport, read_report
from napari_scope.widgets.frames.metadata_view import MetadataView
from napari_scope.widgets.frames.viewed_point import ViewedPoint

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["FrameTab"]

_NOTHING: Final = "Nothing to show."


class FrameTab(QWidget):
    """Shows the metadata of the frame that is looked at.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.

    Attributes
    ----------
    layer_looked_at : Signal
        Another layer or point may be looked at; carries the layer and its origin, or
        None.
    """

    layer_looked_at = Signal(object, object)

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer: Any = viewer
        self._wanted: object = None
        self._closed = False
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.view = MetadataView()
        column = QVBoxLayout(self)
        column.addWidget(self.label)
        column.addWidget(self.view, 1)
        self.point = ViewedPoint(viewer, self)
        self.point.changed.connect(self.look)
        self._reader = BackgroundCall(self, abandon=True)
        self._reader.finished.connect(self._on_read)
        self._reader.failed.connect(self._on_not_read)

    def look(self) -> None:
        """Show what was saved with the frame of the selected layer."""
        if self._closed:
            return
        layer = self._viewer.layers.selection.active
        origin = None if layer is None else origin_of(layer.metadata)
        self.point.listen_to(layer)
        self.layer_looked_at.emit(layer, origin)
        if layer is None or origin is None:
            self._wanted = None
            self._show(FrameReport(why_empty=_NOTHING))
            return
        position = self.point.on(layer)
        place = origin.find(position)
        wanted = (origin, None if place is None else (place.image, place.index))
        if wanted == self._wanted:
            return
        if self._reader.busy:
            self.point.soon()  # the newest wish counts, once the reader is free
            return
        self._wanted = wanted
        self._reader.start(
            lambda: read_report(origin, position), "napari-scope metadata"
        )

    def close_down(self) -> None:
        """Stop listening and reading; idempotent."""
        self._closed = True
        self.point.stop()
        self._reader.close()

    def _on_read(self, frame: FrameReport) -> None:
        if self._wanted is not None:
            self._show(frame)

    def _on_not_read(self, error: BaseException) -> None:
        words = explain(error)
        self._on_read(
            FrameReport(why_empty=f"The metadata cannot be read: {words.message}")
        )

    def _show(self, frame: FrameReport) -> None:
        self.label.setText(frame.title)
        self.label.setVisible(bool(frame.title))
        self.view.set_metadata(frame.metadata, frame.why_empty, frame.rows)
