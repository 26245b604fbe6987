"""A scroll area for a column of boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TallArea"]


class TallArea(QScrollArea):
    """Scrolls up and down only: it is never narrower than what it holds.

    Parameters
    ----------
    boxes : sequence of QWidget
        What it holds, from above to below.
    """

    def __init__(self, boxes: Sequence[QWidget]) -> None:
        super().__init__()
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        for box in boxes:
            column.addWidget(box)
        self.setWidget(inner)
        inner.installEventFilter(self)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what is in it has it
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        """Leave room for the content's width and for the scroll bar."""
        hint = super().minimumSizeHint()
        inner, bar = self.widget(), self.verticalScrollBar()
        if inner is not None and bar is not None:
            # A style sheet may draw a border all the same.
            edges = self.contentsMargins()
            width = bar.sizeHint().width() + edges.left() + edges.right()
            hint.setWidth(inner.minimumSizeHint().width() + width)
        return hint

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask for another width when what is in it needs one."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))
