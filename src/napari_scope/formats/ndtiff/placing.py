"""The axes of an image in space and time: scale, unit and place, from metadata.

Nothing is guessed: where the metadata are silent an axis counts samples, without a
unit.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.model import Axis, axis_kind, canonical, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.formats.ndtiff.catalog import Catalog

__all__ = ["frame_axes", "lead_axis", "mosaic_affine", "mosaic_axes"]

_SAME = 1e-9  # numbers that differ by less went through text and back
_MOST_NEIGHBOURS = 4  # planes whose metadata are read for the distance of two


def lead_axis(
    catalog: Catalog,
    summary: Mapping[str, object],
    axis: int,
    codes: Sequence[int],
    first: int,
    about: Mapping[str, object],
) -> Axis:
    """Return an axis before y and x.

    Parameters
    ----------
    catalog : Catalog
        The store.
    summary : mapping
        Its summary metadata.
    axis : int
        Place of the axis in ``catalog.table.names``.
    codes : sequence of int
        Codes of its values that the image has.
    first : int
        Row of the first frame of the image.
    about : mapping
        Metadata of that frame.
    """
    name = catalog.table.names[axis]
    kind = axis_kind(name)
    values = [catalog.table.values[name][code] for code in codes]
    stride = _stride(values)
    if stride is None:
        return Axis(short(name), kind, labels=tuple(str(value) for value in values))
    step, unit = None, None
    if kind == "time":
        step, unit = facts.interval_s(summary), "second"
    elif canonical(name) == "z":
        step, unit = facts.z_step_um(summary), "micrometer"
        if step is None:
            step = _measured_step(catalog, axis, codes, first, about)
    if step is None:
        return Axis(short(name), kind)
    # Values count steps: planes -5 to 5 lie around zero.
    return Axis(short(name), kind, unit, step * stride, float(values[0]) * step)


def _stride(values: Sequence[int | str]) -> int | None:
    """Return the distance of evenly spaced integers, or None."""
    if not all(isinstance(value, int) for value in values):
        return None
    steps = {int(b) - int(a) for a, b in pairwise(values)} or {1}
    return steps.pop() if len(steps) == 1 else None


def _measured_step(
    catalog: Catalog,
    axis: int,
    codes: Sequence[int],
    first: int,
    about: Mapping[str, object],
) -> float | None:
    """Return the distance of two planes from the positions of two frames."""
    start = facts.z_um(about)
    own = catalog.table.codes[first].tolist()
    if start is None or own[axis] not in codes:
        return None
    values = catalog.table.values[catalog.table.names[axis]]
    place = list(codes).index(own[axis])
    # The nearest first; those whose frames are lost say nothing.
    others = sorted(range(len(codes)), key=lambda i: (abs(i - place), place - i))
    looked_at = 0
    for neighbour in (codes[i] for i in others[1:]):
        row = catalog.row_of_codes([*own[:axis], neighbour, *own[axis + 1 :]])
        if row is None or not catalog.readable[row]:
            continue
        looked_at += 1
        if looked_at > _MOST_NEIGHBOURS:
            break
        try:
            end = facts.z_um(catalog.metadata_of_row(row))
        except FormatError:
            continue  # only the scale is lost, and the frame itself still reads
        if end is not None and end != start:
            return abs(
                (end - start) / (int(values[neighbour]) - int(values[own[axis]]))
            )
    return None


def frame_axes(
    summary: Mapping[str, object],
    about: Mapping[str, object],
    place: Mapping[str, int | str],
    height: int,
    width: int,
) -> tuple[Axis, Axis]:
    """Return the axes y and x with the place of the frame.

    Tiles of a tiled store are placed by row and column, as Micro-Manager shows them;
    all others by the stage, whose position is the centre of the frame.

    Parameters
    ----------
    summary, about : mapping
        Metadata of the store and of the frame.
    place : mapping
        Position axes of the frame, by canonical name.
    height, width : int
        Size of the frame in pixels.
    """
    pixel = facts.pixel_size_um(about, summary)
    unit = None if pixel is None else "micrometer"
    size = pixel or 1.0
    x = y = 0.0
    # Micrometres of the stage cannot be told in pixels of unknown size.
    stage = facts.stage_um(about) if pixel else None
    overlap = facts.tile_overlap(summary)
    row, column = place.get("row"), place.get("column")
    is_tile = isinstance(row, int) and isinstance(column, int)
    if is_tile and (overlap is not None or stage is None):
        overlap_x, overlap_y = overlap or (0.0, 0.0)
        x = int(column or 0) * (width - overlap_x) * size
        y = int(row or 0) * (height - overlap_y) * size
    elif stage is not None:
        x = stage[0] - (width - 1) / 2 * size
        y = stage[1] - (height - 1) / 2 * size
    return Axis("y", "space", unit, size, y), Axis("x", "space", unit, size, x)


def mosaic_axes(
    summary: Mapping[str, object],
    about: Mapping[str, object],
    place: tuple[int, int],
    first: tuple[int, int],
    tile_shape: tuple[int, int],
    frame_shape: tuple[int, int],
) -> tuple[Axis, Axis]:
    """Return the axes y and x of a mosaic.

    One of its frames says where the stage was, which is the centre of that frame; all
    others follow it in rows and columns, as the camera sees them. Without a stage,
    the frame of row 0 and column 0 starts at 0. Half the overlap of the frame is cut
    off, so the first pixel that is shown lies so much further.

    Parameters
    ----------
    summary, about : mapping
        Metadata of the store and of a frame.
    place : (int, int)
        Row and column of that frame.
    first : (int, int)
        Row and column of the first tile.
    tile_shape, frame_shape : (int, int)
        Height and width of a tile without and with overlap.
    """
    pixel = facts.pixel_size_um(about, summary)
    unit = None if pixel is None else "micrometer"
    size = pixel or 1.0
    # Micrometres of the stage cannot be told in pixels of unknown size.
    stage = facts.stage_um(about) if pixel else None
    starts = []
    for axis in (0, 1):
        tile, frame = tile_shape[axis], frame_shape[axis]
        start = (first[axis] * tile + (frame - tile) // 2) * size
        if stage is not None:
            centre = place[axis] * tile + (frame - 1) / 2
            start += stage[1 - axis] - centre * size
        starts.append(start)
    y, x = starts
    return Axis("y", "space", unit, size, y), Axis("x", "space", unit, size, x)


def mosaic_affine(
    summary: Mapping[str, object], about: Mapping[str, object]
) -> tuple[tuple[float, float, float], tuple[float, float, float]] | None:
    """Return what turns a mosaic from rows and columns to the stage, None if nothing.

    The frame that says where the stage was stays where it is, all others come to their
    places around it. `mosaic_axes` gives the scale and the place before that.

    Parameters
    ----------
    summary, about : mapping
        As in `mosaic_axes`.

    Returns
    -------
    tuple, optional
        The rows of y and x of a homogeneous matrix over y, x.
    """
    pixel = facts.pixel_size_um(about, summary)
    stage = facts.stage_um(about)
    affine = facts.pixel_affine(about, summary)
    if not pixel or stage is None or affine is None:
        return None
    a, b, d, e = (value / pixel for value in affine)
    if max(abs(a - 1), abs(b), abs(d), abs(e - 1)) < _SAME:
        return None
    x, y = stage
    return (
        (e, d, y - e * y - d * x),
        (b, a, x - b * y - a * x),
    )
