"""The camera of a live view while it runs: started, read from, stopped, started anew.

`CameraLoop` works in the one thread of a live view. It reads the newest frames, at most
`max_fps` times a second, and decides what becomes of a camera that stands still or
whose images have changed: whether it is started anew, left to a run, or has failed.

It knows neither who wants the live view nor who waits for it (`acquire.live`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_scope.acquire.registry import is_in_use
from napari_scope.errors import AcquisitionError, HardwareError

if TYPE_CHECKING:
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.camera_turns import CameraTurns
    from napari_scope.acquire.live_board import FrameBoard
    from napari_scope.acquire.live_reader import CameraReader
    from napari_scope.acquire.stage_watch import StageWatch

__all__ = ["CameraLoop", "one_line", "refuse_in_use"]

_POLL_S = 0.003  # a camera is asked this often whether a new frame is there
_GRACE_S = 0.3  # in which somebody may start a camera again that they stopped
_FEW_RESTARTS = 5  # without a frame in between


class CameraLoop:
    """Lets a camera run as long as a live view is wanted.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    reader : CameraReader
        Its camera.
    board : FrameBoard
        Where frames are published.
    turns : CameraTurns
        Who has the camera.
    stage : StageWatch
        Tells where the stage is.

    Attributes
    ----------
    max_fps : float
        How many frames are read in a second at most.
    going : bool
        Whether the camera has started and has not been stopped.
    made_way : bool
        Whether the live view ended because a run or a loading began.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        reader: CameraReader,
        board: FrameBoard,
        turns: CameraTurns,
        stage: StageWatch,
    ) -> None:
        self._core = core
        self._reader = reader
        self._board = board
        self._turns = turns
        self._stage = stage
        self.max_fps = 30.0
        self.going = False
        self.made_way = False

    def run(self) -> None:
        """Let the camera run; returns when the live view is not wanted any more.

        Raises
        ------
        AcquisitionError
            If the camera is somebody else's.
        HardwareError, RuntimeError
            If it fails.
        """
        while self._turns.wanted:
            self._turns.wait_until_free()
            if self._turns.wanted:
                self._run_once()

    def _run_once(self) -> None:
        """Let the camera run until somebody wishes otherwise."""
        restarts, began = 0, False
        while self._turns.take():
            before = self._board.reads
            try:
                with self._turns.alone():
                    if began and is_in_use(self._core):
                        self._give_way()
                        return
                    refuse_in_use(self._core)
                    self._begin()
                began = True
                self._run()
            finally:
                self._turns.give_back()
            restarts = restarts + 1 if self._board.reads == before else 0
            if restarts > _FEW_RESTARTS:
                raise HardwareError(
                    "the camera runs, but delivers no image",
                    hint="check its trigger mode, its size and its region",
                )

    def _run(self) -> None:
        """Read on from a camera that has started, and stop it."""
        self._board.begin()
        with self._turns.change:
            self.going = True
            self._turns.change.notify_all()
        try:
            self._read_on()
        finally:
            try:
                with self._turns.alone():
                    self._reader.end()
            finally:
                with self._turns.change:
                    self.going = False
                    self._turns.change.notify_all()

    def _read_on(self) -> None:
        """Read the newest frames; returns when the camera is to be stopped."""
        ready = 0.0
        while self._turns.may_run:
            now = time.monotonic()
            if self._core.mda.is_running():
                # A run that was not started through us has asked nobody.
                self._give_way()
                return
            if now >= ready and self._reader.has_news():
                frames = self._reader.read(self._stage.place)
                if frames:
                    ready = now + 1 / self.max_fps
                    self._board.read(frames, self._reader.delivered, now)
                elif self._reader.was_changed():
                    return
            elif not self._reader.is_running() and not self._goes_on():
                return
            with self._turns.change:
                if self._turns.may_run:
                    self._turns.change.wait(_POLL_S)

    def _goes_on(self) -> bool:
        """Return whether a camera that stands still, not by our wish, runs again.

        False where it is to be started anew, or to be left alone.

        Raises
        ------
        HardwareError
            If there is no reason that we know.
        """
        end = time.monotonic() + _GRACE_S
        while time.monotonic() < end and self._turns.may_run:
            # Images have another size now: the camera is started anew.
            if self._reader.was_changed():
                return False
            if self._reader.is_running():
                return True
            time.sleep(_POLL_S)
        if not self._turns.may_run or self._core.mda.is_running():
            return False
        raise HardwareError(
            "the camera has stopped, by itself or because another part of the program "
            "stopped it",
            hint="check that it is on and connected, then start the live view again",
        )

    def _begin(self) -> None:
        try:
            self._reader.begin()
        except (RuntimeError, IndexError, ValueError, MemoryError) as error:
            raise HardwareError(
                f"the camera does not start, {one_line(error)}",
                hint="check that it is on and connected",
            ) from error

    def _give_way(self) -> None:
        self.made_way = True
        self._turns.wanted = False


def refuse_in_use(core: CMMCorePlus) -> None:
    """Raise if a run or a loading has the core.

    Raises
    ------
    AcquisitionError
        If it has.
    """
    if is_in_use(core):
        raise AcquisitionError(
            "the camera is in use by a run, or a configuration is being loaded",
            hint="wait for its end or cancel it",
        )


def one_line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
