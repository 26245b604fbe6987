"""Tiles in a grid: from row and column to the stage, and back.

The camera's affine transform says how the stage moves when the image moves by a pixel;
so tiles fit together also when the camera is turned or mirrored against the stage. Row
0 and column 0 are where the stage stands when the grid is made; rows count down the
image, columns to its right, and both may be negative.

A transform that was never calibrated is the identity in Micro-Manager, whatever the
size of a pixel; the pixels then lie along the stage. pycro-manager lays tiles out in
the same way, but gives the first tile that comes the place where the stage is
(AcqEngJ, CameraTilingStageTranslator); the two agree if that is row 0 and column 0.

This module knows neither events beyond their place, nor how tiles are stored.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_scope.errors import HardwareError, PlanError, SettingsError
from napari_scope.formats.ndtiff.tile_grid import TileGrid as StoredGrid
from napari_scope.stream.sinks.ndtiff_tiles import TiledNDTiffSink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymmcore_plus import CMMCorePlus

    from napari_scope.stream import Output, Sink, StoreSpec

__all__ = ["TileGrid", "as_seen", "tiled_sinks", "with_affine"]

_ROW, _COLUMNS = "row", ("column", "col")
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_MOST_TILES = 1 << 20  # of a region; what is larger is a slip of the hand
_FLAT = 1e-6  # area of a pixel, against its sides, below which it is none


@dataclass(frozen=True, slots=True)
class TileGrid:
    """A grid of tiles on the stage.

    Parameters
    ----------
    origin_um : (float, float)
        Stage position, x and y, of row 0 and column 0.
    image_px : (int, int)
        Width and height of an image.
    overlap_px : (int, int)
        Pixels that neighbours share in x and in y.
    affine : tuple of float
        Stage micrometers for a pixel to the right and down: x = a*right + b*down,
        y = d*right + e*down, given as (a, b, d, e).

    Raises
    ------
    SettingsError
        If tiles have nothing but overlap, or the transform leaves no area.

    Examples
    --------
    >>> grid = TileGrid((100.0, 0.0), (512, 512), (12, 12), (0.5, 0.0, 0.0, 0.5))
    >>> grid.stage(row=1, column=2)
    (600.0, 250.0)
    >>> grid.nearest(590.0, 260.0)
    (1, 2)
    """

    origin_um: tuple[float, float]
    image_px: tuple[int, int]
    overlap_px: tuple[int, int]
    affine: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        """Refuse a grid whose tiles are not apart."""
        if any(o >= n for o, n in zip(self.overlap_px, self.image_px, strict=True)):
            raise SettingsError(
                f"tiles of {self.image_px[0]} x {self.image_px[1]} pixels cannot "
                f"overlap by {self.overlap_px[0]} x {self.overlap_px[1]}",
                hint="the overlap is smaller than an image",
            )
        if not _has_area(self.affine):
            raise SettingsError(
                f"the affine transform {self.affine} puts all pixels on one line"
            )

    @classmethod
    def of(cls, core: CMMCorePlus, overlap: int | tuple[int, int]) -> TileGrid:
        """Return the grid of a microscope, from where its stage is.

        Objective, binning and region of the camera are those of the moment.

        Raises
        ------
        HardwareError
            Without an XY stage, or if the size of a pixel is not known.
        SettingsError
            If the overlap is none.
        """
        if not core.getXYStageDevice():
            raise HardwareError(
                "tiles need an XY stage",
                hint="choose one as default XY stage in the configuration",
            )
        overlap_px = _pair(overlap)
        size = (core.getImageWidth(), core.getImageHeight())
        x, y = core.getXYPosition()
        return cls((x, y), size, overlap_px, _affine(core))

    def at(self, x_um: float, y_um: float) -> TileGrid:
        """Return the same grid with its row 0 and column 0 at another place."""
        return replace(self, origin_um=(x_um, y_um))

    @property
    def step_px(self) -> tuple[int, int]:
        """Pixels from a tile to the next, in x and in y."""
        (width, height), (x, y) = self.image_px, self.overlap_px
        return width - x, height - y

    def stage(self, row: int, column: int) -> tuple[float, float]:
        """Return the stage position of a tile, x and y in micrometers."""
        right, down = column * self.step_px[0], row * self.step_px[1]
        a, b, d, e = self.affine
        x, y = self.origin_um
        return (
            round(x + a * right + b * down, 6),
            round(y + d * right + e * down, 6),
        )

    def nearest(self, x_um: float, y_um: float) -> tuple[int, int]:
        """Return row and column of the tile whose centre is nearest to a place.

        Nearest as the camera sees it, in steps of the grid: the place is in that tile.

        Raises
        ------
        PlanError
            If the place is not finite.
        """
        if not (math.isfinite(x_um) and math.isfinite(y_um)):
            raise PlanError(f"there is no place ({x_um}, {y_um}) on the stage")
        a, b, d, e = self.affine
        x, y = x_um - self.origin_um[0], y_um - self.origin_um[1]
        area = a * e - b * d
        right = (e * x - b * y) / area
        down = (a * y - d * x) / area
        return round(down / self.step_px[1]), round(right / self.step_px[0])

    def covering(
        self, x_um: tuple[float, float], y_um: tuple[float, float]
    ) -> list[tuple[int, int]]:
        """Return the tiles that cover a rectangle on the stage, in a snake.

        For a turned camera these are more than the rectangle needs: all rows and
        columns between those of its corners.

        Parameters
        ----------
        x_um, y_um : (float, float)
            Two opposite corners.

        Raises
        ------
        PlanError
            If these are more than a million, or a corner is not finite.
        """
        corners = [self.nearest(x, y) for x in x_um for y in y_um]
        rows = range(min(r for r, _ in corners), max(r for r, _ in corners) + 1)
        first, last = min(c for _, c in corners), max(c for _, c in corners)
        count = len(rows) * (last - first + 1)
        if count > _MOST_TILES:
            raise PlanError(
                f"the region has {len(rows)} rows and {last - first + 1} columns",
                hint=f"at most {_MOST_TILES} tiles are laid out at once; are the "
                "corners micrometers?",
            )
        found: list[tuple[int, int]] = []
        for number, row in enumerate(rows):
            columns = range(first, last + 1)
            found += [(row, c) for c in (reversed(columns) if number % 2 else columns)]
        return found

    def placed(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event with the stage position of its tile, if it names one.

        An event that says where it is keeps its place.
        """
        found = dict(event)
        axes = found.get("axes") or {}
        if not isinstance(axes, Mapping) or "x" in found or "y" in found:
            return found
        row = _whole(axes.get(_ROW, found.get(_ROW)))
        column = _whole(
            next((m[name] for m in (axes, found) for name in _COLUMNS if name in m), "")
        )
        if row is not None and column is not None:
            found["x"], found["y"] = self.stage(row, column)
        return found


def as_seen(spec: StoreSpec, grid: TileGrid) -> StoreSpec:
    """Return what is stored with all tiles where the camera sees them.

    Formats that place images without turning them cannot show the tiles of a turned or
    mirrored camera at their places on the stage: they would not fit together. The tile
    that came first stays where the stage was, at each position; all others follow it
    in rows and columns, as in the mosaic of a tiled NDTiff store.
    """
    pixel = spec.pixel_um
    if not pixel:
        return spec
    first: dict[tuple[object, ...], tuple[int, int, float, float]] = {}
    images = []
    for image in spec.images:
        row, column = image.place.get("row"), image.place.get("column")
        if (
            isinstance(row, int)
            and isinstance(column, int)
            and image.x_um is not None
            and image.y_um is not None
        ):
            others = {**image.place, "row": 0, "column": 0}
            r, c, x, y = first.setdefault(
                tuple(sorted(others.items())), (row, column, image.x_um, image.y_um)
            )
            image = replace(
                image,
                x_um=round(x + (column - c) * grid.step_px[0] * pixel, 6),
                y_um=round(y + (row - r) * grid.step_px[1] * pixel, 6),
            )
        images.append(image)
    return replace(spec, images=tuple(images))


def with_affine(
    spec: StoreSpec, grid: TileGrid, levels: int | None = None
) -> StoreSpec:
    """Return what is stored, with how its tiles lie on the stage.

    Readers that can turn an image put a mosaic where it is with it, and whoever goes
    on with it has its grid and its coarsest level.
    """
    tiles = {
        "affine": list(grid.affine),
        "overlap_px": list(grid.overlap_px),
        "image_px": list(grid.image_px),
        "origin_um": list(grid.origin_um),
        "levels": levels,
    }
    return replace(spec, summary={**spec.summary, "tiles": tiles})


def tiled_sinks(
    outputs: Sequence[Output], grid: TileGrid, levels: int | None
) -> Callable[[StoreSpec], Sequence[Sink]]:
    """Return what makes the sinks of tiles.

    Parameters
    ----------
    outputs : sequence of Output
        NDTiff becomes one mosaic with several resolutions; every other format stores
        each tile as an image at its place.
    grid : TileGrid
        The grid of the tiles.
    levels : int, optional
        The coarsest level of NDTiff.

    Raises
    ------
    SettingsError
        If there can be no such level.
    """
    for output in outputs:
        StoredGrid(grid.overlap_px, levels, path=output.path)  # refuses the level

    def made(spec: StoreSpec) -> list[Sink]:
        sinks: list[Sink] = []
        for output in outputs:
            if output.format == "ndtiff":
                tiles = TiledNDTiffSink(output.path, grid.overlap_px, levels)
                tiles.arranged = lambda spec: with_affine(spec, grid, levels)
                sinks.append(tiles)
                continue
            sink = output.sink()
            if spec.pixel_um and grid.affine != (spec.pixel_um, 0, 0, spec.pixel_um):
                sink.arranged = lambda spec: as_seen(spec, grid)
            sinks.append(sink)
        return sinks

    return made


def _pair(overlap: int | tuple[int, int]) -> tuple[int, int]:
    pair = tuple(overlap) if isinstance(overlap, tuple | list) else (overlap, overlap)
    whole = [_whole(number) for number in pair]
    if len(whole) == 2:
        x, y = whole
        if x is not None and y is not None and min(x, y) >= 0:
            return x, y
    raise SettingsError(
        f"tile_overlap is {overlap!r}, expected a number of pixels, or two for x and y"
    )


def _whole(value: object) -> int | None:
    """Return a whole number, of whatever kind; None for all else."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None  # a label; it is for others to say that this is no tile


def _has_area(affine: tuple[float, float, float, float]) -> bool:
    a, b, d, e = affine
    sides = math.hypot(a, d) * math.hypot(b, e)
    return 0 < sides < math.inf and abs(a * e - b * d) > _FLAT * sides


def _affine(core: CMMCorePlus) -> tuple[float, float, float, float]:
    """Return the camera's transform; without one, pixels along the stage."""
    name = core.getCurrentPixelSizeConfig()
    calibrated = bool(name) and tuple(core.getPixelSizeAffineByID(name)) != _IDENTITY
    a, b, _, d, e, _ = (float(v) for v in core.getPixelSizeAffine(True))
    if calibrated and _has_area((a, b, d, e)):
        return a, b, d, e
    size = float(core.getPixelSizeUm())
    if size <= 0:
        raise HardwareError(
            "tiles cannot be laid out, because the size of a pixel is not known",
            hint="set the pixel size, or the affine transform, in the hardware "
            "configuration",
        )
    return size, 0.0, 0.0, size
