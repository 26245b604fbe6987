"""From the axes of a frame to its place in the store, and the order of arrival.

The router is pure bookkeeping: it knows which images exist, how large they are and
which frames were taken. For a store that grows it adds images, labels and samples as
they come.

Examples
--------
>>> import numpy as np
>>> spec = StoreSpec("a", (8, 8), np.dtype("u2"), order=("time", "channel"),
...     images=(ImageSpec("a", sizes={"time": 2, "channel": 2}),),
...     labels={"channel": ("DAPI", "FITC")})
>>> router = Router(spec)
>>> router.claim({"time": 1, "channel": "FITC"})
Address(image=0, index=(1, 1))
>>> router.next_axes()
{'time': 0, 'channel': 'DAPI'}
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FrameError
from napari_scope.stream.spec import PLACE_AXES, ImageSpec, StoreSpec

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.model import Axes

__all__ = ["Address", "Router"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a frame is stored: number of the image, index on the index axes."""

    image: int
    index: tuple[int, ...]


class Router:
    """Addresses of frames and the record of which were taken.

    Not thread safe: the stream calls it under its lock.

    Parameters
    ----------
    spec : StoreSpec
        What is stored. A growing one is completed by the first frame.
    """

    def __init__(self, spec: StoreSpec) -> None:
        self.spec = spec
        self.grown = 0
        self._names = frozenset(spec.order)
        self._index_axes = spec.index_axes
        self._images: dict[tuple[tuple[str, int | str], ...], int] = {}
        self._taken: list[npt.NDArray[np.bool_]] = []
        self._labels = {
            name: {label: i for i, label in enumerate(labels)}
            for name, labels in spec.labels.items()
        }
        for image in spec.images:
            self._add(image)
        self._order = self._arrival()

    def _add(self, image: ImageSpec) -> None:
        self._images[_key(image.place)] = len(self._taken)
        self._taken.append(np.zeros(self.spec.shape(image), bool))

    def next_axes(self) -> dict[str, int | str]:
        """Return the axes of the next frame in the order of acquisition.

        Frames that were already claimed by their axes are passed over.
        """
        for axes in self._order:
            address = self._locate(axes)
            if not self._is_taken(address):
                self._order = itertools.chain([axes], self._order)
                return dict(axes)
        raise FrameError(
            f"all {self.spec.n_frames or self._capacity()} frames of the stream were "
            "already appended",
            hint="declare more frames, or an unbounded first dimension",
        )

    def claim(self, axes: Axes) -> Address:
        """Return the address of a frame and mark it as taken.

        Raises
        ------
        FrameError
            If the axes do not fit the store, or the frame was taken before.
        """
        address = self._locate(axes)
        if self._is_taken(address):
            raise FrameError(
                f"the frame {dict(axes)} was already appended",
                hint="each frame needs axes of its own; nothing is overwritten",
            )
        self._taken[address.image][address.index] = True
        if self.spec.growing:
            self._note_growth(address)
        return address

    def release(self, address: Address) -> None:
        """Take back a claim (the frame was dropped before it was stored)."""
        self._taken[address.image][address.index] = False

    def is_taken(self, image: int, index: tuple[int, ...]) -> bool:
        """Return whether a frame was appended or skipped."""
        return self._is_taken(Address(image, index))

    def _is_taken(self, address: Address) -> bool:
        if address.image >= len(self._taken):
            return False
        taken = self._taken[address.image]
        inside = all(i < n for i, n in zip(address.index, taken.shape, strict=True))
        return inside and bool(taken[address.index])

    def _capacity(self) -> int:
        return sum(taken.size for taken in self._taken)

    def _locate(self, axes: Axes) -> Address:
        if self.spec.growing and not self._images and not self._names:
            self.spec = replace(self.spec, order=tuple(axes))
            self._names = frozenset(axes)
            self._index_axes = self.spec.index_axes
        place = {k: v for k, v in axes.items() if k in PLACE_AXES}
        # The places of a plan may be of several kinds (a position here, a tile of a
        # grid there); `_image` knows them. A growing store settles on the first.
        names = axes.keys() if self.spec.growing else axes.keys() - place.keys()
        if names != (self._names if self.spec.growing else set(self._index_axes)):
            raise FrameError(
                f"the frame has the axes {_list(axes)}, the stream has "
                f"{_list(self._names)}"
            )
        image = self._image(place)
        index = tuple(self._number(name, axes[name]) for name in self._index_axes)
        self._check(image, index, axes)
        return Address(image, index)

    def _image(self, place: dict[str, int | str]) -> int:
        number = self._images.get(_key(place))
        if number is not None:
            return number
        values = list(place.values())
        # A position may be given by its number although it has a name.
        if len(values) == 1 and isinstance(values[0], int):
            if not self.spec.growing and 0 <= values[0] < len(self._taken):
                return values[0]
        if not self.spec.growing:
            raise FrameError(
                f"the stream has no image {place}",
                hint=f"it has {', '.join(image.name for image in self.spec.images)}",
            )
        image = ImageSpec(_place_name(place), place, dict.fromkeys(self.spec.order, 1))
        self.spec = replace(self.spec, images=(*self.spec.images, image))
        self._add(image)
        self.grown += 1
        return len(self._taken) - 1

    def _number(self, name: str, value: int | str) -> int:
        if isinstance(value, str):
            labels = self._labels.setdefault(name, {})
            if value not in labels:
                if not self.spec.growing:
                    raise FrameError(
                        f"axis {name!r} has no label {value!r}",
                        hint=f"it has {', '.join(labels) or 'numbers only'}",
                    )
                labels[value] = len(labels)
                known = {**self.spec.labels, name: tuple(labels)}
                self.spec = replace(self.spec, labels=known)
            return labels[value]
        if value < 0:
            raise FrameError(f"axis {name!r} has the negative index {value}")
        return value

    def _check(self, image: int, index: tuple[int, ...], axes: Axes) -> None:
        taken = self._taken[image]
        if all(i < n for i, n in zip(index, taken.shape, strict=True)):
            return
        if not self.spec.growing:
            sizes = dict(zip(self._index_axes, taken.shape, strict=True))
            raise FrameError(
                f"the frame {dict(axes)} lies outside of the image "
                f"{self.spec.images[image].name!r} with the sizes {sizes}"
            )
        # Room is doubled, so that a long run does not copy its record at each frame.
        shape = tuple(
            n if i < n else max(i + 1, 2 * n)
            for i, n in zip(index, taken.shape, strict=True)
        )
        larger = np.zeros(shape, bool)
        larger[tuple(slice(0, n) for n in taken.shape)] = taken
        self._taken[image] = larger

    def _note_growth(self, address: Address) -> None:
        """Keep the exact size of an image (its record has room to spare)."""
        image = self.spec.images[address.image]
        sizes = dict(image.sizes)
        for name, i in zip(self._index_axes, address.index, strict=True):
            sizes[name] = max(sizes.get(name, 1), i + 1)
        if sizes != image.sizes:
            images = list(self.spec.images)
            images[address.image] = replace(image, sizes=sizes)
            self.spec = replace(self.spec, images=tuple(images))
            self.grown += 1

    def _arrival(self) -> Iterator[dict[str, int | str]]:
        """Iterate over all frames in the order of acquisition."""
        spec = self.spec
        if not spec.order:
            yield {}
            return
        ranges: list[Iterator[object] | list[object]] = []
        done_place = False
        keys: list[str] = []
        for name in spec.order:
            if name in PLACE_AXES:
                if done_place:
                    continue
                done_place = True
                ranges.append(list(spec.images))
                keys.append("place")
                continue
            keys.append(name)
            labels = spec.labels.get(name)
            size = max((image.sizes.get(name, 1) for image in spec.images), default=1)
            if labels:
                ranges.append(list(labels))
            elif spec.growing and name == spec.order[0]:
                ranges.append(itertools.count())
            else:
                ranges.append(list(range(size)))
        for values in _lazy_product(ranges):
            axes: dict[str, int | str] = {}
            image = spec.images[0] if spec.images else None
            for key, value in zip(keys, values, strict=True):
                if isinstance(value, ImageSpec):
                    image = value
                    axes.update(value.place)
                elif isinstance(value, int | str):
                    axes[key] = value
            if image is None or self._inside(image, axes):
                yield axes

    def _inside(self, image: ImageSpec, axes: dict[str, int | str]) -> bool:
        """Return whether an image of its own size has this frame."""
        for name in self._index_axes:
            value = axes[name]
            number = self._labels[name][value] if isinstance(value, str) else value
            growing = self.spec.growing and name == self.spec.order[0]
            if not growing and number >= image.sizes.get(name, 1):
                return False
        return True


def _lazy_product(
    ranges: list[Iterator[object] | list[object]],
) -> Iterator[tuple[object, ...]]:
    """Return the product of ranges; unlike itertools', the first may be endless."""
    if not ranges:
        yield ()
        return
    rest = [list(r) for r in ranges[1:]]
    for first in ranges[0]:
        for tail in itertools.product(*rest):
            yield (first, *tail)


def _key(place: object) -> tuple[tuple[str, int | str], ...]:
    return tuple(sorted(place.items()))  # type: ignore[attr-defined]


def _list(names: object) -> str:
    return ", ".join(sorted(map(str, names))) or "none"  # type: ignore[call-overload]


def _place_name(place: dict[str, int | str]) -> str:
    parts = [
        str(value) if isinstance(value, str) else f"{name}{value:03d}"
        for name, value in place.items()
    ]
    return "_".join(parts) or "image"
