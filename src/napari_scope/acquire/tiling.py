"""Tiles in a grid: from row and column to the stage, and back.

The camera's affine transform says how the stage moves when the image moves by a pixel;
so tiles fit together also when the camera is turned or mirrored against the stage. Row
0 and column 0 are where the stage stands when the grid is made; rows and columns may
be negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_scope.errors import HardwareError, SettingsError
from napari_scope.stream.sinks.ndtiff_tiles import TiledNDTiffSink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pymmcore_plus import CMMCorePlus

    from napari_scope.stream import Output, Sink, StoreSpec

__all__ = ["TileGrid", "tiled_sinks"]

_ROW, _COLUMNS = "row", ("column", "col")


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

    @classmethod
    def of(cls, core: CMMCorePlus, overlap: int | tuple[int, int]) -> TileGrid:
        """Return the grid of a microscope, from where its stage is.

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
        if any(o >= n for o, n in zip(overlap_px, size, strict=True)):
            raise SettingsError(
                f"tiles of {size[0]} x {size[1]} pixels cannot overlap by "
                f"{overlap_px[0]} x {overlap_px[1]}",
                hint="the overlap is smaller than an image",
            )
        x, y = core.getXYPosition()
        return cls((x, y), size, overlap_px, _affine(core))

    def stage(self, row: int, column: int) -> tuple[float, float]:
        """Return the stage position of a tile, x and y in micrometers."""
        right = column * (self.image_px[0] - self.overlap_px[0])
        down = row * (self.image_px[1] - self.overlap_px[1])
        a, b, d, e = self.affine
        x, y = self.origin_um
        return (
            round(x + a * right + b * down, 6),
            round(y + d * right + e * down, 6),
        )

    def nearest(self, x_um: float, y_um: float) -> tuple[int, int]:
        """Return row and column of the tile whose centre is nearest to a place."""
        a, b, d, e = self.affine
        x, y = x_um - self.origin_um[0], y_um - self.origin_um[1]
        one = a * e - b * d
        right = (e * x - b * y) / one
        down = (a * y - d * x) / one
        return (
            round(down / (self.image_px[1] - self.overlap_px[1])),
            round(right / (self.image_px[0] - self.overlap_px[0])),
        )

    def covering(
        self, x_um: tuple[float, float], y_um: tuple[float, float]
    ) -> list[tuple[int, int]]:
        """Return the tiles that cover a rectangle on the stage, in a snake.

        Parameters
        ----------
        x_um, y_um : (float, float)
            Two opposite corners.
        """
        corners = [self.nearest(x, y) for x in x_um for y in y_um]
        rows = range(min(r for r, _ in corners), max(r for r, _ in corners) + 1)
        first, last = min(c for _, c in corners), max(c for _, c in corners)
        found: list[tuple[int, int]] = []
        for number, row in enumerate(rows):
            columns = range(first, last + 1)
            found += [(row, c) for c in (reversed(columns) if number % 2 else columns)]
        return found

    def placed(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event with the stage position of its tile, if it names one."""
        found = dict(event)
        axes = found.get("axes") or {}
        row = axes.get(_ROW, found.get(_ROW))
        column = next(
            (m[name] for m in (axes, found) for name in _COLUMNS if name in m), None
        )
        if row is None or column is None or "x" in found or "y" in found:
            return found
        if not isinstance(row, int) or not isinstance(column, int):
            return found  # a label; it is for others to say that this is no tile
        found["x"], found["y"] = self.stage(row, column)
        return found


def tiled_sinks(
    outputs: Sequence[Output], overlap: int | tuple[int, int], levels: int | None
) -> Callable[[StoreSpec], Sequence[Sink]]:
    """Return what makes the sinks of tiles.

    Parameters
    ----------
    outputs : sequence of Output
        NDTiff becomes one mosaic with several resolutions; every other format stores
        each tile as an image at its place.
    overlap : int or (int, int)
        Pixels that neighbours share.
    levels : int, optional
        The coarsest level of NDTiff.
    """
    pair = _pair(overlap)

    def made(spec: StoreSpec) -> list[Sink]:
        return [
            TiledNDTiffSink(output.path, pair, levels)
            if output.format == "ndtiff"
            else output.sink()
            for output in outputs
        ]

    return made


def _pair(overlap: int | tuple[int, int]) -> tuple[int, int]:
    pair = (overlap, overlap) if isinstance(overlap, int) else tuple(overlap)
    if len(pair) != 2 or not all(
        isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in pair
    ):
        raise SettingsError(
            f"tile_overlap is {overlap!r}, expected a number of pixels, or two for x "
            "and y"
        )
    return pair[0], pair[1]


def _affine(core: CMMCorePlus) -> tuple[float, float, float, float]:
    """Return the camera's transform; without one, pixels along the stage."""
    a, b, _, d, e, _ = core.getPixelSizeAffine(True)
    if abs(a * e - b * d) > 0:
        return float(a), float(b), float(d), float(e)
    size = core.getPixelSizeUm()
    if size <= 0:
        raise HardwareError(
            "tiles cannot be laid out, because the size of a pixel is not known",
            hint="set the pixel size, or the affine transform, in the hardware "
            "configuration",
        )
    return float(size), 0.0, 0.0, float(size)
