"""The live view of the camera, without a window: the newest frame, never a queue.

`LiveCamera` owns one thread. It starts the camera, reads the newest frame of each
camera at most `max_fps` times a second, and stops the camera; nobody else does any of
it, so a camera that hangs holds up nobody but who waits for it. What the camera
delivers faster is counted and passed over.

A live view is a guest of its core (`acquire.registry`): it makes way when a run or the
loading of a configuration begins, whoever starts it. What a camera refuses while it
runs is done inside `held`: the camera stops, the change is made, the camera goes on.
Where somebody else has changed the image size through the core the camera is started
anew as well.

It knows nothing of viewers.

Examples
--------
>>> live = LiveCamera(core)  # doctest: +SKIP
>>> live.start()  # doctest: +SKIP
>>> [frame.number for frame in live.newest()]  # doctest: +SKIP
[17]
>>> live.stop()  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from napari_scope.acquire.camera_turns import CameraTurns, camera_hangs
from napari_scope.acquire.live_board import FrameBoard
from napari_scope.acquire.live_loop import CameraLoop, one_line, refuse_in_use
from napari_scope.acquire.live_reader import CameraReader
from napari_scope.acquire.live_snap import snap_at_rest, snap_out_of_live
from napari_scope.acquire.registry import add_guest, remove_guest
from napari_scope.acquire.stage_watch import StageWatch
from napari_scope.errors import AcquisitionError, HardwareError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.live_frame import LiveFrame, PixelRange

__all__ = ["LiveCamera"]

_MOMENT_S = 0.005
_PATIENCE_S = 10.0  # a camera that has not stopped by then, after its exposure, hangs


class LiveCamera:
    """Shows what the camera of a core sees; all methods may be called on any thread.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    stage : StageWatch, optional
        Tells where the stage is. By default one of its own.
    max_fps : float
        How many frames are read in a second at most.
    patience_s : float
        How long the camera may take to stop, beyond its exposure.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        stage: StageWatch | None = None,
        *,
        max_fps: float = 30.0,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._core = core
        self._owns_stage = stage is None
        self._stage = StageWatch(core) if stage is None else stage
        self._patience_s = patience_s
        self._reader = CameraReader(core)
        # The camera is started, stopped and snapped with in turn, and only after a
        # look whether it is anybody else's; `make_way` waits for its turn as well.
        self._turns = CameraTurns()
        self._change = self._turns.change
        self._board = FrameBoard(self._change)
        self._loop = CameraLoop(
            core, self._reader, self._board, self._turns, self._stage
        )
        self._loop.max_fps = max_fps
        self._thread: threading.Thread | None = None
        self._closed = False
        self._error: ScopeError | None = None

    # ---- what there is

    @property
    def max_fps(self) -> float:
        """How many frames are read in a second at most."""
        return self._loop.max_fps

    @max_fps.setter
    def max_fps(self, fps: float) -> None:
        self._loop.max_fps = fps

    @property
    def core(self) -> CMMCorePlus:
        """The core."""
        return self._core

    @property
    def stage(self) -> StageWatch:
        """Who tells where the stage is."""
        return self._stage

    @property
    def running(self) -> bool:
        """Whether the camera runs, or has not stopped yet."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    @property
    def going_on(self) -> bool:
        """Whether it runs and is to go on: nobody has wished its end."""
        return self._turns.wanted and self.running

    @property
    def made_way(self) -> bool:
        """Whether the last live view ended because a run or a loading began."""
        return self._loop.made_way

    @property
    def error(self) -> ScopeError | None:
        """What ended the last live view; None if it ended as wished."""
        return self._error

    def newest(self) -> tuple[LiveFrame, ...]:
        """Return the newest frame of each camera; they stay after the end."""
        return self._board.newest

    def range_of(self, camera: str) -> PixelRange | None:
        """Return how bright the newest frames of a camera are, looked at now and then.

        Parameters
        ----------
        camera : str
            Its name.
        """
        return self._board.range_of(camera)

    @property
    def fps(self) -> float:
        """Frames that each camera delivers in a second."""
        return self._board.fps if self.running else 0.0

    @property
    def read_fps(self) -> float:
        """Frames that are read in a second; the others are passed over."""
        return self._board.read_fps if self.running else 0.0

    # ---- live

    def start(self, timeout: float | None = 30.0) -> None:
        """Start the camera; returns when it runs. Again is harmless.

        Parameters
        ----------
        timeout : float, optional
            Longest time to wait for the camera, in seconds.

        Raises
        ------
        AcquisitionError
            While a run or a loading goes on.
        HardwareError
            If the camera does not start.
        """
        with self._change:
            self._refuse_closed()
            if self._thread is not None and self._turns.wanted:
                return
        # One that is on its way out has the camera until it has ended.
        self._join(timeout)
        with self._change:
            self._refuse_closed()
            if self._thread is None:
                self._turns.wanted = True
                self._loop.made_way = False
                self._error = None
                add_guest(self)
                self._thread = threading.Thread(
                    target=self._work, name="napari-scope live", daemon=True
                )
                self._thread.start()
            started = self._change.wait_for(
                lambda: self._loop.going or self._thread is None or self._turns.is_held,
                timeout,
            )
        if not started:
            self.stop(wait=False)
            raise HardwareError(
                f"the camera did not start within {timeout:g} s",
                hint="check that it is on, then load the configuration again",
            )
        if self._error is not None:
            raise self._error

    def stop(self, *, wait: bool = True, timeout: float | None = None) -> None:
        """Stop the camera; idempotent.

        Parameters
        ----------
        wait : bool
            Whether to return only when it has stopped.
        timeout : float, optional
            Longest time to wait, in seconds; its exposure and some patience by default.

        Raises
        ------
        HardwareError
            If it has not stopped by then. It is stopped when it comes to itself.
        """
        self._turns.end()
        if wait:
            self._join(timeout)

    def make_way(self) -> None:
        """Let go of the camera, because somebody else needs it; returns when done.

        Raises
        ------
        HardwareError
            If the camera does not stop.
        """
        with self._change:
            going_on = self._thread is not None and self._turns.wanted
        if going_on:
            self._loop.made_way = True
        self.stop()
        # A snap or a change that is under way is waited for.
        with self._turns.alone(self._longest_s()):
            pass

    def close(self) -> None:
        """Stop for good; idempotent, does not raise."""
        with self._change:
            self._closed = True
        with contextlib.suppress(HardwareError):
            self.stop()
        remove_guest(self)
        if self._owns_stage:
            self._stage.close()

    # ---- while live

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the camera for a change that it refuses, or does not stand, while live.

        The body has the camera alone: a live view that runs is stopped before and goes
        on afterwards, one that is to start waits, and so do snaps of other threads.

        Raises
        ------
        HardwareError
            If the camera does not stop.
        """
        if threading.current_thread() is self._thread:
            yield
            return
        with self._turns.held(self._longest_s()):
            yield

    def set_exposure(self, exposure_ms: float) -> None:
        """Set the exposure time of the camera, live or not.

        Raises
        ------
        HardwareError
            If the camera refuses it.
        """
        with self.held():
            try:
                self._core.setExposure(exposure_ms)
            except (RuntimeError, ValueError) as error:
                raise HardwareError(
                    f"the camera refuses an exposure of {exposure_ms:g} ms, "
                    f"{one_line(error)}"
                ) from error

    def snap(self, timeout: float | None = None) -> tuple[LiveFrame, ...]:
        """Take an image whose exposure begins now; it becomes the newest.

        While live the camera goes on: the image is the first of those that come that
        was not yet being exposed.

        Parameters
        ----------
        timeout : float, optional
            Longest time to wait while live, in seconds; two exposures and some
            patience by default.

        Returns
        -------
        tuple of LiveFrame
            One for each camera.

        Raises
        ------
        AcquisitionError
            While a run or a loading goes on.
        HardwareError
            If the camera fails.
        """
        add_guest(self)
        while True:
            if self.going_on and not self._turns.is_mine:
                found = self._snap_out_of_live(timeout)
                if found is not None:
                    return found
            with self._turns.alone():
                refuse_in_use(self._core)
                if not self._turns.is_taken:
                    frames = snap_at_rest(self._reader, self._stage)
                    self._board.publish(frames)
                    return frames
            # A live view has begun since, or has not quite ended.
            time.sleep(_MOMENT_S)

    def _snap_out_of_live(self, timeout: float | None) -> tuple[LiveFrame, ...] | None:
        if timeout is None:
            timeout = 2 * self._longest_s()
        with self._change:
            found = snap_out_of_live(
                self._board, self._reader, lambda: self._thread is None, timeout
            )
            if found is None and self._error is not None:
                raise self._error
            return found  # None if somebody has stopped it: a snap of its own

    # ---- the thread

    def _work(self) -> None:
        error: ScopeError | None = None
        self._stage.start(self)
        try:
            self._loop.run()
        except ScopeError as problem:
            error = problem
        except (RuntimeError, IndexError, ValueError, MemoryError) as problem:
            error = HardwareError(
                f"the camera has failed, {one_line(problem)}",
                hint="check that the camera is on and connected, then start it again",
            )
            error.__cause__ = problem
        finally:
            self._stage.stop(self)
            with self._change:
                # What somebody wished to end has no error of its own to tell.
                self._error = error if self._turns.wanted else self._error
                self._turns.wanted = False
                self._thread = None
                self._change.notify_all()

    # ---- parts

    def _refuse_closed(self) -> None:
        if self._closed:
            raise AcquisitionError("the live view was closed")

    def _join(self, timeout: float | None) -> None:
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        if timeout is None:
            timeout = self._longest_s()
        thread.join(timeout)
        if thread.is_alive():
            raise camera_hangs()

    def _longest_s(self) -> float:
        exposure_ms = self._reader.exposure_ms or 0.0
        return self._patience_s + exposure_ms / 1000
