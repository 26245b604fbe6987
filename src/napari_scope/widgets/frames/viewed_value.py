"""The pixel under the cursor, as a line: its place, its value, its place in the world.

The value is that of the plane which napari shows already: nothing is read. The line
follows the cursor a few times a second; beside the layer, and in three dimensions, it
says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["ViewedValue"]

_PATIENCE_MS: Final = 80


class ViewedValue(QObject):
    """Follows the cursor of a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    parent : QObject
        Owner.

    Attributes
    ----------
    changed : Signal
        There is another line; carries it.
    """

    changed = Signal(str)

    def __init__(self, viewer: napari.viewer.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._text = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PATIENCE_MS)
        self._timer.timeout.connect(self._look)
        self._viewer.cursor.events.position.connect(self.soon)

    def soon(self, _: object = None) -> None:
        """Look soon."""
        if not self._timer.isActive():
            self._timer.start()

    def stop(self) -> None:
        """Let go of the viewer; idempotent."""
        self._timer.stop()
        self._viewer.cursor.events.position.disconnect(self.soon)

    def _look(self) -> None:
        text = self.text()
        if text != self._text:
            self._text = text
            self.changed.emit(text)

    def text(self) -> str:
        """Return the line for where the cursor is; empty beside the layer."""
        layer = self._viewer.layers.selection.active
        if layer is None or not hasattr(layer, "get_value"):
            return ""
        if self._viewer.dims.ndisplay != 2:
            return "Values are shown in 2D only."
        position = self._viewer.cursor.position
        try:
            value = layer.get_value(position, world=True)
            place = [float(x) for x in layer.world_to_data(position)]
        except (ValueError, IndexError, TypeError, RuntimeError):
            return ""  # its plane is being changed at this moment
        if isinstance(value, tuple):  # of a multiscale layer: level and value
            value = value[-1]
        if value is None or len(place) < 2:
            return ""
        y, x = (round(number) for number in place[-2:])
        world = position[-2:]
        units = [str(unit) for unit in getattr(layer, "units", ())][-2:]
        unit = (
            {"micrometer": "µm", "pixel": "px"}.get(units[-1], units[-1])
            if units
            else ""
        )
        line = f"y {y}, x {x} = {_value(value)}"
        return f"{line}   ({world[0]:.2f}, {world[1]:.2f} {unit})".replace(" )", ")")


def _value(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return "(" + ", ".join(_value(item) for item in value.tolist()) + ")"
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.6g}"
    return str(value)
