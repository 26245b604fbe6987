"""Names the well and field under the cursor in napari's status bar.

`WellStatus` puts row, column and field of the active plate layer in front of the
coordinates. It reads nothing: what a look at the plate has not read yet
has no field. One for each viewer is enough, however many plates it shows; it lives as
long as the viewer's window.

Examples
--------
>>> viewer.open("screen.ome.zarr", plugin="napari-scope")  # doctest: +SKIP
>>> show_wells(viewer)  # the reader does so by itself  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_scope.layers import origin_of
from napari_scope.widgets.browsing.status_words import StatusWords

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtWidgets import QWidget

    from napari_scope.model import Axes

__all__ = ["WellStatus", "show_wells", "well_text"]


class WellStatus(QObject):
    """Adds the well to the status of one viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    parent : QWidget
        Its window.
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._status = StatusWords(viewer, self.text)

    def stop(self) -> None:
        """Leave the status as it is from now on; idempotent."""
        self._status.stop()

    def text(self) -> str:
        """Return the words on what is under the cursor; empty beside a plate."""
        viewer = self._viewer
        for layer in (viewer.layers.selection.active, *reversed(viewer.layers)):
            if layer is None or not layer.visible:
                continue
            origin = origin_of(layer.metadata)
            if origin is None or "plate" not in layer.metadata.get("napari_scope", {}):
                continue
            position = layer.world_to_data(viewer.cursor.position)
            size = origin.first_image.levels[0].shape[-2:]
            # The origin takes what lies beside the image for its border.
            inside = all(
                -0.5 <= p <= n - 0.5 for p, n in zip(position[-2:], size, strict=True)
            )
            return well_text(origin.frame_axes(position)) if inside else ""
        return ""


def well_text(axes: Axes | None) -> str:
    """Return the words for a point of a plate.

    Examples
    --------
    >>> well_text({"row": "B", "column": "3", "field": "2", "time": 0})
    'well B3, field 2'
    >>> well_text({"row": "B", "column": "3"}), well_text(None)
    ('well B3', '')
    """
    if not axes:
        return ""
    parts = []
    if "row" in axes and "column" in axes:
        parts.append(f"well {axes['row']}{axes['column']}")
    if "field" in axes:
        parts.append(f"field {axes['field']}")
    return ", ".join(parts)


def show_wells(viewer: napari.viewer.Viewer | None = None) -> None:
    """Let the status bar of a viewer name wells.

    Parameters
    ----------
    viewer : napari.viewer.Viewer, optional
        The viewer; by default the current one, if there is one with a window.
    """
    if viewer is None:
        import napari

        viewer = napari.current_viewer()
    if viewer is None or getattr(viewer, "window", None) is None:
        return
    window = viewer.window.main_menu.window()
    if window is not None and window.findChild(WellStatus) is None:
        WellStatus(viewer, window)
