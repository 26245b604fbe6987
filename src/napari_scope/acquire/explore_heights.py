"""The levels in height of an exploration: which there are, and where they lie.

Level 0 is where the focus was at the beginning; levels count up and down from it by a
step. The axis ``z`` of a store counts from the lowest that there may be, so that it
never becomes negative.

Examples
--------
>>> heights = Heights(step_um=2.5, below=2, origin_um=100.0)
>>> heights.levels([-2, 1]), heights.index(-2), heights.z_um(-2)
([-2, 1], 0, 95.0)
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_scope.acquire.explore_parts import whole
from napari_scope.errors import PlanError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymmcore_plus import CMMCorePlus

__all__ = ["Heights"]


@dataclass(frozen=True, slots=True)
class Heights:
    """Levels in height.

    Parameters
    ----------
    step_um : float, optional
        Distance of two levels; without it there is only one.
    below : int
        How many levels there are below level 0.
    origin_um : float, optional
        Where level 0 is; None where there is no focus drive.

    Raises
    ------
    SettingsError
        If they make no sense.
    """

    step_um: float | None = None
    below: int = 0
    origin_um: float | None = None

    def __post_init__(self) -> None:
        """Refuse levels that are not apart, or that nobody can reach."""
        step = self.step_um
        if step is not None and not (math.isfinite(step) and step):
            raise SettingsError("levels in height need a distance that is not zero")
        if self.below < 0 or (self.below and step is None):
            raise SettingsError(
                f"there cannot be {self.below} levels below the first",
                hint="count them from 0, and give z_step_um",
            )

    def of(self, core: CMMCorePlus) -> Heights:
        """Return these levels from where the focus is now.

        Raises
        ------
        SettingsError
            If there is no focus drive, but levels.
        """
        if core.getFocusDevice():
            return replace(self, origin_um=core.getZPosition())
        if self.step_um is not None:
            raise SettingsError(
                "there is no focus drive", hint="leave z_step_um out, or choose one"
            )
        return self

    def levels(self, z: int | Iterable[int]) -> list[int]:
        """Return levels that somebody asks for.

        Raises
        ------
        PlanError
            If there is no such level.
        """
        levels = [z] if isinstance(z, int) else list(z)
        if self.step_um is None and levels != [0]:
            raise PlanError(
                "this explorer has one level in height only", hint="give it a z_step_um"
            )
        for level in levels:
            if whole(level, "a level in height") < -self.below:
                raise PlanError(
                    f"there is no level {level} in height",
                    hint=f"make the explorer with z_below={-level} or more",
                )
        return [operator.index(level) for level in levels]

    def index(self, level: int) -> int:
        """Return where a level is on the axis ``z`` of the store."""
        return level + self.below

    def z_um(self, level: int) -> float:
        """Return where the focus is at a level."""
        assert self.origin_um is not None  # checked when an explorer is made
        return self.origin_um + level * (self.step_um or 0.0)
