"""Where the dock opens: a spectrum is wide, so below the image.

napari opens the docks of plugins at the right, unless it remembers another place, which
it does as soon as somebody moves one. The first time there is nothing to remember.

A dock that lies below everything must share the height with napari's own column at the
left, which needs most of a small screen. Beside that column it has what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt

if TYPE_CHECKING:
    from qtpy.QtWidgets import QMainWindow

__all__ = ["beside_the_layers", "prefer_bottom"]

_NAMES: Final = ("Spectra (napari-scope)",)


def prefer_bottom() -> None:
    """Let napari open the dock below the image, if the user has not moved it yet."""
    try:
        from napari.settings import get_settings

        places = get_settings().application.plugin_widget_positions
    except (ImportError, AttributeError):
        return  # an older napari
    for name in _NAMES:
        places.setdefault(name, "bottom")


def beside_the_layers(window: QMainWindow) -> None:
    """Let docks at the bottom begin at the right of those at the left."""
    window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
