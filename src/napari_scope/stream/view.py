"""The data of a stream as lazy arrays, while it runs and afterwards.

A frame is visible from the moment it was appended: it is read from the buffer while
it waits there, then from the store. What was not taken yet reads as zeros.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.arrays import FrameSource, LazyArray
from napari_scope.model import Image, LevelArray
from napari_scope.stream.router import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import numpy.typing as npt

    from napari_scope.model import FrameTable
    from napari_scope.stream.spec import StoreSpec

__all__ = ["NewestFrame", "StreamView"]


@dataclass(frozen=True, slots=True)
class NewestFrame:
    """The frame that was appended last.

    Parameters
    ----------
    image : int
        Number of its image in `StreamView.images`.
    index : mapping
        Short axis name (``t``, ``c``, ``z``) to number.
    number : int
        How many frames were appended so far.
    """

    image: int
    index: Mapping[str, int]
    number: int


class StreamView:
    """Lazy arrays over a stream; cheap, thread safe, valid after the stream closed.

    Use `Stream.view`.
    """

    def __init__(
        self,
        spec: Callable[[], StoreSpec],
        read: Callable[[Address], npt.NDArray[np.generic] | None],
        newest: Callable[[], NewestFrame | None],
        grown: Callable[[], int],
        frames: Callable[[int], FrameTable] | None = None,
    ) -> None:
        self._spec = spec
        self._frames = frames
        self._read = read
        self._newest = newest
        self._grown = grown
        self._images: tuple[Image, ...] = ()
        self._lock = threading.Lock()
        self._made_at = -1

    @property
    def grown(self) -> int:
        """A number that changes when an image, a label or a sample was added."""
        return self._grown()

    def newest(self) -> NewestFrame | None:
        """Return the frame appended last, or None before the first."""
        return self._newest()

    @property
    def summary(self) -> Mapping[str, object]:
        """What is stored with the run as a whole."""
        return self._spec().summary

    @property
    def images(self) -> tuple[Image, ...]:
        """The images at full resolution, axes in storage order (t, c, z, y, x).

        The arrays of a growing stream keep their identity; their shape grows.
        """
        with self._lock:
            # In this order: what grows in between is seen by the next call.
            grown, spec = self.grown, self._spec()
            if grown != self._made_at:
                known = self._images
                self._images = tuple(
                    self._image(spec, n, known[n].levels if n < len(known) else None)
                    for n in range(len(spec.images))
                )
                self._made_at = grown
            return self._images

    def _image(
        self, spec: StoreSpec, number: int, levels: tuple[LevelArray, ...] | None
    ) -> Image:
        image = spec.images[number]
        if levels is None:
            levels = (self._array(spec, number),)
        channels = spec.display_channels()
        return Image(
            name=image.name,
            axes=spec.axes(image),
            levels=levels,
            channels=channels[: max(1, image.sizes.get("channel", 1))],
            rgb=spec.rgb,
            bit_depth=spec.bit_depth,
            metadata={"axes": dict(image.place)},
            frames=None if self._frames is None else self._frames(number),
        )

    def _array(self, spec: StoreSpec, number: int) -> LazyArray:
        def shape() -> tuple[int, ...]:
            now = self._spec()
            return now.shape(now.images[number]) + now.frame_shape

        fixed = spec.shape(spec.images[number]) + spec.frame_shape
        source = FrameSource(
            shape if spec.growing else fixed,
            spec.dtype,
            lambda index: self._read(Address(number, index)),
            frame_ndim=len(spec.frame_shape),
        )
        return LazyArray(source)
