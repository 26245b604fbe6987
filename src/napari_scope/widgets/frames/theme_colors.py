"""The colours of napari's theme, for what Qt's style sheets do not reach: plots."""

from __future__ import annotations

from typing import Any

from qtpy.QtGui import QColor

__all__ = ["theme_colors"]


def theme_colors(viewer: Any) -> tuple[QColor, QColor]:
    """Return background and text of the theme of a viewer."""
    from napari.utils.theme import get_theme

    try:
        theme = get_theme(str(viewer.theme))
        return QColor(theme.background.as_hex("long")), QColor(
            theme.text.as_hex("long")
        )
    except (AttributeError, KeyError, ValueError, TypeError):
        return QColor("#262930"), QColor("#f0f1f2")  # a theme of its own making
