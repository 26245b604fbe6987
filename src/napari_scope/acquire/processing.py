"""Images that pass through a function of the caller before they are stored.

The function runs on a thread of its own, or in a process of its own, behind a queue
of limited size: when it is slower than the camera, the camera waits. What it returns
is stored: an image with its axes and facts, several of them, or nothing. An error ends
the run and reaches the caller.

Frames go to a process through shared memory, so that only their facts are pickled. The
process is spawned: the function must be one that can be imported.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from napari_scope.acquire.hooks import HookError
from napari_scope.errors import FrameError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import numpy.typing as npt

__all__ = ["FrameFunction", "FrameProcessor", "Processed"]


@dataclass(frozen=True, slots=True)
class Processed:
    """A frame on its way through a function.

    Parameters
    ----------
    image : numpy.ndarray
        The pixels.
    axes : mapping
        Its identity.
    facts : mapping
        What is stored with it.
    """

    image: npt.NDArray[np.generic]
    axes: Mapping[str, int | str]
    facts: Mapping[str, Any]


FrameFunction: TypeAlias = "Callable[[Processed], list[Processed]]"
"""Takes a frame, returns the frames that shall be stored."""


class _Recorder(Protocol):
    def store(
        self,
        image: npt.NDArray[np.generic],
        axes: Mapping[str, int | str],
        facts: Mapping[str, Any],
    ) -> None: ...

    def leave_out(self, axes: Mapping[str, int | str], reason: str) -> None: ...


class FrameProcessor:
    """Runs a function on each frame, on a thread.

    Parameters
    ----------
    function : callable
        See `FrameFunction`; only one call at a time.
    name : str
        What it is called in errors.
    most_waiting : int
        Frames that may wait for it.
    finish : callable
        Called when no frame comes any more.
    """

    def __init__(
        self,
        function: FrameFunction,
        *,
        name: str = "image_process_fn",
        most_waiting: int = 20,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        self._function = function
        self._name = name
        self._waiting: queue.Queue[Processed | None] = queue.Queue(max(1, most_waiting))
        self._finish = finish
        self._recorder: _Recorder | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._under_way = 0
        self._count = threading.Lock()
        self.error: BaseException | None = None
        """What stopped it."""

    @property
    def thread(self) -> threading.Thread | None:
        """The thread on which the function runs."""
        return self._thread

    def start(self, recorder: _Recorder) -> None:
        """Start the thread; what comes out goes to the recorder."""
        self._recorder = recorder
        self._thread = threading.Thread(
            target=self._run, name="napari-scope processing", daemon=True
        )
        self._thread.start()

    def submit(
        self,
        image: npt.NDArray[np.generic],
        axes: Mapping[str, int | str],
        facts: Mapping[str, Any],
    ) -> None:
        """Take over a frame; waits while too many are under way.

        Raises
        ------
        HookError, ScopeError
            What stopped the function or the storing.
        """
        frame = Processed(image, axes, facts)
        with self._count:
            self._under_way += 1
        while True:
            if self.error is not None:
                raise self.error
            try:
                self._waiting.put(frame, timeout=0.1)
                return
            except queue.Full:
                continue

    def is_busy(self) -> bool:
        """Return whether frames are under way and nothing went wrong."""
        return self._under_way > 0 and self.error is None

    def close(self) -> None:
        """Wait until all frames went through; raises what stopped it. Idempotent."""
        if self._thread is not None and not self._closed:
            self._closed = True
            while self._thread.is_alive():
                try:
                    self._waiting.put(None, timeout=0.1)
                    break
                except queue.Full:
                    continue
            self._thread.join()
            try:
                self._finish()
            except Exception as error:
                self.error = self.error or error
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            while (frame := self._waiting.get()) is not None:
                self._process(frame)
                with self._count:
                    self._under_way -= 1
        except BaseException as error:  # raised by submit and close
            self.error = error

    def _process(self, frame: Processed) -> None:
        assert self._recorder is not None  # set before the thread starts
        try:
            results = self._function(frame)
        except ScopeError:
            raise
        except Exception as error:
            axes = ", ".join(f"{k}={v}" for k, v in frame.axes.items())
            raise HookError(
                f"{self._name} raised {type(error).__name__}: {error} [{axes}]",
                hint="the traceback has the line of the function",
            ) from error
        own = dict(frame.axes)
        if not any(dict(result.axes) == own for result in results):
            did = "renamed" if results else "dropped"
            self._recorder.leave_out(own, f"{did} by {self._name}")
        for result in results:
            try:
                self._recorder.store(result.image, result.axes, result.facts)
            except FrameError as error:
                if result.image is frame.image and dict(result.axes) == own:
                    raise
                raise HookError(
                    f"an image that {self._name} returned cannot be stored, "
                    f"{error.message}",
                    hint="all images of an acquisition have one size and type, and "
                    "each has axes of its own",
                ) from error
