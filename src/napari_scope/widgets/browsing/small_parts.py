"""Small things that several parts of the Browse dock need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QToolButton

from napari_scope.widgets.common.icons import icon

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["copy_text", "tool_button"]


def copy_text(texts: Sequence[str], between: str = "\n") -> None:
    """Put texts on the clipboard; nothing happens without any."""
    clipboard = QApplication.clipboard()
    if clipboard is not None and texts:
        clipboard.setText(between.join(texts))


def tool_button(name: str, tip: str) -> QToolButton:
    """Return a button with an icon that is reached by the keyboard."""
    button = QToolButton()
    button.setIcon(icon(name))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
