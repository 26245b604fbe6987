"""What becomes of the layers of a store that has grown.

A store that is still being written is read anew from time to time. `grown` compares
what was found with the layers there are: which of them get new data, and which layers
have to be made. It decides; the viewer is somebody else's business.

A layer is recognised by the names of its image and channel, never by their numbers:
a position that is new may come first. Layers that the user has removed stay away.

Examples
--------
>>> from dataclasses import replace
>>> import numpy as np
>>> from napari_scope.arrays import LazyArray, MemorySource
>>> from napari_scope.layers import dataset_to_layers, origin_of
>>> from napari_scope.model import Axis, Dataset, Image
>>> def store(n):
...     array = LazyArray(MemorySource(np.zeros((n, 8, 8), "u1")))
...     image = Image("cells", (Axis("t"), Axis("y"), Axis("x")), (array,))
...     return Dataset("/data", "ndtiff", "3.3", (image,), finished=False)
>>> layers = dataset_to_layers(store(3))
>>> change = grown([origin_of(layers[0][1]["metadata"])], store(5)).changes[0]
>>> change.after[0].shape
(5, 1, 8, 8)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.layers.build import MAX_LAYERS, dataset_to_layers
from napari_scope.layers.contrast import full_range
from napari_scope.layers.describe import channel_of, n_channels
from napari_scope.layers.origin import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_scope.layers.describe import LayerData
    from napari_scope.layers.origin import LayerOrigin
    from napari_scope.layers.preferences import Positions
    from napari_scope.model import Dataset, Image

__all__ = ["Growth", "LayerChange", "grown", "new_look"]

_LOOK = ("name", "colormap", "contrast_limits", "blending")

# Image number and channel index.
_Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LayerChange:
    """What a layer becomes.

    Parameters
    ----------
    before : LayerOrigin
        Origin that the layer carries.
    after : LayerData
        The layer as it would be made now, with its new origin.
    redraw : bool
        False when its pixels are the same as before.
    """

    before: LayerOrigin
    after: LayerData
    redraw: bool


@dataclass(frozen=True, slots=True)
class Growth:
    """What is to be done.

    Parameters
    ----------
    dataset : Dataset
        The data set as it is now.
    changes : tuple of LayerChange
        For each origin that was given and is still in the data set.
    added : tuple of LayerData
        Layers to be made.
    left_out : int
        How many more there would be, but for `MAX_LAYERS`.
    """

    dataset: Dataset
    changes: tuple[LayerChange, ...] = ()
    added: tuple[LayerData, ...] = ()
    left_out: int = 0


def grown(origins: Sequence[LayerOrigin], after: Dataset) -> Growth:
    """Return what becomes of layers now that their data set has grown.

    Where a file does not say how bright a channel is, a few planes are read: call it
    outside of a GUI thread.

    Parameters
    ----------
    origins : sequence of LayerOrigin
        Origins of the layers there are, all of one data set.
    after : Dataset
        The data set as it is now.
    """
    if not origins:
        return Growth(after)
    first = origins[0]
    before = first.dataset
    mode: Positions = "slider" if first.shared else "tiles"
    same = _matches(before.images, after.images)
    layers: dict[_Key, LayerData] = {}
    for layer in dataset_to_layers(after, mode):
        origin = _origin(layer)
        origin.positions = first.positions  # as it was asked for at the beginning
        for number in origin.images:
            if number is not None:
                layers[number, origin.channel] = layer
    changes: list[LayerChange] = []
    for old in origins:
        found = _successor(old, after, same, layers)
        if found is not None:
            changes.append(LayerChange(old, found, _is_redrawn(old, found)))
    # Images and channels that had a layer, whether it is still there or not: layers
    # that the user has removed are not made again.
    known = _keys(before, range(len(before.images)), None, same, after)
    present = {
        key
        for old in origins
        for key in _keys(before, old.images, old.channel, same, after)
    }
    kept = {id(change.after) for change in changes}
    added: list[LayerData] = []
    for layer in {id(layer): layer for layer in layers.values()}.values():
        origin = _origin(layer)
        keys = {(n, origin.channel) for n in origin.images if n is not None}
        if id(layer) not in kept and (not keys & known or keys & present):
            added.append(layer)
    room = len(added)
    if mode == "tiles" and first.positions != "tiles":
        room = max(0, MAX_LAYERS - len(origins))
    return Growth(after, tuple(changes), tuple(added[:room]), max(0, len(added) - room))


def new_look(
    before: LayerOrigin, after: LayerData, shown: Mapping[str, object]
) -> dict[str, object]:
    """Return what of a layer's look should change, as arguments of a layer.

    A second channel turns a grey image into a coloured one, a second position adds
    its name, and pixels tell about contrast. What the user has changed stays.

    Parameters
    ----------
    before : LayerOrigin
        What the layer was made of.
    after : LayerData
        The layer as it would be made now.
    shown : mapping
        Name, colormap, contrast limits and blending as the layer shows them, in the
        form in which they are given.
    """
    look: dict[str, object] = {}
    now = _origin(after).look
    for key in _LOOK:
        old, value = before.look.get(key), now.get(key)
        if value is None or value == old or shown.get(key) != old:
            continue
        # A range once known stays, or the image would flicker while it grows.
        if key == "contrast_limits" and old != full_range(
            before.first_image.levels[0].dtype
        ):
            continue
        look[key] = value
    return look


def _origin(layer: LayerData) -> LayerOrigin:
    metadata = layer[1]["metadata"]
    origin = origin_of(metadata) if isinstance(metadata, dict) else None
    if origin is None:
        raise TypeError("a layer that was not made from a data set")
    return origin


def _matches(before: Sequence[Image], after: Sequence[Image]) -> dict[int, int]:
    """Return the number that each image has now."""
    places = {image.name: number for number, image in enumerate(after)}
    same = {
        number: places[image.name]
        for number, image in enumerate(before)
        if image.name in places
    }
    # When frames of another kind or a second position come, images get longer names.
    free = [number for number in range(len(after)) if number not in same.values()]
    for number, image in enumerate(before):
        if number in same:
            continue
        alike = [n for n in free if _is_renamed(image, after[n])]
        if len(before) == len(after) == 1:
            alike = free
        if alike:
            same[number] = alike[0]
            free.remove(alike[0])
    return same


def _is_renamed(before: Image, after: Image) -> bool:
    shapes = [
        image.levels[0].shape[-3 if image.rgb else -2 :] for image in (before, after)
    ]
    return (
        after.name.startswith(before.name)
        and shapes[0] == shapes[1]
        and after.levels[0].dtype == before.levels[0].dtype
        and after.rgb == before.rgb
    )


def _channel_in(after: Image, before: Image, channel: int) -> int:
    """Return the index that a channel has now; -1 if it is gone."""
    name = channel_of(before, channel).name
    names = [channel_of(after, index).name for index in range(n_channels(after))]
    if names.count(name) == 1:
        return names.index(name)
    return channel if channel < len(names) else -1


def _keys(
    before: Dataset,
    numbers: Iterable[int | None],
    channel: int | None,
    same: Mapping[int, int],
    after: Dataset,
) -> set[_Key]:
    """Return what images and one channel, or all channels, are called now."""
    keys: set[_Key] = set()
    for number in numbers:
        if number is None or number not in same:
            continue
        image, now = before.images[number], after.images[same[number]]
        for index in range(n_channels(image)):
            if channel is None or index == channel:
                keys.add((same[number], _channel_in(now, image, index)))
    return keys


def _successor(
    old: LayerOrigin,
    after: Dataset,
    same: Mapping[int, int],
    layers: Mapping[_Key, LayerData],
) -> LayerData | None:
    """Return what a layer has become, None if it is not in the data set any more."""
    for number in old.images:
        if number is None or number not in same:
            continue
        before = old.dataset.images[number]
        if old.channel >= n_channels(before):
            continue  # shared layers: this image lacks the channel
        place = same[number]
        channel = _channel_in(after.images[place], before, old.channel)
        if (place, channel) in layers:
            return layers[place, channel]
    return None


def _is_redrawn(old: LayerOrigin, after: LayerData) -> bool:
    """Return whether a layer has other pixels than before."""
    origin = _origin(after)
    if len(origin.images) != len(old.images):
        return True
    for a, b in zip(old.images, origin.images, strict=True):
        if a is None or b is None:
            if a is not b:
                return True
        elif not _is_same(old.dataset.images[a], origin.dataset.images[b]):
            return True
    return False


def _is_same(before: Image, after: Image) -> bool:
    """Return whether an image is as it was: the same, or with the same frames."""
    return before is after or (
        before.frames is not None
        and before.frames == after.frames
        and before.axis_names == after.axis_names
        and [level.shape for level in before.levels]
        == [level.shape for level in after.levels]
    )
