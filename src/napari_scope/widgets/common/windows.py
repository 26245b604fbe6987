"""Which windows have, or had, a dock of ours: with the last of them the devices go."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.widgets.common.closing import main_window_of

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

__all__ = ["Windows"]


class Windows(QObject):
    """Notes windows and tells when the last one is gone.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    all_gone : Signal
        The last of them has been destroyed.
    """

    all_gone = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        # By their address: nothing of a window that is destroyed may be touched.
        self._known: set[int] = set()
        self.were_there = False

    @property
    def are_there(self) -> bool:
        """Whether one of the windows is left."""
        return bool(self._known)

    def note(self, dock: QWidget) -> None:
        """Take note of the window that a dock is in, if it is in one."""
        window = main_window_of(dock)
        if window is None or id(window) in self._known:
            return
        self._known.add(id(window))
        self.were_there = True
        window.destroyed.connect(partial(self._gone, id(window)))

    def forget(self) -> None:
        """Forget all windows."""
        self._known.clear()

    def _gone(self, known: int, *_args: object) -> None:
        if known in self._known:
            self._known.discard(known)
            if not self._known:
                with suppress(RuntimeError):  # the program ends: this is gone as well
                    self.all_gone.emit()
