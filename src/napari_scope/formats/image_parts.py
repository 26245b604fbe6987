"""Parts of images: some channels, some time points, some planes of a stack.

A part is an image like others: lazy, with all its levels, the metadata of its frames,
and its place and time, which are those that the frames have in the whole image. It does
not grow with its store.

Examples
--------
>>> parts = Parts(channels=(0, 2), times=(10, 20))
>>> parts.of("t", 100), parts.of("c", 3), parts.of("z", 5)
(range(10, 20), (0, 2), None)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays import LazyArray
from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from napari_scope.arrays.sources import Block
    from napari_scope.model import Axes, Axis, Dataset, Image, LevelArray
    from napari_scope.model.dataset import FrameTable

__all__ = ["Parts", "dataset_parts", "image_parts", "part_places"]


@dataclass(frozen=True, slots=True)
class Parts:
    """Which parts of images are meant; all that is None is whole.

    Parameters
    ----------
    channels : tuple of int, optional
        Numbers of channels, from 0, in the order that is wanted.
    times, planes : (int, int), optional
        First time point or plane of a stack, from 0, and the one behind the last.
    """

    channels: tuple[int, ...] | None = None
    times: tuple[int, int] | None = None
    planes: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        """Return whether anything is left out."""
        return any(p is not None for p in (self.channels, self.times, self.planes))

    def of(self, axis: str, length: int) -> Sequence[int] | None:
        """Return the places of an axis that are wanted; None if all are.

        Parameters
        ----------
        axis : str
            Its short name.
        length : int
            Its length.

        Raises
        ------
        SettingsError
            If there are none.
        """
        wanted: Sequence[int] | None = None
        if axis == "c" and self.channels is not None:
            wanted = tuple(c for c in self.channels if 0 <= c < length)
        elif (span := {"t": self.times, "z": self.planes}.get(axis)) is not None:
            wanted = range(length)[max(0, span[0]) : max(0, span[1])]
        if wanted is None or tuple(wanted) == tuple(range(length)):
            return None
        if not wanted:
            raise SettingsError(
                f"nothing of axis {axis} was chosen",
                hint=f"it has {length} places, from 0 to {length - 1}",
            )
        return wanted


def part_places(image: Image, parts: Parts) -> dict[str, Sequence[int]]:
    """Return the wanted places of each axis of which not all are wanted.

    Raises
    ------
    SettingsError
        If nothing is left.
    """
    found = {}
    for name, length in zip(image.axis_names, image.levels[0].shape, strict=True):
        if (places := parts.of(name, length)) is not None:
            found[name] = places
    return found


def image_parts(image: Image, parts: Parts) -> Image:
    """Return a part of an image; the same image where all of it is wanted.

    Raises
    ------
    SettingsError
        If nothing of it is left.
    """
    places = part_places(image, parts)
    if not places:
        return image
    names = image.axis_names
    channels = places.get("c")
    labels = []
    for one in image.labels:
        own = dict(zip(one.axis_names, one.levels[0].shape, strict=True))
        whole = dict(zip(names, image.levels[0].shape, strict=True))
        # Of length 1 it belongs to all places of the axis.
        kept = {n: p for n, p in places.items() if own.get(n) == whole[n]}
        labels.append(
            replace(
                one,
                axes=_axes(one.axes, kept),
                levels=tuple(_picked(lv, one.axis_names, kept) for lv in one.levels),
            )
        )
    return replace(
        image,
        axes=_axes(image.axes, places),
        levels=tuple(_picked(level, names, places) for level in image.levels),
        channels=image.channels
        if channels is None
        else tuple(image.channels[c] for c in channels if c < len(image.channels)),
        frames=None if image.frames is None else _PartTable(image.frames, places),
        labels=tuple(labels),
    )


def dataset_parts(dataset: Dataset, parts: Parts) -> Dataset:
    """Return a data set of parts of its images; it does not grow.

    Raises
    ------
    SettingsError
        If nothing of an image is left.
    """
    if not parts:
        return dataset
    images = tuple(image_parts(image, parts) for image in dataset.images)
    if all(new is old for new, old in zip(images, dataset.images, strict=True)):
        return dataset
    return replace(dataset, images=images, reload=None)


def _axes(
    axes: Sequence[Axis], places: Mapping[str, Sequence[int]]
) -> tuple[Axis, ...]:
    """Return axes that begin where their first wanted place is."""
    made = []
    for axis in axes:
        wanted = places.get(axis.name)
        if wanted is not None:
            start = axis.translation
            if isinstance(wanted, range):
                start += wanted[0] * axis.scale
            labels = axis.labels
            axis = replace(
                axis,
                translation=start,
                labels=tuple(labels[n] for n in wanted if n < len(labels)),
            )
        made.append(axis)
    return tuple(made)


def _picked(
    level: LevelArray, names: Sequence[str], places: Mapping[str, Sequence[int]]
) -> LevelArray:
    for axis, name in enumerate(names):
        wanted = places.get(name)
        if isinstance(wanted, range):
            key = (slice(None),) * axis + (slice(wanted.start, wanted.stop),)
            level = level[key]
        elif wanted is not None:
            level = LazyArray(_Picked(level, axis, tuple(wanted)))
    return level


class _Picked:
    """A source over some places of one axis of an array, in any order."""

    def __init__(self, level: LevelArray, axis: int, places: tuple[int, ...]) -> None:
        self._level = level
        self._axis = axis
        self._places = places

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        shape = list(self._level.shape)
        shape[self._axis] = len(self._places)
        return tuple(shape)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return self._level.dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Block size that is cheap to read."""
        chunks = getattr(self._level, "chunks", None)
        if chunks is None:
            return None
        return (*chunks[: self._axis], 1, *chunks[self._axis + 1 :])

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        """Read a block, place by place of the axis."""
        wanted = self._places[block[self._axis]]
        shape = [len(range(part.start, part.stop, part.step)) for part in block]
        pixels = np.zeros(shape, self.dtype)
        into: list[slice | int] = [slice(None)] * len(block)
        key: list[slice | int] = list(block)
        for number, place in enumerate(wanted):
            into[self._axis] = number
            key[self._axis] = place
            pixels[tuple(into)] = np.asarray(self._level[tuple(key)])
        return pixels


class _PartTable:
    """What is known of the frames of a part."""

    def __init__(self, table: FrameTable, places: Mapping[str, Sequence[int]]) -> None:
        self._table = table
        self._places = places

    def exists(self, index: Mapping[str, int]) -> bool:
        """Return whether the frame was saved."""
        return self._table.exists(self._in_whole(index))

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        """Return what was saved with a frame, or None where there is no frame."""
        return self._table.metadata(self._in_whole(index))

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        """Return the identity of a frame as it was saved, or None."""
        return self._table.axes(self._in_whole(index))

    def _in_whole(self, index: Mapping[str, int]) -> dict[str, int]:
        found = dict(index)
        for name, places in self._places.items():
            place = index.get(name, 0)
            # Beside the part there is no frame, nor is there one at -1 of the whole.
            found[name] = places[place] if 0 <= place < len(places) else -1
        return found
