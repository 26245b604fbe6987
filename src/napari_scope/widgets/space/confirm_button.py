"""A button for what cannot be taken back: it asks once more, in its own text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QPushButton

if TYPE_CHECKING:
    from qtpy.QtGui import QFocusEvent
    from qtpy.QtWidgets import QWidget

__all__ = ["ConfirmButton"]

_WAIT_MS: Final = 4000


class ConfirmButton(QPushButton):
    """Asks for a second click; forgets the first after some seconds.

    Parameters
    ----------
    text, question : str
        What it says, and what it asks after the first click.
    parent : QWidget, optional
        Owner.

    Attributes
    ----------
    confirmed : Signal
        It was clicked twice.
    """

    confirmed = Signal()

    def __init__(self, text: str, question: str, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._texts = text, question
        self._asking = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self.reset)
        self.clicked.connect(self._on_clicked)

    @property
    def asking(self) -> bool:
        """Whether the next click counts."""
        return self._asking

    def reset(self) -> None:
        """Forget a first click."""
        self._timer.stop()
        self._asking = False
        self.setText(self._texts[0])

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """Forget a first click when the user turns to something else."""
        super().focusOutEvent(event)
        self.reset()

    def _on_clicked(self) -> None:
        if self._asking:
            self.reset()
            self.confirmed.emit()
            return
        self._asking = True
        self.setText(self._texts[1])
        self._timer.start()
