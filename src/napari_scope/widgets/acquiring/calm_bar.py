"""A progress bar that does not hold up the window."""

from __future__ import annotations

from qtpy.QtWidgets import QProgressBar

__all__ = ["CalmBar"]


class CalmBar(QProgressBar):
    """A progress bar that is painted with the rest of the window, not at once.

    Beside an OpenGL canvas each repaint puts the whole window together anew, and Qt's
    progress bar asks for one at each of its setters.
    """

    def show_value(self, value: int, most: int, words: str = "") -> None:
        """Show how far it is; a bar that only moves if ``most`` is 0."""
        if (value, most, words) == (self.value(), self.maximum(), self.format()):
            return
        self.setUpdatesEnabled(False)
        self.setRange(0, most)
        self.setValue(value)
        self.setFormat(words)
        self.setUpdatesEnabled(True)
