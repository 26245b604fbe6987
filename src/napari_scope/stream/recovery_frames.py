"""Checking the frames of an interrupted run against their checksums."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.stream.sinks.base import checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from napari_scope.stream.recovery_plan import FrameLine

__all__ = ["FrameKey", "FrameSteps", "Progress", "Reason", "check_frames"]

FrameKey: TypeAlias = tuple[int, tuple[int, ...]]
"""Image and index of a frame."""

Reason: TypeAlias = str
"""Why a frame with a line is not there after all."""

Progress: TypeAlias = "Callable[[int, int], None]"
"""Told how many frames were checked, and of how many; on the thread that recovers."""


class FrameSteps:
    """Counts the frames that are checked, and tells how far that is.

    Parameters
    ----------
    total : int
        Frames to check.
    progress : callable, optional
        Who wants to know.

    Examples
    --------
    >>> step = FrameSteps(2, print)
    >>> step()
    1 2
    """

    def __init__(self, total: int, progress: Progress | None = None) -> None:
        self._total = total
        self._progress = progress
        self._done = 0

    def __call__(self) -> None:
        """Count a frame."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


def check_frames(
    lines: Iterable[FrameLine],
    read: Callable[[FrameLine], npt.NDArray[np.generic] | None],
    good: Callable[[FrameLine, npt.NDArray[np.generic]], None] | None = None,
    step: Callable[[], None] | None = None,
) -> dict[FrameKey, Reason]:
    """Read each frame that has a line, and compare it with its checksum.

    After a kill all are right; after a loss of power those that were not synced may
    not be.

    Parameters
    ----------
    lines : iterable of FrameLine
        Those that were saved, in the order in which to read.
    read : callable
        Returns the frame of a line; raises FormatError or OSError where it is not to
        be had.
    good : callable, optional
        Called with each frame that is right.
    step : callable, optional
        Called after each frame.

    Returns
    -------
    dict
        Image and index of each frame that is lost, and why.
    """
    lost: dict[FrameKey, Reason] = {}
    for line in lines:
        key = line.image, line.index
        try:
            frame = read(line)
        except (FormatError, OSError) as error:
            lost[key] = str(error)
        else:
            if frame is None:
                lost[key] = "it is not in the store"
            elif line.crc32c not in (None, checksum(np.ascontiguousarray(frame))):
                lost[key] = "its pixels are not those that were saved"
            elif good is not None:
                good(line, frame)
        if step is not None:
            step()
    return lost
