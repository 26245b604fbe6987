"""Which axes a plan has, without going through it.

useq's own ``used_axes`` counts the fields of every grid. A grid may have millions of
them, and points at random that must not overlap are drawn anew each time: seconds.

Examples
--------
>>> import useq
>>> grid = useq.RandomPoints(num_points=3000, random_seed=1)
>>> sorted(axes_in_use(useq.MDASequence(channels=["DAPI"], grid_plan=grid)))
['c', 'g']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import useq

__all__ = ["axes_in_use"]


def axes_in_use(plan: useq.MDASequence) -> frozenset[str]:
    """Return the letters of the axes that a plan says something about.

    Axes of plans within positions do not count.

    Parameters
    ----------
    plan : useq.MDASequence
        The plan.
    """
    parts = {
        "t": plan.time_plan,
        "p": plan.stage_positions,
        "g": plan.grid_plan,
        "c": plan.channels,
        "z": plan.z_plan,
    }
    return frozenset(
        axis
        for axis, part in parts.items()
        if (len(part) if isinstance(part, tuple) else part is not None)
    )
