"""Waits for a function without letting the window stand still.

napari asks for layers in the thread of its window and goes on when it has them. What
takes long is done in a thread of its own; meanwhile the window is painted and timers
run, while keys, clicks and closing wait until the layers are there. What is done within
some hundredths of a second is simply waited for.

Examples
--------
>>> painted_meanwhile(lambda: 6 * 7, "computing")
42
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, TypeVar

from qtpy.QtCore import QEventLoop, Qt
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["painted_meanwhile"]

_Result = TypeVar("_Result")

_PATIENCE_S: Final = 0.05  # what is quicker needs no painting
_LOOK_S: Final = 0.015  # how long the window may be left alone


def painted_meanwhile(call: Callable[[], _Result], name: str) -> _Result:
    """Call a function in a thread, and return or raise what it does.

    Without a running application it is called here.

    Parameters
    ----------
    call : callable
        What to call; it must not touch Qt.
    name : str
        Name of the thread.
    """
    if QApplication.instance() is None:
        return call()
    results: list[_Result] = []
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            results.append(call())
        except BaseException as error:  # handed over whole, whatever it is
            errors.append(error)

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    if thread.is_alive():
        _paint_until_done(thread)
    if errors:
        # Left in the list it would keep its own frames, and what they have opened.
        raise errors.pop()
    return results[0]


def _paint_until_done(thread: threading.Thread) -> None:
    # What the user does, and what comes from elsewhere, might begin to open something
    # while this is being opened.
    quiet = (
        QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents
        | QEventLoop.ProcessEventsFlag.ExcludeSocketNotifiers
    )
    QApplication.setOverrideCursor(QCursor(Qt.CursorShape.WaitCursor))
    try:
        while thread.is_alive():
            QApplication.processEvents(quiet)
            thread.join(_LOOK_S)
    finally:
        QApplication.restoreOverrideCursor()
