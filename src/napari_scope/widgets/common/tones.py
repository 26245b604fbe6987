"""The docks' few colours, each with a form for dark and one for light backgrounds.

No colour is readable on both of napari's themes. What is drawn or written names a tone,
`NEUTRAL` for instance; `toned` gives the colour that it has in the theme of the viewer
in front. On its theme's backgrounds and buttons every tone has a contrast of at least
three to one, as icons need it, and of four and a half to one on backgrounds, as texts
need it.

Examples
--------
>>> toned(RED, dark=True), toned(RED, dark=False)
('#ff8a80', '#a3170f')
>>> toned("#123456", dark=False)  # a colour of somebody else stays
'#123456'
"""

from __future__ import annotations

import functools
import sys
from typing import Final

__all__ = ["AMBER", "BLUE", "GREEN", "NEUTRAL", "RED", "is_dark", "toned"]

NEUTRAL: Final = "#d1d2d4"
GREEN: Final = "#62d084"
AMBER: Final = "#f0ad4e"
RED: Final = "#ff8a80"
BLUE: Final = "#7cb7f5"

_ON_LIGHT: Final = {
    NEUTRAL: "#3e3f41",
    GREEN: "#0f5e2a",
    AMBER: "#764500",
    RED: "#a3170f",
    BLUE: "#124f91",
}


def toned(color: str, dark: bool | None = None) -> str:
    """Return the colour that a tone has.

    Parameters
    ----------
    color : str
        A tone, or any other colour: that is returned as it is.
    dark : bool, optional
        Whether the background is dark; that of the viewer in front by default.
    """
    if color not in _ON_LIGHT:
        return color
    return color if (is_dark() if dark is None else dark) else _ON_LIGHT[color]


def is_dark() -> bool:
    """Return whether the theme of the viewer in front has a dark background."""
    napari = sys.modules.get("napari")
    if napari is None:
        return True
    viewer = napari.current_viewer()
    return _theme_is_dark(str(viewer.theme)) if viewer is not None else True


@functools.cache
def _theme_is_dark(name: str) -> bool:
    from napari.utils.theme import get_theme

    try:
        red, green, blue = get_theme(name).background.as_rgb_tuple()[:3]
    except (AttributeError, KeyError, ValueError):  # it has just been removed
        return True
    return bool(0.299 * red + 0.587 * green + 0.114 * blue < 128)
