"""One multiscale image of OME-Zarr: its axes, levels and channels.

Reads versions 0.1 to 0.6 leniently: what is odd is reported and does without, what
makes the image impossible to show is raised. A group may list several multiscale
images; each is asked for by its number. Segmentations of an image are read elsewhere
(`napari_scope.formats.ngff.label_images`).

Examples
--------
>>> found = read_image(Store("cells.ome.zarr"))  # doctest: +SKIP
>>> found.image.axis_names, len(found.image.levels)  # doctest: +SKIP
(('c', 'y', 'x'), 4)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays import LazyArray
from napari_scope.arrays.moved_axis import moved_axis
from napari_scope.errors import FormatError
from napari_scope.formats.ngff.coordinates import Coordinates, Onward, coordinates_of
from napari_scope.formats.ngff.omero import channels_from_omero
from napari_scope.formats.ngff.pixels import ZarrSource
from napari_scope.formats.ngff.saved_looks import saved_looks, saved_rgb
from napari_scope.formats.ngff.transforms import Matrix, compose
from napari_scope.model import Axis, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.ngff.store import ArrayInfo, Store
    from napari_scope.model import Channel, LevelArray

    Json = Mapping[str, object]

__all__ = [
    "ReadImage",
    "count_multiscales",
    "level_paths",
    "ome_block",
    "read_image",
    "version_of",
]

_MAX_LEVELS = 64
_MAX_MULTISCALES = 64
_MAX_CHANNELS = 4096  # each is a layer, or a hyperspectral axis that should be custom
_HUGE = 1e30  # numbers beyond overflow in the shaders of a viewer, or in its camera


@dataclass(frozen=True, slots=True)
class ReadImage:
    """An image and what was odd about it.

    Parameters
    ----------
    image : Image
        The image, named as its own metadata name it (may be empty).
    problems : tuple of str
        What was left out, one sentence each.
    version : str
        Version of OME-Zarr.
    multiscales : int
        How many multiscale images the group lists.
    attributes : mapping
        All attributes of the group.
    coordinates : Coordinates
        What the image is shown in.
    transformations : tuple
        Those of each level, as found.
    """

    image: Image
    problems: tuple[str, ...]
    version: str
    multiscales: int = 1
    attributes: Json = field(default_factory=dict)
    coordinates: Coordinates = field(default_factory=lambda: Coordinates(()))
    transformations: tuple[object, ...] = ()

    @property
    def level_axes(self) -> tuple[tuple[Axis, ...], ...]:
        """The axes of each level, with its own scale and translation."""
        return tuple(
            _placed(self.coordinates, steps, [])[0] for steps in self.transformations
        )


def ome_block(attributes: Json) -> Json:
    """Return the OME part of the attributes of a group.

    From version 0.5 on it is the entry ``ome``, before it is the attributes themselves.
    """
    block = attributes.get("ome")
    return block if isinstance(block, dict) else attributes


def version_of(block: Json) -> str:
    """Return the version that an OME block states, or an empty string."""
    candidates: list[object] = [block]
    for key in ("plate", "well", "multiscales"):
        value = block.get(key)
        candidates.append(value[0] if isinstance(value, list) and value else value)
    for candidate in candidates:
        if isinstance(candidate, dict) and isinstance(candidate.get("version"), str):
            return str(candidate["version"])
    return ""


def count_multiscales(block: Json) -> int:
    """Return how many multiscale images an OME block lists, at least 1."""
    found = block.get("multiscales")
    count = len(found) if isinstance(found, list) else 1
    return min(max(1, count), _MAX_MULTISCALES)


def level_paths(attributes: Json, path: str = "") -> list[str]:
    """Return the paths of the arrays that the attributes of an image group name."""
    found = ome_block(attributes).get("multiscales")
    paths: list[str] = []
    for multiscale in found[:_MAX_MULTISCALES] if isinstance(found, list) else ():
        datasets = multiscale.get("datasets") if isinstance(multiscale, dict) else None
        for entry in datasets[:_MAX_LEVELS] if isinstance(datasets, list) else ():
            level = entry.get("path") if isinstance(entry, dict) else None
            if isinstance(level, str):
                paths.append(f"{path}/{level}" if path else level)
    return paths


def read_image(
    store: Store,
    path: str = "",
    number: int = 0,
    attributes: Json | None = None,
    onward: Onward | None = None,
) -> ReadImage:
    """Read the metadata of an image; no pixel is read.

    Parameters
    ----------
    store : Store
        The opened hierarchy.
    path : str
        Path of the image group within it.
    number : int
        Which of the multiscale images of the group.
    attributes : mapping, optional
        Attributes of the group, where they have been read already.
    onward : Onward, optional
        What leads on in the scene that the image is a part of.

    Raises
    ------
    FormatError
        If the group is no image or none of its levels can be shown.
    """
    if attributes is None:
        attributes = store.attributes(path)
    block = ome_block(attributes)
    multiscale = _multiscale(block, number, store, path)
    problems: list[str] = []

    found = _levels(store, path, multiscale, problems)
    infos = [info for info, _ in found]
    try:
        coordinates = coordinates_of(multiscale, len(infos[0].shape), onward)
    except FormatError as error:
        raise FormatError(error.message, path=store.place(path)) from error
    problems += coordinates.problems
    axes, affine = _placed(coordinates, found[0][1], problems)

    names = [axis.name for axis in axes]
    count = infos[0].shape[names.index("c")] if "c" in names else 1
    if count > _MAX_CHANNELS:
        raise FormatError(
            f"{count} channels; at most {_MAX_CHANNELS} can be shown",
            path=store.place(path),
        )
    levels: tuple[LevelArray, ...] = tuple(LazyArray(ZarrSource(i)) for i in infos)
    channels = channels_from_omero(block.get("omero"), count)
    rgb = saved_rgb(attributes) and "c" in names and count in (3, 4)
    if rgb:
        c, last = names.index("c"), len(names) - 1
        levels = tuple(moved_axis(level, c, last) for level in levels)
        axes = (*axes[:c], *axes[c + 1 :], Axis("rgb", "other"))
        if affine is not None:
            affine = _moved(affine, c, last)
        channels = channels_from_omero(None, 1)
    elif "c" in names:
        c = names.index("c")
        labels = tuple(channel.name for channel in channels)
        axes = (*axes[:c], replace(axes[c], labels=labels), *axes[c + 1 :])

    title = multiscale.get("name")
    about: dict[str, object] = {"path": path} if path else {}
    if coordinates.whole is not None and coordinates.system:
        about["coordinate_system"] = coordinates.system
    image = Image(
        name=title.strip().strip("/") if isinstance(title, str) else "",
        axes=axes,
        levels=levels,
        channels=_with_looks(channels, attributes),
        rgb=rgb,
        bit_depth=_bit_depth(attributes),
        metadata=about,
        affine=affine,
    )
    where = f"{path}: " if path else ""
    return ReadImage(
        image,
        tuple(where + p for p in problems),
        version_of(block),
        count_multiscales(block),
        attributes,
        coordinates,
        tuple(steps for _, steps in found),
    )


def _multiscale(block: Json, number: int, store: Store, path: str) -> Json:
    multiscales = block.get("multiscales")
    if isinstance(multiscales, list) and 0 <= number < len(multiscales):
        entry = multiscales[number]
        if isinstance(entry, dict):
            return entry
    reason = "the attributes have no multiscales"
    if number:
        reason = f"entry {number} of multiscales is not one"
    raise FormatError(f"no image: {reason}", path=store.place(path))


def _levels(
    store: Store, path: str, multiscale: Json, problems: list[str]
) -> list[tuple[ArrayInfo, object]]:
    """Return the usable levels with their transformations, finest first."""
    datasets = multiscale.get("datasets")
    listed: list[tuple[str, object]] = []
    for number, entry in enumerate(datasets if isinstance(datasets, list) else ()):
        if number == _MAX_LEVELS:
            problems.append(f"only the first {_MAX_LEVELS} levels are used")
            break
        level = entry.get("path") if isinstance(entry, dict) else None
        if not isinstance(level, str):
            problems.append(f"level {number} has no path")
            continue
        listed.append((level, entry.get("coordinateTransformations")))
    infos = store.arrays([f"{path}/{level}" if path else level for level, _ in listed])
    found: list[tuple[ArrayInfo, object]] = []
    for (level, steps), info in zip(listed, infos, strict=True):
        if isinstance(info, FormatError):
            problems.append(f"level {level} is left out: {info}")
        elif 0 in info.shape:
            problems.append(f"level {level} is left out: it is empty, {info.shape}")
        elif found and (
            len(info.shape) != len(found[0][0].shape) or info.dtype != found[0][0].dtype
        ):
            problems.append(
                f"level {level} is left out: {len(info.shape)} axes of {info.dtype} do "
                f"not fit the finest level, {len(found[0][0].shape)} axes of "
                f"{found[0][0].dtype}"
            )
        else:
            found.append((info, steps))
    if not found:
        reason = "; ".join(problems) or "multiscales lists no datasets"
        raise FormatError(f"no level can be read: {reason}", path=store.place(path))
    return found


def _placed(
    coordinates: Coordinates, steps: object, problems: list[str]
) -> tuple[tuple[Axis, ...], Matrix | None]:
    """Return the axes where a level puts them, and what comes after that."""
    placement = compose(len(coordinates.axes), steps, coordinates.whole)
    problems += placement.problems
    axes: list[Axis] = []
    for axis, scale, offset in zip(
        coordinates.axes, placement.scale, placement.translation, strict=True
    ):
        if not 1 / _HUGE < abs(scale) < _HUGE:
            # Writers of single time points store an interval of 0; a viewer cannot
            # place samples on top of each other.
            if scale != 0 or axis.kind != "time":
                problems.append(f"the scale {scale:g} of axis {axis.name} counts as 1")
            scale = 1.0
        if not abs(offset) < _HUGE:
            problems.append(f"the place {offset:g} on axis {axis.name} counts as 0")
            offset = 0.0
        axes.append(replace(axis, scale=scale, translation=offset))
    affine = placement.affine
    if affine is not None and not _can_be_shown(affine, axes):
        problems.append(
            "a transformation that is singular or mixes other axes than those in "
            "space is not used"
        )
        affine = None
    return tuple(axes), affine


def _can_be_shown(affine: Matrix, axes: list[Axis]) -> bool:
    matrix = np.array(affine)
    linear = matrix[:-1, :-1]
    if not (np.abs(matrix) < _HUGE).all():
        return False
    in_space = np.array([axis.kind == "space" for axis in axes])
    mixed = linear - np.diag(np.diag(linear))
    if mixed[~in_space].any() or mixed[:, ~in_space].any():
        return False
    # Against its own size: a matrix of nanometers in meters is no singular one.
    largest = np.abs(linear).max(axis=1, keepdims=True)
    return bool(largest.all()) and np.linalg.matrix_rank(linear / largest) == len(axes)


def _moved(affine: Matrix, axis: int, to: int) -> Matrix:
    order = [n for n in range(len(affine) - 1) if n != axis]
    order = [*order[:to], axis, *order[to:], len(affine) - 1]
    return tuple(tuple(affine[row][column] for column in order) for row in order)


def _with_looks(channels: tuple[Channel, ...], attributes: Json) -> tuple[Channel, ...]:
    """Return the channels as a viewer showed them that saved the store."""
    looks = saved_looks(attributes, len(channels))
    if not looks:
        return channels
    return tuple(
        replace(channel, look=look, visible=bool(look.get("visible", channel.visible)))
        for channel, look in zip(channels, looks, strict=True)
    )


def _bit_depth(attributes: Json) -> int | None:
    """Return the significant bits that our own writer notes beside the standard."""
    own = attributes.get("napari_scope")
    bits = own.get("bit_depth") if isinstance(own, dict) else None
    return bits if type(bits) is int and 1 <= bits <= 64 else None
