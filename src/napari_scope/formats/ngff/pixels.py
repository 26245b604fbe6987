"""Pixels of a Zarr array: opened at the first read, by any thread, while it grows.

A few chunks of a plain array on a disk are read straight from their files
(`napari_scope.formats.ngff.chunk_reader`). Otherwise tensorstore reads; zarr-python
takes over for arrays that tensorstore does not know (filters and codecs of numcodecs).
Nothing decoded is kept between reads: a shard that
is still being written may change twice within the clock tick of its file system, so
a cache that trusts modification times would go on showing the empty frame. The page
cache of the system keeps the bytes.

A store that is finished while open gets a new zarr.json (the index of its shards
moves). The document is therefore looked at before each read, and the array is opened
anew when it was replaced.

For what is far away neither holds: chunks stay in the pool of
`napari_scope.formats.ngff.place.remote`, an array is opened anew only after a read
that failed, and every read has a time limit.
"""

from __future__ import annotations

import functools
import math
import os
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.chunk_reader import ChunkReader
from napari_scope.formats.ngff.place.places import wait

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import tensorstore

    from napari_scope.formats.ngff.store import ArrayInfo

__all__ = ["ZarrSource"]

Block = tuple[slice, ...]

_MOST_PARTS = 256  # of a block that is far away
_MUCH = 64 * 2**30  # bytes, where the memory of the machine is not known


class ZarrSource:
    """Blocks of one Zarr array (a `napari_scope.arrays.BlockSource`). It pickles.

    Parameters
    ----------
    info : ArrayInfo
        Where the array is and what its JSON says.
    """

    def __init__(self, info: ArrayInfo) -> None:
        self._info = info
        self._lock = threading.Lock()
        self._opened: tuple[_Reader, Hashable] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return ZarrSource, (self._info,)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis, as it was when the data set was opened."""
        return self._info.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return self._info.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Chunk, or inner chunk of a sharded array."""
        return self._info.chunks

    @property
    def folder(self) -> Path:
        """Folder of the array; a `FormatError` if it is none of this machine."""
        return self._info.folder

    @property
    def name(self) -> str:
        """What messages call the array: its folder or address."""
        return self._info.name

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        """Read one block; chunks that do not exist are the fill value.

        Raises
        ------
        FormatError
            If the array cannot be opened or a chunk cannot be decoded.
        """
        lengths = tuple(len(range(s.start, s.stop, s.step or 1)) for s in block)
        if 0 in lengths:
            return np.empty(lengths, self.dtype)
        size = math.prod(lengths) * self.dtype.itemsize
        if size > _memory():
            raise FormatError(
                f"{size:,} bytes were asked for at once, more than the memory of this "
                "machine",
                path=self.name,
            )
        try:
            reader = self._reader()
            try:
                pixels = reader.read(block)
            except _READ_ERRORS as error:
                self._raise_if_known(error)
                # The store may have been finished between the look and the read.
                pixels = self._reader(after=reader).read(block)
        except _READ_ERRORS as error:
            self._raise_if_known(error)
            raise FormatError(
                f"pixels cannot be read: {_first_line(error)}", path=self.name
            ) from error
        return np.asarray(pixels, dtype=self.dtype)

    def check(self) -> None:
        """Open the array without reading a pixel.

        Raises
        ------
        FormatError
            If that is not possible: a codec is not known.
        """
        self._reader()

    def _raise_if_known(self, error: Exception) -> None:
        """Raise in words what the way to the array is to blame for."""
        known = self._info.place.explain(error)
        if known is not None:
            with self._lock:
                self._opened = None
            raise known from error

    def _reader(self, after: _Reader | None = None) -> _Reader:
        """Return the open array, opened anew if its document was replaced.

        ``after`` is a reader that failed: it is not used again.
        """
        signature = self._info.place.signature()
        with self._lock:
            if self._opened is not None:
                reader, opened_at = self._opened
                if opened_at == signature and reader is not after:
                    return reader
            direct = ChunkReader.of(self._info)
            if direct is None:
                reader = _open(self._info)
            else:
                reader = _DirectReader(self._info, direct)
            if len(reader.shape) != len(self.shape) or any(
                now < then for now, then in zip(reader.shape, self.shape, strict=True)
            ):
                raise FormatError(
                    f"the array now has shape {reader.shape}, it had {self.shape} "
                    "when it was opened",
                    path=self.name,
                    hint="open the data set again",
                )
            self._opened = (reader, signature)
            return reader


# What the two libraries raise for damaged data: tensorstore ValueError and OSError
# kinds, zarr-python and numcodecs RuntimeError, KeyError and TypeError as well.
_READ_ERRORS = (ValueError, OSError, RuntimeError, KeyError, TypeError)


@functools.cache
def _memory() -> int:
    """Return the memory of this machine in bytes, or a large number."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return _MUCH


class _Reader(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self, block: Block) -> npt.NDArray[np.generic]: ...


class _TensorStoreReader:
    """An array opened by tensorstore; what is on a disk is read without cache."""

    def __init__(self, info: ArrayInfo) -> None:
        import tensorstore

        self._place = info.place
        self._chunks = info.chunks
        spec: dict[str, object] = {
            "driver": "zarr3" if info.zarr_format == 3 else "zarr",
            "kvstore": info.place.kvstore(),
        }
        context = info.place.context()
        if context is None:
            spec["context"] = {"cache_pool": {"total_bytes_limit": 0}}
        else:
            # Whatever was fetched since it was opened counts as fresh.
            spec["recheck_cached_data"] = spec["recheck_cached_metadata"] = "open"
        self._array = info.place.ask(
            lambda seconds: wait(
                tensorstore.open(spec, context=context, open=True, read=True), seconds
            )
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._array.shape)

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        return self._place.ask(lambda seconds: self._read(block, seconds))

    def _read(self, block: Block, seconds: float | None) -> npt.NDArray[np.generic]:
        axis, parts = (0, [block]) if seconds is None else _parts(block, self._chunks)
        reading = [self._array[part].read() for part in parts]
        try:
            read = _results(reading, seconds)
        except BaseException:
            for future in reading:
                future.cancel()
            raise
        pixels: npt.NDArray[np.generic]
        pixels = read[0] if len(read) == 1 else np.concatenate(read, axis=axis)
        return pixels


def _results(
    reading: Sequence[tensorstore.Future[npt.NDArray[np.generic]]],
    seconds: float | None,
) -> list[npt.NDArray[np.generic]]:
    """Wait for all parts; give up after some seconds in which none has come.

    A large block that takes its time is not a silent server.
    """
    results = []
    done = 0
    for future in reading:
        while True:
            try:
                results.append(future.result(timeout=seconds))
                break
            except TimeoutError:
                before, done = done, sum(other.done() for other in reading)
                if done <= before:
                    raise
    return results


def _parts(block: Block, chunks: tuple[int, ...]) -> tuple[int, list[Block]]:
    """Cut a block between chunks along one axis; return that axis and the parts.

    Examples
    --------
    >>> _parts((slice(0, 1), slice(3, 9)), (1, 4))
    (1, [(slice(0, 1, None), slice(3, 4, None)), (slice(0, 1, None), \
slice(4, 8, None)), (slice(0, 1, None), slice(8, 9, None))])
    """
    for axis, (part, chunk) in enumerate(zip(block, chunks, strict=True)):
        start, stop = part.start, part.stop
        if part.step in (None, 1) and (stop - 1) // chunk > start // chunk:
            count = (stop - 1) // chunk - start // chunk + 1
            step = chunk * -(-count // _MOST_PARTS)
            cuts = [start, *range((start // chunk + 1) * chunk, stop, step), stop]
            return axis, [
                (*block[:axis], slice(a, b), *block[axis + 1 :])
                for a, b in pairwise(cuts)
            ]
    return 0, [block]


class _ZarrReader:
    """An array opened by zarr-python."""

    def __init__(self, info: ArrayInfo) -> None:
        import zarr

        from napari_scope.formats.ngff.place.zarr_store import PlaceStore

        place = info.place
        self._array = zarr.open_array(
            str(info.folder) if place.local else PlaceStore(place),
            mode="r",
            zarr_format=info.zarr_format,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        return np.asarray(self._array[block])


class _DirectReader:
    """Few chunks from their files; all else by a library, opened when it is needed."""

    def __init__(self, info: ArrayInfo, direct: ChunkReader) -> None:
        self._info = info
        self._direct = direct
        self._library: _Reader | None = None
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, ...]:
        return self._direct.shape

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        pixels = self._direct.read(block)
        if pixels is not None:
            return pixels
        with self._lock:
            if self._library is None:
                self._library = _open(self._info)
            library = self._library
        return library.read(block)


def _open(info: ArrayInfo) -> _Reader:
    reasons: list[str] = []
    cause: BaseException | None = None
    for kind in (_TensorStoreReader, _ZarrReader):
        try:
            return kind(info)
        except (*_READ_ERRORS, ImportError) as error:
            known = info.place.explain(error)
            if known is not None:
                raise known from error
            reasons.append(_first_line(error))
            cause = error
    raise FormatError(
        f"the array cannot be opened, neither by tensorstore ({reasons[0]}) nor by "
        f"zarr ({reasons[1]})",
        path=info.name,
    ) from cause


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    text = text.partition(" [tensorstore_spec=")[0]
    return (text or type(error).__name__)[:300]
