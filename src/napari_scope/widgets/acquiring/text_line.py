"""A line of text that may change many times a second without moving anything.

A `QLabel` asks for a new layout of everything around it whenever its text gets another
width; in a dock with tables that takes tens of milliseconds. This one has a fixed
height, takes the width it is given, and only paints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QPainter, QPalette
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_scope.widgets.common.tones import toned

if TYPE_CHECKING:
    from qtpy.QtGui import QMouseEvent, QPaintEvent

__all__ = ["TextLine"]


class TextLine(QWidget):
    """One line of plain text, cut off where the room ends.

    Parameters
    ----------
    sample : str
        A text of the width that it needs; without one it takes what is left.
    right : bool
        Whether the text stands at the right.
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    clicked : Signal
        It was clicked.
    """

    clicked = Signal()

    def __init__(
        self, sample: str = "", *, right: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._text = ""
        self._sample = sample
        self._tone = ""
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        self._side = side | Qt.AlignmentFlag.AlignVCenter
        across = QSizePolicy.Policy.Fixed if sample else QSizePolicy.Policy.Ignored
        self.setSizePolicy(across, QSizePolicy.Policy.Fixed)

    def text(self) -> str:
        """Return the text, also where it is cut off."""
        return self._text

    def setText(self, text: str) -> None:
        """Show another text."""
        if text != self._text:
            self._text = text
            self.setAccessibleName(text)
            self.update()

    def clear(self) -> None:
        """Show nothing."""
        self.setText("")

    def set_color(self, color: str) -> None:
        """Paint in another colour; empty for that of other texts."""
        if color != self._tone:
            self._tone = color
            self.update()

    def sizeHint(self) -> QSize:
        """Return the size of the sample."""
        metrics = self.fontMetrics()
        width = metrics.horizontalAdvance(self._sample) if self._sample else 1
        return QSize(width, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        """Return the same: it never grows."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the text."""
        painter = QPainter(self)
        role = QPalette.ColorRole.WindowText
        colour = QColor(toned(self._tone)) if self._tone else None
        painter.setPen(colour or self.palette().color(role))
        words = self.fontMetrics().elidedText(
            self._text, Qt.TextElideMode.ElideRight, self.width()
        )
        painter.drawText(self.rect(), int(self._side), words)
        painter.end()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Tell of a click."""
        super().mouseReleaseEvent(event)
        self.clicked.emit()
