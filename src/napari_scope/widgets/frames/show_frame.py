"""Moving the sliders to a frame, and selecting the layer that shows it.

It knows the viewer and the origins of its layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_scope.layers import origin_of
from napari_scope.layers.live_origin import run_origin_of

if TYPE_CHECKING:
    from napari_scope.formats.frame_records import Place
    from napari_scope.layers import LayerOrigin

__all__ = ["show_frame"]


def show_frame(viewer: Any, origin: LayerOrigin, place: Place) -> bool:
    """Show a frame of the data set of a layer; returns whether a layer shows it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    origin : LayerOrigin
        Of a layer of the data set.
    place : Place
        Where the frame is.
    """
    found = _layer_of(viewer, origin, place)
    if found is None:
        return False
    layer, own = found
    viewer.layers.selection.active = layer
    if not layer.visible:
        layer.visible = True
    wanted: dict[str, int] = dict(place.index)
    if own.shared:
        wanted["p"] = own.images.index(place.image)
    point = [float(wanted.get(name, 0)) for name in own.axes]
    world = layer.data_to_world(point)
    dims = viewer.dims
    first = dims.ndim - len(world)
    for number, name in enumerate(own.axes):
        axis = first + number
        # An axis that the place leaves out counts as 0, wherever its slider stands.
        if name not in ("y", "x") and axis in dims.not_displayed:
            dims.set_point(axis, float(world[number]))
    return True


def _layer_of(
    viewer: Any, origin: LayerOrigin, place: Place
) -> tuple[Any, LayerOrigin] | None:
    """Return the layer that shows a frame; the selected one if it does."""
    active = viewer.layers.selection.active
    layers = [active, *(layer for layer in viewer.layers if layer != active)]
    for layer in layers:
        if layer is None:
            continue
        own = origin_of(layer.metadata) or run_origin_of(layer.metadata)
        if own is None or own.label or own.dataset.path != origin.dataset.path:
            continue
        if own.dataset.format != origin.dataset.format:
            continue
        if place.image not in own.images or layer.ndim != len(own.axes):
            continue
        if "c" not in own.axes and own.channel != place.index.get("c", 0):
            continue
        return layer, own
    return None
