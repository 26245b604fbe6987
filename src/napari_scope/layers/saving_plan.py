"""Which layers become which image: channels, collections, segmentations.

- Image layers on the same grid (shape, type, axes, scale, place, units) are the
  channels of one image. All others are images of their own.
- A labels layer belongs to the first image whose grid it fits: the same pixels in y and
  x, and each other axis as long as the image's, of length 1, or not there. One that
  fits none belongs to the first image all the same: its own scale and translation place
  it. Only where there is no image it stands for itself.
- Red, green and blue samples become channels, which all programs show; an entry of ours
  says that they are one layer.

Layers of other kinds have no place in OME-Zarr and are refused, all before a pixel is
read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import SettingsError
from napari_scope.formats.ngff.saving.images import SavedImage, SavedLabels
from napari_scope.layers.helping import is_helping
from napari_scope.layers.saving_axes import LayerAxes, layer_axes
from napari_scope.layers.saving_looks import (
    channel_of_layer,
    label_colors,
    label_properties,
    look_of_layer,
)
from napari_scope.layers.saving_pixels import LayerArray, LayerPixels, full_resolution
from napari_scope.model import Axis, Channel
from napari_scope.model.colors import default_color

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.layers.describe import LayerData

__all__ = ["ImageLayer", "grouped", "plan_images", "planned", "read_layers"]

_KINDS = ("image", "labels")
_STORED = "buif"  # bool, unsigned, signed, float
_SAMPLES = (
    ("red", "#FF0000"),
    ("green", "#00FF00"),
    ("blue", "#0000FF"),
    ("alpha", "#FFFFFF"),
)
_DIGITS = 12  # of numbers that are compared; more are noise of the arithmetic

_ELSEWHERE = {
    "points": "save it by itself as .csv",
    "shapes": "save it by itself as .csv, or make a labels layer of it",
    "tracks": "save it by itself",
    "vectors": "save it by itself as .csv",
    "surface": "save it by itself",
}


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """A layer of pixels, as it will be stored.

    Parameters
    ----------
    name : str
        Name of the layer.
    kind : str
        ``"image"`` or ``"labels"``.
    data : LayerArray
        Full resolution.
    axes : LayerAxes
        Axes in the order of the file, without that of the samples of colours.
    arguments : mapping
        What napari says of the layer.
    rgb : bool
        Whether the last axis of the data has red, green, blue (and alpha).
    """

    name: str
    kind: str
    data: LayerArray
    axes: LayerAxes
    arguments: Mapping[str, object]
    rgb: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, in the order of the file."""
        return tuple(int(self.data.shape[axis]) for axis in self.axes.order)

    def lengths(self) -> dict[str, int]:
        """Return the length of each axis."""
        return dict(zip(self.axes.names, self.shape, strict=True))

    def grid(self) -> tuple[object, ...]:
        """Return what layers have in common that can be channels of one image."""
        places = tuple(_place(axis) for axis in self.axes.axes)
        return self.shape, np.dtype(self.data.dtype).str, places

    def pixels(self) -> LayerPixels:
        """Return the pixels by themselves, samples of colours before y and x."""
        order = list(self.axes.order)
        if self.rgb:
            order.insert(len(order) - self.axes_in_space(), len(order))
        return LayerPixels([self.data], order)

    def axes_in_space(self) -> int:
        """Return how many of the axes are z, y and x."""
        return sum(axis.kind == "space" for axis in self.axes.axes)


def _place(axis: Axis) -> tuple[object, ...]:
    return (
        axis.name,
        axis.unit,
        f"{axis.scale:.{_DIGITS}g}",
        f"{axis.translation:.{_DIGITS}g}",
    )


def read_layers(layers: Sequence[LayerData]) -> list[ImageLayer]:
    """Return what the layers say of themselves, but those that are no data.

    Raises
    ------
    SettingsError
        Naming the first layer that cannot be stored and what can be done.
    """
    layers = [one for one in layers if not is_helping(one[1].get("metadata"))]
    if not layers:
        raise SettingsError("there is no layer to save")
    found: list[ImageLayer] = []
    for number, (data, arguments, kind) in enumerate(layers):
        name = _encodable(str(arguments.get("name") or f"layer {number}"))
        try:
            found.append(_read_layer(name, data, arguments, kind))
        except SettingsError as error:
            raise _named(name, error) from error
    return found


def _encodable(name: str) -> str:
    """Return a name as JSON can hold it: that of a file may not be Unicode."""
    return name.encode("utf-8", "replace").decode()


def _named(name: str, error: SettingsError) -> SettingsError:
    return SettingsError(
        f"layer {name!r} cannot be saved: {error.message}",
        path=error.path,
        hint=error.hint,
    )


def _read_layer(
    name: str, data: object, arguments: Mapping[str, object], kind: str
) -> ImageLayer:
    if kind not in _KINDS:
        raise SettingsError(
            f"OME-Zarr 0.4 and 0.5 have no place for {kind}",
            hint=f"{_ELSEWHERE.get(kind, 'save it by itself')}, and select only image "
            "and labels layers here",
        )
    array = full_resolution(data, multiscale=arguments.get("multiscale") is True)
    dtype = np.dtype(array.dtype)
    if dtype.kind not in _STORED or dtype.itemsize > 8:
        raise SettingsError(
            f"pixels of type {dtype} have no place in OME-Zarr",
            hint="convert the layer, complex numbers to real ones for example",
        )
    if kind == "labels" and dtype.kind == "f":
        raise SettingsError(f"labels are integers, not {dtype}")
    rgb = kind == "image" and arguments.get("rgb") is True
    ndim = len(array.shape) - rgb
    if 0 in array.shape:
        raise SettingsError(f"it is empty, its shape is {tuple(array.shape)}")
    if rgb and array.shape[-1] not in (3, 4):
        raise SettingsError(f"{array.shape[-1]} samples are no colours")
    return ImageLayer(name, kind, array, layer_axes(arguments, ndim), arguments, rgb)


def grouped(layers: Sequence[ImageLayer]) -> list[list[ImageLayer]]:
    """Return the image layers by image: those on one grid together, as channels."""
    groups: list[list[ImageLayer]] = []
    by_grid: dict[tuple[object, ...], list[ImageLayer]] = {}
    for layer in layers:
        if layer.kind != "image":
            continue
        # There is room for one axis that is neither time nor space.
        alone = layer.rgb or any(
            axis.kind not in ("time", "space") for axis in layer.axes.axes
        )
        group = None if alone else by_grid.get(layer.grid())
        if group is None:
            group = []
            groups.append(group)
            if not alone:
                by_grid[layer.grid()] = group
        group.append(layer)
    return groups


def plan_images(layers: Sequence[LayerData]) -> list[SavedImage | SavedLabels]:
    """Return the images and segmentations that a store of the layers has.

    Raises
    ------
    SettingsError
        As `read_layers` does.
    """
    return planned(read_layers(layers))


def planned(layers: Sequence[ImageLayer]) -> list[SavedImage | SavedLabels]:
    """Return the members of a store, of layers that were read."""
    groups = grouped(layers)
    images = [_image(group) for group in groups]
    segmentations = [layer for layer in layers if layer.kind == "labels"]
    if not images:
        return [_labels(layer) for layer in segmentations]
    of_image: list[list[SavedLabels]] = [[] for _ in images]
    for layer in segmentations:
        home = next((n for n, g in enumerate(groups) if _fits(layer, g[0])), 0)
        of_image[home].append(_labels(layer))
    return [
        replace(image, labels=tuple(labels))
        for image, labels in zip(images, of_image, strict=True)
    ]


def _fits(labels: ImageLayer, image: ImageLayer) -> bool:
    """Return whether labels lie on the pixels of an image."""
    own = {axis.name: axis for axis in labels.axes.axes}
    of_image = {axis.name: axis for axis in image.axes.axes}
    lengths, others = labels.lengths(), image.lengths()
    for name, axis in own.items():
        if name not in of_image:
            if lengths[name] != 1:
                return False
        elif name in ("y", "x"):
            if lengths[name] != others[name]:
                return False
            if _place(axis) != _place(of_image[name]):
                return False
        elif lengths[name] not in (1, others[name]):
            return False
    return {"y", "x"} <= own.keys()


# ------------------------------------------------------------- what is stored


def _checked(saved: SavedImage | SavedLabels, names: Sequence[str]) -> None:
    """Refuse axes that the format has no room for, naming the layer."""
    from napari_scope.formats.ngff.metadata import LevelInfo, image_attributes

    try:
        image_attributes(saved.name, saved.axes, [LevelInfo("0", 1)])
    except SettingsError as error:
        raise _named(", ".join(names), error) from error


def _image(group: Sequence[ImageLayer]) -> SavedImage:
    first = group[0]
    names = [layer.name for layer in group]
    axes = list(first.axes.axes)
    looks = [look_of_layer(layer.name, layer.arguments) for layer in group]
    own: dict[str, object] = {"layers": looks}
    if first.rgb:
        axes.insert(len(axes) - first.axes_in_space(), Axis("c", "channel"))
        pixels = first.pixels()
        samples = pixels.shape[[axis.name for axis in axes].index("c")]
        channels = _samples(samples, pixels.dtype)
        own["rgb"] = True
    elif len(group) > 1:
        place = len(axes) - first.axes_in_space()
        axes.insert(place, Axis("c", "channel"))
        pixels = LayerPixels([g.data for g in group], first.axes.order, place)
        channels = _channels(group)
    else:
        pixels = first.pixels()
        names_of_axes = [axis.name for axis in axes]
        count = pixels.shape[names_of_axes.index("c")] if "c" in names_of_axes else 1
        channels = _channels(group)
        if count > 1:
            # One layer with an axis of channels: they get numbers as names.
            channels = tuple(
                replace(
                    channels[0],
                    name=(name := f"{first.name} {number}"),
                    color=default_color(name, number, count),
                )
                for number in range(count)
            )
            own = {}
    saved = SavedImage(_shared_name(names), tuple(axes), pixels, channels, (), own)
    _checked(saved, names)
    return saved


def _channels(layers: Sequence[ImageLayer]) -> tuple[Channel, ...]:
    """Return the channels of the layers, each with a name of its own."""
    channels: list[Channel] = []
    taken: set[str] = set()
    prefix = _prefix([layer.name for layer in layers])
    for layer in layers:
        base = layer.name[len(prefix) :] or layer.name
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base} [{number}]"
        taken.add(name)
        channel = channel_of_layer(name, layer.arguments)
        color = channel.color or default_color(name, len(channels), len(layers))
        channels.append(replace(channel, color=color))
    return tuple(channels)


def _prefix(names: Sequence[str]) -> str:
    """Return what all names begin with: an image, where they are "image - channel"."""
    head, dash, _ = names[0].rpartition(" - ")
    prefix = head + dash
    return prefix if prefix and all(name.startswith(prefix) for name in names) else ""


def _shared_name(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return _prefix(names).removesuffix(" - ") or ", ".join(names)[:100]


def _samples(count: int, dtype: np.dtype[np.generic]) -> tuple[Channel, ...]:
    limits = (0.0, 255.0) if dtype == np.uint8 else None
    if dtype.kind == "f":
        limits = (0.0, 1.0)
    return tuple(
        Channel(name, color, limits, visible=name != "alpha")
        for name, color in _SAMPLES[:count]
    )


def _labels(layer: ImageLayer) -> SavedLabels:
    pixels = layer.pixels()
    if pixels.dtype.kind == "b":
        pixels = LayerPixels([_AsBytes(layer.data)], layer.axes.order)
    saved = SavedLabels(
        layer.name,
        layer.axes.axes,
        pixels,
        label_colors(layer.arguments.get("colormap")),
        label_properties(layer.arguments),
        {"layers": [look_of_layer(layer.name, layer.arguments, "labels")]},
    )
    _checked(saved, [layer.name])
    return saved


class _AsBytes:
    """A mask as labels 0 and 1."""

    def __init__(self, data: LayerArray) -> None:
        self._data = data
        self.shape = data.shape
        self.dtype = np.dtype("u1")
        self.chunks = getattr(data, "chunks", None)

    def __getitem__(self, key: object, /) -> object:
        return np.asarray(self._data[key], dtype=bool).view(np.uint8)
