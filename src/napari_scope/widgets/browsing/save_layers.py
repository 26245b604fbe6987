"""Saving layers from a window: in a thread, with a bar and a button to cancel.

napari calls the writers of plugins in the thread of its windows and waits for them.
`with_dialog` keeps that promise, it returns when the work is done, but the windows are
painted meanwhile. The dialog is modal: layers cannot be changed while they are saved.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QApplication, QProgressDialog

from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.wording import size_text

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[int, int], object]
    Work = Callable[[Progress, Callable[[], bool]], object]

__all__ = ["with_dialog"]

_STEPS = 1000
_SHOWN_AFTER_MS = 400
_POLL_MS = 50


class _State:
    """What the thread says and is told; both sides only set what is theirs."""

    def __init__(self) -> None:
        self.done = (0, 1)
        self.cancel = threading.Event()

    def note(self, done: int, whole: int) -> None:
        self.done = (done, max(1, whole))


def with_dialog(title: str, work: Work) -> object:
    """Run work in a thread and return what it returns; raise what it raises.

    Parameters
    ----------
    title : str
        What is being done.
    work : callable
        Takes a callable that is told how many bytes were done, of how many, and one
        that says whether the user wants it to end.
    """
    state = _State()
    dialog = QProgressDialog(title, "Cancel", 0, _STEPS, QApplication.activeWindow())
    dialog.setWindowTitle("napari-scope")
    dialog.setWindowModality(Qt.WindowModality.ApplicationModal)
    dialog.setMinimumDuration(_SHOWN_AFTER_MS)
    dialog.setAutoReset(False)
    dialog.setAutoClose(False)
    dialog.canceled.connect(state.cancel.set)

    loop = QEventLoop()
    outcome: dict[str, object] = {}
    call = BackgroundCall(dialog)

    def ended(kind: str, value: object) -> None:
        outcome[kind] = value
        loop.quit()

    call.finished.connect(lambda result: ended("result", result))
    call.failed.connect(lambda error: ended("error", error))

    def look() -> None:
        if state.cancel.is_set():
            return
        done, whole = state.done
        dialog.setValue(_STEPS * done // whole)
        dialog.setLabelText(f"{title}\n{size_text(done)} of {size_text(whole)}")

    timer = QTimer(dialog)
    timer.setInterval(_POLL_MS)
    timer.timeout.connect(look)
    timer.start()
    try:
        call.start(lambda: work(state.note, state.cancel.is_set), "napari-scope save")
        loop.exec()
    finally:
        # Also if the window system ends the loop: the thread is waited for.
        state.cancel.set()
        timer.stop()
        call.close()
        dialog.close()
        dialog.deleteLater()
    error = outcome.get("error")
    if isinstance(error, BaseException):
        raise error
    return outcome.get("result")
