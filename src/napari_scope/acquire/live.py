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

from napari_scope.acquire.live_frame import LiveFrame, PixelRange, Rate, pixel_range
from napari_scope.acquire.live_reader import CameraReader
from napari_scope.acquire.registry import add_guest, is_in_use, remove_guest
from napari_scope.acquire.stage_watch import StageWatch
from napari_scope.errors import AcquisitionError, HardwareError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymmcore_plus import CMMCorePlus

__all__ = ["LiveCamera"]

_POLL_S = 0.003  # a camera is asked this often whether a new frame is there
_RANGE_S = 0.2  # from one look at all pixels to the next
_PATIENCE_S = 10.0  # a camera that has not stopped by then, after its exposure, hangs
_GRACE_S = 0.3  # in which somebody may start a camera again that they stopped
_FEW_RESTARTS = 5  # without a frame in between


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
        self.max_fps = max_fps
        self._patience_s = patience_s
        self._reader = CameraReader(core)
        # The camera is started, stopped and snapped with under this lock, and only
        # after a look whether it is anybody else's; `make_way` takes it as well.
        self._camera = threading.Lock()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wanted = False
        self._going = False
        self._holds = 0
        self._snaps = 0
        self._made_way = False
        self._closed = False
        self._error: ScopeError | None = None
        self._frames: tuple[LiveFrame, ...] = ()
        self._ranges: dict[str, PixelRange] = {}
        self._rate = Rate()
        self._read_rate = Rate()
        self._reads = 0

    # ---- what there is

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
        return self._wanted and self.running

    @property
    def made_way(self) -> bool:
        """Whether the last live view ended because a run or a loading began."""
        return self._made_way

    @property
    def error(self) -> ScopeError | None:
        """What ended the last live view; None if it ended as wished."""
        return self._error

    def newest(self) -> tuple[LiveFrame, ...]:
        """Return the newest frame of each camera; they stay after the end."""
        return self._frames

    def range_of(self, camera: str) -> PixelRange | None:
        """Return how bright the newest frames of a camera are, looked at now and then.

        Parameters
        ----------
        camera : str
            Its name.
        """
        return self._ranges.get(camera)

    @property
    def fps(self) -> float:
        """Frames that each camera delivers in a second."""
        return self._rate.per_second(time.monotonic()) if self.running else 0.0

    @property
    def read_fps(self) -> float:
        """Frames that are read in a second; the others are passed over."""
        return self._read_rate.per_second(time.monotonic()) if self.running else 0.0

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
            if self._closed:
                raise AcquisitionError("the live view was closed")
            if self._thread is not None and self._wanted:
                return
        # One that is on its way out has the camera until it has ended.
        self._join(timeout)
        with self._change:
            if self._thread is None:
                self._wanted = True
                self._made_way = False
                self._error = None
                add_guest(self)
                self._thread = threading.Thread(
                    target=self._work, name="napari-scope live", daemon=True
                )
                self._thread.start()
            started = self._change.wait_for(
                lambda: self._going or self._thread is None or self._holds, timeout
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
        with self._change:
            self._wanted = False
            self._change.notify_all()
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
            going_on = self._thread is not None and self._wanted
        if going_on:
            self._made_way = True
        self.stop()
        # A snap that is under way is waited for.
        if not self._camera.acquire(timeout=self._longest_s()):
            raise _hangs()
        self._camera.release()

    def close(self) -> None:
        """Stop for good; idempotent, does not raise."""
        self._closed = True
        with contextlib.suppress(HardwareError):
            self.stop()
        remove_guest(self)
        if self._owns_stage:
            self._stage.close()

    # ---- while live

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the camera for a change that it refuses while it runs.

        Without a live view nothing is held.

        Raises
        ------
        HardwareError
            If the camera does not stop.
        """
        if self._thread is None or threading.current_thread() is self._thread:
            yield
            return
        with self._change:
            self._holds += 1
            self._change.notify_all()
            at_rest = self._change.wait_for(
                lambda: not self._going or self._thread is None, self._longest_s()
            )
        try:
            if not at_rest:
                raise _hangs()
            yield
        finally:
            with self._change:
                self._holds -= 1
                self._change.notify_all()

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
                    f"{_one_line(error)}"
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
        if self.going_on:
            found = self._snap_live(timeout)
            if found is not None:
                return found
        add_guest(self)
        with self._camera:
            self._refuse_in_use()
            try:
                frames = self._reader.snap(self._stage.look())
            except (RuntimeError, IndexError, ValueError, MemoryError) as error:
                raise HardwareError(
                    f"no image could be taken, {_one_line(error)}",
                    hint="check that the camera is on and connected",
                ) from error
            self._publish(frames, look_at_range=True)
        return frames

    def _snap_live(self, timeout: float | None) -> tuple[LiveFrame, ...] | None:
        if timeout is None:
            timeout = 2 * self._longest_s()
        with self._change:
            self._snaps += 1
            # What is exposed now has begun before; the one after it has not.
            under_way = self._reader.peek() + 1

            def is_there() -> bool:
                frames = self._frames
                return bool(frames) and frames[0].number > under_way

            try:
                self._change.wait_for(
                    lambda: self._thread is None or is_there(), timeout
                )
                if self._thread is None:
                    if self._error is not None:
                        raise self._error
                    return None  # somebody has stopped it: a snap of its own
                if not is_there():
                    raise HardwareError(
                        f"the camera delivered no image within {timeout:g} s"
                    )
                return self._frames
            finally:
                self._snaps -= 1

    # ---- the thread

    def _work(self) -> None:
        error: ScopeError | None = None
        self._stage.start(self)
        try:
            while self._wanted:
                self._wait_while_held()
                if self._wanted:
                    self._run_once()
        except ScopeError as problem:
            error = problem
        except (RuntimeError, IndexError, ValueError, MemoryError) as problem:
            error = HardwareError(
                f"the camera has failed, {_one_line(problem)}",
                hint="check that the camera is on and connected, then start it again",
            )
            error.__cause__ = problem
        finally:
            self._stage.stop(self)
            with self._change:
                # What somebody wished to end has no error of its own to tell.
                self._error = error if self._wanted else self._error
                self._wanted = False
                self._going = False
                self._thread = None
                self._change.notify_all()

    def _wait_while_held(self) -> None:
        with self._change:
            self._change.wait_for(lambda: not self._holds or not self._wanted)

    def _run_once(self) -> None:
        """Let the camera run until somebody wishes otherwise."""
        restarts, began = 0, False
        while self._wanted and not self._holds:
            with self._camera:
                if began and is_in_use(self._core):
                    self._give_way()
                    return
                self._refuse_in_use()
                self._begin()
            began = True
            self._rate.clear()
            self._read_rate.clear()
            with self._change:
                self._going = True
                self._change.notify_all()
            before = self._reads
            try:
                self._read_on()
            finally:
                with self._camera:
                    self._reader.end()
                with self._change:
                    self._going = False
                    self._change.notify_all()
            restarts = restarts + 1 if self._reads == before else 0
            if restarts > _FEW_RESTARTS:
                raise HardwareError(
                    "the camera runs, but delivers no image",
                    hint="check its trigger mode, its size and its region",
                )

    def _read_on(self) -> None:
        """Read the newest frames; returns when the camera is to be stopped."""
        ready = 0.0
        looked = 0.0
        while self._wanted and not self._holds:
            now = time.monotonic()
            if self._core.mda.is_running():
                # A run that was not started through us has asked nobody.
                self._give_way()
                return
            if now >= ready and self._reader.has_news():
                frames = self._reader.read(self._stage.place)
                if frames:
                    ready = now + 1 / self.max_fps
                    self._reads += 1
                    self._rate.count(self._reader.delivered, now)
                    self._read_rate.count(self._reads, now)
                    self._publish(frames, look_at_range=now - looked >= _RANGE_S)
                    looked = now if now - looked >= _RANGE_S else looked
            elif not self._reader.is_running() and not self._goes_on():
                return
            with self._change:
                if self._wanted and not self._holds:
                    self._change.wait(_POLL_S)

    def _goes_on(self) -> bool:
        """Return whether a camera that stands still, not by our wish, runs again.

        False where it is to be started anew, or to be left alone.

        Raises
        ------
        HardwareError
            If there is no reason that we know.
        """
        end = time.monotonic() + _GRACE_S
        while time.monotonic() < end and self._wanted and not self._holds:
            # Images have another size now: the camera is started anew.
            if self._reader.was_changed():
                return False
            if self._reader.is_running():
                return True
            time.sleep(_POLL_S)
        if not self._wanted or self._holds or self._core.mda.is_running():
            return False
        raise HardwareError(
            "the camera has stopped, by itself or because another part of the program "
            "stopped it",
            hint="check that it is on and connected, then start the live view again",
        )

    # ---- parts

    def _begin(self) -> None:
        try:
            self._reader.begin()
        except (RuntimeError, IndexError, ValueError, MemoryError) as error:
            raise HardwareError(
                f"the camera does not start, {_one_line(error)}",
                hint="check that it is on and connected",
            ) from error

    def _give_way(self) -> None:
        self._made_way = True
        self._wanted = False

    def _refuse_in_use(self) -> None:
        if is_in_use(self._core):
            raise AcquisitionError(
                "the camera is in use by a run, or a configuration is being loaded",
                hint="wait for its end or cancel it",
            )

    def _publish(self, frames: tuple[LiveFrame, ...], *, look_at_range: bool) -> None:
        if look_at_range:
            self._ranges = {
                frame.camera: pixel_range(frame.image, frame.bit_depth)
                for frame in frames
            }
        with self._change:
            self._frames = frames
            if self._snaps:
                self._change.notify_all()

    def _join(self, timeout: float | None) -> None:
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        if timeout is None:
            timeout = self._longest_s()
        thread.join(timeout)
        if thread.is_alive():
            raise _hangs()

    def _longest_s(self) -> float:
        exposure_ms = self._reader.exposure_ms or 0.0
        return self._patience_s + exposure_ms / 1000


def _hangs() -> HardwareError:
    return HardwareError(
        "the camera does not stop",
        hint="check that it is on and connected; restart the program if it stays so",
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
