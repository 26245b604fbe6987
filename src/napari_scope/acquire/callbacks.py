"""The callbacks of a script: what has happened, told on a thread of their own.

The thread takes notifications from a queue, in order, none left out, and ends with the
last one. The microscope waits for it only when very many have piled up, so that slow
callbacks take no memory without end; the end of an acquisition waits for all, because a
callback may still submit events. An error of a callback ends the acquisition.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from napari_scope.acquire.hooks import HookError
from napari_scope.acquire.notifications import AcqNotification
from napari_scope.acquire.script_hooks import arity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_scope.acquire.event_queue import EventQueue

__all__ = ["Callbacks"]

_MOST_NEWS = 100_000  # of some hundred bytes each
_LOOK_S = 0.1


class Callbacks:
    """Calls the callbacks of one acquisition.

    Parameters
    ----------
    notified : callable, optional
        ``notification_callback_fn``: takes an `AcqNotification`.
    image_saved : callable, optional
        ``image_saved_fn``: takes (axes, dataset) or (axes, dataset, event queue).
    storage_monitor : callable, optional
        ``storage_monitor_callback_fn``: takes axes.
    dataset : callable
        Returns the data set.
    events : EventQueue
        The queue of events.
    failed : callable
        Gets the error of a callback; no other is called then.

    Raises
    ------
    SettingsError
        If one takes other arguments.
    """

    def __init__(
        self,
        notified: Callable[[AcqNotification], object] | None,
        image_saved: Callable[..., object] | None,
        storage_monitor: Callable[..., object] | None,
        *,
        dataset: Callable[[], object],
        events: EventQueue,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._notified = notified
        self._saved = image_saved
        self._monitor = storage_monitor
        self._dataset = dataset
        self._failed = failed
        self._more: tuple[object, ...] = ()
        if image_saved is not None:
            count = arity(image_saved, "image_saved_fn", 3, 2)
            self._more = (events,) if count == 3 else ()
        for name, function in (
            ("notification_callback_fn", notified),
            ("storage_monitor_callback_fn", storage_monitor),
        ):
            if function is not None:
                arity(function, name, 1)
        self._news: deque[AcqNotification] = deque()
        self._changed = threading.Condition()
        self._released = False
        self._wanted = any(
            f is not None for f in (notified, image_saved, storage_monitor)
        )
        self._told = self._heard = 0
        self.images = 0
        """Saved images that the callbacks were told of."""
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, if there is any callback."""
        if self._wanted:
            self.thread = threading.Thread(
                target=self._run, name="napari-scope callbacks", daemon=True
            )
            self.thread.start()

    def tell(
        self,
        kind: type,
        milestone: str,
        frames: Sequence[Mapping[str, int | str]] = (),
    ) -> None:
        """Pass on what happened; waits while very many have yet to be heard."""
        if not self._wanted:
            return
        payload: Any = None
        if frames:
            payload = frames[0] if len(frames) == 1 else list(frames)
        news = AcqNotification(kind, payload, milestone)
        with self._changed:
            while len(self._news) >= _MOST_NEWS and self._wanted and not self._released:
                self._changed.wait(_LOOK_S)
            self._told += 1
            self._news.append(news)
            self._changed.notify_all()

    def release(self) -> None:
        """Let nobody wait for a callback any more: the acquisition is given up."""
        with self._changed:
            self._released = True
            self._changed.notify_all()

    def is_busy(self, images: int) -> bool:
        """Return whether a callback that may submit events has yet to be called.

        Parameters
        ----------
        images : int
            How many images will have been saved.
        """
        if not self._wanted:
            return False
        return self._heard < self._told or self.images < images

    def finish(self) -> None:
        """Wait until the last callback has returned; in a callback, return at once."""
        if self.thread not in (None, threading.current_thread()):
            assert self.thread is not None
            self.thread.join()

    def _run(self) -> None:
        over = False
        while not over:
            with self._changed:
                while not self._news:
                    self._changed.wait()
                news = self._news.popleft()
                self._changed.notify_all()
            over = news.is_data_sink_finished_notification()
            try:
                self._call(news)
            except Exception as error:
                self._wanted = False
                self._failed(error)
                return
            self._heard += 1

    def _call(self, news: AcqNotification) -> None:
        if self._notified is not None:
            _called("notification_callback_fn", self._notified, news)
        if not news.is_image_saved_notification():
            return
        axes = news.payload
        if self._monitor is not None:
            _called("storage_monitor_callback_fn", self._monitor, dict(axes))
        if self._saved is not None:
            dataset = self._dataset()
            _called("image_saved_fn", self._saved, dict(axes), dataset, *self._more)
        self.images += 1


def _called(name: str, function: Callable[..., object], *arguments: object) -> None:
    try:
        function(*arguments)
    except Exception as error:
        raise HookError(
            f"{name} raised {type(error).__name__}: {error}",
            hint="the traceback has the line of the callback",
        ) from error
