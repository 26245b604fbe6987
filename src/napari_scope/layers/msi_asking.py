"""Whether it is napari that asks for pixels, to slice or draw a layer.

A script or a plugin gets what it asks for, however long that takes. napari's own
slicing is not to wait in the thread of the window, and asks for whole volumes without
knowing what they cost. If napari did its slicing elsewhere one day, it would be taken
for a script.
"""

from __future__ import annotations

import sys
import threading

__all__ = ["is_drawing", "is_slicing"]


def is_slicing() -> bool:
    """Return whether napari slices a layer, in whatever thread.

    The first function on the way up that is neither ours nor numpy's tells.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name: str = frame.f_globals.get("__name__", "")
        if not name.startswith(("napari_scope.", "numpy")):
            return name.startswith("napari.layers.") and name.endswith("._slice")
        frame = frame.f_back
    return False


def is_drawing() -> bool:
    """Return whether napari slices a layer in the thread of the window."""
    return threading.current_thread() is threading.main_thread() and is_slicing()
