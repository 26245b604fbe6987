"""Fields of a plate that are alike: how their arrays become the pixels of the plate.

Most fields of a plate say the same of themselves but for their position. What they say
is understood once, as a `FieldKind`: the axes, the levels with their factors, and which
of the field's channels is which of the plate's. A field of another kind is read in
full, so that a plate may hold fields of other shapes, channels or versions.

Which fields there are and where they lie is not known here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import ome_block, read_image
from napari_scope.formats.ngff.transforms import compose
from napari_scope.model import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.formats.ngff.store import Store
    from napari_scope.model import Axis, Image

    Json = Mapping[str, object]

__all__ = ["FieldKind", "Grid", "KindLevel", "position_of", "read_kind", "signature"]

Factor: TypeAlias = tuple[float, float]

_MOST_LEVELS = 64

_COLORS = (
    Channel("red", "#FF0000"),
    Channel("green", "#00FF00"),
    Channel("blue", "#0000FF"),
)
"""Of RGB images, which a plate shows as three channels."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixels that all fields of a mosaic are brought to.

    Parameters
    ----------
    scale : (float, float)
        Size of a pixel of full resolution along y and x.
    units : (str or None, str or None)
        Unit of the size.
    channels : tuple of str
        Names of the channels.
    """

    scale: tuple[float, float]
    units: tuple[str | None, str | None]
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KindLevel:
    """One level of the fields of a kind.

    Parameters
    ----------
    path : str
        Path of the array below the field.
    factor : (float, float)
        Pixels of full resolution of the mosaic for each of its pixels, along y and x.
    """

    path: str
    factor: Factor


@dataclass(frozen=True, slots=True, eq=False)
class FieldKind:
    """What a number of fields have in common.

    Parameters
    ----------
    signature : object
        What they say of themselves, to be compared.
    axes : tuple of str
        Names of the axes of the arrays.
    levels : tuple of KindLevel
        The levels, finest first.
    channels : tuple of (int or None)
        For each channel of the mosaic the index in the arrays; None where the fields
        lack it.
    image : Image
        The field from which this was learnt.
    shape : (int, int)
        Its height and width in pixels of the mosaic.
    """

    signature: object
    axes: tuple[str, ...]
    levels: tuple[KindLevel, ...]
    channels: tuple[int | None, ...]
    image: Image
    shape: tuple[int, int]

    def levels_for(self, factor: Factor) -> list[int]:
        """Return the numbers of the levels to take for a factor, the best one first.

        The coarsest that has all the detail, then finer ones, then coarser ones.
        """
        enough: list[int] = []
        other: list[int] = []
        for number, level in enumerate(self.levels):
            fine = all(
                own <= wanted * 1.01
                for own, wanted in zip(level.factor, factor, strict=True)
            )
            (enough if fine else other).append(number)
        return enough[::-1] + other


def signature(attributes: Json) -> object:
    """Return what a field says of itself except for its position.

    None for what can only be told by reading it in full.
    """
    block = ome_block(attributes)
    multiscales = block.get("multiscales")
    first = multiscales[0] if isinstance(multiscales, list) and multiscales else None
    if not isinstance(first, dict) or "coordinateSystems" in first:
        return None
    datasets = first.get("datasets")
    levels = [
        (entry.get("path"), _without_translation(entry))
        for entry in (datasets if isinstance(datasets, list) else [])[:_MOST_LEVELS]
        if isinstance(entry, dict)
    ]
    return first.get("axes"), levels, _without_translation(first), block.get("omero")


def _without_translation(entry: Json) -> object:
    listed = entry.get("coordinateTransformations")
    if not isinstance(listed, list):
        return listed
    return [
        one
        for one in listed
        if not (isinstance(one, dict) and one.get("type") == "translation")
    ]


def position_of(attributes: Json, kind: FieldKind) -> tuple[float, float] | None:
    """Return where a field begins along y and x, in its own unit; None if unsaid."""
    if kind.signature is None:
        return _position(kind.image)
    first = ome_block(attributes)["multiscales"][0]  # type: ignore[index]
    whole = first.get("coordinateTransformations")
    lists = [first["datasets"][0].get("coordinateTransformations"), whole]
    said = any(
        isinstance(one, dict) and one.get("type") == "translation"
        for entries in lists
        for one in (entries if isinstance(entries, list) else [])
    )
    if not said:
        return None
    placement = compose(len(kind.axes), *lists)
    y, x = (placement.translation[kind.axes.index(name)] for name in ("y", "x"))
    return y, x


def _position(image: Image) -> tuple[float, float]:
    y, x = (_axis(image.axes, name).translation for name in ("y", "x"))
    return y, x


def read_kind(
    store: Store, path: str, attributes: Json, grid: Grid | None = None
) -> tuple[FieldKind, Grid, tuple[str, ...]]:
    """Read one field in full.

    Parameters
    ----------
    store : Store
        The hierarchy.
    path : str
        Path of the field in it.
    attributes : mapping
        Its attributes.
    grid : Grid, optional
        The pixels of the mosaic; by default those of this field.

    Returns
    -------
    kind : FieldKind
        What the field and those that are like it are.
    grid : Grid
        The pixels of the mosaic.
    problems : tuple of str
        What is odd about the field.

    Raises
    ------
    FormatError
        If it cannot be shown.
    """
    read = read_image(store, path, attributes=attributes)
    image = read.image
    if image.rgb:
        image = replace(image, channels=_COLORS)
    y, x = (_axis(image.axes, name) for name in ("y", "x"))
    names = tuple(channel.name for channel in image.channels)
    if grid is None:
        grid = Grid((y.scale, x.scale), (y.unit, x.unit), names)
    size = _size_of_pixel((y, x), grid)
    levels = _levels(store, path, attributes, image)
    finest = levels[0][1]
    found = []
    for level, shape in levels:
        y_factor, x_factor = (
            _factor(whole, part) * pixel
            for whole, part, pixel in zip(finest, shape, size, strict=True)
        )
        found.append(KindLevel(level, (y_factor, x_factor)))
    kind = FieldKind(
        signature(attributes),
        _stored_axes(attributes, image),
        tuple(found),
        _channels(names, grid.channels, known="omero" in ome_block(attributes)),
        image,
        (round(finest[0] * size[0]), round(finest[1] * size[1])),
    )
    return kind, grid, read.problems


def _stored_axes(attributes: Json, image: Image) -> tuple[str, ...]:
    """Return the names of the axes as the arrays have them.

    The colours of an RGB image were moved to its end; a plate shows them as channels.
    """
    if not image.rgb:
        return image.axis_names
    names = [name for name in image.axis_names if name != "rgb"]
    axes = ome_block(attributes)["multiscales"][0].get("axes")  # type: ignore[index]
    kinds = [a.get("type") if isinstance(a, dict) else a for a in axes or ()]
    place = next((n for n, kind in enumerate(kinds) if kind in ("channel", "c")), 1)
    return (*names[:place], "c", *names[place:])


def _axis(axes: Sequence[Axis], name: str) -> Axis:
    return next(axis for axis in axes if axis.name == name)


def _size_of_pixel(axes: tuple[Axis, Axis], grid: Grid) -> Factor:
    """Return the size of a field's pixels in pixels of the mosaic."""
    sizes = []
    for axis, scale, unit in zip(axes, grid.scale, grid.units, strict=True):
        ratio = axis.scale / scale if axis.unit == unit and scale else 1.0
        # Sizes that differ by less than this are the same, noted with other digits.
        usable = math.isfinite(ratio) and 1 / 64 <= ratio <= 64
        sizes.append(1.0 if not usable or abs(ratio - 1) < 0.01 else ratio)
    return sizes[0], sizes[1]


def _levels(
    store: Store, path: str, attributes: Json, image: Image
) -> list[tuple[str, tuple[int, int]]]:
    """Return path, height and width of the levels that there are, finest first."""
    names = _stored_axes(attributes, image)
    y, x = names.index("y"), names.index("x")
    multiscales = ome_block(attributes)["multiscales"]
    datasets = multiscales[0].get("datasets", [])  # type: ignore[index]
    found: list[tuple[str, tuple[int, int]]] = []
    dtype, ndim = image.levels[0].dtype, image.levels[0].ndim
    for entry in datasets[:_MOST_LEVELS]:
        level = entry.get("path") if isinstance(entry, dict) else None
        if not isinstance(level, str):
            continue
        try:
            info = store.array(f"{path}/{level}")
        except FormatError:
            continue  # `read_image` has reported it
        if len(info.shape) == ndim and info.dtype == dtype and 0 not in info.shape:
            found.append((level, (info.shape[y], info.shape[x])))
    if not found:
        raise FormatError("none of its levels can be read", path=path)
    return found


def _factor(finest: int, length: int) -> float:
    """Return by how much a level is coarser; whole, if it is but for rounding."""
    exact = finest / length
    whole = max(1, round(exact))
    return float(whole) if abs(length - finest / whole) <= 1 else exact


def _channels(
    own: Sequence[str], wanted: Sequence[str], *, known: bool
) -> tuple[int | None, ...]:
    """Return the index of each wanted channel in a field.

    By name, if the field names its channels and shares a name; otherwise by place.

    Examples
    --------
    >>> _channels(["GFP", "DAPI"], ["DAPI", "GFP", "RFP"], known=True)
    (1, 0, None)
    >>> _channels(["a", "b"], ["DAPI", "GFP", "RFP"], known=True)
    (0, 1, None)
    """
    named = {name: n for n, name in reversed(list(enumerate(own))) if name}
    if known and len(named) == len(own) and any(name in named for name in wanted):
        return tuple(named.get(name) for name in wanted)
    return tuple(n if n < len(own) else None for n in range(len(wanted)))
