"""Where the dock opens: a spectrum is wide, so below the image.

napari opens the docks of plugins at the right, unless it remembers another place, which
it does as soon as somebody moves one. The first time there is nothing to remember.
"""

from __future__ import annotations

from typing import Final

__all__ = ["prefer_bottom"]

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
