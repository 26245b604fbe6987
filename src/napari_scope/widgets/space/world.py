"""Between the viewer's world and the stage: points, and the shapes a user has drawn.

The world of all docks is the stage in micrometers, y before x. A viewer whose layers
all have another unit of length counts in that; it is converted here. What says pixels
is taken as micrometers: shapes of a user have no unit of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.acquire.regions import Outline, ellipse

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["is_drawing", "outlines_of", "points_of", "stage_point", "um_per_unit"]

_OPEN = ("line", "path")


def um_per_unit(viewer: Any) -> float:
    """Return how many micrometers one unit of the viewer's world is along x."""
    units = viewer.layers.units
    if not units:
        return 1.0
    try:
        return float((1 * units[-1]).to("micrometer").magnitude)
    except (AttributeError, TypeError, ValueError):  # pint's errors are of these
        return 1.0  # pixels


def stage_point(viewer: Any, position: Any) -> tuple[float, float] | None:
    """Return x and y on the stage of a point of the world; None if it has none."""
    if len(position) < 2:
        return None
    factor = um_per_unit(viewer)
    y, x = (float(value) * factor for value in position[-2:])
    return (x, y) if np.isfinite([x, y]).all() else None


def is_drawing(viewer: Any) -> bool:
    """Return whether the mouse belongs to the active layer: it is being edited."""
    active = viewer.layers.selection.active
    return active is not None and str(active.mode) not in ("pan_zoom", "transform")


def outlines_of(viewer: Any, layer: Any) -> list[Outline]:
    """Return the shapes of a layer as outlines on the stage, in micrometers.

    Scale, rotation and place of the layer count. Of shapes in more than two dimensions
    the last two axes do.
    """
    found: list[Outline] = []
    for points, kind in zip(layer.data, layer.shape_type, strict=True):
        corners = _on_stage(viewer, layer, points)
        if not len(corners) or not np.isfinite(corners).all():
            continue
        places = tuple((float(x), float(y)) for x, y in corners)
        if kind == "ellipse" and len(places) == 4:
            found.append(ellipse(places))
        else:
            found.append(Outline(places, closed=kind not in _OPEN))
    return found


def points_of(viewer: Any, layer: Any) -> list[tuple[float, float]]:
    """Return the points of a layer on the stage, x and y in micrometers."""
    corners = _on_stage(viewer, layer, layer.data)
    return [(float(x), float(y)) for x, y in corners if np.isfinite([x, y]).all()]


def _on_stage(viewer: Any, layer: Any, points: Any) -> npt.NDArray[np.float64]:
    """Return points of a layer as x and y on the stage."""
    world = [layer.data_to_world(point) for point in points]
    factor = um_per_unit(viewer)
    last = np.array([point[-2:] for point in world], float).reshape(-1, 2)
    return last[:, ::-1] * factor
