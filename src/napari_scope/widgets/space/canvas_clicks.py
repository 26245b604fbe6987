"""What the mouse and the arrow keys do in the canvas while a mode of the dock is on.

Without a mode the canvas is napari's alone. With one, a double click no longer zooms
but names a place on the stage; in the mode that explores, dragging names all under
the mouse and does not move the view; in the mode that moves, the arrow keys step. A
layer that is being edited keeps its mouse.

It knows nothing of stages and tiles: it says where something was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.widgets.space.world import is_drawing, stage_point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari.viewer

__all__ = ["CanvasClicks", "Mode"]

Mode: TypeAlias = Literal["", "move", "explore"]

_KEYS: Final = {
    "Left": (-1, 0, 0),
    "Right": (1, 0, 0),
    "Up": (0, -1, 0),
    "Down": (0, 1, 0),
    "PageUp": (0, 0, 1),
    "PageDown": (0, 0, -1),
}


class CanvasClicks(QObject):
    """Listens to the canvas of a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    parent : QObject, optional
        Owner.

    Attributes
    ----------
    pointed : Signal
        A double click, at x and y in micrometers.
    painted : Signal
        The mouse was dragged in the mode "explore": a list of places (x, y).
    stepped : Signal
        An arrow key: steps to the right, down, and up with the focus; and whether
        they are fine ones (Shift).
    mode_changed : Signal
        The mode, "" for none.
    """

    pointed = Signal(float, float)
    painted = Signal(object)
    stepped = Signal(int, int, int, bool)
    mode_changed = Signal(str)

    def __init__(
        self, viewer: napari.viewer.Viewer, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._mode: Mode = ""
        self._set_aside: list[Callable[..., Any]] = []
        self._keys: list[Any] = []

    @property
    def mode(self) -> Mode:
        """What a double click means now."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Take the canvas for a mode, or give it back with ""."""
        if mode == self._mode:
            return
        self._give_back()
        self._mode = mode
        if mode:
            clicks = self._viewer.mouse_double_click_callbacks
            # napari zooms at a double click; that waits meanwhile.
            self._set_aside = [
                call for call in clicks if call.__name__ == "double_click_to_zoom"
            ]
            for call in self._set_aside:
                clicks.remove(call)
            clicks.append(self._on_double_click)
        if mode == "explore":
            self._viewer.mouse_drag_callbacks.append(self._on_drag)
            self._hold_view()
            self._viewer.layers.selection.events.active.connect(self._hold_view)
        if mode == "move":
            self._bind_keys()
        self.mode_changed.emit(mode)

    def close(self) -> None:
        """Give everything back; idempotent."""
        self._give_back()
        self._mode = ""

    def _give_back(self) -> None:
        viewer = self._viewer
        clicks, drags = viewer.mouse_double_click_callbacks, viewer.mouse_drag_callbacks
        if self._on_double_click in clicks:
            clicks.remove(self._on_double_click)
        clicks.extend(call for call in self._set_aside if call not in clicks)
        self._set_aside = []
        if self._on_drag in drags:
            drags.remove(self._on_drag)
            viewer.layers.selection.events.active.disconnect(self._hold_view)
            active = viewer.layers.selection.active
            viewer.scene.camera.mouse_pan = active is None or active.mouse_pan
        for key in self._keys:
            viewer.bind_key(key, None)
        self._keys = []

    def _hold_view(self, _event: object = None) -> None:
        """Keep a drag from moving the view: it paints."""
        active = self._viewer.layers.selection.active
        if active is None or not is_drawing(self._viewer):
            self._viewer.scene.camera.mouse_pan = False

    # ---- mouse

    def _on_double_click(self, viewer: Any, event: Any) -> None:
        if is_drawing(viewer) or viewer.dims.ndisplay != 2:
            return
        place = stage_point(viewer, event.position)
        if place is not None:
            event.handled = True
            self.pointed.emit(*place)

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        if is_drawing(viewer) or viewer.dims.ndisplay != 2 or event.button != 1:
            return
        places = [stage_point(viewer, event.position)]
        yield
        while event.type == "mouse_move":
            places.append(stage_point(viewer, event.position))
            yield
        # Of a quick drag napari tells few moves, or none.
        if (end := stage_point(viewer, event.position)) != places[-1]:
            places.append(end)
        # A press without a move is a click, or half of a double one.
        found = [place for place in places if place is not None]
        if len(found) > 1:
            self.painted.emit(found)

    # ---- keys

    def _bind_keys(self) -> None:
        for key, (right, down, up) in _KEYS.items():
            for fine in (False, True):
                name = f"Shift-{key}" if fine else key
                self._viewer.bind_key(
                    name, self._stepper(right, down, up, fine), overwrite=True
                )
                self._keys.append(name)

    def _stepper(
        self, right: int, down: int, up: int, fine: bool
    ) -> Callable[[Any], None]:
        def step(_viewer: Any) -> None:
            self.stepped.emit(right, down, up, fine)

        return step
