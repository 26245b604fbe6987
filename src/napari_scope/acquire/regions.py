"""From outlines on the stage to the tiles that they touch, and what these amount to.

Outlines are polygons or open paths in micrometers of the stage, in any number and of
any form; concave ones and those that cross themselves are fine (what is inside counts
by the even-odd rule). A tile belongs to an outline if the part of it that no neighbour
shows, its image without half the overlap at each side, lies in it at least in part.

This is arithmetic over a `TileGrid`: it knows neither napari nor a microscope.

Examples
--------
>>> from napari_scope.acquire.tiling import TileGrid
>>> grid = TileGrid((0.0, 0.0), (100, 100), (0, 0), (1.0, 0.0, 0.0, 1.0))
>>> corner = Outline(
...     ((-40, -40), (140, -40), (140, 40), (40, 40), (40, 140), (-40, 140))
... )
>>> tiles_of(grid, [corner])
[(0, 0), (0, 1), (1, 0)]
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import useq

from napari_scope.errors import PlanError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from napari_scope.acquire.tiling import TileGrid

__all__ = [
    "ORDERS",
    "Outline",
    "TileOrder",
    "TilePlan",
    "ellipse",
    "footprint",
    "laid_over",
    "ordered",
    "overlap_in_pixels",
    "tiles_of",
    "under_path",
]

Tile: TypeAlias = "tuple[int, int]"
TileOrder: TypeAlias = Literal[
    "rows, snake", "rows", "columns, snake", "columns", "spiral"
]
ORDERS: Final[tuple[TileOrder, ...]] = (
    "rows, snake",
    "rows",
    "columns, snake",
    "columns",
    "spiral",
)
"""In which order the tiles of an outline can be taken."""

_MOST_TILES = 1 << 20
_TOUCH = 1e-6  # of a tile: what shares less than this only meets at a border
_CORNERS_OF_ELLIPSE = 64


@dataclass(frozen=True, slots=True)
class Outline:
    """A region on the stage, or a path over it.

    Parameters
    ----------
    points_um : tuple of (float, float)
        Corners, x and y.
    closed : bool
        Whether what is inside belongs to it; of a path only the tiles under it do.
    """

    points_um: tuple[tuple[float, float], ...]
    closed: bool = True


def ellipse(corners_um: Sequence[tuple[float, float]]) -> Outline:
    """Return the ellipse within a rectangle, which may be turned or sheared."""
    a, b, _, d = (np.asarray(corner, float) for corner in corners_um)
    centre = (np.asarray(corners_um[0]) + np.asarray(corners_um[2])) / 2
    angles = np.linspace(0, 2 * math.pi, _CORNERS_OF_ELLIPSE, endpoint=False)
    points = (
        centre
        + np.outer(np.cos(angles), (b - a) / 2)
        + np.outer(np.sin(angles), (d - a) / 2)
    )
    return Outline(tuple((float(x), float(y)) for x, y in points))


def overlap_in_pixels(
    image_px: tuple[int, int], overlap: float, *, percent: bool
) -> tuple[int, int]:
    """Return an overlap in x and y as `TileGrid` takes it.

    Raises
    ------
    SettingsError
        If nothing of the tiles would be left, or it is negative.
    """
    sides = [overlap * n / 100 if percent else overlap for n in image_px]
    found = round(sides[0]), round(sides[1])
    if not all(0 <= o < n for o, n in zip(found, image_px, strict=True)):
        raise SettingsError(
            f"tiles cannot overlap by {overlap:g} {'percent' if percent else 'pixels'}",
            hint=f"an image has {image_px[0]} x {image_px[1]} pixels",
        )
    return found


def footprint(
    grid: TileGrid, x_um: float, y_um: float
) -> tuple[tuple[float, float], ...]:
    """Return the corners of the whole image at a stage position, x and y.

    They follow the border of the image: top left, top right, bottom right, bottom left
    as the camera sees them.
    """
    a, b, d, e = grid.affine
    right, down = grid.image_px[0] / 2, grid.image_px[1] / 2
    return tuple(
        (x_um + a * u + b * v, y_um + d * u + e * v)
        for u, v in ((-right, -down), (right, -down), (right, down), (-right, down))
    )


def laid_over(grid: TileGrid, outlines: Iterable[Outline]) -> TileGrid:
    """Return the grid moved so that it lies evenly over outlines.

    Raises
    ------
    PlanError
        Without any point, or if one is not finite.
    """
    points = np.concatenate(
        [_in_steps(grid, outline) for outline in outlines] or [np.empty((0, 2))]
    )
    if not len(points):
        raise PlanError("there is no outline to be tiled", hint="draw one")
    low, high = points.min(0), points.max(0)
    counts = np.maximum(1, np.ceil(high - low - _TOUCH))
    u, v = (low + high) / 2 - (counts - 1) / 2
    (width, height), (a, b, d, e) = grid.step_px, grid.affine
    x, y = grid.origin_um
    return grid.at(
        round(float(x + a * u * width + b * v * height), 3),
        round(float(y + d * u * width + e * v * height), 3),
    )


def tiles_of(
    grid: TileGrid, outlines: Iterable[Outline], order: TileOrder = "rows, snake"
) -> list[Tile]:
    """Return the tiles that outlines touch, one outline after the other, none twice.

    Parameters
    ----------
    grid : TileGrid
        The grid.
    outlines : iterable of Outline
        The regions.
    order : {"rows, snake", "rows", "columns, snake", "columns", "spiral"}
        How the tiles of one outline follow each other.

    Raises
    ------
    PlanError
        If these are more than a million tiles, or a point is not finite.
    """
    found: dict[Tile, None] = {}
    for outline in outlines:
        found.update(dict.fromkeys(ordered(_touched(grid, outline), order)))
    return list(found)


def under_path(grid: TileGrid, places_um: Sequence[tuple[float, float]]) -> list[Tile]:
    """Return the tiles that a path runs over, in the order in which it does.

    Raises
    ------
    PlanError
        If these are more than a million, or a place is not finite.
    """
    path = Outline(tuple(places_um), closed=False)
    _touched(grid, path)  # refuses what is too much
    points = _in_steps(grid, path).tolist()
    found: dict[Tile, None] = {}
    for start, end in zip(points, points[1:] or points, strict=False):
        along = _under(start, end) or {(round(start[1]), round(start[0]))}
        found |= dict.fromkeys(
            sorted(along, key=lambda t: math.dist((t[1], t[0]), start))
        )
    return list(found)


def ordered(tiles: Iterable[Tile], order: TileOrder) -> list[Tile]:
    """Return tiles in an order; the spiral begins in their middle."""
    known = set(tiles)
    if not known:
        return []
    if order == "spiral":
        rows, columns = [r for r, _ in known], [c for _, c in known]
        middle = (min(rows) + max(rows)) // 2, (min(columns) + max(columns)) // 2
        return sorted(known, key=lambda tile: _turn(tile, middle))
    by_column = order.startswith("columns")
    lines: dict[int, list[int]] = {}
    for row, column in known:
        line, place = (column, row) if by_column else (row, column)
        lines.setdefault(line, []).append(place)
    found: list[Tile] = []
    for number, line in enumerate(sorted(lines)):
        back = number % 2 == 1 and order.endswith("snake")
        places = sorted(lines[line], reverse=back)
        found += [(p, line) if by_column else (line, p) for p in places]
    return found


def _turn(tile: Tile, middle: Tile) -> tuple[int, float]:
    down, right = tile[0] - middle[0], tile[1] - middle[1]
    return max(abs(down), abs(right)), math.atan2(down, right) % (2 * math.pi)


@dataclass(frozen=True, slots=True)
class TilePlan:
    """Tiles that are to be taken, and what they amount to.

    Parameters
    ----------
    grid : TileGrid
        Their grid.
    tiles : tuple of (row, column)
        Which, in order.
    """

    grid: TileGrid
    tiles: tuple[Tile, ...]

    def positions(self, z_um: float | None = None) -> tuple[useq.AbsolutePosition, ...]:
        """Return the tiles as positions of a plan; rows and columns count from 0."""
        if not self.tiles:
            return ()
        top = min(row for row, _ in self.tiles)
        left = min(column for _, column in self.tiles)
        return tuple(
            useq.AbsolutePosition(
                x=x,
                y=y,
                z=z_um,
                name=f"tile_r{row - top:03d}_c{column - left:03d}",
                grid_row=row - top,
                grid_col=column - left,
            )
            for row, column in self.tiles
            for x, y in [self.grid.stage(row, column)]
        )

    def sequence(self, z_um: float | None = None) -> useq.MDASequence:
        """Return a plan that goes to all tiles; channels and the rest are to be added.

        Raises
        ------
        PlanError
            Without a tile.
        """
        if not self.tiles:
            raise PlanError("there are no tiles to take", hint="draw an outline")
        return useq.MDASequence(stage_positions=self.positions(z_um))

    def n_bytes(self, images: int, bytes_per_pixel: int) -> int:
        """Return the size of the pixels, for so many images of each tile."""
        width, height = self.grid.image_px
        return len(self.tiles) * images * width * height * bytes_per_pixel

    def size_um(self) -> tuple[float, float]:
        """Return width and height of what the tiles cover, along the stage."""
        if not self.tiles:
            return 0.0, 0.0
        corners = np.array(
            [
                point
                for row, column in self.tiles
                for point in footprint(self.grid, *self.grid.stage(row, column))
            ]
        )
        width, height = corners.max(0) - corners.min(0)
        return float(width), float(height)

    def without(self, tiles: Iterable[Tile]) -> TilePlan:
        """Return the plan without tiles that were taken already."""
        taken = set(tiles)
        return replace(self, tiles=tuple(t for t in self.tiles if t not in taken))


# ---- arithmetic, in steps of the grid: u to the right, v down


def _in_steps(grid: TileGrid, outline: Outline) -> npt.NDArray[np.float64]:
    """Return the points of an outline in steps of the grid."""
    points = np.asarray(outline.points_um, float).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise PlanError("an outline has a point that is nowhere on the stage")
    a, b, d, e = grid.affine
    x, y = (points - grid.origin_um).T
    area = a * e - b * d
    width, height = grid.step_px
    return np.stack(
        [(e * x - b * y) / area / width, (a * y - d * x) / area / height], 1
    )


def _touched(grid: TileGrid, outline: Outline) -> set[Tile]:
    """Return the tiles that an outline touches: those under its edge, and inside."""
    points = _in_steps(grid, outline)
    if not len(points):
        return set()
    low, high = points.min(0), points.max(0)
    columns, rows = np.ceil(high - low) + 1
    if columns * rows > _MOST_TILES:
        raise PlanError(
            f"the outline has {rows:.0f} rows and {columns:.0f} columns of tiles",
            hint=f"at most {_MOST_TILES} tiles are laid out at once; is it drawn in "
            "micrometers?",
        )
    if len(points) == 1:
        u, v = points[0]
        return {(round(float(v)), round(float(u)))}
    starts, ends = points, np.roll(points, -1, 0)
    if not outline.closed:
        starts, ends = starts[:-1], ends[:-1]
    found: set[Tile] = set()
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        found |= _under(start, end)
    if outline.closed:
        found |= _inside(starts, ends, float(low[1]), float(high[1]))
    return found


def _under(start: Sequence[float], end: Sequence[float]) -> set[Tile]:
    """Return the tiles that a line runs through, not those it only meets."""
    (u0, v0), (u1, v1) = sorted((start, end), key=lambda point: point[1])
    found: set[Tile] = set()
    for row in _cells(v0, v1):
        if v1 > v0:
            near, far = (
                u0 + (u1 - u0) * (min(max(edge, v0), v1) - v0) / (v1 - v0)
                for edge in (row - 0.5, row + 0.5)
            )
        else:
            near, far = u0, u1
        found |= {(row, column) for column in _cells(min(near, far), max(near, far))}
    return found


def _cells(low: float, high: float) -> range:
    """Return the whole numbers whose cells a stretch lies in, by more than a border."""
    return range(math.ceil(low - 0.5 + _TOUCH), math.floor(high + 0.5 - _TOUCH) + 1)


def _inside(
    starts: npt.NDArray[np.float64],
    ends: npt.NDArray[np.float64],
    top: float,
    bottom: float,
) -> set[Tile]:
    """Return the tiles whose middles lie inside of a polygon."""
    found: set[Tile] = set()
    for row in range(math.ceil(top), math.floor(bottom) + 1):
        crosses = (starts[:, 1] <= row) != (ends[:, 1] <= row)
        (u0, v0), (u1, v1) = starts[crosses].T, ends[crosses].T
        at = np.sort(u0 + (row - v0) / (v1 - v0) * (u1 - u0)).tolist()
        for first, last in zip(at[::2], at[1::2], strict=True):
            found |= {(row, c) for c in range(math.ceil(first), math.floor(last) + 1)}
    return found
