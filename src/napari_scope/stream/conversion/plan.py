"""What a conversion will write: from the images of a data set to stores of a stream.

Images of one size and type become one store. OME-Zarr holds others too: then each image
is a store of its own inside of a collection. What a format has no place for is given
another one, which is noted: colours become channels of OME-Zarr, and a custom axis
beside channels becomes one image for each of its values.

Nothing is read or written here.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from napari_scope.errors import SettingsError
from napari_scope.formats.ngff.omexml import PIXEL_TYPES
from napari_scope.model import Axis, Channel, axis_kind, canonical, short, sort_names
from napari_scope.stream.conversion.parts import (
    Part,
    place_parts,
    sample_labels,
    split_image,
)
from napari_scope.stream.conversion.space import (
    find_axis,
    image_steps,
    stage_centre,
    standard_unit,
    z_origin,
)
from napari_scope.stream.spec import PLACE_AXES, ImageSpec, PlateSpec, StoreSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.stream.conversion.source import SourceImage
    from napari_scope.stream.sinks import FormatName

__all__ = ["PlannedStore", "plan_stores"]

_T = TypeVar("_T")

_MOST_PLACES = 10_000_000  # frames of one image; more is a damaged or hopeless store

_RGB = ("#FF0000", "#00FF00", "#0000FF")


@dataclass(frozen=True)
class PlannedStore:
    """One store of a stream.

    Parameters
    ----------
    path : str
        Path of the store in the target; empty where it is the target itself.
    spec : StoreSpec
        What it holds; its images stand in the order of ``parts``.
    parts : tuple of Part
        Where that comes from.
    """

    path: str
    spec: StoreSpec
    parts: tuple[Part, ...]

    @cached_property
    def _numbers(self) -> dict[tuple[str, str], int]:
        labels = self.spec.labels.items()
        return {(axis, v): i for axis, values in labels for i, v in enumerate(values)}

    def number(self, axis: str, value: int | str) -> int:
        """Return the place of a sample on an axis (canonical name)."""
        return value if isinstance(value, int) else self._numbers[axis, value]


def plan_stores(
    sources: Sequence[SourceImage],
    format: FormatName,
    name: str,
    summary: Mapping[str, object],
    notes: list[str],
) -> tuple[PlannedStore, ...]:
    """Return the stores that hold some images.

    Parameters
    ----------
    sources : sequence of SourceImage
        The images.
    format : {"ome-zarr", "ndtiff", "ome-tiff"}
        What they become.
    name : str
        Name of the whole.
    summary : mapping
        Facts on the source, stored with each store.
    notes : list of str
        Gets what changes its place or is lost.

    Raises
    ------
    SettingsError
        If the format cannot hold an image, naming the image.
    """
    for source in sources:
        _check_size(source)
        _check_type(source, format, several=len(sources) > 1)
    parts = [part for source in sources for part in split_image(source, format, notes)]
    parts = place_parts(parts)
    # An OME-Zarr image has a single axis beside time and space.
    axes = {name for part in parts for name in _other_axes(part)}
    apart = format == "ome-zarr" and len(axes) > 1
    groups: dict[tuple[object, ...], list[Part]] = {}
    for part in parts:
        alike = (part.frame_shape, part.source.dtype.name, part.colors)
        key = (*alike, _other_axes(part)) if apart else alike
        groups.setdefault(key, []).append(part)
    if len(groups) == 1:
        return (_store("", parts, format, name, summary, notes),)
    if format != "ome-zarr":
        kinds = "; ".join(
            f"{_size(group[0])} has {', '.join(part.name for part in group[:5])}"
            for group in groups.values()
        )
        raise SettingsError(
            f"the images differ in size or type, which one {format} store cannot "
            f"hold: {kinds}",
            hint="choose the images of one size (images=, --image) and convert the "
            "others to another target",
        )
    notes.append(
        "the images differ in size, type or axes: each is a store of its own in the "
        "collection, with its own journal"
    )
    return tuple(
        _store(str(number), [part], format, part.name, summary, notes)
        for number, part in enumerate(parts)
    )


# ------------------------------------------------------------------ checks


def _check_size(source: SourceImage) -> None:
    places = math.prod(source.lengths)
    if places > _MOST_PLACES:
        raise SettingsError(
            f"the image {source.image.name!r} has places for {places} frames, more "
            f"than {_MOST_PLACES}",
            hint="its axes are probably not independent of each other",
        )
    if len(source.frame_shape) == 3 and source.frame_shape[2] != 3:
        raise SettingsError(
            f"the image {source.image.name!r} has {source.frame_shape[2]} colours, "
            "expected 3"
        )


def _check_type(source: SourceImage, format: FormatName, *, several: bool) -> None:
    dtype, name = source.dtype, source.image.name
    if format == "ndtiff":
        allowed = ["uint8"] if source.image.rgb else ["uint8", "uint16"]
        kind = "colour image" if source.image.rgb else "image"
        if dtype.name not in allowed:
            raise SettingsError(
                f"the {kind} {name!r} of type {dtype} cannot be stored as NDTiff, "
                f"which has {' and '.join(allowed)}",
                hint="change the type of its pixels first, or leave the image out",
            )
    elif format == "ome-tiff":
        known = ("uint8", "uint16") if source.image.rgb else tuple(PIXEL_TYPES)
        if dtype.name not in known:
            raise SettingsError(
                f"the image {name!r} of type {dtype} cannot be stored as OME-TIFF, "
                f"which has {', '.join(known)}",
                hint="change the type of its pixels first, or leave the image out",
            )
    elif dtype.kind not in "uif" or dtype.itemsize > 8:
        raise SettingsError(
            f"the image {name!r} of type {dtype} cannot be stored as OME-Zarr",
            hint="change the type of its pixels first, or leave the image out",
        )
    elif several and dtype.name not in PIXEL_TYPES:
        raise SettingsError(
            f"the image {name!r} of type {dtype} cannot be one of several in an "
            "OME-Zarr store: the OME-XML that lists them has no name for the type",
            hint="convert it alone (images=, --image)",
        )


def _other_axes(part: Part) -> tuple[str, ...]:
    """Return the axes of an image that are neither time nor space."""
    return tuple(n for n in part.values if axis_kind(n) in ("channel", "other"))


def _size(part: Part) -> str:
    height, width = part.frame_shape[:2]
    return f"{width} x {height} {part.source.dtype}"


# ------------------------------------------------------------------ stores


def _store(
    path: str,
    parts: Sequence[Part],
    format: FormatName,
    name: str,
    summary: Mapping[str, object],
    notes: list[str],
) -> PlannedStore:
    parts = _with_channels(parts)
    names = sort_names({canonical(n) for part in parts for n in part.values})
    labels: dict[str, tuple[str, ...]] = {}
    for axis in names:
        parts, found = _common_labels(parts, axis, notes)
        if found:
            labels[axis] = found
    channels = _channels(parts)
    if "channel" not in names and channels and channels[0].name:
        # The name of the only channel; there is no axis for it.
        labels["channel"] = (channels[0].name,)
    places = list(dict.fromkeys(n for part in parts for n in part.place))
    steps = [image_steps(part.source, format, notes) for part in parts]
    spec = StoreSpec(
        name=name,
        frame_shape=parts[0].frame_shape,
        dtype=parts[0].source.dtype,
        order=(*sorted(places, key=PLACE_AXES.index), *names),
        labels=labels,
        channels=channels,
        pixel_um=_common([step["x"] for step in steps]),
        z_um=_common([step["z"] for step in steps]),
        interval_s=_common([step["t"] for step in steps]),
        bit_depth=_bit_depth(parts),
        summary={**summary, "images": [_about(part) for part in parts]},
    )
    images = tuple(_image(part, spec, format) for part in parts)
    plate = None if format == "ndtiff" or path else _plate(parts, name)
    if plate is not None:
        images = tuple(
            replace(image, well=well_of(part))
            for image, part in zip(images, parts, strict=True)
        )
    return PlannedStore(path, replace(spec, images=images, plate=plate), tuple(parts))


def well_of(part: Part) -> tuple[str, str] | None:
    """Return row and column of the well of an image, if it lies in one."""
    well = part.source.image.metadata.get("well")
    row, _, column = well.partition("/") if isinstance(well, str) else ("", "", "")
    good = all(name.isascii() and name.isalnum() for name in (row, column))
    return (row, column) if good else None


def _plate(parts: Sequence[Part], name: str) -> PlateSpec | None:
    """Return the plate, if all images lie in wells."""
    wells = [well_of(part) for part in parts]
    if not wells or None in wells:
        return None
    rows, columns = (
        sorted({well[place] for well in wells if well}, key=_natural)
        for place in (0, 1)
    )
    return PlateSpec(name, tuple(rows), tuple(columns))


def _natural(name: str) -> tuple[int, str]:
    return len(name), name


def _with_channels(parts: Sequence[Part]) -> list[Part]:
    """Give images without channel axis the channel they name, if others have one."""
    if not any("c" in part.values for part in parts):
        return list(parts)
    result = []
    for part in parts:
        channels = part.source.image.channels
        if "c" not in part.values and channels and channels[0].name:
            part = replace(part, values={**part.values, "c": (channels[0].name,)})
        result.append(part)
    return result


def _common_labels(
    parts: Sequence[Part], axis: str, notes: list[str]
) -> tuple[list[Part], tuple[str, ...]]:
    """Return the labels of an axis in all images, in order of appearance.

    Where some images have labels and others only numbers, all get numbers.
    """
    name = short(axis)
    found = [value for part in parts for value in part.values.get(name, ())]
    labels = tuple(dict.fromkeys(value for value in found if isinstance(value, str)))
    if not labels or all(isinstance(value, str) for value in found):
        return list(parts), labels
    notes.append(
        f"axis {axis!r} has labels in some images only; its samples are numbered"
    )
    numbered = [
        replace(part, values={**part.values, name: tuple(range(len(values)))})
        if (values := part.values.get(name))
        else part
        for part in parts
    ]
    return numbered, ()


def _channels(parts: Sequence[Part]) -> tuple[Channel, ...]:
    """Return colour and contrast of each channel, as the first image has them."""
    found: dict[str, Channel] = {}
    for part in parts:
        channels = part.source.image.channels
        names = part.values.get("c")
        if part.colors:
            # The whole range, so that the three together show the colours as they are.
            dtype = part.source.dtype
            top = 2.0 ** (8 * dtype.itemsize) - 1
            limits = (0.0, top) if dtype.kind == "u" else None
            for name, color in zip(names or (), itertools.cycle(_RGB), strict=False):
                found.setdefault(str(name), Channel(str(name), color, limits))
            continue
        if names is None:
            names = tuple(channel.name for channel in channels)
        for name, channel in zip(names, channels, strict=False):
            found.setdefault(str(name), replace(channel, name=str(name)))
    return tuple(found.values())


def _bit_depth(parts: Sequence[Part]) -> int | None:
    bits = [part.source.image.bit_depth for part in parts]
    dtype = parts[0].source.dtype
    known = [b for b in bits if b is not None]
    if dtype.kind != "u" or len(known) < len(bits) or max(known) > 8 * dtype.itemsize:
        return None
    return max(known)


def _common(values: Sequence[_T | None]) -> _T | None:
    """Return a value that all share, or None."""
    return values[0] if all(value == values[0] for value in values) else None


def _about(part: Part) -> dict[str, object]:
    """Return the facts on the source of an image."""
    about: dict[str, object] = {"name": part.source.image.name}
    if part.source.image.metadata:
        about["metadata"] = dict(part.source.image.metadata)
    if part.fixed:
        about["axes"] = {
            canonical(name): sample_labels(part.source, name)[i]
            for name, i in part.fixed.items()
        }
    return about


def _image(part: Part, spec: StoreSpec, format: FormatName) -> ImageSpec:
    source = part.source
    sizes = {}
    for name, values in part.values.items():
        axis = canonical(name)
        known = {label: i for i, label in enumerate(spec.labels.get(axis, ()))}
        sizes[axis] = 1 + max(
            known[value] if isinstance(value, str) else value for value in values
        )
    x_um, y_um = stage_centre(source) or (None, None)
    image = ImageSpec(
        name=part.name,
        place=part.place,
        sizes=sizes,
        x_um=x_um,
        y_um=y_um,
        z_um=z_origin(source),
    )
    return (
        replace(image, axes=_exact_axes(part, spec)) if format == "ome-zarr" else image
    )


def _exact_axes(part: Part, spec: StoreSpec) -> tuple[Axis, ...]:
    """Return the axes with scale, unit and place as the source has them."""
    axes = []
    for name in (*spec.index_axes, "y", "x"):
        found = find_axis(part.source, short(name)) or Axis(short(name))
        unit, _ = standard_unit(found)
        labels = spec.labels.get(name, ())
        axes.append(replace(found, kind=axis_kind(name), unit=unit, labels=labels))
    return tuple(axes)
