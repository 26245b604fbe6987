"""The common frame of a data set's layers: the same axes and units for all.

napari lines up the *last* axes of its layers. An image with axes t, y, x beside one
with z, y, x would therefore move its time with the other's z slider. `shared_frame`
prevents this in one way for all data:

- The order is custom axes, then t, z, y, x (c is not an axis of a layer).
- All images of a data set get every axis that one of them has; where an image lacks
  an axis it gets it with length 1.
- Axes to the right of the leftmost one are never left out: an image with t but
  without z gets a z of length 1 (napari shows no slider for it). So z is always the
  third axis from the right and t the fourth, also among data sets opened one after
  the other, and the three-dimensional view never takes time for depth.

A plain y, x image stays two-dimensional.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.model import Labels, axis_kind
from napari_scope.model.units import factor, standard_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.model import Axis, Image

    Placed: TypeAlias = Image | Labels

__all__ = ["Frame", "shared_frame"]

_STANDARD = ("t", "z", "y", "x")
_NOT_SHOWN = ("c", "rgb")
_NO_UNIT = "pixel"


@dataclass(frozen=True, slots=True)
class Frame:
    """Axes that all layers of a data set have, outermost first.

    Parameters
    ----------
    names : tuple of str
        Names of the axes.
    units : tuple of str
        Unit of each axis, ``"pixel"`` where there is none.
    steps : tuple of float
        Scale that an image gets on an axis it does not have.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    steps: tuple[float, ...]

    def scale(self, image: Placed) -> tuple[float, ...]:
        """Return the distance of two samples on each axis, in the frame's units."""
        own = {axis.name: axis for axis in image.axes}
        return tuple(
            own[name].scale * _to_unit(own[name], unit) if name in own else step
            for name, unit, step in zip(self.names, self.units, self.steps, strict=True)
        )

    def translation(self, image: Placed) -> tuple[float, ...]:
        """Return the position of sample 0 on each axis, in the frame's units."""
        own = {axis.name: axis for axis in image.axes}
        return tuple(
            own[name].translation * _to_unit(own[name], unit) if name in own else 0.0
            for name, unit in zip(self.names, self.units, strict=True)
        )

    def affine(self, image: Placed) -> tuple[tuple[float, ...], ...] | None:
        """Return what turns the image after scale and translation, None if nothing.

        A homogeneous matrix with a row and a column for each axis of the frame.
        """
        if image.affine is None:
            return None
        own = {axis.name: number for number, axis in enumerate(image.axes)}
        units = [
            _to_unit(image.axes[own[name]], unit) if name in own else 1.0
            for name, unit in zip(self.names, self.units, strict=True)
        ]
        matrix: list[tuple[float, ...]] = []
        for row, name in enumerate(self.names):
            if name not in own:
                matrix.append(tuple(float(n == row) for n in range(len(units) + 1)))
                continue
            numbers = image.affine[own[name]]
            line = [
                numbers[own[other]] * units[row] / unit if other in own else 0.0
                for other, unit in zip(self.names, units, strict=True)
            ]
            matrix.append((*line, numbers[-1] * units[row]))
        return (*matrix, (*(0.0,) * len(units), 1.0))


def shared_frame(images: Sequence[Image]) -> Frame:
    """Return the frame that fits all images of a data set and their segmentations."""
    found: dict[str, list[Axis]] = {}
    for image in images:
        parts: tuple[Placed, ...] = (image, *image.labels)
        for part in parts:
            for axis in part.axes:
                if axis.name not in _NOT_SHOWN:
                    found.setdefault(axis.name, []).append(axis)
    custom = [name for name in found if name not in _STANDARD]
    # Positions outermost, the others as the files order them (sorting is stable).
    custom.sort(key=lambda name: axis_kind(name) != "position")
    first = 0
    if not custom:
        first = min(_STANDARD.index(name) for name in found)
    names = (*custom, *_STANDARD[first:])

    units = {name: _common_unit(found.get(name, ())) for name in names}
    # An axis that was put in takes the unit it would have had, so that data sets with
    # and without it agree; napari drops the units of layers that do not.
    if "z" in names and "z" not in found:
        units["z"] = units["y"]
    if "t" in names and "t" not in found:
        units["t"] = "second"
    steps = {
        name: abs(axes[0].scale * _to_unit(axes[0], units[name]))
        for name, axes in found.items()
    }
    return Frame(
        names,
        tuple(units[name] for name in names),
        tuple(steps.get(name, 1.0) for name in names),
    )


def _common_unit(axes: Sequence[Axis]) -> str:
    """Return the unit all axes can be given in; "pixel" if there is none."""
    units = [standard_unit(axis.unit) for axis in axes]
    if not units or units[0] is None:
        return _NO_UNIT
    first = units[0]
    comparable = all(u is not None and factor(u, first) is not None for u in units)
    return first if comparable else _NO_UNIT


def _to_unit(axis: Axis, unit: str) -> float:
    own = standard_unit(axis.unit)
    if unit == _NO_UNIT or own is None:
        return 1.0
    return factor(own, unit) or 1.0
