"""The grid of a tiled store while it is written: what it takes, how large it is.

All images of a grid have one shape and type and lie at whole rows and columns, which
may be negative; neighbours share the overlap. Levels are worth having until the grid,
counted in tiles, is not longer than the reduction: at the coarsest level all that was
acquired is about as large as one tile.

This module is arithmetic: it knows nothing of files, of the pixels, or of how they go
on into the levels.

Examples
--------
>>> import numpy as np
>>> grid = TileGrid((2, 4), path="run_1")
>>> kind = (10, 8), np.dtype("u2")
>>> grid.add(kind, [{"row": 0, "column": column} for column in (-1, 0, 1, 2)])
>>> grid.tile_shape, grid.wanted_levels
((6, 6), 2)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from napari_scope.errors import FrameError, SettingsError
from napari_scope.formats.ndtiff.levels import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from napari_scope.formats.ndtiff.encoding import FrameItem, PendingFrame
    from napari_scope.model import Axes

__all__ = ["ImageKind", "TileGrid"]

ImageKind: TypeAlias = "tuple[tuple[int, ...], np.dtype[np.generic]]"
"""Shape and type of the images of a grid: one for all of them."""

_MOST_LEVELS: Final = 20


class TileGrid:
    """What is known of the images of a tiled store. Not thread safe.

    Parameters
    ----------
    tile_overlap : int or (int, int)
        Pixels that neighbours share: (in x, in y), or one number for both.
    coarsest : int, optional
        Index of the coarsest level; by default as many as are useful.
    path : str or PathLike
        The store, for errors.

    Attributes
    ----------
    overlap : (int, int)
        Pixels that neighbours share, in y and in x.

    Raises
    ------
    SettingsError
        Overlap or level are impossible.
    """

    def __init__(
        self,
        tile_overlap: int | tuple[int, int],
        coarsest: int | None = None,
        *,
        path: str | PathLike[str],
    ) -> None:
        x, y = _overlap(tile_overlap)
        self.overlap = y, x
        if coarsest is not None and not 0 <= coarsest <= _MOST_LEVELS:
            raise SettingsError(
                f"a coarsest level of {coarsest} is impossible",
                hint=f"choose 0 to {_MOST_LEVELS}, or None for as many as are useful",
            )
        self._coarsest = coarsest
        self._path = path
        self._kind: ImageKind | None = None
        self._extent: tuple[int, int, int, int] | None = None

    def check(
        self, items: Sequence[FrameItem], pending: Sequence[PendingFrame]
    ) -> ImageKind | None:
        """Refuse images that are no tiles of one grid.

        Parameters
        ----------
        items, pending : sequence
            The images as they were given, and encoded.

        Returns
        -------
        ImageKind or None
            That of the grid with these images; None while there are none.

        Raises
        ------
        FrameError
            An image has no place, or another shape or type, or nothing but overlap.
        """
        kind = self._kind
        for item, frame in zip(items, pending, strict=True):
            kinds = dict(frame.kinds)
            if kinds.get("row") is not int or kinds.get("column") is not int:
                raise FrameError(
                    f"an image with the axes {dict(item.axes)} has no place",
                    path=self._path,
                    hint="give it whole numbers as row and column",
                )
            this = frame.pixels.shape, frame.pixels.dtype
            kind = kind or this
            if this != kind:
                raise FrameError(
                    f"an image of shape {this[0]} and type {this[1]} does not go with "
                    f"tiles of shape {kind[0]} and type {kind[1]}",
                    path=self._path,
                )
            if any(
                size <= shared
                for size, shared in zip(this[0][:2], self.overlap, strict=True)
            ):
                raise FrameError(
                    f"an image of shape {this[0]} is not larger than the overlap of "
                    f"{self.overlap[1]} pixels in x and {self.overlap[0]} in y",
                    path=self._path,
                )
        return kind

    def add(self, kind: ImageKind, places: Iterable[Axes]) -> None:
        """Note that images were written: their kind, and the axes of each."""
        self._kind = kind
        for axes in places:
            row, column = place_of(axes)
            top, bottom, left, right = self._extent or (row, row, column, column)
            self._extent = (
                min(top, row),
                max(bottom, row),
                min(left, column),
                max(right, column),
            )

    @property
    def tile_shape(self) -> tuple[int, int]:
        """(height, width) of an image without its overlap; (0, 0) without images."""
        if self._kind is None:
            return 0, 0
        (height, width), (y, x) = self._kind[0][:2], self.overlap
        return height - y, width - x

    @property
    def wanted_levels(self) -> int:
        """Number of reduced levels that there should be."""
        if self._extent is None:
            return 0
        if self._coarsest is not None:
            return self._coarsest
        top, bottom, left, right = self._extent
        longest = max(bottom - top, right - left)
        return min(longest.bit_length(), _MOST_LEVELS)


def _overlap(tile_overlap: int | tuple[int, int]) -> tuple[int, int]:
    """Return the overlap in x and in y."""
    pair = tile_overlap if isinstance(tile_overlap, tuple) else (tile_overlap,) * 2
    if len(pair) != 2 or not all(
        isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 0
        for n in pair
    ):
        raise SettingsError(
            f"a tile overlap of {tile_overlap!r} is impossible",
            hint="give the pixels that neighbours share, in x and in y",
        )
    return int(pair[0]), int(pair[1])
