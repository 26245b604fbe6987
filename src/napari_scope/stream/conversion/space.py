"""Where the images of a conversion lie: scale, unit and place of their axes.

Formats say it in different ways: OME-Zarr gives each axis a scale, a unit and the place
of its first sample, Micro-Manager's metadata give micrometers, milliseconds and the
centre of the image on the stage.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.model import Axis
    from napari_scope.stream.conversion.source import SourceImage
    from napari_scope.stream.sinks import FormatName

__all__ = [
    "find_axis",
    "frame_facts",
    "image_steps",
    "stage_centre",
    "standard_unit",
    "z_origin",
]

# Spellings of units -> the name in OME-NGFF, and its size in micrometers or seconds.
_LENGTHS = {
    **dict.fromkeys(("micrometer", "um", "µm", "micron"), ("micrometer", 1.0)),
    **dict.fromkeys(("nanometer", "nm"), ("nanometer", 1e-3)),
    **dict.fromkeys(("millimeter", "mm"), ("millimeter", 1e3)),
    **dict.fromkeys(("meter", "m"), ("meter", 1e6)),
}
_TIMES = {
    **dict.fromkeys(("second", "s"), ("second", 1.0)),
    **dict.fromkeys(("millisecond", "ms"), ("millisecond", 1e-3)),
    **dict.fromkeys(("minute", "min"), ("minute", 60.0)),
    **dict.fromkeys(("hour", "h"), ("hour", 3600.0)),
}


def find_axis(source: SourceImage, name: str) -> Axis | None:
    """Return an axis by its short name, or None."""
    found = [axis for axis in source.image.axes if axis.name == name]
    return found[0] if found else None


def standard_unit(axis: Axis) -> tuple[str | None, float | None]:
    """Return the name of a unit in OME-NGFF and its size in micrometers or seconds."""
    table = _TIMES if axis.kind == "time" else _LENGTHS
    if axis.unit is None or axis.kind not in ("time", "space"):
        return axis.unit, None
    name, factor = table.get(axis.unit, (axis.unit, None))
    return name, factor


def _step(source: SourceImage, name: str) -> float | None:
    """Return the distance of two samples in micrometers or seconds, if known."""
    axis = find_axis(source, name)
    if axis is None:
        return None
    _, factor = standard_unit(axis)
    step = None if factor is None else axis.scale * factor
    return step if step is not None and math.isfinite(step) and step > 0 else None


def image_steps(
    source: SourceImage, format: FormatName, notes: list[str]
) -> dict[str, float | None]:
    """Return the distance of samples on t, z, y and x in seconds and micrometers.

    None where it is not known. ``notes`` gets what the format cannot keep.
    """
    steps = {name: _step(source, name) for name in ("t", "z", "y", "x")}
    if format == "ome-zarr":
        return steps
    y, x = steps["y"], steps["x"]
    if y and x and not math.isclose(y, x, rel_tol=1e-6):
        notes.append(
            f"{source.image.name}: pixels of {x:g} x {y:g} um are not square, NDTiff "
            "keeps their width only"
        )
    lost = [
        axis.name
        for axis in source.image.axes
        if (axis.name == "t" and axis.translation)
        or (axis.name in ("y", "x") and axis.translation and not steps[axis.name])
        or (axis.kind == "other" and axis.name != "rgb" and axis.scale != 1)
    ]
    if lost:
        notes.append(
            f"{source.image.name}: NDTiff has no word for scale or place of the axes "
            f"{', '.join(lost)}"
        )
    return steps


def stage_centre(source: SourceImage) -> tuple[float, float] | None:
    """Return the centre (x, y) of an image in micrometers, if its place is known.

    An image at the origin is one whose place nobody stated.
    """
    centre = []
    placed = False
    for name, size in zip(("y", "x"), source.frame_shape[:2], strict=True):
        axis = find_axis(source, name)
        _, factor = standard_unit(axis) if axis is not None else (None, None)
        if axis is None or factor is None:
            return None
        placed = placed or axis.translation != 0
        centre.append((axis.translation + (size - 1) / 2 * axis.scale) * factor)
    return (centre[1], centre[0]) if placed else None


def z_origin(source: SourceImage) -> float | None:
    """Return the place of the first plane in micrometers, if it is known."""
    axis = find_axis(source, "z")
    if axis is None or axis.translation == 0:
        return None
    _, factor = standard_unit(axis)
    return None if factor is None else axis.translation * factor


def frame_facts(source: SourceImage, index: Mapping[str, int]) -> dict[str, float]:
    """Return where a frame was taken, by the axes of its image.

    For formats that keep places with each frame only. Keys as in the journal.
    """
    facts: dict[str, float] = {}
    centre = stage_centre(source)
    if centre is not None:
        facts["x_um"], facts["y_um"] = centre
    axis = find_axis(source, "z")
    origin = z_origin(source)
    if axis is not None and origin is not None:
        _, factor = standard_unit(axis)
        facts["z_um"] = origin + index.get("z", 0) * axis.scale * (factor or 1.0)
    pixel = _step(source, "x")
    if pixel is not None:
        facts["PixelSizeUm"] = pixel
    return facts
