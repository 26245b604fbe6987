"""Where the viewer looks while a run goes on: at its images, until the user looks away.

Images that lie close together are fitted into the view as they appear; of images far
apart the one that is followed is put into the middle. A camera that stands elsewhere
than it was put is in the user's hands, and is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.layers.live import view_is_compact

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari.viewer

    from napari_scope.layers.live import Box

__all__ = ["RunCamera", "box_of"]


class RunCamera:
    """The camera of a viewer, for one run.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer: Any = viewer
        self._put: tuple[float, ...] | None = None
        self._fitted: set[int] = set()

    def take_back(self) -> None:
        """Move the camera again, although the user has moved it."""
        self._put = None
        self._fitted.clear()

    def show_new(self, image: int, boxes: Mapping[int, Box]) -> None:
        """Fit the view to an image that has just appeared, if all lie close by.

        Parameters
        ----------
        image : int
            Number of the image.
        boxes : mapping
            Where the images lie that are shown.
        """
        if not self._is_ours():
            return
        if image not in self._fitted and view_is_compact(list(boxes.values())):
            self._viewer.reset_view()
        self._fitted.add(image)
        self._remember()

    def go_to(self, image: int, boxes: Mapping[int, Box]) -> None:
        """Put an image into the middle of the view, if they lie far apart."""
        if not self._is_ours():
            return
        if not view_is_compact(list(boxes.values())):
            top, left, bottom, right = boxes[image]
            center = (0, (top + bottom) / 2, (left + right) / 2)
            self._viewer.scene.camera.center = center
        self._remember()

    def _is_ours(self) -> bool:
        """Return whether the camera still stands where it was put for the run."""
        camera = self._viewer.scene.camera
        return self._put is None or np.allclose(
            self._put, (*camera.center, camera.zoom)
        )

    def _remember(self) -> None:
        camera = self._viewer.scene.camera
        self._put = (*camera.center, camera.zoom)


def box_of(layer: Any) -> Box:
    """Return where a layer lies."""
    low, high = layer.extent.world
    return float(low[-2]), float(low[-1]), float(high[-2]), float(high[-1])
