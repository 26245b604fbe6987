"""The levels of a pyramid: how many, how large, and where their pixels lie.

Each level is made from the one before. An axis that is reduced is halved, odd lengths
round up, until one pixel is left, which then stays as it is. A coarse pixel lies in
the middle of the fine ones that it stands for, so its position is shifted by half of
what was reduced; the scale is exactly 2, 4, 8 times that of full resolution, also where
the length is odd (the last pixel then reaches beyond the image). That holds for all
methods, also for those that take one of the fine pixels: labels stay over their image.

Pure arithmetic: no file and no array is known here.

Examples
--------
>>> for level in plan_levels((3, 1000, 600), "cyx", (1, 2, 2), (0, 0, 5)):
...     level.path, level.shape, level.factor, level.scale, level.translation
('0', (3, 1000, 600), (1, 1, 1), (1.0, 2.0, 2.0), (0.0, 0.0, 5.0))
('1', (3, 500, 300), (1, 2, 2), (1.0, 4.0, 4.0), (0.0, 1.0, 6.0))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MAX_LEVELS", "LevelPlan", "plan_levels", "reduced_axes"]

MAX_LEVELS = 64
"""No axis can be halved more often."""

_SMALL = 512  # pixels of a side of the coarsest level, unless the caller says


@dataclass(frozen=True, slots=True)
class LevelPlan:
    """One level of a pyramid.

    Parameters
    ----------
    path : str
        Name of its array in the group of the image.
    shape : tuple of int
        Length of each axis.
    factor : tuple of int
        How many pixels of full resolution one of its pixels spans, on each axis.
    scale, translation : tuple of float
        Distance of its pixels and position of the first one, on each axis.
    """

    path: str
    shape: tuple[int, ...]
    factor: tuple[int, ...]
    scale: tuple[float, ...]
    translation: tuple[float, ...]


def reduced_axes(axis_names: Sequence[str], dims: Sequence[str]) -> list[bool]:
    """Return for each axis whether it is one of those to reduce.

    Raises
    ------
    SettingsError
        If the image has none of them, or one is not in space.
    """
    names = [name.lower() for name in axis_names]
    wanted = {dim.lower() for dim in dims}
    if not wanted <= {"z", "y", "x"} or not wanted:
        raise SettingsError(
            f"a pyramid reduces z, y and x, or some of them, not {', '.join(dims)}"
        )
    chosen = [name in wanted for name in names]
    if not any(chosen):
        raise SettingsError(
            f"the image has none of the axes {', '.join(sorted(wanted))}, only "
            f"{', '.join(names)}"
        )
    return chosen


def plan_levels(
    shape: Sequence[int],
    axis_names: Sequence[str],
    scale: Sequence[float],
    translation: Sequence[float],
    count: int | None = None,
    dims: Sequence[str] = ("y", "x"),
) -> list[LevelPlan]:
    """Return the levels of an image, full resolution first.

    Parameters
    ----------
    shape : sequence of int
        Shape of full resolution.
    axis_names : sequence of str
        Name of each axis; case does not matter.
    scale, translation : sequence of float
        Of full resolution.
    count : int, optional
        Number of levels, full resolution counted; fewer where no axis can be halved
        any more. By default levels are added until none of y and x (of the axes in
        ``dims``, where these are others) is longer than 512.
    dims : sequence of str
        Axes to reduce: any of z, y and x.

    Raises
    ------
    SettingsError
        If the image has none of ``dims``, or the count is no positive number.
    """
    if not len(shape) == len(axis_names) == len(scale) == len(translation):
        raise SettingsError("shape, axes, scale and translation differ in length")
    if count is not None and not 1 <= count <= MAX_LEVELS:
        raise SettingsError(f"1 to {MAX_LEVELS} levels are possible, not {count}")
    chosen = reduced_axes(axis_names, dims)
    plane = [c and n.lower() in "yx" for c, n in zip(chosen, axis_names, strict=True)]
    judged = plane if any(plane) else chosen
    now = tuple(shape)
    factor = (1,) * len(now)
    levels: list[LevelPlan] = []
    while True:
        levels.append(_level(len(levels), now, factor, scale, translation))
        longest = max(n for n, j in zip(now, judged, strict=True) if j)
        enough = longest <= _SMALL if count is None else len(levels) >= count
        halved = [c and n > 1 for c, n in zip(chosen, now, strict=True)]
        if enough or not any(halved):
            return levels
        now = tuple(-(-n // 2) if h else n for n, h in zip(now, halved, strict=True))
        factor = tuple(f * 2 if h else f for f, h in zip(factor, halved, strict=True))


def _level(
    number: int,
    shape: tuple[int, ...],
    factor: tuple[int, ...],
    scale: Sequence[float],
    translation: Sequence[float],
) -> LevelPlan:
    scales = tuple(float(s * f) for s, f in zip(scale, factor, strict=True))
    shifted = tuple(
        float(t + s * (f - 1) / 2)
        for t, s, f in zip(translation, scale, factor, strict=True)
    )
    return LevelPlan(str(number), shape, factor, scales, shifted)
