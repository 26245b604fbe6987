"""Taking one image, at rest or out of a camera that runs.

At rest the camera is asked for an image. While it runs for a live view it goes on: the
image is the first of those that come whose exposure began after the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.acquire.live_loop import one_line
from napari_scope.errors import HardwareError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.acquire.live_board import FrameBoard
    from napari_scope.acquire.live_frame import LiveFrame
    from napari_scope.acquire.live_reader import CameraReader
    from napari_scope.acquire.stage_watch import StageWatch

__all__ = ["snap_at_rest", "snap_out_of_live"]


def snap_at_rest(reader: CameraReader, stage: StageWatch) -> tuple[LiveFrame, ...]:
    """Take an image; who calls it has the camera alone.

    Parameters
    ----------
    reader : CameraReader
        The camera.
    stage : StageWatch
        Tells where it looks.

    Raises
    ------
    HardwareError
        If the camera fails.
    """
    try:
        return reader.snap(stage.look())
    except (RuntimeError, IndexError, ValueError, MemoryError) as error:
        raise HardwareError(
            f"no image could be taken, {one_line(error)}",
            hint="check that the camera is on and connected",
        ) from error


def snap_out_of_live(
    board: FrameBoard,
    reader: CameraReader,
    has_ended: Callable[[], bool],
    timeout: float,
) -> tuple[LiveFrame, ...] | None:
    """Wait for the first image whose exposure began now; the board's lock is held.

    Parameters
    ----------
    board : FrameBoard
        Where the frames are published.
    reader : CameraReader
        Tells how many have come.
    has_ended : callable
        Whether the live view has ended.
    timeout : float
        Longest time to wait, in seconds.

    Returns
    -------
    tuple of LiveFrame or None
        One for each camera; None if the live view has ended before.

    Raises
    ------
    HardwareError
        If no image comes.
    """
    # What is exposed now has begun before; the one after it has not.
    under_way = reader.peek() + 1

    def is_there() -> bool:
        return bool(board.newest) and board.newest[0].number > under_way

    board.wait_for(lambda: has_ended() or is_there(), timeout)
    if has_ended():
        return None
    if not is_there():
        raise HardwareError(f"the camera delivered no image within {timeout:g} s")
    return board.newest
