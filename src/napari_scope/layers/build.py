"""From a `Dataset` to what napari adds: one layer for each channel, fully described.

Every layer says ``multiscale``, ``rgb``, units, scale, place, colour and contrast
itself, so that napari has nothing to guess and reads no pixel to find out. Which axes
the layers have, and why, is said in `napari_scope.layers.frame`.

A data set of very many images (positions, fields of a plate) would drown the layer
list. Beyond `MAX_LAYERS` images of equal shape share one layer per channel instead,
with a slider ``p`` in front. They lie on top of each other there, not at their stage
positions; their names are in the metadata of the layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.layers.arrange import arranged_levels, stacked
from napari_scope.layers.contrast import full_range, known_limits, sampled_limits
from napari_scope.layers.frame import Frame, shared_frame
from napari_scope.model import Channel
from napari_scope.model.colors import default_color

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.model import Dataset, Image, LevelArray

__all__ = [
    "MAX_LAYERS",
    "LayerData",
    "SharedLayers",
    "dataset_to_layers",
    "image_to_layers",
    "shared_layers",
]

LayerData: TypeAlias = tuple[object, dict[str, object], str]
"""Data, keyword arguments of ``viewer.add_image``, and the type of layer."""

MAX_LAYERS = 32
"""More layers than this are put on a slider; napari slows down with each layer."""

Limits: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SharedLayers:
    """Images of equal shape and their common layers.

    Parameters
    ----------
    images : tuple of int
        Numbers of the images. They are their places on the axis ``p``, too.
    layers : tuple of LayerData
        One for each channel.
    """

    images: tuple[int, ...]
    layers: tuple[LayerData, ...]


def dataset_to_layers(dataset: Dataset) -> list[LayerData]:
    """Return the layers of a data set.

    Parameters
    ----------
    dataset : Dataset
        What a reader found.

    Returns
    -------
    list of LayerData
        Image by image, channel by channel.
    """
    images = dataset.images
    if not images:
        return []
    frame = shared_frame(images)
    limits = _shared_limits(images, frame)
    facts = {
        "path": dataset.path,
        "format": dataset.format,
        "format_version": dataset.format_version,
    }
    if len(images) > 1 and sum(map(_n_channels, images)) > MAX_LAYERS:
        shared = shared_layers(images, frame=frame, limits=limits, metadata=facts)
        return [layer for group in shared for layer in group.layers]
    several = len(images) > 1
    layers: list[LayerData] = []
    for number, image in enumerate(images):
        layers += image_to_layers(
            image,
            name_prefix=image.name if several else "",
            frame=frame,
            limits=limits,
            metadata={**facts, "image_index": number},
        )
    return layers


def image_to_layers(
    image: Image,
    *,
    name_prefix: str = "",
    frame: Frame | None = None,
    limits: Mapping[tuple[int, str], Limits] | None = None,
    metadata: Mapping[str, object] | None = None,
) -> list[LayerData]:
    """Return one layer for each channel of an image; no pixel is read.

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

    Returns
    -------
    list of LayerData
        In the order of the channels.
    """
    frame = frame or shared_frame((image,))
    layers: list[LayerData] = []
    for index in range(_n_channels(image)):
        levels = arranged_levels(image, index, frame)
        arguments = _look(image, index, limits or {})
        arguments |= {
            "name": _layer_name(image, index, name_prefix),
            "scale": frame.scale(image),
            "translate": frame.translation(image),
            "units": frame.units,
            "axis_labels": frame.names,
            "metadata": _facts(
                metadata, image, index, frame.names, {"image": image.name}
            ),
        }
        layers.append(_layer(levels, arguments))
    return layers


def shared_layers(
    images: Sequence[Image],
    *,
    frame: Frame | None = None,
    limits: Mapping[tuple[int, str], Limits] | None = None,
    metadata: Mapping[str, object] | None = None,
) -> list[SharedLayers]:
    """Return layers with the images of equal shape along an axis ``p``.

    The axis counts all images, whatever their shape, so that one step of the slider
    is the same image in every layer; a layer is empty where the image is another's.
    No pixel is read.

    Parameters
    ----------
    images : sequence of Image
        The images; their arrays have their final shape.
    frame, limits, metadata
        As in `image_to_layers`.

    Returns
    -------
    list of SharedLayers
        One for each shape, by the first image that has it.
    """
    frame = frame or shared_frame(images)
    groups: dict[object, dict[int, list[list[LevelArray]]]] = {}
    for number, image in enumerate(images):
        channels = [
            arranged_levels(image, index, frame) for index in range(_n_channels(image))
        ]
        kind = (
            tuple(level.shape for level in channels[0]),
            channels[0][0].dtype,
            tuple(_channel(image, index).name for index in range(len(channels))),
            frame.scale(image),
            image.rgb,
        )
        groups.setdefault(kind, {})[number] = channels

    names = ("p", *frame.names)
    shared: list[SharedLayers] = []
    for group in groups.values():
        layers: list[LayerData] = []
        first = images[min(group)]
        for index in range(_n_channels(first)):
            levels = stacked(
                [
                    group[number][index] if number in group else None
                    for number in range(len(images))
                ]
            )
            arguments = _look(first, index, limits or {})
            if len(groups) > 1 and not first.rgb:
                # Empty samples of one layer must not cover the images of another.
                arguments["blending"] = "additive"
            arguments |= {
                "name": _layer_name(first, index, "")
                if len(groups) == 1
                else _layer_name(first, index, first.name),
                "scale": (1.0, *frame.scale(first)),
                "translate": (0.0,) * len(names),
                "units": ("pixel", *frame.units),
                "axis_labels": names,
                "metadata": _facts(
                    metadata,
                    first,
                    index,
                    names,
                    {
                        "images": [
                            image.name if number in group else None
                            for number, image in enumerate(images)
                        ]
                    },
                ),
            }
            layers.append(_layer(levels, arguments))
        shared.append(SharedLayers(tuple(group), tuple(layers)))
    return shared


def _layer(levels: list[LevelArray], arguments: dict[str, object]) -> LayerData:
    multiscale = len(levels) > 1
    arguments["multiscale"] = multiscale
    return (levels if multiscale else levels[0]), arguments, "image"


def _n_channels(image: Image) -> int:
    if "c" not in image.axis_names:
        return 1
    return image.levels[0].shape[image.axis_names.index("c")]


def _channel(image: Image, index: int) -> Channel:
    if index < len(image.channels):
        return image.channels[index]
    return Channel(f"Channel {index}" if _n_channels(image) > 1 else "")


def _look(
    image: Image, index: int, limits: Mapping[tuple[int, str], Limits]
) -> dict[str, object]:
    """Return how a channel is drawn."""
    channel = _channel(image, index)
    look: dict[str, object] = {"rgb": image.rgb, "visible": channel.visible}
    if image.rgb:
        return look
    count = _n_channels(image)
    color = channel.color or default_color(channel.name, index, count)
    # napari knows white as "gray"; other colours it makes a map from black of.
    look["colormap"] = "gray" if color.upper() == "#FFFFFF" else color
    look["contrast_limits"] = (
        known_limits(image, index)
        or limits.get((index, channel.name))
        or full_range(image.levels[0].dtype)
    )
    if count > 1:
        look["blending"] = "additive"
    return look


def _layer_name(image: Image, index: int, prefix: str) -> str:
    parts = [part for part in (prefix, _channel(image, index).name) if part]
    return " - ".join(parts) or image.name or "image"


def _facts(
    given: Mapping[str, object] | None,
    image: Image,
    index: int,
    names: Sequence[str],
    more: Mapping[str, object],
) -> dict[str, object]:
    """Return the metadata of a layer: one key, small, fit for JSON."""
    facts: dict[str, object] = {
        **(given or {}),
        **more,
        "channel": _channel(image, index).name,
        "channel_index": index,
        "axes": list(names),
    }
    if image.bit_depth is not None:
        facts["bit_depth"] = image.bit_depth
    if image.metadata and "image" in more:
        facts["about_image"] = dict(image.metadata)
    return {"napari_scope": facts}


def _shared_limits(
    images: Sequence[Image], frame: Frame
) -> dict[tuple[int, str], Limits]:
    """Return the contrast of the channels on which the files say nothing.

    A channel gets the same range in all images, or they could not be compared. It is
    found from at most three images: the first, the middle and the last.
    """
    needing: dict[tuple[int, str], list[Image]] = {}
    for image in images:
        for index in range(_n_channels(image)):
            if not image.rgb and known_limits(image, index) is None:
                key = (index, _channel(image, index).name)
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
