"""Keeps what a surface layer has drawn for as long as the canvas lives.

vispy leaves the vertex arrays of a mesh enabled after it was drawn. If the buffers of a
removed surface layer are then deleted, and another layer is drawn next, Mesa's software
OpenGL reads freed memory: the program ends. (napari 0.9.2 with vispy 0.17; without any
plugin, adding, changing and removing surfaces beside an image is enough.) So the
drawing of a map's layer outlives the layer; its buffers go with the canvas. Images that
are removed from beside a map end the program in the same way, and are kept, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

__all__ = ["keep_mesh"]

_KEPT = "_napari_scope_kept_meshes"


def keep_mesh(viewer: napari.viewer.Viewer, layer: napari.layers.Layer) -> bool:
    """Let the drawing of a layer live as long as the canvas.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer, or the proxy that napari gives to plugins.
    layer : napari.layers.Layer
        A layer that was added, and is not removed yet.

    Returns
    -------
    bool
        Whether there is a drawing: not in a viewer without a window. napari has no
        public way to it, so a later version may have none at all.
    """
    window = _unwrapped(getattr(_unwrapped(viewer), "window", None))
    canvas = getattr(_unwrapped(getattr(window, "_qt_viewer", None)), "canvas", None)
    drawn = getattr(canvas, "layer_to_visual", {}).get(layer)
    node = getattr(drawn, "node", None)
    if node is None:
        return False
    kept: list[Any] = getattr(canvas, _KEPT, [])
    kept.append(node)
    setattr(canvas, _KEPT, kept)
    return True


def _unwrapped(thing: Any) -> Any:
    return getattr(thing, "__wrapped__", thing)
