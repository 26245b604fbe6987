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

__all__ = ["FrameKey", "Reason", "check_frames"]

FrameKey: TypeAlias = tuple[int, tuple[int, ...]]
"""Image and index of a frame."""

Reason: TypeAlias = str
"""Why a frame with a line is not there after all."""


def check_frames(
    lines: Iterable[FrameLine],
    read: Callable[[FrameLine], npt.NDArray[np.generic] | None],
    good: Callable[[FrameLine, npt.NDArray[np.generic]], None] | None = None,
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

    Returns
    -------
    dict
        Image and index of each frame that is lost, and why.
    """
    lost: dict[FrameKey, Reason] = {}
    for line in lines:
        try:
            frame = read(line)
        except (FormatError, OSError) as error:
            lost[line.image, line.index] = str(error)
            continue
        if frame is None:
            lost[line.image, line.index] = "it is not in the store"
        elif line.crc32c not in (None, checksum(np.ascontiguousarray(frame))):
            lost[line.image, line.index] = "its pixels are not those that were saved"
        elif good is not None:
            good(line, frame)
    return lost
