"""From a `Dataset` to what napari adds: one layer for each channel, fully described.

Every layer says ``multiscale``, ``rgb``, units, scale, place, colour and contrast
itself, so that napari has nothing to guess and reads no pixel to find out. Which axes
the layers have, and why, is said in `napari_scope.layers.frame`. Each carries where it
comes from (`napari_scope.layers.origin`).

Positions are layers of their own at their stage places (tiles), or they share one
layer per channel with a slider ``p`` in front. A data set of very many images
(positions, fields of a plate) would drown the layer list, so by default more than
`MAX_LAYERS` layers are put on a slider. They lie on top of each other there; their
names are in the metadata of the layer.

Segmentations become labels layers above the channels of their image.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from napari_scope.layers.arrange import arranged_levels, with_coarse_level
from napari_scope.layers.contrast import known_limits, sampled_limits
from napari_scope.layers.describe import (
    channel_of,
    described,
    facts_of,
    layer_name,
    look_of,
    n_channels,
)
from napari_scope.layers.frame import shared_frame
from napari_scope.layers.labels import labels_to_layers, shared_labels
from napari_scope.layers.origin import ORIGIN_KEY, LayerOrigin
from napari_scope.layers.shared import shared_layers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.layers.describe import LayerData, Limits
    from napari_scope.layers.frame import Frame
    from napari_scope.layers.preferences import Positions
    from napari_scope.model import Dataset, Image

__all__ = ["MAX_CHANNELS", "MAX_LAYERS", "dataset_to_layers", "image_to_layers"]

MAX_LAYERS = 32
"""More layers than this are put on a slider; napari slows down with each layer."""

MAX_CHANNELS = 64
"""An image with more channels has them on a slider: a spectrum is no list of stains."""

_SUFFIXES = (".ndtiff", ".zarr", ".ome")

_LOOK = ("name", "colormap", "contrast_limits", "blending", "scale", "translate")


def dataset_to_layers(
    dataset: Dataset, positions: Positions = "auto"
) -> list[LayerData]:
    """Return the layers of a data set.

    Parameters
    ----------
    dataset : Dataset
        What a reader found.
    positions : {"auto", "tiles", "slider"}
        Whether each image gets layers of its own, at its place on the stage, or images
        share layers with a slider ``p``. By itself it is the slider for more than
        `MAX_LAYERS` layers.

    Returns
    -------
    list of LayerData
        Image by image, channel by channel, then the segmentations of the image; on a
        slider all segmentations come last.
    """
    if not dataset.images:
        return []
    if any(n_channels(image) > MAX_CHANNELS for image in dataset.images):
        images = tuple(map(_with_channels_on_a_slider, dataset.images))
        dataset = replace(dataset, images=images)
    images = dataset.images
    frame = shared_frame(images)
    limits = _shared_limits(images, frame)
    facts = {
        "path": dataset.path,
        "format": dataset.format,
        "format_version": dataset.format_version,
    }
    several = len(images) > 1
    many = sum(map(_n_layers, images)) > MAX_LAYERS
    layers: list[LayerData] = []
    if several and (positions == "slider" or (positions == "auto" and many)):
        groups = shared_layers(
            images,
            frame=frame,
            limits=limits,
            metadata=facts,
            ragged=True,
            name=_name_of(dataset),
            coarse=dataset.finished,
        )
        for group in groups:
            members = set(group.images)
            places = [n if n in members else None for n in range(len(images))]
            for channel, layer in enumerate(group.layers):
                origin = LayerOrigin(
                    dataset,
                    places,
                    channel,
                    ("p", *frame.names),
                    shared=True,
                    positions=positions,
                    look=_look_in(layer),
                )
                layers.append(_with_origin(layer, origin))
        everything = range(len(images))
        for label, layer in shared_labels(images, frame, facts):
            origin = LayerOrigin(
                dataset,
                everything,
                0,
                ("p", *frame.names),
                shared=True,
                positions=positions,
                look=_look_in(layer),
                label=label,
            )
            layers.append(_with_origin(layer, origin))
        return layers
    saved = Counter(name for image in images for name in _saved_names(image))
    for number, image in enumerate(images):
        # What a viewer has saved comes back under the names it had there.
        own = _saved_names(image)
        plain = not several or all(name and saved[name] == 1 for name in own)
        made = image_to_layers(
            image,
            name_prefix="" if plain else image.name,
            frame=frame,
            limits=limits,
            metadata={**facts, "image_index": number},
            coarse=dataset.finished,
        )
        for place, layer in enumerate(made):
            is_label = layer[2] == "labels"
            origin = LayerOrigin(
                dataset,
                (number,),
                0 if is_label else place,
                frame.names,
                positions=positions,
                look=_look_in(layer),
                label=_label_in(layer),
            )
            layers.append(_with_origin(layer, origin))
    return layers


def _with_channels_on_a_slider(image: Image) -> Image:
    """Return an image of very many channels with one layer that has a slider."""
    if n_channels(image) <= MAX_CHANNELS:
        return image
    place = image.axis_names.index("c")
    axes = list(image.axes)
    axes[place] = replace(axes[place], name="channel", kind="other")
    return replace(image, axes=tuple(axes), channels=())


def _n_layers(image: Image) -> int:
    return len(image.labels) + (0 if image.only_labels else n_channels(image))


def _saved_names(image: Image) -> list[object]:
    """Return the names that the layers of an image had when a viewer saved them."""
    shown = [] if image.only_labels else range(n_channels(image))
    looks = [channel_of(image, index).look for index in shown]
    looks += [labels.look for labels in image.labels]
    return [look.get("name") for look in looks]


def _label_in(layer: LayerData) -> str:
    facts = layer[1]["metadata"]
    assert isinstance(facts, dict)
    return str(facts["napari_scope"].get("labels", ""))


def _name_of(dataset: Dataset) -> str:
    """Return the name of the folder, without the suffixes that tell the format."""
    name = PurePath(dataset.path).name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _look_in(layer: LayerData) -> dict[str, object]:
    return {key: layer[1][key] for key in _LOOK if key in layer[1]}


def _with_origin(layer: LayerData, origin: LayerOrigin) -> LayerData:
    data, arguments, kind = layer
    metadata = arguments["metadata"]
    assert isinstance(metadata, dict)
    return data, {**arguments, "metadata": {**metadata, ORIGIN_KEY: origin}}, kind


def image_to_layers(
    image: Image,
    *,
    name_prefix: str = "",
    frame: Frame | None = None,
    limits: Mapping[tuple[int, str], Limits] | None = None,
    metadata: Mapping[str, object] | None = None,
    coarse: bool = False,
) -> list[LayerData]:
    """Return one layer for each channel of an image, then those of its segmentations.

    No pixel is read.

    Parameters
    ----------
    image : Image
        The image; its arrays may still be growing.
    name_prefix : str
        Stands before the name of the channel, usually the name of the image.
    frame : Frame, optional
        Axes and units to use; by default those of the image itself.
    limits : mapping of (channel index, channel name) to (low, high), optional
        Contrast for channels on which the image says nothing. Without an entry the
        whole range of the type is shown.
    metadata : mapping, optional
        Added to the layers' own.
    coarse : bool
        Whether a coarse level is added where the view in three dimensions needs one;
        not while the arrays grow.

    Returns
    -------
    list of LayerData
        In the order of the channels; no channel of what is only a segmentation.
    """
    frame = frame or shared_frame((image,))
    layers: list[LayerData] = []
    affine = frame.affine(image)
    for index in range(0 if image.only_labels else n_channels(image)):
        levels = arranged_levels(image, index, frame)
        if coarse:
            levels = with_coarse_level(levels, rgb=image.rgb)
        arguments = look_of(image, index, limits or {})
        arguments |= {
            "name": layer_name(image, index, name_prefix),
            "scale": frame.scale(image),
            "translate": frame.translation(image),
            "units": frame.units,
            "axis_labels": frame.names,
            "metadata": facts_of(
                metadata, image, index, frame.names, {"image": image.name}
            ),
        }
        if affine is not None:
            arguments["affine"] = [list(row) for row in affine]
        layers.append(described(levels, arguments))
    for labels in image.labels:
        layers += labels_to_layers(
            labels,
            frame,
            image=image,
            name_prefix="" if image.only_labels else name_prefix,
            metadata={**(metadata or {}), "image": image.name},
        )
    return layers


def _shared_limits(
    images: Sequence[Image], frame: Frame
) -> dict[tuple[int, str], Limits]:
    """Return the contrast of the channels on which the files say nothing.

    A channel gets the same range in all images, or they could not be compared. It is
    found from at most three images: the first, the middle and the last.
    """
    needing: dict[tuple[int, str], list[Image]] = {}
    for image in images:
        if image.only_labels:
            continue
        for index in range(n_channels(image)):
            if not image.rgb and known_limits(image, index) is None:
                key = (index, channel_of(image, index).name)
                needing.setdefault(key, []).append(image)
    limits: dict[tuple[int, str], Limits] = {}
    for (index, name), candidates in needing.items():
        chosen = {0, len(candidates) // 2, len(candidates) - 1}
        found = [
            sample
            for number in sorted(chosen)
            if (
                sample := sampled_limits(
                    arranged_levels(candidates[number], index, frame)[-1]
                )
            )
        ]
        if found:
            limits[index, name] = (
                min(low for low, _ in found),
                max(high for _, high in found),
            )
    return limits
