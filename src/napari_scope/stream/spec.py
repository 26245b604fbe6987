"""What a stream stores, resolved: images, axes, sizes and how they lie in space.

`StoreSpec` is the one description that the router, the view and every sink share. It
is made from settings or from a plan; nothing in it knows of files or threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_scope.errors import SettingsError
from napari_scope.model import Axis, Channel, axis_kind, short, sort_names
from napari_scope.model.colors import default_color

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = ["PLACE_AXES", "ImageSpec", "PlateSpec", "StorageSpec", "StoreSpec"]

PLACE_AXES = ("position", "grid", "row", "column")
"""Axes that say where a frame was taken: each combination is an image of its own."""


@dataclass(frozen=True, slots=True)
class StorageSpec:
    """How the pixels of a store are cut and packed; every sink takes what it knows.

    Parameters
    ----------
    chunks, shards : mapping
        Samples of a chunk, and chunks of a shard, along an axis (canonical names, and
        ``y``, ``x``); what is not named is for the sink to choose.
    compression : str, optional
        Codec as ome-writers names it (``"blosc-lz4"``, ``"zstd"``, ``"lzw"``); None
        for none.
    order : tuple of str, optional
        Canonical names of the index axes as they are stored, slowest first; None for
        the order of the format.
    version : str, optional
        Version of the format; None for the newest.
    """

    chunks: Mapping[str, int] = field(default_factory=dict)
    shards: Mapping[str, int] = field(default_factory=dict)
    compression: str | None = None
    order: tuple[str, ...] | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class PlateSpec:
    """A multi-well plate.

    Parameters
    ----------
    name : str
        Its name.
    rows, columns : tuple of str
        Names of all its rows and columns.
    """

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """One image of a store: one place in space.

    Parameters
    ----------
    name : str
        Name to show and to store; unique in the store.
    place : mapping
        The part of the frame axes that selects this image.
    sizes : mapping
        Number of samples on each index axis (canonical names).
    x_um, y_um, z_um : float, optional
        Stage position: centre of the image in x and y, first plane in z.
    axes : tuple of Axis, optional
        The axes in storage order with y and x, where scale, unit and place are known
        for each (data that are converted); otherwise they follow from the numbers of
        the store and the stage position.
    well : (str, str), optional
        Row and column of the well that the image is a field of.
    order : tuple of str, optional
        Its index axes, if the store is loose; else those of the store.
    """

    name: str
    place: Mapping[str, int | str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    x_um: float | None = None
    y_um: float | None = None
    z_um: float | None = None
    axes: tuple[Axis, ...] = ()
    well: tuple[str, str] | None = None
    order: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """Everything a stream stores.

    Parameters
    ----------
    name : str
        Name of the whole.
    frame_shape : tuple of int
        (height, width), or (height, width, 3) for colour.
    dtype : numpy.dtype
        Type of the pixels, in the byte order of this machine.
    order : tuple of str
        Canonical axis names in the order of acquisition, slowest first; names of
        `PLACE_AXES` among them stand for the images.
    images : tuple of ImageSpec
        The images; empty while ``growing`` and nothing came yet.
    labels : mapping
        Labels of the axes that have them, in order.
    channels : tuple of Channel
        Display settings, one for each sample of the channel axis (one without it).
    pixel_um, z_um, interval_s : float, optional
        Size of a pixel, step of the z stack, interval of the time lapse.
    bit_depth : int, optional
        Significant bits of the camera.
    growing : bool
        Whether the run may become larger than this says.
    growing_axes : tuple of str, optional
        What may become larger: the samples and labels of these axes; None for all
        axes and the images, too. The first frame then says which axes there are.
    loose : bool
        Whether each frame may have axes of its own, as formats allow that know frames
        by their axes; frames with the same axes at one place are one image. Only if
        images may come that nobody announced.
    n_frames : int, optional
        Frames planned.
    summary : mapping
        JSON-able facts on the run (plan, microscope), stored with the data.
    storage : StorageSpec
        How the pixels are cut and packed.
    plate : PlateSpec, optional
        The plate that the images lie on; each then has a ``well``.
    """

    name: str
    frame_shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    order: tuple[str, ...] = ()
    images: tuple[ImageSpec, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    pixel_um: float | None = None
    z_um: float | None = None
    interval_s: float | None = None
    bit_depth: int | None = None
    growing: bool = False
    growing_axes: tuple[str, ...] | None = None
    loose: bool = False
    n_frames: int | None = None
    summary: Mapping[str, object] = field(default_factory=dict)
    storage: StorageSpec = field(default_factory=StorageSpec)
    plate: PlateSpec | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be stored."""
        if len(self.frame_shape) not in (2, 3) or min(self.frame_shape) < 1:
            raise SettingsError(
                f"a frame has a height and a width (and 3 colours), "
                f"found the shape {self.frame_shape}"
            )
        if len(self.frame_shape) == 3 and self.frame_shape[2] != 3:
            raise SettingsError(
                f"a colour frame has 3 samples for each pixel, "
                f"found {self.frame_shape[2]}"
            )
        if self.dtype.kind not in "uif":
            raise SettingsError(f"pixels of type {self.dtype} cannot be stored")

    @property
    def frame_bytes(self) -> int:
        """Size of one frame in bytes."""
        return math.prod(self.frame_shape) * self.dtype.itemsize

    @property
    def rgb(self) -> bool:
        """Whether frames have three colours."""
        return len(self.frame_shape) == 3

    @property
    def index_axes(self) -> tuple[str, ...]:
        """Canonical names of the index axes in storage order (time, channel, z)."""
        return tuple(sort_names([n for n in self.order if n not in PLACE_AXES]))

    @property
    def has_places(self) -> bool:
        """Whether frames name a place, so that several images are possible."""
        return any(name in PLACE_AXES for name in self.order)

    @property
    def open_ended(self) -> bool:
        """Whether images and axes may come that nobody announced."""
        return self.growing and self.growing_axes is None

    def grows(self, name: str) -> bool:
        """Return whether an axis may become longer."""
        return self.growing and (self.growing_axes is None or name in self.growing_axes)

    def shape(self, image: ImageSpec) -> tuple[int, ...]:
        """Return the number of frames on each index axis of an image."""
        names = self.axes_in(image)
        return tuple(max(1, image.sizes.get(name, 1)) for name in names)

    def axes_in(self, image: ImageSpec) -> tuple[str, ...]:
        """Return the names of the index axes of an image in storage order."""
        return self.index_axes if image.order is None else image.order

    def display_channels(self) -> tuple[Channel, ...]:
        """Return one channel for each sample of the channel axis, all with colours."""
        names = self.labels.get("channel")
        if names is None:
            counts = [image.sizes.get("channel", 1) for image in self.images]
            count = max(counts, default=1)
            names = tuple(f"Channel {i}" for i in range(count))
            if "channel" not in self.order:
                names = ("Image",)
        known = {channel.name: channel for channel in self.channels}
        result = []
        for number, name in enumerate(names):
            channel = known.get(name, Channel(name))
            if channel.color is None:
                color = default_color(name, number, len(names))
                channel = replace(channel, color=color)
            result.append(channel)
        return tuple(result)

    def axes(self, image: ImageSpec) -> tuple[Axis, ...]:
        """Return the axes of an image in storage order, with y and x (and rgb).

        The stage position is the centre of the image; the translation of an axis is
        the centre of its first pixel.
        """
        if image.axes:
            return image.axes
        scales = {
            "time": (self.interval_s or 1.0, "second"),
            "z": (self.z_um or 1.0, "micrometer" if self.z_um else None),
        }
        axes = []
        for name in self.axes_in(image):
            scale, unit = scales.get(name, (1.0, None))
            origin = image.z_um if name == "z" and image.z_um is not None else 0.0
            labels = self.labels.get(name, ())
            axes.append(Axis(short(name), axis_kind(name), unit, scale, origin, labels))
        pixel = self.pixel_um or 1.0
        unit = "micrometer" if self.pixel_um else None
        stages = (("y", image.y_um), ("x", image.x_um))
        for (name, stage), size in zip(stages, self.frame_shape[:2], strict=True):
            origin = 0.0
            if stage is not None and self.pixel_um:
                origin = stage - (size - 1) / 2 * pixel
            axes.append(Axis(name, "space", unit, pixel, origin))
        if self.rgb:
            axes.append(Axis("rgb"))
        return tuple(axes)
