"""What a stream tells those who want to know: saved, skipped, failed, closed.

Listeners are called by a thread of their own, made when the first one is there. The
data path only appends to a short queue: a slow or broken listener costs it nothing.
When a listener falls far behind, the oldest news of saved frames are left out and
counted in `StreamEvents.missed`; the journal has every frame.

Examples
--------
>>> events = StreamEvents()
>>> heard = []
>>> _ = events.closed.connect(heard.append)
>>> events.tell("closed", StreamStats(saved=3))
>>> events.finish()
>>> heard[0].saved
3
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from psygnal import EmitLoopError, Signal

from napari_scope.errors import StreamError
from napari_scope.stream.stats import StreamStats

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FrameEvent", "Kind", "StreamEvents"]

_logger = logging.getLogger(__name__)

_MOST_NEWS = 10_000
_PATIENCE_S = 1.0

Kind: TypeAlias = Literal["frame_saved", "frame_skipped", "failed", "closed"]
"""Names of the signals."""


@dataclass(frozen=True, slots=True)
class FrameEvent:
    """News of one frame.

    Parameters
    ----------
    axes : mapping
        Its identity.
    image : int
        Number of its image in `StreamView.images`.
    index : tuple of int
        Its place on the index axes of the image.
    number : int
        Running number in the order of arrival.
    status : str
        ``"saved"``, ``"skipped"`` or ``"dropped"``.
    reason : str
        Why it is not there.
    """

    axes: Mapping[str, int | str]
    image: int
    index: tuple[int, ...]
    number: int
    status: str
    reason: str = ""


class StreamEvents:
    """The signals of a stream (psygnal); connect with ``events.closed.connect(f)``.

    Signals are emitted by a thread of the stream; ``connect(f, thread="main")`` of
    psygnal calls elsewhere. An error of a listener is logged and harms nobody.
    """

    frame_saved = Signal(FrameEvent)
    """A frame is committed in every output: it survives a killed process."""

    frame_skipped = Signal(FrameEvent)
    """A frame was announced as missing, or dropped, and its line is written."""

    failed = Signal(StreamError)
    """The first error of an output; the next call of the stream raises it."""

    closed = Signal(StreamStats)
    """The files are finished."""

    def __init__(self) -> None:
        self.missed = 0
        self._news: deque[tuple[Kind, object]] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._thread: threading.Thread | None = None

    def wanted(self, kind: Kind) -> bool:
        """Return whether anybody listens."""
        return len(getattr(self, kind)) > 0

    def tell(self, kind: Kind, news: object) -> None:
        """Pass on news, if anybody listens; never waits for a listener."""
        if not self.wanted(kind):
            return
        with self._changed:
            if len(self._news) >= _MOST_NEWS:
                self._news.popleft()
                self.missed += 1
            self._news.append((kind, news))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="napari-scope news", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def finish(self) -> None:
        """Let listeners hear what is left; waits a second for slow ones, not more."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        # A listener may close the stream itself.
        if self._thread not in (None, threading.current_thread()):
            assert self._thread is not None
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._news:
                    if self._ending:
                        return
                    self._changed.wait()
                kind, news = self._news.popleft()
            try:
                getattr(self, kind).emit(news)
            except EmitLoopError as error:
                _logger.error("a listener of a stream failed: %s", error)
