"""Long work of the dock, one piece after the other: named, measured, cancelled.

Sorting peaks, adding up all spectra, a list of ion images, a file that is written. Each
is a function of two callables, whether it is cancelled and how far it is, and runs in a
thread. A line of the dock says what is done, how far it is, and has a button to end it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from napari_scope.errors import CancelledError
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.icons import icon

if TYPE_CHECKING:
    from collections.abc import Callable

    Job: TypeAlias = "Callable[[Callable[[], bool], Callable[[float], None]], Any]"

__all__ = ["LongWork"]

_LOOK_MS: Final = 100
_QUIET_MS: Final = 250  # what takes less is not worth a bar


@dataclass(eq=False)
class _Work:
    what: str
    job: Job
    then: Callable[[Any], None]
    key: object
    ended: threading.Event = field(default_factory=threading.Event)
    done: float = 0.0

    def run(self) -> object:
        if self.ended.is_set():
            raise CancelledError(f"{self.what} was cancelled")
        return self.job(self.ended.is_set, self._tell)

    def _tell(self, done: float) -> None:
        self.done = done


class LongWork(QWidget):
    """Runs jobs one by one, and is the line that shows them.

    Parameters
    ----------
    parent : QWidget, optional
        Parent.

    Attributes
    ----------
    failed : Signal
        A job raised: what it was, and the exception. Not if it was cancelled.
    ended : Signal
        A job is over, one way or the other.
    """

    failed = Signal(str, object)
    ended = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # One for each kind of work and file at most: the newest replaces its like.
        self._waiting: deque[_Work] = deque()
        self._now: _Work | None = None
        self._closed = False
        self._call = BackgroundCall(self, abandon=True)
        self._call.finished.connect(self._on_finished)
        self._call.failed.connect(self._on_failed)
        self.label = QLabel()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("How far it is")
        self.bar.setMaximumHeight(self.fontMetrics().height() * 2 // 3)
        self.cancel_button = QToolButton()
        self.cancel_button.setIcon(icon("cancel"))
        self.cancel_button.setToolTip("Cancel what goes on")
        self.cancel_button.setAccessibleName("Cancel what goes on")
        self.cancel_button.setAutoRaise(True)
        self.cancel_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.cancel_button.clicked.connect(self.cancel)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label)
        layout.addWidget(self.bar, 1)
        layout.addWidget(self.cancel_button)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(_QUIET_MS)
        self._late.timeout.connect(self._appear)
        self.setVisible(False)

    @property
    def busy(self) -> bool:
        """Whether something is done or waits."""
        return self._now is not None

    @property
    def what(self) -> str:
        """What is done; empty if nothing is."""
        return "" if self._now is None else self._now.what

    def do(
        self, what: str, job: Job, then: Callable[[Any], None], key: object = None
    ) -> None:
        """Do something when all before it is done.

        Parameters
        ----------
        what : str
            What it is, in words.
        job : callable
            Called in a thread, with a callable that tells whether it is cancelled and
            one that takes the part that is done, from 0 to 1.
        then : callable
            Called with the result, in the GUI thread.
        key : object
            What it is about, for `cancel_about`. What waits and has the same key and
            words is replaced.
        """
        if self._closed:
            return
        for old in list(self._waiting):
            if old.what == what and old.key is key:
                self._waiting.remove(old)
        self._waiting.append(_Work(what, job, then, key))
        self._start()

    def cancel(self) -> None:
        """End what goes on; what waits is done next."""
        if self._now is not None:
            self._now.ended.set()
            self.label.setText(f"Cancelling: {self._now.what}")

    def cancel_about(self, key: object) -> None:
        """End all that is about something that is gone."""
        self._waiting = deque(work for work in self._waiting if work.key is not key)
        if self._now is not None and self._now.key is key:
            self._now.ended.set()
            self._now.then = _nothing

    def close_work(self) -> None:
        """End everything; idempotent."""
        self._closed = True
        self._waiting.clear()
        self._timer.stop()
        self._late.stop()
        if self._now is not None:
            self._now.ended.set()
            self._now = None
        self._call.close()

    def _start(self) -> None:
        if self._now is not None or not self._waiting:
            return
        self._now = self._waiting.popleft()
        self.label.setText(self._now.what)
        self.bar.setRange(0, 0)
        self._call.start(self._now.run, f"napari-scope {self._now.what}")
        self._timer.start()
        if not self.isVisible():
            self._late.start()

    def _appear(self) -> None:
        if self._now is not None:
            self.setVisible(True)

    def _look(self) -> None:
        if self._now is not None and self._now.done > 0:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * min(1.0, self._now.done)))

    def _end(self) -> _Work | None:
        work, self._now = self._now, None
        if not self._waiting:
            self._timer.stop()
            self._late.stop()
            self.setVisible(False)
        self.ended.emit()
        return work

    def _on_finished(self, result: object) -> None:
        work = self._end()
        if work is not None and not work.ended.is_set():
            work.then(result)
        self._start()

    def _on_failed(self, error: object) -> None:
        work = self._end()
        if work is not None and not isinstance(error, CancelledError):
            if not work.ended.is_set():
                self.failed.emit(work.what, error)
        self._start()


def _nothing(_: object) -> None:
    """Take a result that nobody waits for."""
