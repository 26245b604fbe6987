"""From frames to strips: checked, packed, halved, each with its line of facts.

Frames of a batch are packed by several threads, because the codecs and the kernels of
numpy let others run meanwhile.

Examples
--------
>>> import numpy as np
>>> kind = FrameKind((4, 6), np.dtype("u2"), levels=2)
>>> strip = FramePacker(kind).pack([np.ones((4, 6), "u2")], [b"{}"])[0]
>>> strip.nbytes, strip.facts, strip.levels[0].shape
(48, b'{}', (2, 3))
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FrameError
from napari_scope.formats.ometiff.layout import FrameLayout, Strip
from napari_scope.formats.ometiff.levels import coarse_levels, level_shapes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ometiff.packing import Codec

__all__ = ["FrameKind", "FramePacker", "blank_strip"]

_THREADS = 4


@dataclass(frozen=True, slots=True)
class FrameKind:
    """What all frames of a run have in common.

    Parameters
    ----------
    shape : tuple of int
        (height, width), or (height, width, 3) for colour.
    dtype : numpy.dtype
        Type of the pixels, in the byte order of this machine.
    codec : Codec, optional
        How they are packed.
    levels : int
        Number of levels, with the frame itself.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    codec: Codec | None = None
    levels: int = 1

    @property
    def nbytes(self) -> int:
        """Size of a frame that is not packed."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def coarse(self) -> int:
        """How many coarse levels a frame has."""
        return len(level_shapes(self.shape, self.levels))

    def check(self, frame: npt.NDArray[np.generic], path: Path) -> None:
        """Raise FrameError for a frame that is not of this kind."""
        if frame.shape != self.shape or frame.dtype != self.dtype:
            raise FrameError(
                f"the images have frames of shape {self.shape} and type "
                f"{self.dtype}, found {frame.shape} and {frame.dtype}",
                path=path,
            )

    def layout(self, pixel_um: float | None) -> FrameLayout:
        """Return how such frames lie in a file."""
        return FrameLayout(
            self.shape,
            self.dtype,
            codec=self.codec,
            pixel_um=pixel_um,
            levels=self.levels,
        )

    def unpack(self, strip: bytes | bytearray) -> npt.NDArray[np.generic]:
        """Return the frame of a strip.

        Raises
        ------
        FormatError
            The strip is damaged.
        """
        if self.codec is not None:
            frame = self.codec.unpack(bytes(strip), self.shape)
        else:
            little = self.dtype.newbyteorder("<")
            frame = np.frombuffer(strip, little).reshape(self.shape)
        return frame.astype(self.dtype, copy=False)


def blank_strip(kind: FrameKind) -> Strip:
    """Return the strip of an image that is no frame: black, without facts and levels.

    tifffile finds no levels of any plane where the first one has some and comes later.
    """
    return FramePacker(replace(kind, levels=1)).pack(
        [np.zeros(kind.shape, kind.dtype)], [b""]
    )[0]


class FramePacker:
    """Makes strips of frames of one kind. Thread safe.

    Parameters
    ----------
    kind : FrameKind
        What they have in common.
    """

    def __init__(self, kind: FrameKind) -> None:
        self._kind = kind
        self._little = kind.dtype.newbyteorder("<")
        self._threads: ThreadPoolExecutor | None = None

    def pack(
        self, frames: Sequence[npt.NDArray[np.generic]], facts: Sequence[bytes]
    ) -> list[Strip]:
        """Return the strips of frames that were checked; no pixels are copied."""
        plain = self._kind.codec is None and self._kind.levels == 1
        if plain or len(frames) == 1:
            return list(map(self._strip, frames, facts))
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, "napari-scope OME-TIFF")
        try:
            jobs = [
                self._threads.submit(self._strip, frame, line)
                for frame, line in zip(frames, facts, strict=True)
            ]
        except RuntimeError:
            # The process ends: pools are closed before streams that were forgotten.
            return list(map(self._strip, frames, facts))
        return [job.result() for job in jobs]

    def _strip(self, frame: npt.NDArray[np.generic], facts: bytes) -> Strip:
        levels: list[npt.NDArray[np.generic]] = []
        if self._kind.levels > 1:
            levels = coarse_levels(frame, self._kind.levels)
        codec = self._kind.codec
        if codec is None:
            pixels = np.ascontiguousarray(frame, self._little)
            coarse = [np.ascontiguousarray(level, self._little) for level in levels]
            return Strip(pixels, pixels.nbytes, facts, tuple(coarse))
        packed = codec.pack(frame)
        return Strip(packed, len(packed), facts, tuple(map(codec.pack, levels)))

    def close(self) -> None:
        """End the threads; again is harmless."""
        if self._threads is not None:
            self._threads.shutdown()
