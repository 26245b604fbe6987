"""Small things that several parts of the Browse dock need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFileDialog, QToolButton

from napari_scope.widgets.common.icons import icon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

__all__ = ["choose_file", "copy_text", "tool_button"]

_FILES: Final = (
    "Data (*.imzML *.mzML *.img *.t2m *.h5 *.hdf5 *.omsi *Spot?List.txt *.tif *.tiff "
    "*.ozx *.zip);;All files (*)"
)


def choose_file(parent: QWidget, start: str) -> str:
    """Let the user choose a data set that is a file; empty if none is chosen."""
    chosen, _ = QFileDialog.getOpenFileName(parent, "Open a file", start, _FILES)
    return chosen


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
