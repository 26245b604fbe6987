"""From the axes of a frame to its place in the store, and the order of arrival.

The router is pure bookkeeping: it knows which images exist, how large they are and
which frames were taken. For a store that grows it adds images, labels and samples as
they come.

Examples
--------
>>> import numpy as np
>>> spec = StoreSpec(
...     "a",
...     (8, 8),
...     np.dtype("u2"),
...     order=("time", "channel"),
...     images=(ImageSpec("a", sizes={"time": 2, "channel": 2}),),
...     labels={"channel": ("DAPI", "FITC")},
... )
>>> router = Router(spec)
>>> router.claim({"time": 1, "channel": "FITC"})
Address(image=0, index=(1, 1))
>>> router.next_axes()
{'time': 0, 'channel': 'DAPI'}
"""

from __future__ import annotations

import itertools
import math
import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_scope.errors import FrameError
from napari_scope.model import sort_names
from napari_scope.stream.spec import PLACE_AXES, ImageSpec, StoreSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from napari_scope.model import Axes

__all__ = ["Address", "Router"]

# The place of an image and, in a loose store, the names of its axes.
_ImageKey: TypeAlias = (
    "tuple[tuple[tuple[str, int | str], ...], tuple[str, ...] | None]"
)


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
        What is stored. A growing one is completed as frames come.
    """

    def __init__(self, spec: StoreSpec) -> None:
        self.spec = spec
        self.grown = 0
        self._images: dict[_ImageKey, int] = {}
        self._taken: list[npt.NDArray[np.bool_]] = []
        self._labels = {
            name: {label: i for i, label in enumerate(labels)}
            for name, labels in spec.labels.items()
        }
        self._numbered: set[str] = set()
        self._index_axes = spec.index_axes
        for image in spec.images:
            self._add(image)
        self._order = self._arrival()
        self._ahead: dict[str, int | str] | None = None
        self._ahead_at: Address | None = None  # stays the same in a fixed store only

    def _add(self, image: ImageSpec) -> None:
        self._images[_key(image.place, image.order)] = len(self._taken)
        self._taken.append(np.zeros(self.spec.shape(image), bool))

    def restore(self, frames: Iterable[tuple[Address, Axes]]) -> None:
        """Take over what an earlier stream into the same store had taken.

        Parameters
        ----------
        frames : iterable of (Address, mapping)
            Frames in the order in which they came.

        Raises
        ------
        FrameError
            If a frame does not fit the store, or lies at another place there.
        """
        for address, axes in frames:
            found = self.claim(axes)
            if found != address:
                raise FrameError(
                    f"the frame {dict(axes)} lies at {address.index} of image "
                    f"{address.image}, not at {found.index} of image {found.image}"
                )

    def go_on(self, behind: Address | None) -> None:
        """Let the order of acquisition go on behind a frame.

        A frame before it that is not taken has to be appended by its axes.
        """
        self._order = self._arrival(behind)
        self._ahead = self._ahead_at = None

    def next_axes(self) -> dict[str, int | str]:
        """Return the axes of the next frame in the order of acquisition.

        Frames that were already claimed by their axes are passed over.

        Raises
        ------
        FrameError
            If there is no further frame.
        """
        while self._ahead is None or self._is_taken(
            self._ahead_at or self._locate(self._ahead)
        ):
            self._ahead = next(self._order, None)
            if self._ahead is None:
                raise FrameError(
                    f"all {self.spec.n_frames or self._capacity()} frames of the "
                    "stream were already appended",
                    hint="declare more frames, or an unbounded first dimension",
                )
            if not self.spec.growing:
                self._ahead_at = self._locate(self._ahead)
        return dict(self._ahead)

    def claim_next(self) -> tuple[dict[str, int | str], Address]:
        """Return axes and address of the next frame and mark it as taken.

        Raises
        ------
        FrameError
            If there is no further frame.
        """
        axes = self.next_axes()
        if self._ahead_at is None:
            return axes, self.claim(axes)
        self._taken[self._ahead_at.image][self._ahead_at.index] = True
        return axes, self._ahead_at

    def claim(self, axes: Axes) -> Address:
        """Return the address of a frame and mark it as taken.

        Raises
        ------
        FrameError
            If the axes do not fit the store, or the frame was taken before; nothing
            changes then.
        """
        address = self._locate(axes)
        if self._is_taken(address):
            raise FrameError(
                f"the frame {dict(axes)} was already appended",
                hint="each frame needs axes of its own; nothing is overwritten",
            )
        if self.spec.growing:
            self._grow(address, axes)
        self._taken[address.image][address.index] = True
        return address

    def axes_of(self, address: Address, given: Axes) -> dict[str, int | str]:
        """Return the axes of a frame that was claimed, in the words of the store.

        A sample that has a label, and a position that has a name, may be given by its
        number; frames of one store must not name it now this way and now that.
        """
        spec = self.spec
        place = spec.images[address.image].place
        names = self._names(address.image)
        numbers = dict(zip(names, address.index, strict=True))
        axes: dict[str, int | str] = {}
        for name in spec.order:
            if name not in given:
                continue
            if name in numbers:
                labels = spec.labels.get(name)
                axes[name] = labels[numbers[name]] if labels else numbers[name]
            else:
                axes[name] = place[name]
        return axes

    def place_image(self, number: int, stage: Mapping[str, object]) -> None:
        """Note where an image that came unannounced was taken, as far as is known.

        Parameters
        ----------
        number : int
            Its number.
        stage : mapping
            Micrometers for any of ``x_um``, ``y_um``, ``z_um``.
        """
        known: dict[str, Any] = {
            name: float(value)
            for name, value in stage.items()
            if isinstance(value, int | float) and math.isfinite(value)
        }
        if known:
            images = list(self.spec.images)
            images[number] = replace(images[number], **known)
            self.spec = replace(self.spec, images=tuple(images))

    def has(self, axes: Axes) -> bool:
        """Return whether a frame was appended or skipped.

        Raises
        ------
        FrameError
            If there is no such frame.
        """
        return self._is_taken(self._locate(axes))

    def is_taken(self, image: int, index: tuple[int, ...]) -> bool:
        """Return whether a frame was appended or skipped."""
        return self._is_taken(Address(image, index))

    def _is_taken(self, address: Address) -> bool:
        if address.image >= len(self._taken):
            return False
        try:
            return bool(self._taken[address.image][address.index])
        except IndexError:
            return False  # outside of what has come so far

    def _names(self, image: int) -> tuple[str, ...]:
        """Return the names of the index axes of an image."""
        if not self.spec.loose:
            return self._index_axes
        return self.spec.axes_in(self.spec.images[image])

    def _free_name(self, place: Axes, own: tuple[str, ...] | None) -> str:
        """Return a name for a new image; two of a loose store may be at one place."""
        name = _place_name(place)
        if own is not None and any(image.name == name for image in self.spec.images):
            name = "_".join([name, *own]) if own else f"{name}_single"
        return name

    def _capacity(self) -> int:
        return sum(taken.size for taken in self._taken)

    # ------------------------------------------------------------- looking up

    def _locate(self, axes: Axes) -> Address:
        """Return the address of a frame; what has to grow for it is still missing."""
        place = {k: v for k, v in axes.items() if k in PLACE_AXES}
        if self.spec.loose:
            own = _own_axes(axes)
            image = self._images.get(_key(place, own), len(self._taken))
            return Address(image, tuple(self._number(n, axes[n]) for n in own))
        names = self._index_axes
        if self.spec.open_ended and not self._images and not self.spec.order:
            names = tuple(sort_names([n for n in axes if n not in PLACE_AXES]))
        elif self.spec.open_ended and place.keys() != self._place_axes():
            raise self._other_axes(axes)
        image = self._image(place)
        known = image < len(self._taken)
        sizes = self.spec.images[image].sizes if known else names
        # An axis that an image does not have (a z stack at some positions only) may
        # be left out there. An axis that it has says where the frame belongs.
        missing = [name for name in names if name not in axes and name in sizes]
        if missing or axes.keys() - place.keys() - set(names):
            raise self._other_axes(axes)
        index = tuple(self._number(name, axes.get(name, 0)) for name in names)
        self._check(image, index, axes)
        return Address(image, index)

    def _place_axes(self) -> set[str]:
        return {name for name in self.spec.order if name in PLACE_AXES}

    def _other_axes(self, axes: Axes) -> FrameError:
        return FrameError(
            f"the frame has the axes {_list(axes)}, the stream has "
            f"{_list(self.spec.order)}"
        )

    def _image(self, place: dict[str, int | str]) -> int:
        number = self._images.get(_key(place))
        if number is not None:
            return number
        if self.spec.open_ended:
            return len(self._taken)
        if len(place) == 1:
            # A position may be given by its number although it has a name.
            ((name, value),) = place.items()
            number = _whole(value)
            if number is not None and 0 <= number < len(self._taken):
                if isinstance(self.spec.images[number].place.get(name), str):
                    return number
        raise FrameError(
            f"the stream has no image {place}",
            hint=f"it has {', '.join(image.name for image in self.spec.images)}",
        )

    def _number(self, name: str, value: int | str) -> int:
        if isinstance(value, str):
            labels = self._labels.get(name, {})
            if value in labels:
                return labels[value]
            if not self.spec.grows(name):
                raise FrameError(
                    f"axis {name!r} has no label {value!r}",
                    hint=f"it has {', '.join(labels) or 'numbers only'}",
                )
            if name in self._numbered:
                raise self._mixed(name, value)
            return len(labels)
        try:
            number = operator.index(value)
        except TypeError:
            raise FrameError(
                f"axis {name!r} wants a whole number or a label, found {value!r}"
            ) from None
        if number < 0:
            raise FrameError(f"axis {name!r} has the negative index {number}")
        if self.spec.grows(name) and 0 < len(self._labels.get(name, ())) <= number:
            raise self._mixed(name, number)
        return number

    def _mixed(self, name: str, value: int | str) -> FrameError:
        kind = "numbers" if isinstance(value, str) else "labels"
        return FrameError(
            f"axis {name!r} had {kind} so far, found {value!r}",
            hint="give all frames either numbers or labels on an axis that grows",
        )

    def _check(self, image: int, index: tuple[int, ...], axes: Axes) -> None:
        if image >= len(self._taken):
            return
        shape = self._taken[image].shape
        names = self._names(image)
        for name, i, n in zip(names, index, shape, strict=True):
            if i >= n and not self.spec.grows(name):
                sizes = dict(zip(names, shape, strict=True))
                raise FrameError(
                    f"the frame {dict(axes)} lies outside of the image "
                    f"{self.spec.images[image].name!r} with the sizes {sizes}"
                )

    # ------------------------------------------------------------- growing

    def _grow(self, address: Address, axes: Axes) -> None:
        """Complete the store by what a new frame says."""
        new = tuple(name for name in axes if name not in self.spec.order)
        if new and (self.spec.loose or not self._images):
            self.spec = replace(self.spec, order=(*self.spec.order, *new))
            self._index_axes = self.spec.index_axes
        if address.image == len(self._taken):
            place = {k: v for k, v in axes.items() if k in PLACE_AXES}
            own = _own_axes(axes) if self.spec.loose else None
            names = self._index_axes if own is None else own
            image = ImageSpec(
                self._free_name(place, own),
                place,
                dict.fromkeys(names, 1),
                order=own,
            )
            self.spec = replace(self.spec, images=(*self.spec.images, image))
            self._add(image)
            self.grown += 1
        for name in self._names(address.image):
            value = axes.get(name)
            if isinstance(value, str):
                labels = self._labels.setdefault(name, {})
                if value not in labels:
                    labels[value] = len(labels)
                    known = {**self.spec.labels, name: tuple(labels)}
                    self.spec = replace(self.spec, labels=known)
            elif not self._labels.get(name):
                self._numbered.add(name)
        self._make_room(address)
        self._note_growth(address)

    def _make_room(self, address: Address) -> None:
        taken = self._taken[address.image]
        if all(i < n for i, n in zip(address.index, taken.shape, strict=True)):
            return
        # Room is doubled, so that a long run does not copy its record at each frame.
        shape = tuple(
            n if i < n else max(i + 1, 2 * n)
            for i, n in zip(address.index, taken.shape, strict=True)
        )
        larger = np.zeros(shape, bool)
        larger[tuple(slice(0, n) for n in taken.shape)] = taken
        self._taken[address.image] = larger

    def _note_growth(self, address: Address) -> None:
        """Keep the exact size of an image (its record has room to spare)."""
        image = self.spec.images[address.image]
        sizes = dict(image.sizes)
        for name, i in zip(self._names(address.image), address.index, strict=True):
            sizes[name] = max(sizes.get(name, 1), i + 1)
        if sizes != image.sizes:
            images = list(self.spec.images)
            images[address.image] = replace(image, sizes=sizes)
            self.spec = replace(self.spec, images=tuple(images))
            self.grown += 1

    # ------------------------------------------------------------- order of arrival

    def _arrival(self, behind: Address | None = None) -> Iterator[dict[str, int | str]]:
        """Iterate over all frames in the order of acquisition, or those behind one."""
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
            elif spec.grows(name) and name == spec.order[0]:
                ranges.append(itertools.count())
            else:
                ranges.append(list(range(size)))
        start = self._numbers(behind, keys) if behind is not None else None
        for values in _lazy_product(ranges, start):
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

    def _numbers(self, address: Address, keys: list[str]) -> list[int]:
        """Return the numbers of a frame in the order of acquisition."""
        places = dict(zip(self._index_axes, address.index, strict=True))
        return [places.get(key, address.image) for key in keys]

    def _inside(self, image: ImageSpec, axes: dict[str, int | str]) -> bool:
        """Return whether an image of its own size has this frame."""
        for name in self._index_axes:
            value = axes[name]
            number = self._labels[name][value] if isinstance(value, str) else value
            growing = self.spec.grows(name) and name == self.spec.order[0]
            if not growing and number >= image.sizes.get(name, 1):
                return False
        return True


def _lazy_product(
    ranges: list[Iterator[object] | list[object]],
    behind: Sequence[int] | None = None,
) -> Iterator[tuple[object, ...]]:
    """Return the product of ranges; unlike itertools', the first may be endless.

    With ``behind``, the numbers of a combination, only those that follow it.
    """
    if not ranges:
        if behind is None:
            yield ()
        return
    rest = [list(r) for r in ranges[1:]]
    passed = 0
    firsts = iter(ranges[0])
    if behind is not None:
        firsts = itertools.islice(firsts, behind[0], None)
        for values, number in zip(rest, behind[1:], strict=True):
            passed = passed * len(values) + number
        passed += 1
    for first in firsts:
        for tail in itertools.islice(itertools.product(*rest), passed, None):
            yield (first, *tail)
        passed = 0


def _whole(value: object) -> int | None:
    """Return a whole number, numpy's too, as one of Python; None for anything else."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _key(place: Axes, names: tuple[str, ...] | None = None) -> _ImageKey:
    return tuple(sorted(place.items())), names


def _own_axes(axes: Axes) -> tuple[str, ...]:
    """Return the names of the index axes of a frame in storage order."""
    return tuple(sort_names([name for name in axes if name not in PLACE_AXES]))


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _place_name(place: Axes) -> str:
    parts = [
        str(value) if isinstance(value, str) else f"{name}{value:03d}"
        for name, value in place.items()
    ]
    return "_".join(parts) or "image"
