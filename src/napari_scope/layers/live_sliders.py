"""The sliders of a viewer that follows a run: where they stand, and who moved them.

A plane of a run and a place of the sliders are two words for one thing; `plane_point`
and `plane_index` translate. `Follower` knows whether the sliders still stand where they
were put for the run. No Qt, no napari: numbers only.

Examples
--------
>>> point = plane_point(Plane(0, (("t", 2), ("z", 1))), "tz", (1.5, 2.0), (0.0, 5.0))
>>> point
(3.0, 7.0)
>>> plane_index(point, 0, "tz", (1.5, 2.0), (0.0, 5.0)).index
(('t', 2), ('z', 1))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.layers.live import Plane

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Follower", "plane_index", "plane_point"]


class Follower:
    """Whether the sliders follow the run: until someone else moves one.

    Examples
    --------
    >>> follower = Follower()
    >>> follower.placed((3.0, 1.0))
    >>> follower.check((3.0, 1.0)), follower.check((3.0, 0.0)), follower.on
    (True, False, False)
    """

    def __init__(self) -> None:
        self.on = True
        self._placed: tuple[float, ...] | None = None

    def placed(self, point: Sequence[float]) -> None:
        """Remember where the sliders were put on behalf of the run."""
        self._placed = tuple(point)

    def check(self, point: Sequence[float]) -> bool:
        """Return whether to go on following, given where the sliders are now.

        A change of the number of sliders is the work of another layer, not of the
        user's hand; it is forgiven.
        """
        placed = self._placed
        if self.on and placed is not None and len(placed) == len(point):
            if not np.allclose(placed, point, rtol=0, atol=1e-6):
                self.on = False
        return self.on

    def resume(self) -> None:
        """Follow again."""
        self.on = True
        self._placed = None


def plane_point(
    plane: Plane,
    axis_names: Sequence[str],
    scale: Sequence[float],
    translate: Sequence[float],
) -> tuple[float, ...]:
    """Return where the sliders must stand to show a plane, in world units.

    Parameters
    ----------
    plane : Plane
        The plane.
    axis_names : sequence of str
        Short names of the layer's axes without y and x.
    scale, translate : sequence of float
        Those of the layer, for the same axes.
    """
    index = dict(plane.index)
    return tuple(
        offset + index.get(name, 0) * step
        for name, step, offset in zip(axis_names, scale, translate, strict=True)
    )


def plane_index(
    point: Sequence[float],
    image: int,
    axis_names: Sequence[str],
    scale: Sequence[float],
    translate: Sequence[float],
) -> Plane:
    """Return the plane that a layer shows when the sliders stand at a point.

    The reverse of `plane_point`; between two planes the nearer one, as napari does.
    """
    return Plane(
        image,
        tuple(
            (name, round((value - offset) / step))
            for name, value, step, offset in zip(
                axis_names, point, scale, translate, strict=True
            )
        ),
    )
