"""What an OME-Zarr store will hold: groups with their attributes, and arrays.

Plain values of a conversion that writes arrays directly. `image_group` says how an
image becomes a group; which images there are is known to `convert_translate` (stores
of any version) and `convert_fresh` (other formats).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.arrays.moved_axis import moved_axis
from napari_scope.errors import SettingsError
from napari_scope.formats.ngff.metadata import (
    LevelInfo,
    axis_rank,
    image_attributes,
)
from napari_scope.model import Axis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.model import Channel, LevelArray

__all__ = [
    "Layout",
    "Options",
    "PlannedArray",
    "PlannedPyramid",
    "channels_first",
    "image_group",
    "is_full_resolution",
    "with_steps",
]

_MAX_CHUNK = 256 * 2**20  # bytes; larger ones are cut
_TILE = 1024
_SPACE = {"z": 1, "y": 2, "x": 3}


@dataclass(frozen=True, slots=True)
class Options:
    """How the arrays of a conversion are written.

    Parameters
    ----------
    version : str
        Version of OME-Zarr.
    compression : str, optional
        Name of a codec; None keeps what is compressed compressed.
    chunk_px : int, optional
        Pixels of a chunk along y and x; by default as in the source.
    levels : int, optional
        Levels of each pyramid; None keeps those of the source, and makes them where
        there are none.
    """

    version: str = "0.5"
    compression: str | None = None
    chunk_px: int | None = None
    levels: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedArray:
    """An array of the target and where its pixels come from."""

    path: str
    source: LevelArray
    names: tuple[str, ...]
    chunk: tuple[int, ...]
    compression: str | None


@dataclass(frozen=True, slots=True)
class PlannedPyramid:
    """A group whose coarse levels are made from its finest one."""

    path: str
    method: str
    levels: int | None = None


@dataclass(slots=True)
class Layout:
    """Everything that a target will hold.

    ``groups`` has the attributes of each group as OME-Zarr 0.5 has them, ``files``
    other files by their path, ``images`` the number of images with full resolution.
    """

    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: list[PlannedArray] = field(default_factory=list)
    pyramids: list[PlannedPyramid] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    images: int = 0

    @property
    def planes(self) -> int:
        """Number of planes of full resolution."""
        return sum(
            math.prod(array.source.shape[:-2])
            for array in self.arrays
            if is_full_resolution(array)
        )


def is_full_resolution(array: PlannedArray) -> bool:
    """Return whether an array is the finest level of its image."""
    return array.path.rpartition("/")[2] == "0"


def image_group(
    layout: Layout,
    path: str,
    name: str,
    levels: Sequence[LevelArray],
    level_axes: Sequence[Sequence[Axis]],
    channels: Sequence[Channel],
    options: Options,
    *,
    is_label: bool = False,
    bit_depth: int | None = None,
    rdefs: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    image_label: Mapping[str, Any] | None = None,
) -> None:
    """Add an image, or a segmentation, with its arrays to a layout.

    Parameters
    ----------
    layout : Layout
        Gets the group.
    path, name : str
        Path of the group, name of the image.
    levels : sequence of LevelArray
        The pixels, finest first.
    level_axes : sequence of sequence of Axis
        The axes of each level with its scale and translation.
    channels : sequence of Channel
        For the display settings.
    options : Options
        How arrays are written.
    is_label : bool
        Whether pixels are numbers of objects, which are not averaged.
    bit_depth, rdefs, extra, image_label
        What else stands in the attributes.

    Raises
    ------
    SettingsError
        If OME-Zarr cannot hold these axes or pixels.
    """
    levels, level_axes = _in_order(levels, level_axes)
    dtype = np.dtype(levels[0].dtype)
    if dtype.kind not in "uifb" or dtype.itemsize > 8:
        raise SettingsError(f"the image {name!r} of type {dtype} cannot be stored")
    keep = options.levels is None and len(levels) > 1
    count = len(levels) if keep else 1
    attributes = image_attributes(
        name,
        level_axes[0],
        [LevelInfo("0", 1)],
        () if is_label else channels,
        bit_depth=bit_depth,
        dtype="uint8" if dtype.kind == "b" else dtype.name,
        extra=extra,
    )
    multiscale = attributes["ome"]["multiscales"][0]
    multiscale["datasets"] = [
        _dataset(str(number), axes) for number, axes in enumerate(level_axes[:count])
    ]
    if is_label or keep:
        del multiscale["type"]  # how they were made is not known
    if rdefs and "omero" in attributes["ome"]:
        attributes["ome"]["omero"]["rdefs"] |= {
            key: rdefs[key]
            for key in ("defaultT", "defaultZ", "model")
            if type(rdefs.get(key)) in (int, str)
        }
    if image_label is not None:
        attributes["ome"]["image-label"] = dict(image_label)
    layout.groups[path] = attributes
    names = tuple(axis.name for axis in level_axes[0])
    for number, level in enumerate(levels[:count]):
        array_path = f"{path}/{number}" if path else str(number)
        layout.arrays.append(
            PlannedArray(
                array_path,
                level,
                names,
                _chunk(level, names, dtype.itemsize, options.chunk_px),
                options.compression,
            )
        )
    if not keep and options.levels != 1:
        method = "mode" if is_label else "mean"
        layout.pyramids.append(PlannedPyramid(path, method, options.levels))
    if not is_label:
        layout.images += 1


def _in_order(
    levels: Sequence[LevelArray], level_axes: Sequence[Sequence[Axis]]
) -> tuple[Sequence[LevelArray], Sequence[Sequence[Axis]]]:
    """Return the axes in the order that OME-NGFF demands: time, others, z, y, x."""
    names = [axis.name for axis in level_axes[0]]
    ranks = {
        axis.name: (axis_rank(axis.kind), _SPACE.get(axis.name, 0))
        for axis in level_axes[0]
    }
    wanted = sorted(names, key=ranks.__getitem__)
    if wanted == names:
        return levels, level_axes
    moved, axes = list(levels), [list(one) for one in level_axes]
    for to, name in enumerate(wanted):
        place = names.index(name)
        names.insert(to, names.pop(place))
        moved = [moved_axis(level, place, to) for level in moved]
        for one in axes:
            one.insert(to, one.pop(place))
    return moved, axes


def _dataset(path: str, axes: Sequence[Axis]) -> dict[str, Any]:
    return {
        "path": path,
        "coordinateTransformations": [
            {"type": "scale", "scale": [float(axis.scale) for axis in axes]},
            {
                "type": "translation",
                "translation": [float(axis.translation) for axis in axes],
            },
        ],
    }


def _chunk(
    level: LevelArray, names: Sequence[str], itemsize: int, chunk_px: int | None
) -> tuple[int, ...]:
    shape = level.shape
    found = getattr(level, "chunks", None)
    if found is None:
        found = tuple(
            n if a in ("y", "x") else 1 for a, n in zip(names, shape, strict=True)
        )
    chunk = [max(1, min(c, n)) for c, n in zip(found, shape, strict=True)]
    if math.prod(chunk) * itemsize > _MAX_CHUNK:
        chunk_px = chunk_px or _TILE
        chunk = [c if a in ("y", "x") else 1 for a, c in zip(names, chunk, strict=True)]
    if chunk_px is not None:
        chunk = [
            min(chunk_px, n) if a in ("y", "x") else c
            for a, c, n in zip(names, chunk, shape, strict=True)
        ]
    return tuple(chunk)


def with_steps(
    axes: Sequence[Axis], full: Sequence[int], shape: Sequence[int]
) -> tuple[Axis, ...]:
    """Return the axes of a coarse level, from its shape and those of full resolution.

    A pixel covers so many fine ones as the shapes say, to the next whole number, and
    its centre lies between theirs.
    """
    found = []
    for axis, fine, coarse in zip(axes, full, shape, strict=True):
        factor = round(fine / coarse)
        found.append(
            replace(
                axis,
                scale=axis.scale * factor,
                translation=axis.translation + axis.scale * (factor - 1) / 2,
            )
        )
    return tuple(found)


def channels_first(
    levels: Sequence[LevelArray], level_axes: Sequence[Sequence[Axis]]
) -> tuple[list[LevelArray], list[tuple[Axis, ...]]]:
    """Return a colour image with its colours as channels, as OME-Zarr has them.

    Raises
    ------
    SettingsError
        If it has channels beside its colours.
    """
    names = [axis.name for axis in level_axes[0]]
    if "c" in names:
        raise SettingsError(
            "an image with channels beside its colours has too many axes for OME-Zarr",
            hint="convert it without a scheduler",
        )
    to = 1 if names[0] == "t" else 0
    moved: list[LevelArray] = [moved_axis(level, -1, to) for level in levels]
    axes = []
    for one in level_axes:
        inner = list(one[:-1])
        inner.insert(to, Axis("c", "channel"))
        axes.append(tuple(inner))
    return moved, axes
