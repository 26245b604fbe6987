"""Closing the window while a run goes on: ask, cancel, wait until the files are closed.

`ClosingGuard` watches the close event of the window a dock lives in. It knows a run
only as something that can be asked whether it is busy, cancelled, and waited for.
"""

from __future__ import annotations

import logging
import time
import weakref
from typing import TYPE_CHECKING

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QEventLoop, QObject, Qt
from qtpy.QtWidgets import (
    QApplication,
    QMainWindow,
    QMessageBox,
    QProgressDialog,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ClosingGuard",
    "ask_to_cancel",
    "ask_to_wait",
    "main_window_of",
    "wait_until",
]

_log = logging.getLogger(__name__)

_POLL_S = 0.02
_LONG_S = 30.0  # a camera finishes its exposure, a disk its files
_NOTICE = "Cancelling the acquisition and closing its files …"
_QUESTION = "An acquisition is running."
_EXPLANATION = (
    "If you close now it is cancelled. What was acquired so far is saved and the "
    "files are closed properly."
)
_STUCK = (
    "This takes unusually long: a device or the disk does not answer. What was saved "
    "can be read; a file that is not closed can be recovered."
)


def main_window_of(widget: QWidget) -> QMainWindow | None:
    """Return the main window that a widget is docked in, floating or not."""
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QMainWindow):
            return parent
        parent = parent.parentWidget()
    return None


def ask_to_cancel(parent: QWidget | None) -> bool:
    """Ask whether to cancel the run; returns True for yes."""
    answer = QMessageBox.question(
        parent,
        "Cancel the acquisition?",
        f"{_QUESTION}\n\n{_EXPLANATION}\n\nCancel it and close?",
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
        QMessageBox.StandardButton.No,
    )
    return bool(answer == QMessageBox.StandardButton.Yes)


def ask_to_wait(parent: QWidget | None) -> bool:
    """Ask whether to wait any longer for what does not end; returns True for yes."""
    answer = QMessageBox.question(
        parent,
        "Wait any longer?",
        f"{_STUCK}\n\nWait any longer?",
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
        QMessageBox.StandardButton.Yes,
    )
    return bool(answer == QMessageBox.StandardButton.Yes)


def wait_until(
    done: Callable[[], bool], parent: QWidget | None, words: str = _NOTICE
) -> bool:
    """Wait with the GUI alive but closed to input; a notice says why.

    When it takes unusually long the user is asked whether to wait any longer. Where
    there is no window to be seen, of a script, nobody is asked: it ends by itself.

    Parameters
    ----------
    done : callable
        Asked until it is true.
    parent : QWidget, optional
        Window to put the notice over; none is shown over a hidden one.
    words : str
        The notice.

    Returns
    -------
    bool
        Whether it is done; otherwise it was given up.
    """
    if done():
        return True
    notice = None
    if parent is not None and parent.isVisible():
        notice = QProgressDialog(words, "", 0, 0, parent)
        notice.setCancelButton(None)
        notice.setWindowTitle("napari-scope")
        notice.setWindowModality(Qt.WindowModality.ApplicationModal)
        notice.setMinimumDuration(300)
    asked_at = time.monotonic()
    # Not a nested event loop: that would also delete what napari has marked for
    # deletion but still needs on its way to closing.
    while not done():
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        time.sleep(_POLL_S)
        if time.monotonic() - asked_at > _LONG_S:
            seen = QApplication.activeWindow() is not None or notice is not None
            if not (seen and ask_to_wait(notice or parent)):
                _log.warning("not waited for any longer: %s", words)
                break
            asked_at = time.monotonic()
    if notice is not None:
        notice.close()
        notice.deleteLater()
    return done()


class ClosingGuard(QObject):
    """Lets a window close only when no run is going on.

    Parameters
    ----------
    parent : QObject
        Owner.
    busy : callable
        Returns whether a run is going on.
    cancel : callable
        Cancels it; returns at once.
    ask : callable, optional
        Gets the window and returns whether to cancel; `ask_to_cancel` by default.
    notice : str
        What is said while it is waited for.
    """

    def __init__(
        self,
        parent: QObject,
        busy: Callable[[], bool],
        cancel: Callable[[], None],
        ask: Callable[[QWidget | None], bool] | None = None,
        notice: str = _NOTICE,
    ) -> None:
        super().__init__(parent)
        self._busy = busy
        self._cancel = cancel
        self._ask = ask
        self._notice = notice
        # Weak: a dock that somebody still holds must not keep the window alive.
        self._window_ref: Callable[[], QWidget | None] = lambda: None
        self._waiting = False

    def watch(self, window: QWidget | None) -> None:
        """Watch this window and no other."""
        before = self._window_ref()
        if window is before:
            return
        if before is not None and isalive(before):  # type: ignore[no-untyped-call]
            before.removeEventFilter(self)
        if window is None:
            self._window_ref = lambda: None
        else:
            self._window_ref = weakref.ref(window)
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Hold back a close event while a run goes on."""
        if (
            event is not None
            and watched is self._window_ref()
            and event.type() == QEvent.Type.Close
            and not self.may_close()
        ):
            event.ignore()
            return True
        return False

    def may_close(self) -> bool:
        """Return whether the window may close now, after asking and cancelling.

        A window that nobody sees (a script, a test) is not asked about: the run is
        cancelled and its files are closed.
        """
        if self._waiting:
            return False
        if not self._busy():
            return True
        window = self._window_ref()
        ask = self._ask or ask_to_cancel
        if window is not None and window.isVisible() and not ask(window):
            return False
        self._cancel()
        self._waiting = True
        try:
            wait_until(lambda: not self._busy(), window, self._notice)
        finally:
            self._waiting = False
        return True
