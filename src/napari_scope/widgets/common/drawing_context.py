"""Lets napari delete what it has drawn in the OpenGL context it was drawn in.

After a layer was removed, napari 0.9 has vispy delete its buffers and programs at once
(`VispyCanvas._clean_and_update_scenegraph`), in whichever context is current: Qt's own,
which composes the window, or that of another window. Contexts share their objects, so
nothing is said; but Mesa deletes a shader that the canvas still has bound, and the next
picture ends the program in `glDrawArrays`. (napari 0.9.2, vispy 0.17, Mesa 22.3; an
image that is added and removed a few times is enough, without any plugin.) Data that
waited for the next picture went the same way.

So the canvas is made current before its commands are carried out, and while it was not
drawn yet, they wait for its first picture. Nothing outlives its layer.

Examples
--------
>>> finish_in_own_context(viewer)  # doctest: +SKIP
True
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["finish_in_own_context"]

_MARK = "_napari_scope_finishes_here"


def finish_in_own_context(viewer: napari.viewer.Viewer) -> bool:
    """Let the canvas of a viewer be current whenever its commands are finished.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer, or the proxy that napari gives to plugins. Asking twice is no harm.

    Returns
    -------
    bool
        Whether there is a canvas: not in a viewer without a window. napari has no
        public way to it, so a later version may have none at all.
    """
    window = _unwrapped(getattr(_unwrapped(viewer), "window", None))
    drawing = _unwrapped(getattr(window, "_qt_viewer", None))
    canvas = getattr(getattr(drawing, "canvas", None), "_scene_canvas", None)
    context = getattr(canvas, "context", None)
    if context is None:
        return False
    if getattr(context, _MARK, False):
        return True
    # Weak: what hangs on the context must not keep the canvas.
    the_canvas, the_context = weakref.ref(canvas), weakref.ref(context)
    finish = type(context).finish

    def finish_here() -> None:
        canvas, context = the_canvas(), the_context()
        if canvas is not None and context is not None and _made_current(canvas):
            finish(context)

    context.finish = finish_here
    setattr(context, _MARK, True)
    return True


def _made_current(canvas: Any) -> bool:
    """Make a canvas current; returns whether it is, and has been drawn."""
    native = canvas.native
    if native is None or not native.isValid():
        return False
    canvas.set_current()
    return True


def _unwrapped(thing: Any) -> Any:
    return getattr(thing, "__wrapped__", thing)
