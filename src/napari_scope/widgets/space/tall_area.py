"""An area that scrolls in height and is as wide as what is in it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

__all__ = ["TallArea", "narrow"]


class TallArea(QScrollArea):
    """Scrolls a widget up and down; nothing is cut off at its side.

    Parameters
    ----------
    widget : QWidget
        What is scrolled.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__()
        self.setWidget(widget)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what is in it has it
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        """Return the width of what is in it, with the scroll bar."""
        hint = super().minimumSizeHint()
        widget, bar = self.widget(), self.verticalScrollBar()
        if widget is None or bar is None:
            return hint
        width = widget.minimumSizeHint().width() + bar.sizeHint().width()
        return QSize(width, hint.height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask for another width when what is in it needs one."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))


def narrow(column: QVBoxLayout) -> QVBoxLayout:
    """Let no width be lost at the sides of a box: the image has use for it."""
    edges = column.contentsMargins()
    column.setContentsMargins(4, edges.top(), 4, 4)
    return column
