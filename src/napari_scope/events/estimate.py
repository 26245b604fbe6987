"""How many frames, bytes and seconds a plan will take.

The duration counts exposures and intervals. The time of stage moves and of saving is
not known before a run, so it is a lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.events.actions import acquires_image

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.events.plan import Plan

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Size of a plan; None where a generator keeps it open.

    Parameters
    ----------
    frames : int, optional
        Number of frames.
    bytes : int, optional
        Pixels of one output, without pyramid levels and metadata.
    duration_s : float, optional
        Lower bound of the duration in seconds.
    """

    frames: int | None
    bytes: int | None
    duration_s: float | None


def estimate(
    plan: Plan, frame_shape: tuple[int, ...], dtype: npt.DTypeLike
) -> Estimate:
    """Estimate the size and the duration of a plan.

    Parameters
    ----------
    plan : Plan
        The plan.
    frame_shape : tuple of int
        Shape of one frame in pixels: (height, width) or (height, width, 3).
    dtype : dtype-like
        Type of the pixels.
    """
    frames = plan.n_frames
    if frames is None:
        return Estimate(None, None, None)
    frame_bytes = math.prod(frame_shape) * np.dtype(dtype).itemsize
    return Estimate(frames, frames * frame_bytes, _duration(plan))


def _duration(plan: Plan) -> float:
    if plan.sequence is not None:
        return float(plan.sequence.estimate_duration().total_duration)
    clock = 0.0
    for event in plan.source:
        exposure_ms = (event.exposure or 0) if acquires_image(event) else 0
        clock = max(clock, event.min_start_time or 0.0) + exposure_ms / 1000
    return clock
