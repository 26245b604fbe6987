"""Images that share layers: one layer for each channel, a slider ``p`` of images.

Images share layers when they are alike in shape, type, channels and scale. If asked,
they also share when only their frames are alike and the channels of one are those that
the other begins with: in a store that is being written some positions are always ahead
of others. What an image lacks is zeros.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.layers.arrange import (
    arranged_levels,
    stacked,
    with_coarse_level,
)
from napari_scope.layers.describe import (
    channel_of,
    described,
    facts_of,
    layer_name,
    look_of,
    n_channels,
)
from napari_scope.layers.frame import shared_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.layers.describe import LayerData, Limits
    from napari_scope.layers.frame import Frame
    from napari_scope.model import Image, LevelArray

__all__ = ["SharedLayers", "shared_layers"]


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


def shared_layers(
    images: Sequence[Image],
    *,
    frame: Frame | None = None,
    limits: Mapping[tuple[int, str], Limits] | None = None,
    metadata: Mapping[str, object] | None = None,
    ragged: bool = False,
    name: str = "",
    coarse: bool = False,
) -> list[SharedLayers]:
    """Return layers with images that are alike along an axis ``p``.

    The axis counts all images, whatever their shape, so that one step of the slider
    is the same image in every layer; a layer is empty where the image is another's.
    No pixel is read.

    Parameters
    ----------
    images : sequence of Image
        The images; their arrays do not grow (a grown data set is opened anew).
    frame, limits, metadata
        As in `image_to_layers`.
    ragged : bool
        Whether images with fewer planes or channels may share layers with others.
    name : str
        What all images are called together: the name of a layer whose channel has none,
        as that of one image would be wrong for the others.
    coarse : bool
        As in `image_to_layers`.

    Returns
    -------
    list of SharedLayers
        One for each kind of frame, by the first image that has it.
    """
    frame = frame or shared_frame(images)
    groups: list[_Group] = []
    for number, image in enumerate(images):
        if image.only_labels:
            continue
        member = _Member(image, frame, ragged=ragged)
        group = next((group for group in groups if group.takes(member)), None)
        if group is None:
            groups.append(_Group(number, member))
        else:
            group.add(number, member)

    names = ("p", *frame.names)
    shared: list[SharedLayers] = []
    for group in groups:
        layers: list[LayerData] = []
        first, fullest = group.first.image, group.fullest.image
        for index in range(n_channels(fullest)):
            levels = stacked(
                [
                    group.members[number].levels(index)
                    if number in group.members
                    else None
                    for number in range(len(images))
                ]
            )
            if coarse:
                levels = with_coarse_level(levels, rgb=first.rgb)
            arguments = look_of(fullest, index, limits or {})
            if len(groups) > 1 and not first.rgb:
                # Empty samples of one layer must not cover the images of another.
                arguments["blending"] = "additive"
            arguments |= {
                "name": layer_name(
                    fullest, index, first.name if len(groups) > 1 else "", name
                ),
                "scale": (1.0, *frame.scale(fullest)),
                "translate": (0.0,) * len(names),
                "units": ("pixel", *frame.units),
                "axis_labels": names,
                "metadata": facts_of(
                    metadata,
                    fullest,
                    index,
                    names,
                    {
                        "images": [
                            image.name if number in group.members else None
                            for number, image in enumerate(images)
                        ]
                    },
                ),
            }
            layers.append(described(levels, arguments))
        shared.append(SharedLayers(tuple(group.members), tuple(layers)))
    return shared


class _Member:
    """An image and what has to agree with others for sharing layers."""

    def __init__(self, image: Image, frame: Frame, *, ragged: bool) -> None:
        self.image = image
        self._channels = [
            arranged_levels(image, index, frame) for index in range(n_channels(image))
        ]
        levels = self._channels[0]
        self.names = tuple(
            channel_of(image, index).name for index in range(len(self._channels))
        )
        whole: tuple[object, ...] = ()
        if not ragged:
            shapes = tuple(level.shape for level in levels)
            whole = (shapes, self.names, frame.scale(image))
        trailing = 3 if image.rgb else 2
        self.kind = (
            tuple(level.shape[-trailing:] for level in levels),
            levels[0].dtype,
            image.rgb,
            frame.scale(image)[-2:],
            *whole,
        )
        # The distance of planes says nothing where there is one, and the pace of a
        # time lapse is never quite the same at two positions.
        lead = zip(frame.names, levels[0].shape, frame.scale(image), strict=False)
        self.steps = {
            name: step
            for name, length, step in list(lead)[:-2]
            if length > 1 and name != "t"
        }
        self.size = len(self._channels), math.prod(levels[0].shape)

    def levels(self, channel: int) -> list[LevelArray] | None:
        """Return the levels of a channel, None where the image lacks it."""
        return self._channels[channel] if channel < len(self._channels) else None


class _Group:
    """Images with common layers; the fullest of them describes the layers."""

    def __init__(self, number: int, member: _Member) -> None:
        self.members = {number: member}
        self.first = self.fullest = member

    def add(self, number: int, member: _Member) -> None:
        """Take one more image in."""
        self.members[number] = member
        if member.size > self.fullest.size:
            self.fullest = member

    def takes(self, other: _Member) -> bool:
        """Return whether an image may share the layers."""
        fullest = self.fullest
        common = min(len(fullest.names), len(other.names))
        return (
            other.kind == self.first.kind
            and other.names[:common] == fullest.names[:common]
            and all(
                math.isclose(other.steps[name], step)
                for name, step in fullest.steps.items()
                if name in other.steps
            )
        )
