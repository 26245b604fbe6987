"""The spectra that a drawing covers: shapes, or the pixels of a label.

A drawing has its own scale and place; its points are brought to the pixels of the
image. A pixel belongs to a shape if its middle lies inside.

Examples
--------
>>> mask = polygon_mask([np.array([[-0.5, -0.5], [-0.5, 1.8], [1.8, -0.5]])], (2, 3))
>>> mask.astype(int).tolist()
[[1, 1, 0], [1, 0, 0]]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Points = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

__all__ = ["Drawing", "drawing_of", "plane_map", "polygon_mask"]

_OPEN: Final = ("line", "path")
_ROUND: Final = 64  # corners of an ellipse


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is drawn on an image, and how to find its pixels.

    Parameters
    ----------
    name : str
        What it is called.
    mask : callable
        Given height and width, returns a mask (height, width); for a thread.
    """

    name: str
    mask: Callable[[int, int], Mask]


def plane_map(source: Any, target: Any) -> tuple[Points, Points]:
    """Return matrix and offset from (y, x) of one layer to (y, x) of another."""

    def there(y: float, x: float) -> Points:
        place = [0.0] * (source.ndim - 2) + [y, x]
        found = target.world_to_data(source.data_to_world(place))
        return np.asarray(found, np.float64)[-2:]

    offset = there(0.0, 0.0)
    matrix = np.stack([there(1.0, 0.0) - offset, there(0.0, 1.0) - offset], axis=1)
    return matrix, offset


def drawing_of(layer: Any, image: Any) -> Drawing | None:
    """Return what a layer has drawn on an image; None if there is nothing closed.

    Parameters
    ----------
    layer : napari layer
        Shapes (the selected ones, or all), or labels (the selected label, or all).
    image : napari layer
        The image.
    """
    kind = str(getattr(layer, "_type_string", ""))
    if kind == "shapes":
        matrix, offset = plane_map(layer, image)
        chosen = sorted(layer.selected_data) or range(len(layer.data))
        corners = [
            _corners(np.asarray(layer.data[n]), str(layer.shape_type[n]))
            for n in chosen
        ]
        outlines = [c @ matrix.T + offset for c in corners if len(c) > 2]
        if not outlines:
            return None
        one = f" {chosen[0]}" if len(chosen) == 1 and len(layer.data) > 1 else ""
        return Drawing(
            f"{layer.name}{one}", lambda h, w: polygon_mask(outlines, (h, w))
        )
    if kind == "labels":
        matrix, offset = plane_map(image, layer)
        data, label = layer.data, int(layer.selected_label)
        return Drawing(
            f"{layer.name} {label}",
            lambda h, w: _label_mask(data, label, matrix, offset, (h, w)),
        )
    return None


def _corners(points: npt.NDArray[Any], kind: str) -> Points:
    flat = points[:, -2:].astype(np.float64)
    if kind in _OPEN:
        return flat[:0]
    if kind == "ellipse" and len(flat) == 4:
        middle = flat.mean(axis=0)
        one, other = (flat[1] - flat[0]) / 2, (flat[3] - flat[0]) / 2
        angles = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)[:, None]
        found: Points = middle + np.cos(angles) * one + np.sin(angles) * other
        return found
    return flat


def polygon_mask(outlines: Sequence[Points], shape: tuple[int, int]) -> Mask:
    """Return which pixels of an image have their middle inside of any outline.

    Parameters
    ----------
    outlines : sequence of ndarray, (corners, 2)
        Corners as (y, x) of pixels; closed by themselves.
    shape : tuple of int
        Height and width.
    """
    mask = np.zeros(shape, bool)
    for corners in outlines:
        low = np.maximum(np.ceil(corners.min(axis=0)), 0).astype(int)
        high = np.minimum(np.floor(corners.max(axis=0)) + 1, shape).astype(int)
        if (high <= low).any():
            continue
        y, x = np.mgrid[low[0] : high[0], low[1] : high[1]]
        inside = np.zeros(y.shape, bool)
        for (ya, xa), (yb, xb) in zip(corners, np.roll(corners, -1, 0), strict=True):
            if ya != yb:
                crosses = (ya > y) != (yb > y)
                inside ^= crosses & (x < (xb - xa) * (y - ya) / (yb - ya) + xa)
        mask[low[0] : high[0], low[1] : high[1]] |= inside
    return mask


def _label_mask(
    data: Any,
    label: int,
    matrix: Points,
    offset: Points,
    shape: tuple[int, int],
) -> Mask:
    labels = np.asarray(data)
    while labels.ndim > 2:  # drawn on a volume: its first plane
        labels = labels[0]
    y, x = np.mgrid[: shape[0], : shape[1]]
    places = np.stack([y, x], -1) @ matrix.T + offset
    row, column = np.round(np.moveaxis(places, -1, 0)).astype(int)
    height, width = labels.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    mask = np.zeros(shape, bool)
    mask[inside] = labels[row[inside], column[inside]] == label
    return mask
