"""Which pixel of a mass-spectrometry image the mouse is on, and which is clicked.

The image that counts is the selected layer if it is one, and otherwise the one that
counted before: a drawing on top of it may be selected. While a layer is being edited
the mouse belongs to that, and outside of two dimensions nothing is under the cursor.

It knows layers and pixels, no files and no spectra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari.viewer

__all__ = ["Pixel", "PixelWatch", "pixel_at"]

Pixel: TypeAlias = tuple[int, int, int]
"""x, y and z, from the corner of the image."""

_STILL_PX = 4.0  # of the canvas: a hand that clicks is not quite still


def pixel_at(layer: Any, world: Any, shape: tuple[int, int, int]) -> Pixel | None:
    """Return the pixel of a layer at a place of the world, None beside the image.

    Parameters
    ----------
    layer : napari layer
        An image, (y, x), with further axes before these.
    world : sequence of float
        The place.
    shape : tuple of int
        Width, height and depth of the image.
    """
    try:
        place = [float(value) for value in layer.world_to_data(world)]
    except (ValueError, IndexError, TypeError, RuntimeError):
        return None  # it is being changed at this moment
    if len(place) < 2:
        return None
    deep = shape[2] > 1 and len(place) > 2
    try:
        z = round(place[-3]) if deep else 0
        x, y = round(place[-1]), round(place[-2])
    except (ValueError, OverflowError):  # beside everything: no number
        return None
    inside = 0 <= x < shape[0] and 0 <= y < shape[1] and 0 <= z < shape[2]
    return (x, y, z) if inside else None


class PixelWatch(QObject):
    """Listens to the canvas of a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    parent : QObject
        Owner.

    Attributes
    ----------
    hovered : Signal
        The pixel under the mouse, None for none.
    clicked : Signal
        A pixel was clicked; and whether Shift was held.
    """

    hovered = Signal(object)
    clicked = Signal(object, bool)

    def __init__(self, viewer: napari.viewer.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._layer: Any = None
        self._shape = (0, 0, 0)
        self._pixel: Pixel | None = None
        self._viewer.cursor.events.position.connect(self._on_moved)
        self._viewer.mouse_drag_callbacks.append(self._on_press)

    def look_at(self, layer: Any, shape: tuple[int, int, int]) -> None:
        """Tell about the pixels of a layer, None for none."""
        self._layer, self._shape = layer, shape
        self._tell(None)

    def stop(self) -> None:
        """Let go of the viewer; idempotent."""
        self._layer = None
        self._viewer.cursor.events.position.disconnect(self._on_moved)
        if self._on_press in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_press)

    @property
    def pixel(self) -> Pixel | None:
        """The pixel under the mouse."""
        return self._pixel

    def _found(self, world: Any) -> Pixel | None:
        if self._layer is None or self._viewer.dims.ndisplay != 2:
            return None
        return pixel_at(self._layer, world, self._shape)

    def _on_moved(self, _: object = None) -> None:
        # Sliders and layers that come move the cursor, too, with no mouse on the image.
        if self._viewer.mouse_over_canvas:
            self._tell(self._found(self._viewer.cursor.position))

    def _tell(self, pixel: Pixel | None) -> None:
        if pixel != self._pixel:
            self._pixel = pixel
            self.hovered.emit(pixel)

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1 or self._layer is None or _is_edited(viewer):
            return
        begin = event.pos
        shift = "Shift" in {str(name) for name in event.modifiers}
        pixel = self._found(event.position)
        moved = False
        yield
        while event.type == "mouse_move":
            away = max(abs(float(a - b)) for a, b in zip(event.pos, begin, strict=True))
            moved = moved or away > _STILL_PX
            yield
        if pixel is not None and not moved:
            self.clicked.emit(pixel, shift)


def _is_edited(viewer: Any) -> bool:
    active = viewer.layers.selection.active
    return active is not None and str(active.mode) not in ("pan_zoom", "transform")
