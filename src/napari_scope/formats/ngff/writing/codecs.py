"""The codecs of chunks, and how a chunk is stored that is not complete yet.

A chunk of several frames can be compressed only once all of them have come. Until then
it is kept in the *stored form*: the same format, Blosc or Zstandard, with its contents
uncompressed inside, as both formats provide for data that do not compress. So every
reader decodes it, each frame has a place that is known, and a frame is on disk, in its
final place for readers, as soon as it came: nothing waits in memory.

This module knows nothing of files or arrays.

Sources: Blosc 1 header (README_HEADER of c-blosc: version, flags with bit 1 for a plain
copy, three lengths); Zstandard frame format, RFC 8878 section 3.1 (raw blocks of at
most 128 KiB with headers of three bytes).

Examples
--------
>>> codec = make_codec("zstd", 2)
>>> head = codec.stored_head(5)
>>> stored = bytearray(codec.stored_size(5))
>>> for offset, data in [*head, (codec.stored_offset(0), b"hello")]:
...     stored[offset : offset + len(data)] = data
>>> codec.decode(bytes(stored))
b'hello'
"""

from __future__ import annotations

import itertools
import os
import struct
import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    import numpy as np
    import numpy.typing as npt

    Buffer: TypeAlias = bytes | memoryview

__all__ = ["CODECS", "MAX_CHUNK_BYTES", "ChunkCodec", "Helpers", "make_codec"]

CODECS = ("blosc-lz4", "blosc-zstd", "zstd")
"""Names of the codecs, as ome-writers spells them."""

MAX_CHUNK_BYTES = 2**31 - 1 - 16
"""Largest chunk that Blosc can hold."""

_BLOSC_HEAD = 16
_BLOSC_PLAIN = 0x02  # the flag of a plain copy
_BLOSC_BLOCK = 1 << 20
_BLOSC_PART = 1 << 20  # of a large chunk; fits into the cache of a processor

_ZSTD_MAGIC = bytes.fromhex("28b52ffd")
_ZSTD_HEAD = 13  # magic, descriptor, length of the contents
_ZSTD_BLOCK = 1 << 17
_ZSTD_BLOCK_HEAD = 3

_T = TypeVar("_T")
_R = TypeVar("_R")


class ChunkCodec(ABC):
    """Compresses chunks; stateless, from any thread."""

    @abstractmethod
    def encode(self, data: npt.NDArray[np.generic]) -> bytes:
        """Compress a contiguous chunk."""

    def encode_into(self, data: npt.NDArray[np.generic], target: memoryview) -> int:
        """Compress a contiguous chunk to where there is room for its `bound`.

        Returns
        -------
        int
            How many bytes it takes.
        """
        packed = self.encode(data)
        target[: len(packed)] = packed
        return len(packed)

    def shares(self, size: int, count: int) -> list[tuple[int, int]]:
        """Return how ``count`` threads may share a chunk of ``size`` bytes.

        Returns
        -------
        list of (int, int)
            First and last byte of each share; a single one where that does not pay, or
            where the format knows no shares.
        """
        return [(0, size)]

    def join(self, parts: Sequence[Buffer]) -> list[Buffer] | None:
        """Make one chunk of shares that were compressed alone.

        Returns
        -------
        list or None
            What is written one after the other; None if they do not go together.
        """
        return list(parts)

    @abstractmethod
    def decode(self, data: bytes) -> bytes:
        """Return the contents of a chunk, compressed or in the stored form."""

    @abstractmethod
    def bound(self, size: int) -> int:
        """Return the most bytes that a chunk of ``size`` bytes may take."""

    @abstractmethod
    def stored_size(self, size: int) -> int:
        """Return the length of a chunk of ``size`` bytes in the stored form."""

    @abstractmethod
    def stored_head(self, size: int) -> list[tuple[int, bytes]]:
        """Return what makes the stored form around the contents: (offset, bytes)."""

    @abstractmethod
    def stored_offset(self, position: int) -> int:
        """Return where the byte at a position of the contents is stored."""

    @abstractmethod
    def stored_buffers(self, size: int, start: int, data: memoryview) -> list[Any]:
        """Return what is written at ``stored_offset(start)`` to store ``data``."""

    @abstractmethod
    def stored_contents(self, start: int, data: memoryview) -> Buffer:
        """Return the contents of what was read from ``stored_offset(start)`` on."""

    @abstractmethod
    def v3(self) -> dict[str, Any]:
        """Return the codec as ``zarr.json`` names it."""

    @abstractmethod
    def v2(self) -> dict[str, Any]:
        """Return the compressor as ``.zarray`` names it."""


class _Blosc(ChunkCodec):
    """Blosc with bit shuffling: what suits the noise of cameras best."""

    def __init__(self, compressor: str, level: int, itemsize: int) -> None:
        self._compressor = compressor
        self._level = level
        self._itemsize = itemsize

    def encode(self, data: npt.NDArray[np.generic]) -> bytes:
        from numcodecs import blosc

        name = self._compressor.encode()
        packed: bytes = blosc.compress(data, name, self._level, blosc.BITSHUFFLE)
        return packed

    def encode_into(self, data: npt.NDArray[np.generic], target: memoryview) -> int:
        """Compress in parts, which need little memory, and put them together."""
        pixels, step = data.reshape(-1), _BLOSC_PART // self._itemsize
        count = max(1, pixels.size // step)
        cuts = [n * step for n in range(count)] + [pixels.size]
        parts = [self.encode(pixels[a:b]) for a, b in itertools.pairwise(cuts)]
        end = 0
        for piece in self.join(parts) or [self.encode(data)]:
            target[end : end + len(piece)] = piece
            end += len(piece)
        return end

    def shares(self, size: int, count: int) -> list[tuple[int, int]]:
        count = max(1, min(count, size // (2 * _BLOSC_PART)))
        cuts = [size // _BLOSC_PART * n // count * _BLOSC_PART for n in range(count)]
        return list(itertools.pairwise([*cuts, size]))

    def join(self, parts: Sequence[Buffer]) -> list[Buffer] | None:
        # A header, where each block begins, and the blocks, in any order.
        if len(parts) == 1:
            return list(parts)
        heads = [struct.unpack_from("<4s3I", part) for part in parts]
        kind, _, block, _ = heads[0]
        size = sum(head[1] for head in heads)
        first = end = _BLOSC_HEAD + 4 * -(-size // block)
        starts: list[int] = []
        bodies: list[Buffer] = []
        for part, head in zip(parts, heads, strict=True):
            if (head[0], head[2]) != (kind, block) or kind[2] & _BLOSC_PLAIN:
                return None
            if part is not parts[-1] and head[1] % block:
                return None
            count = -(-head[1] // block)
            body = _BLOSC_HEAD + 4 * count
            offsets = struct.unpack_from(f"<{count}i", part, _BLOSC_HEAD)
            starts += [end - body + offset for offset in offsets]
            bodies.append(memoryview(part)[body:])
            end += len(part) - body
        table = struct.pack(f"<3I{len(starts)}i", size, block, end, *starts)
        assert len(kind) + len(table) == first
        return [kind + table, *bodies]

    def decode(self, data: bytes) -> bytes:
        from numcodecs import blosc

        return bytes(blosc.decompress(data))

    def bound(self, size: int) -> int:
        return size + _BLOSC_HEAD

    def stored_size(self, size: int) -> int:
        return size + _BLOSC_HEAD

    def stored_head(self, size: int) -> list[tuple[int, bytes]]:
        block = min(size, _BLOSC_BLOCK)
        total = size + _BLOSC_HEAD
        head = struct.pack(
            "<4B3I", 2, 1, _BLOSC_PLAIN, self._itemsize, size, block, total
        )
        return [(0, head)]

    def stored_offset(self, position: int) -> int:
        return _BLOSC_HEAD + position

    def stored_buffers(self, size: int, start: int, data: memoryview) -> list[Any]:
        return [data]

    def stored_contents(self, start: int, data: memoryview) -> Buffer:
        return data

    def v3(self) -> dict[str, Any]:
        configuration = {
            "cname": self._compressor,
            "clevel": self._level,
            "shuffle": "bitshuffle",
            "typesize": self._itemsize,
            "blocksize": 0,
        }
        return {"name": "blosc", "configuration": configuration}

    def v2(self) -> dict[str, Any]:
        return {
            "id": "blosc",
            "cname": self._compressor,
            "clevel": self._level,
            "shuffle": 2,
            "blocksize": 0,
        }


class _Zstd(ChunkCodec):
    """Plain Zstandard."""

    def __init__(self, level: int) -> None:
        self._level = level

    def encode(self, data: npt.NDArray[np.generic]) -> bytes:
        from numcodecs import zstd

        packed: bytes = zstd.compress(data, self._level)
        return packed

    def decode(self, data: bytes) -> bytes:
        from numcodecs import zstd

        return bytes(zstd.decompress(data))

    def bound(self, size: int) -> int:
        return max(self.stored_size(size), size + size // 128 + 512)

    def stored_size(self, size: int) -> int:
        return self.stored_offset(size - 1) + 1

    def stored_head(self, size: int) -> list[tuple[int, bytes]]:
        # Single segment, length of the contents in eight bytes, no checksum.
        head = _ZSTD_MAGIC + b"\xe0" + struct.pack("<Q", size)
        pieces = [(0, head)]
        for start in range(0, size, _ZSTD_BLOCK):
            where = self.stored_offset(start) - _ZSTD_BLOCK_HEAD
            pieces.append((where, _block_head(size, start)))
        return pieces

    def stored_offset(self, position: int) -> int:
        heads = position // _ZSTD_BLOCK + 1
        return _ZSTD_HEAD + position + _ZSTD_BLOCK_HEAD * heads

    def stored_buffers(self, size: int, start: int, data: memoryview) -> list[Any]:
        buffers: list[Any] = []
        done = 0
        while done < len(data):
            at = start + done
            if done:
                buffers.append(_block_head(size, at))
            count = _ZSTD_BLOCK - at % _ZSTD_BLOCK
            buffers.append(data[done : done + count])
            done += count
        return buffers

    def stored_contents(self, start: int, data: memoryview) -> Buffer:
        parts = []
        count = _ZSTD_BLOCK - start % _ZSTD_BLOCK
        done = 0
        while done < len(data):
            parts.append(data[done : done + count])
            done += count + _ZSTD_BLOCK_HEAD
            count = _ZSTD_BLOCK
        return b"".join(parts)

    def v3(self) -> dict[str, Any]:
        configuration = {"level": self._level, "checksum": False}
        return {"name": "zstd", "configuration": configuration}

    def v2(self) -> dict[str, Any]:
        return {"id": "zstd", "level": self._level}


def _block_head(size: int, start: int) -> bytes:
    """Return the header of the raw block that starts there: last flag and length."""
    count = min(_ZSTD_BLOCK, size - start)
    return (int(start + count == size) | count << 3).to_bytes(3, "little")


def make_codec(name: str | None, itemsize: int) -> ChunkCodec | None:
    """Return the codec of a name; None for None.

    Raises
    ------
    SettingsError
        For a codec that does not exist.
    """
    if name is None:
        return None
    if name == "blosc-lz4":
        return _Blosc("lz4", 5, itemsize)
    if name == "blosc-zstd":
        return _Blosc("zstd", 1, itemsize)
    if name == "zstd":
        return _Zstd(1)
    raise SettingsError(
        f"OME-Zarr is not compressed by {name!r} here",
        hint=f"use one of {', '.join(CODECS)}, or none",
    )


class Helpers:
    """Threads that share the work of compressing with the one that asks.

    They are started when they are first needed. A task must not ask for help itself.

    Parameters
    ----------
    count : int, optional
        How many threads work at the same time, with the one that asks; by default as
        many as there are processors, up to eight.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or min(8, os.cpu_count() or 1)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._own = threading.local()

    def begin(self, task: Callable[[], _R]) -> Future[_R]:
        """Let one of the threads do a task, after those that it was given before."""
        return self._started().submit(task)

    def map(self, task: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
        """Return the results of a task for all items, in order."""
        shares = min(self.count, len(items))
        cuts = [len(items) * n // max(1, shares) for n in range(shares + 1)]
        # Blosc, called by the main thread, takes a lock and threads of its own.
        mine = threading.current_thread() is not threading.main_thread()
        if not items or (mine and shares < 2):
            return _run(task, items)
        pool = self._started()
        jobs = [
            pool.submit(_run, task, items[a:b])
            for a, b in itertools.pairwise(cuts[1:] if mine else cuts)
        ]
        try:
            results = _run(task, items[: cuts[1]]) if mine else []
        finally:
            others = [job.result() for job in jobs]
        return [*results, *(data for part in others for data in part)]

    def scratch(self, size: int) -> memoryview:
        """Return memory of this thread, to be used before it asks again.

        Fresh memory costs as much as a quick codec takes for its contents.
        """
        memory: bytearray | None = getattr(self._own, "memory", None)
        if memory is None or len(memory) < size:
            memory = self._own.memory = bytearray(size)
        return memoryview(memory)[:size]

    def _started(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.count, "napari-scope encoder")
            return self._pool

    def close(self) -> None:
        """End the threads; idempotent."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()


def _run(task: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    return [task(item) for item in items]
