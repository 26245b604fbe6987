"""The tab "Frame" of the Browse dock: what was saved with the frame in view.

It says which frame is meant; reading it is the business of a `FrameReader`, showing it
that of a `FieldView`, as in the Metadata dock.

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
from napari_scope.widgets.frames.field_view import FieldView
from napari_scope.widgets.frames.frame_document import FrameDocument
from napari_scope.widgets.frames.frame_reader import FrameReader
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
        self._closed = False
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.view = FieldView()
        column = QVBoxLayout(self)
        column.addWidget(self.label)
        column.addWidget(self.view, 1)
        self.point = ViewedPoint(viewer, self)
        self.point.changed.connect(self.look)
        self._reader = FrameReader(self)
        self._reader.read.connect(self._show)
        self._reader.slow.connect(self._show_reading)

    def look(self) -> None:
        """Show what was saved with the frame of the selected layer."""
        if self._closed:
            return
        layer = self._viewer.layers.selection.active
        origin = None if layer is None else origin_of(layer.metadata)
        self.point.listen_to(layer)
        self.layer_looked_at.emit(layer, origin)
        if origin is None or len(origin.axes) != layer.ndim:
            self._reader.forget()
            self._show(FrameDocument(why_empty=_NOTHING))
            return
        self._reader.look(origin, self.point.on(layer))

    def close_down(self) -> None:
        """Stop listening and reading; idempotent."""
        self._closed = True
        self.point.stop()
        self._reader.close()

    def _show_reading(self) -> None:
        self.label.setText("Reading …")
        self.label.setVisible(True)
        self.view.tree.setEnabled(False)

    def _show(self, found: FrameDocument) -> None:
        self.label.setText(found.title)
        self.label.setVisible(bool(found.title))
        self.view.tree.setEnabled(True)
        self.view.set_document(found.document, found.why_empty)
