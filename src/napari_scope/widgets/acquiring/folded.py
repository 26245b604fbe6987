"""A line that unfolds: what most people need not see."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

__all__ = ["Folded"]


class Folded(QWidget):
    """A title that shows and hides what is below it.

    Parameters
    ----------
    title : str
        Title.
    inner : QWidget
        What is below it.
    tip : str
        Tooltip of the title.
    """

    def __init__(self, title: str, inner: QWidget, tip: str = "") -> None:
        super().__init__()
        self._title = title
        self._words = ""
        self.inner = inner
        self.button = QToolButton()
        self.button.setCheckable(True)
        self.button.setAutoRaise(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.button.setToolTip(tip)
        self.button.setAccessibleName(title)
        self.button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.button.toggled.connect(self._fold)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.button)
        column.addWidget(inner)
        self._fold(False)

    @property
    def unfolded(self) -> bool:
        """Whether it is open."""
        return self.button.isChecked()

    def unfold(self, unfolded: bool = True) -> None:
        """Open or close it."""
        self.button.setChecked(unfolded)

    def set_words(self, words: str) -> None:
        """Say what is inside while it is closed."""
        self._words = words
        self._show_title()

    def _fold(self, unfolded: bool) -> None:
        self.inner.setVisible(unfolded)
        arrow = Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow
        self.button.setArrowType(arrow)
        self._show_title()

    def _show_title(self) -> None:
        known = self._words and not self.unfolded
        self.button.setText(f"{self._title}: {self._words}" if known else self._title)
