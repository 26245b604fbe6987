"""What a layer is told about itself: name, colour, contrast, and facts on its origin.

Nothing here knows how the pixels are arranged; it only looks at what an image says of
its channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from napari_scope.arrays.tolerant import tolerant
from napari_scope.layers.contrast import full_range, known_limits
from napari_scope.layers.notices import warn
from napari_scope.model import Channel
from napari_scope.model.colors import default_color

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.model import Image, LevelArray

__all__ = [
    "LayerData",
    "Limits",
    "channel_of",
    "described",
    "facts_of",
    "layer_name",
    "look_of",
    "n_channels",
]

_SAVED = ("colormap", "gamma", "opacity", "blending")

LayerData: TypeAlias = tuple[object, dict[str, object], str]
"""Data, keyword arguments of the layer, and its type: ``image`` or ``labels``."""

Limits: TypeAlias = tuple[float, float]


def described(
    levels: list[LevelArray], arguments: dict[str, object], kind: str = "image"
) -> LayerData:
    """Return a layer with its levels, or its only array.

    What cannot be read of them is black and told as a warning: an error while a viewer
    adds one layer would keep the others out.
    """
    multiscale = len(levels) > 1
    arguments["multiscale"] = multiscale
    shown = [tolerant(level, _warn) for level in levels]
    return (shown if multiscale else shown[0]), arguments, kind


def _warn(sentence: str) -> None:
    warn(f"What cannot be read is black: {sentence}")


def n_channels(image: Image) -> int:
    """Return the number of channels, 1 for an image without a c axis."""
    if "c" not in image.axis_names:
        return 1
    return image.levels[0].shape[image.axis_names.index("c")]


def channel_of(image: Image, index: int) -> Channel:
    """Return a channel; one that the image does not describe gets a name."""
    if index < len(image.channels):
        return image.channels[index]
    return Channel(f"Channel {index}" if n_channels(image) > 1 else "")


def look_of(
    image: Image, index: int, limits: Mapping[tuple[int, str], Limits]
) -> dict[str, object]:
    """Return how a channel is drawn."""
    channel = channel_of(image, index)
    saved = {key: channel.look[key] for key in _SAVED if key in channel.look}
    look: dict[str, object] = {"rgb": image.rgb, "visible": channel.visible}
    if image.rgb:
        return look | {k: v for k, v in saved.items() if k != "colormap"}
    count = n_channels(image)
    color = channel.color or default_color(channel.name, index, count)
    # napari knows white as "gray"; other colours it makes a map from black of.
    look["colormap"] = "gray" if color.upper() == "#FFFFFF" else color
    look["contrast_limits"] = (
        known_limits(image, index)
        or limits.get((index, channel.name))
        or full_range(image.levels[0].dtype)
    )
    if count > 1:
        # As napari does it: light that is added to the white canvas of the light theme
        # cannot be seen, so the first channel brings its own black.
        look["blending"] = "additive" if index else "translucent_no_depth"
    return look | saved


def layer_name(image: Image, index: int, prefix: str, otherwise: str = "") -> str:
    """Return the name of a layer; never an empty one.

    Where neither prefix nor channel has a name it is ``otherwise``, or the image's.
    """
    channel = channel_of(image, index)
    saved = channel.look.get("name")
    if isinstance(saved, str) and not prefix:
        return saved
    parts = [part for part in (prefix, channel.name) if part]
    return " - ".join(parts) or otherwise or image.name or "image"


def facts_of(
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
        "channel": channel_of(image, index).name,
        "channel_index": index,
        "axes": list(names),
    }
    if image.bit_depth is not None:
        facts["bit_depth"] = image.bit_depth
    if image.metadata and "image" in more:
        facts["about_image"] = dict(image.metadata)
    return {"napari_scope": facts}
