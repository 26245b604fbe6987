"""Frames are compressed: all that are needed now together, or some ahead of that.

Compressing takes longer than all else. So it can begin as soon as a frame is there, on
one of the threads of `Helpers`, while the writer is busy with the frames before it.
What was not begun is compressed when it is asked for, by all threads at once, a large
chunk in shares.

The results lie in memory that is used again and again: fresh memory costs as much as a
quick codec takes for its contents. It holds never more frames than are begun and not
given back.

This module knows nothing of files; `packed` does.
"""

from __future__ import annotations

import math
from collections import deque
from concurrent import futures
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    import numpy.typing as npt

    from napari_scope.formats.ngff.writing.chunks import ChunkPlan
    from napari_scope.formats.ngff.writing.codecs import Buffer, ChunkCodec, Helpers

    Index: TypeAlias = tuple[int, ...]
    Pixels: TypeAlias = npt.NDArray[np.generic]

__all__ = ["LEAST_BYTES_AHEAD", "EncodedFrame", "FrameEncoder"]

LEAST_BYTES_AHEAD = 128 * 1024
"""Smaller frames are compressed sooner than another thread could begin with it."""

_AHEAD_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class EncodedFrame:
    """The chunks of one frame, in memory that is lent.

    Parameters
    ----------
    room : memoryview
        As much as the chunks can take.
    chunks : list
        What each chunk consists of.
    """

    room: memoryview
    chunks: list[Sequence[Buffer]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Share:
    """A share of a chunk that is to be compressed, and where to."""

    pixels: Pixels
    tile: tuple[int, int]
    first: int
    last: int
    room: memoryview


class FrameEncoder:
    """Compresses the frames of one array; used by one thread at a time.

    Parameters
    ----------
    plan : ChunkPlan
        How the array is cut; chunks are one frame deep.
    dtype : numpy.dtype
        Type of the pixels; chunks are little endian.
    codec : ChunkCodec
        How chunks are compressed.
    helpers : Helpers
        Who does it.
    """

    def __init__(
        self,
        plan: ChunkPlan,
        dtype: np.dtype[np.generic],
        codec: ChunkCodec,
        helpers: Helpers,
    ) -> None:
        self._plan = plan
        self._dtype = dtype
        self._codec = codec
        self._helpers = helpers
        self._tiles = [tile for group in plan.groups() for tile in group]
        self._frame_bytes = math.prod(plan.frame) * dtype.itemsize
        tile_bytes = math.prod(plan.tile) * dtype.itemsize
        self._shares = codec.shares(tile_bytes, helpers.count)
        self._rooms = [codec.bound(last - first) for first, last in self._shares]
        self._jobs: dict[Index, Future[EncodedFrame]] = {}
        self._spare: deque[memoryview] = deque()

    @property
    def shared(self) -> bool:
        """Whether a single frame keeps all threads busy."""
        return len(self._tiles) * len(self._shares) >= self._helpers.count

    @property
    def ahead(self) -> int:
        """Bytes of frames that are worth beginning at a time; 0 for none."""
        if self._helpers.count < 2 or self._frame_bytes < LEAST_BYTES_AHEAD:
            return 0
        return max(_AHEAD_BYTES, (self._helpers.count + 2) * self._frame_bytes)

    def begin(self, index: Index, frame: Pixels, also: Callable[[], object]) -> None:
        """Begin with a frame; ``also`` is called by the thread that does it."""

        def work() -> EncodedFrame:
            also()
            pixels, encoded = np.asarray(frame, self._dtype), self._lend()
            start = 0
            for tile in self._tiles:
                room = encoded.room[start : start + sum(self._rooms)]
                chunk = self._plan.cut(pixels, tile, self._helpers.scratch)
                length = self._codec.encode_into(chunk, room)
                encoded.chunks.append([room[:length]])
                start += len(room)
            return encoded

        self._jobs[index] = self._helpers.begin(work)

    def ready(self, index: Index, *, wait: bool) -> bool:
        """Return whether a frame need not be waited for; with ``wait`` wait for it."""
        job = self._jobs.get(index)
        if job is not None and wait:
            futures.wait([job])
        return job is None or job.done()

    def encode(self, frames: Sequence[tuple[Index, Pixels]]) -> list[EncodedFrame]:
        """Return frames compressed: those that were begun, and now the others."""
        jobs = [self._jobs.pop(index, None) for index, _ in frames]
        begun = [None if job is None else job.result() for job in jobs]
        pixels = [np.asarray(frame, self._dtype) for _, frame in frames]
        result = [encoded or self._lend() for encoded in begun]
        shares = [
            share
            for one, encoded, done in zip(pixels, result, begun, strict=True)
            if done is None
            for share in self._cut(one, encoded)
        ]
        parts = iter(self._helpers.map(self._encode_share, shares))
        for one, encoded, done in zip(pixels, result, begun, strict=True):
            if done is None:
                for tile in self._tiles:
                    chunk = self._codec.join([next(parts) for _ in self._shares])
                    if chunk is None:  # its shares do not go together
                        chunk = [self._codec.encode(self._plan.cut(one, tile))]
                    encoded.chunks.append(chunk)
        return result

    def _cut(self, pixels: Pixels, encoded: EncodedFrame) -> list[_Share]:
        """Return the shares of the chunks of a frame."""
        shares, start = [], 0
        for tile in self._tiles:
            for (first, last), size in zip(self._shares, self._rooms, strict=True):
                room = encoded.room[start : start + size]
                shares.append(_Share(pixels, tile, first, last, room))
                start += size
        return shares

    def _encode_share(self, share: _Share) -> memoryview:
        chunk = self._plan.cut(share.pixels, share.tile, self._helpers.scratch)
        item = self._dtype.itemsize
        part = chunk.reshape(-1)[share.first // item : share.last // item]
        return share.room[: self._codec.encode_into(part, share.room)]

    def _lend(self) -> EncodedFrame:
        try:
            return EncodedFrame(self._spare.pop())
        except IndexError:
            size = len(self._tiles) * sum(self._rooms)
            return EncodedFrame(np.empty(size, "u1").data)

    def give_back(self, frames: Sequence[EncodedFrame]) -> None:
        """Give back the memory of frames that are written."""
        self._spare.extend(encoded.room for encoded in frames)
