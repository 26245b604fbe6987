"""The images that a conversion makes out of those of the source.

As a rule one becomes one. Where a format has no place for an axis, an image becomes
several, one for each value of the axis; colours become channels.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import SettingsError
from napari_scope.model import axis_kind, canonical
from napari_scope.stream.conversion.journal import JournalFrames
from napari_scope.stream.conversion.space import find_axis
from napari_scope.stream.spec import PLACE_AXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_scope.stream.conversion.source import SourceImage
    from napari_scope.stream.sinks import FormatName

__all__ = ["Part", "place_parts", "sample_labels", "split_image"]

_MOST_IMAGES = 1000  # made of one image

_COLORS = ("Red", "Green", "Blue")


@dataclass(frozen=True, slots=True)
class Part:
    """An image of the target and where its frames come from.

    Parameters
    ----------
    source : SourceImage
        The image of the source.
    name : str
        Name of the image of the target.
    fixed : mapping
        Axes of the source (short names) that stay at one place.
    values : mapping
        For each other axis what addresses its samples: numbers or labels.
    colors : bool
        Whether each plane becomes three, one for each colour.
    place : mapping
        The axes that tell the images of the target apart.
    """

    source: SourceImage
    name: str
    fixed: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    colors: bool = False
    place: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Number of frames that a plane of the source becomes."""
        return len(_COLORS) if self.colors else 1

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a frame of the target."""
        return self.source.frame_shape[: 2 if self.colors else None]

    def axes(self, index: Mapping[str, int], sample: int = 0) -> dict[str, int | str]:
        """Return the axes of a frame of the target."""
        axes = dict(self.place)
        for name, values in self.values.items():
            place = index.get(name, 0)
            if name == "c":
                place = place * self.samples + sample
            axes[canonical(name)] = values[place]
        return axes

    def indices(self) -> Iterator[dict[str, int]]:
        """Iterate over the places of all planes in the source."""
        lengths = [
            1 if name in self.fixed else length
            for name, length in zip(self.source.names, self.source.lengths, strict=True)
        ]
        for place in np.ndindex(*lengths):
            index = dict(zip(self.source.names, place, strict=True))
            yield {**index, **self.fixed}


def split_image(
    source: SourceImage, format: FormatName, notes: list[str]
) -> list[Part]:
    """Return the images that an image becomes: several where it has too many axes.

    Raises
    ------
    SettingsError
        If they would be too many.
    """
    image = source.image
    colors = image.rgb and format == "ome-zarr"
    if colors:
        notes.append(f"{image.name}: the colours become the channels red, green, blue")
    apart = [name for name in source.names if canonical(name) in PLACE_AXES]
    if format == "ome-zarr":
        custom = [
            name
            for name in source.names
            if axis_kind(name) in ("channel", "other") and name not in apart
        ]
        stays = "c" if colors or "c" in custom else _longest(source, custom)
        apart += [name for name in custom if name != stays]
    elif format == "ome-tiff":
        apart += [n for n in source.names if n not in ("t", "c", "z", *apart)]
    lengths = dict(zip(source.names, source.lengths, strict=True))
    count = math.prod(lengths[name] for name in apart)
    if count > _MOST_IMAGES:
        named = ", ".join(canonical(name) for name in apart)
        raise SettingsError(
            f"the image {image.name!r} would become {count} images, one for each value "
            f"of {named}",
            hint="convert it to NDTiff, which takes any axes",
        )
    for name in apart:
        if lengths[name] > 1:
            notes.append(
                f"{image.name}: axis {canonical(name)!r} becomes {lengths[name]} "
                "images, one for each of its values"
            )
    parts = []
    for place in np.ndindex(*(lengths[name] for name in apart)):
        fixed = dict(zip(apart, place, strict=True))
        words = [image.name or "image"]
        for name, i in fixed.items():
            if lengths[name] > 1:
                words += [canonical(name), str(sample_labels(source, name)[i])]
        values = {n: sample_labels(source, n) for n in source.names if n not in fixed}
        if colors:
            channels = values.get("c", (0,))
            values["c"] = tuple(
                color if len(channels) == 1 else f"{channel} {color}"
                for channel in channels
                for color in _COLORS
            )
        parts.append(Part(source, " ".join(words), fixed, values, colors))
    for name in source.names:
        axis = find_axis(source, name)
        if axis is not None and axis.labels and name not in apart:
            if not isinstance(sample_labels(source, name)[0], str):
                notes.append(
                    f"{image.name}: axis {canonical(name)!r} has the values "
                    f"{_few(axis.labels)}; they are numbered 0, 1, 2, ... and kept in "
                    "the metadata of the frames"
                )
    return parts


def _longest(source: SourceImage, names: Sequence[str]) -> str | None:
    lengths = dict(zip(source.names, source.lengths, strict=True))
    return max(names, key=lambda name: lengths[name], default=None)


def sample_labels(source: SourceImage, name: str) -> tuple[int | str, ...]:
    """Return what addresses the samples of an axis: its labels, else numbers.

    Labels that are all numbers are values of an axis that is not evenly spaced.
    """
    length = source.lengths[source.names.index(name)]
    axis = find_axis(source, name)
    labels: tuple[str, ...] = axis.labels if axis is not None else ()
    if name == "c" and not labels and len(source.image.channels) == length:
        labels = tuple(channel.name for channel in source.image.channels)
    if len(labels) != length:
        return tuple(range(length))
    if name != "c" and all(_is_number(label) for label in labels):
        return tuple(range(length))
    names = [
        label or f"{canonical(name).capitalize()} {i}" for i, label in enumerate(labels)
    ]
    return tuple(_unique(names))


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _unique(names: Sequence[str]) -> list[str]:
    """Return names that differ: one that was there before gets a number."""
    all_names, taken, counts = set(names), set[str](), Counter[str]()
    result = []
    for name in names:
        new = name
        while new in taken or (new != name and new in all_names):
            counts[name] += 1
            new = f"{name} ({counts[name] + 1})"
        taken.add(new)
        result.append(new)
    return result


def _few(values: Sequence[str]) -> str:
    text = ", ".join(values[:5])
    return text if len(values) <= 5 else f"{text}, ..."


def place_parts(parts: Sequence[Part]) -> list[Part]:
    """Return the images with axes that tell them apart: their own if these do."""
    places = [_own_place(part.source) for part in parts]
    kinds = {tuple(sorted((k, type(v)) for k, v in p.items())) for p in places}
    different = {tuple(sorted(place.items())) for place in places if place}
    if len(parts) == 1:
        return [replace(parts[0], place=places[0])]
    if len(kinds) > 1 or len(different) < len(parts):
        names = _unique([part.name for part in parts])
        places = [{"position": name} for name in names]
    return [
        replace(part, place=place) for part, place in zip(parts, places, strict=True)
    ]


def _own_place(source: SourceImage) -> dict[str, int | str]:
    """Return the axes that say where an image was taken."""
    found = _place_axes(source.image.metadata)
    if not found and isinstance(source.table, JournalFrames):
        found = _place_axes(source.table.place())
    return found


def _place_axes(axes: Mapping[str, object]) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    for name in PLACE_AXES:
        value = axes.get(name)
        if isinstance(value, int | str) and not isinstance(value, bool):
            found[name] = value
    return found
