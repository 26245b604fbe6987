"""What a reader finds on disk: a data set of images, each a list of levels.

These are plain frozen values. They hold lazy arrays (`LevelArray`) but know neither
how those read their pixels nor how they will be shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import numpy.typing as npt

    from napari_scope.model.axes import Axes, Axis

__all__ = ["Channel", "Dataset", "FrameTable", "Image", "Labels", "LevelArray"]


@runtime_checkable
class LevelArray(Protocol):
    """What napari and this package need of an array: slices first, pixels later."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""

    @property
    def ndim(self) -> int:
        """Number of axes."""

    def __getitem__(self, key: object, /) -> LevelArray:
        """Return a view; no pixel is read."""

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[np.generic]:
        """Read the pixels of this view."""


class FrameTable(Protocol):
    """What is known of the single frames of an image.

    An index maps short axis names (``t``, ``c``, ``z``, custom ones) to places in the
    arrays of the image; an axis that is left out counts as 0. Where an image is made of
    tiles, ``y`` and ``x`` (pixels of full resolution) say which tile is meant.
    """

    def exists(self, index: Mapping[str, int]) -> bool:
        """Return whether the frame was saved; if not, its pixels read as zeros."""

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        """Return what was saved with a frame, or None where there is no frame."""

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        """Return the identity of a frame as it was saved, or None."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of an image.

    Parameters
    ----------
    name : str
        Name that is shown.
    color : str, optional
        ``#RRGGBB``; None lets the viewer choose.
    contrast_limits : (float, float), optional
        Display range; None when the file does not say.
    visible : bool
        Whether the channel is shown at first.
    look : mapping
        How a viewer drew the channel when it saved it: ``name`` of the layer,
        ``colormap``, ``gamma``, ``opacity``, ``blending``, as far as they are known.
    """

    name: str
    color: str | None = None
    contrast_limits: tuple[float, float] | None = None
    visible: bool = True
    look: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Labels:
    """A segmentation of an image: integers that name objects, 0 for none.

    Parameters
    ----------
    name : str
        Name of the segmentation.
    axes : tuple of Axis
        One entry for each axis of the arrays, in order, full resolution values. An
        axis of the image may be missing (``c`` mostly is) or have length 1.
    levels : tuple of LevelArray
        The arrays, finest first, all with the axes of ``axes``.
    colors : mapping of int to (int, int, int, int)
        Red, green, blue and alpha (0 to 255) of the labels that have a colour.
    properties : mapping of int to mapping
        What is known of single labels, JSON-able.
    metadata : mapping
        Small, JSON-able facts worth showing.
    affine : tuple of tuple of float, optional
        As in `Image`.
    look : mapping
        As in `Channel`.
    """

    name: str
    axes: tuple[Axis, ...]
    levels: tuple[LevelArray, ...]
    colors: Mapping[int, tuple[int, int, int, int]] = field(default_factory=dict)
    properties: Mapping[int, Mapping[str, object]] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)
    affine: tuple[tuple[float, ...], ...] | None = None
    look: Mapping[str, object] = field(default_factory=dict)

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Short names of the axes, in order."""
        return tuple(axis.name for axis in self.axes)


@dataclass(frozen=True, slots=True)
class Image:
    """One image: levels of the same field, finest first.

    Parameters
    ----------
    name : str
        Name of the image (a position, a tile, a series).
    axes : tuple of Axis
        One entry for each axis of the arrays, in order, full resolution values.
    levels : tuple of LevelArray
        The arrays, finest first, all with the axes of ``axes``.
    channels : tuple of Channel
        One entry for each sample of the ``c`` axis, or a single entry without one.
    rgb : bool
        True when the last axis holds the samples red, green, blue; it has an entry
        in ``axes`` too (named ``rgb``).
    bit_depth : int, optional
        Significant bits of the camera, where known.
    metadata : mapping
        Small, JSON-able facts worth showing.
    frames : FrameTable, optional
        What is known of single frames, where the format keeps it.
    labels : tuple of Labels
        Segmentations of the image.
    affine : tuple of tuple of float, optional
        What turns or shears the image in the world, after the scale and translation of
        its axes: a homogeneous matrix of (axes + 1) rows and columns, in the order of
        ``axes``. None where there is no such thing.
    only_labels : bool
        True for a segmentation that was opened without its image: the axes and levels
        are those of its only entry in ``labels``.
    """

    name: str
    axes: tuple[Axis, ...]
    levels: tuple[LevelArray, ...]
    channels: tuple[Channel, ...] = ()
    rgb: bool = False
    bit_depth: int | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    frames: FrameTable | None = None
    labels: tuple[Labels, ...] = ()
    affine: tuple[tuple[float, ...], ...] | None = None
    only_labels: bool = False

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Short names of the axes, in order."""
        return tuple(axis.name for axis in self.axes)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Everything found under one path.

    Parameters
    ----------
    path : str
        Folder or address that was opened.
    format : str
        ``"ome-zarr"`` or ``"ndtiff"``, with the version in ``format_version``.
    format_version : str
        Version of the format as found.
    images : tuple of Image
        The images, in a deterministic order.
    problems : tuple of str
        What could not be read and why; the rest is still here.
    metadata : mapping
        Small, JSON-able facts on the whole.
    finished : bool
        False while the store is being written, and after its writer was killed.
    reload : callable, optional
        Looks for what was added since this was opened and returns the data set anew,
        or None when nothing was. It reads files: call it outside of a GUI thread.
    """

    path: str
    format: str
    format_version: str
    images: tuple[Image, ...]
    problems: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    finished: bool = True
    reload: Callable[[], Dataset | None] | None = None
