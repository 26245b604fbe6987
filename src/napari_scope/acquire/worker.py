"""An image function in a process of its own, for work that Python's lock would hold up.

Pixels go there and back through shared memory; only metadata are pickled. The process
is spawned, as on every system but Linux, so the function must be importable by name (a
function at the top of a module) and a script needs its ``if __name__ == "__main__"``.
An error of the function comes back with its traceback as text; a process that dies is
an error, too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import traceback
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.acquire.hooks import HookError
from napari_scope.acquire.script_hooks import arity, image_results, processed
from napari_scope.acquire.tags import to_tags
from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    import numpy.typing as npt

    from napari_scope.acquire.processing import Processed

__all__ = ["worker_function"]

_LOOK_S = 0.1
_PATIENCE_S = 5.0


def worker_function(
    function: Callable[..., Any],
) -> tuple[Callable[[Processed], list[Processed]], Callable[[], None]]:
    """Return what a `FrameProcessor` calls for a function in a process, and its end.

    Parameters
    ----------
    function : callable
        Takes (image, metadata); the event queue and the core are not there.

    Raises
    ------
    SettingsError
        If it takes other arguments, or cannot be sent to a process.
    """
    if arity(function, "image_process_fn", 4, 2) != 2:
        raise SettingsError(
            "image_process_fn takes more than image and metadata, which are all there "
            "is in a process of its own",
            hint="use process=False, and events from a callback",
        )
    try:
        pickle.dumps(function)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SettingsError(
            f"image_process_fn cannot be sent to a process, {error}",
            hint="define it at the top of a module, or use process=False",
        ) from error
    worker = _Worker(function)
    return worker.call, worker.close


class _Worker:
    """The process, seen from here; used by one thread."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._memory: SharedMemory | None = None

    def _start(self, size: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._memory = SharedMemory(create=True, size=size)
        here, there = context.Pipe()
        self._process = context.Process(
            target=_work,
            args=(there, self._function, self._memory.name),
            name="napari-scope image_process_fn",
            daemon=True,
        )
        self._process.start()
        there.close()
        self._connection = here

    def call(self, frame: Processed) -> list[Processed]:
        """Let the process work on one frame."""
        image = np.ascontiguousarray(frame.image)
        if self._memory is None or self._memory.size < image.nbytes:
            self.close()
            self._start(max(1, image.nbytes))
        assert self._memory is not None
        assert self._connection is not None
        _as_array(self._memory, image.shape, image.dtype)[...] = image
        tags = to_tags(frame.axes, frame.facts)
        try:
            self._connection.send((image.shape, image.dtype.str, tags))
            kind, content = self._answer()
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            code = None
            if self._process is not None:
                self._process.join(_PATIENCE_S)
                code = self._process.exitcode
            raise HookError(
                f"the process of image_process_fn ended by itself (exit code {code})",
                hint="it was killed, or a script lacks its "
                'if __name__ == "__main__": the process imports the script',
            ) from error
        if kind == "error":
            raise HookError(
                f"image_process_fn raised in its process:\n{content}",
                hint="the traceback has the line of the function",
            )
        found = []
        for pixels, metadata in content:
            if isinstance(pixels, _InMemory):
                array = _as_array(self._memory, pixels.shape, pixels.dtype).copy()
            else:
                array = pixels
            found.append(
                processed(array if metadata is None else (array, metadata), frame)
            )
        return found

    def _answer(self) -> Any:
        assert self._connection is not None
        assert self._process is not None
        while not self._connection.poll(_LOOK_S):
            if not self._process.is_alive() and not self._connection.poll():
                raise EOFError
        return self._connection.recv()

    def close(self) -> None:
        """Let the process end; again is harmless."""
        if self._connection is not None:
            with contextlib.suppress(BrokenPipeError, OSError):
                self._connection.send(None)
        if self._process is not None:
            self._process.join(_PATIENCE_S)
            if self._process.is_alive():
                self._process.terminate()
                self._process.join()
            self._process.close()
        if self._connection is not None:
            self._connection.close()
        if self._memory is not None:
            self._memory.close()
            self._memory.unlink()
        self._process = self._connection = self._memory = None


class _InMemory:
    """An image that is in the shared memory, to be sent instead of its pixels."""

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.shape = shape
        self.dtype = dtype


def _as_array(
    memory: SharedMemory, shape: tuple[int, ...], dtype: Any
) -> npt.NDArray[Any]:
    return np.ndarray(shape, dtype, buffer=memory.buf)


def _work(connection: Connection, function: Callable[..., Any], name: str) -> None:
    """Work on frames until told to end; runs in the process."""
    # Ctrl-C reaches all processes of a terminal; what is under way is still stored.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    memory = SharedMemory(name=name)
    try:
        while (task := connection.recv()) is not None:
            shape, dtype, tags = task
            try:
                # A copy: the memory is used again, the function may keep the image.
                image = _as_array(memory, shape, dtype).copy()
                content = _packed(image_results(function(image, tags)), memory)
                answer = pickle.dumps(("done", content))
            except Exception:
                answer = pickle.dumps(("error", traceback.format_exc()))
            connection.send_bytes(answer)
    except EOFError:
        pass  # the program that started it is gone
    finally:
        memory.close()


def _packed(results: list[Any], memory: SharedMemory) -> list[tuple[Any, Any]]:
    """Put the first image that fits into the shared memory; others are sent."""
    packed: list[tuple[Any, Any]] = []
    free = True
    for result in results:
        if isinstance(result, tuple) and len(result) == 2:
            image, tags = result
        elif isinstance(result, np.ndarray):
            image, tags = result, None
        else:
            raise TypeError(
                f"image_process_fn returned a {type(result).__name__}, expected "
                "(image, metadata), a list of these, or None"
            )
        pixels = np.asarray(image)
        if free and pixels.nbytes <= memory.size and not pixels.dtype.hasobject:
            _as_array(memory, pixels.shape, pixels.dtype)[...] = pixels
            packed.append((_InMemory(pixels.shape, pixels.dtype.str), tags))
            free = False
        else:
            packed.append((pixels, tags))
    return packed
