"""The point of a viewer that is looked at: sliders, cursor, or the middle of the view.

Sliders say the plane. Within the plane it is where the cursor rests, until the view is
moved: then it is the middle again. Whoever shows what lies there hears of every change,
but not more often than it can be read, and of a slider that is dragged all the same.

It knows the viewer and nothing of stores; a layer is only asked for its coordinates.

Examples
--------
>>> point = ViewedPoint(viewer, dock)  # doctest: +SKIP
>>> point.changed.connect(lambda: print(point.on(layer)))  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

__all__ = ["ViewedPoint"]

_PATIENCE_MS: Final = 60
_CURSOR_RESTS_MS: Final = 200


class ViewedPoint(QObject):
    """Follows sliders, selection, view and cursor of a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    parent : QObject
        Owner.

    Attributes
    ----------
    cursor_counts : bool
        Whether the cursor is followed; at first it is not.
    changed : Signal
        The point or the selected layer may be another one.
    """

    changed = Signal()

    def __init__(self, viewer: napari.viewer.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._layer: Any = None
        self._cursor: tuple[float, ...] | None = None
        self._stopped = False
        self.cursor_counts = False
        self._patience = self._single_shot(_PATIENCE_MS, self.changed.emit)
        self._rest = self._single_shot(_CURSOR_RESTS_MS, self._on_cursor_rests)
        self._connections: list[tuple[Any, Callable[..., None]]] = [
            (self._viewer.layers.selection.events.active, self.soon),
            (self._viewer.layers.events.inserted, self.soon),
            (self._viewer.layers.events.removed, self.soon),
            (self._viewer.dims.events.point, self.soon),
            (self._viewer.dims.events.ndisplay, self.soon),
            (self._viewer.dims.events.order, self.soon),
            (self._viewer.cursor.events.position, self._on_cursor),
            (self._viewer.scene.camera.events.center, self._on_camera),
            (self._viewer.scene.camera.events.zoom, self._on_camera),
        ]
        for emitter, slot in self._connections:
            emitter.connect(slot)

    def _single_shot(self, interval_ms: int, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval_ms)
        timer.timeout.connect(call)
        return timer

    def soon(self, _: object = None) -> None:
        """Tell of a change soon; a slider that is being dragged is followed too."""
        if not self._stopped and not self._patience.isActive():
            self._patience.start()

    def on(self, layer: Any) -> list[float]:
        """Return the point in data coordinates of a layer, one number for each axis."""
        dims = self._viewer.dims
        point = list(dims.point)
        displayed = list(dims.displayed)[-2:]
        center = self._cursor
        if center is None:
            view = tuple(self._viewer.scene.camera.center)[-2:]
            for axis, value in zip(displayed, view, strict=True):
                point[axis] = value
        elif len(center) == len(point):
            for axis in displayed:
                point[axis] = center[axis]
        return [float(x) for x in layer.world_to_data(point)]

    def listen_to(self, layer: Any) -> None:
        """Hear of it when the layer gets other data or another origin."""
        if layer == self._layer:  # not `is`: one may be a proxy of napari's menus
            return
        if self._layer is not None:
            self._layer.events.metadata.disconnect(self.soon)
        self._layer = layer
        if layer is not None:
            layer.events.metadata.connect(self.soon)

    def stop(self) -> None:
        """Let go of the viewer; idempotent."""
        if self._stopped:
            return
        self._stopped = True
        self._patience.stop()
        self._rest.stop()
        self.listen_to(None)
        for emitter, slot in self._connections:
            emitter.disconnect(slot)
        self._connections.clear()

    # ---- what the viewer tells

    def _on_cursor(self, _: object = None) -> None:
        # Only where it rests: on its way to the table it must not change the table.
        if not self._stopped and self.cursor_counts:
            self._rest.start()

    def _on_cursor_rests(self) -> None:
        if self._viewer.mouse_over_canvas:
            self._cursor = tuple(self._viewer.cursor.position)
            self.soon()

    def _on_camera(self, _: object = None) -> None:
        self._cursor = None
        self.soon()
