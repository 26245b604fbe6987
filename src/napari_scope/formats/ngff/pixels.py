"""Pixels of a Zarr array: opened at the first read, by any thread, while it grows.

tensorstore reads; zarr-python takes over for arrays that tensorstore does not know
(filters and codecs of numcodecs). Nothing decoded is kept between reads: a shard that
is still being written may change twice within the clock tick of its file system, so
a cache that trusts modification times would go on showing the empty frame. The page
cache of the system keeps the bytes.

A store that is finished while open gets a new zarr.json (the index of its shards
moves). The document is therefore looked at before each read, and the array is opened
anew when it was replaced.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ngff.store import ArrayInfo

__all__ = ["ZarrSource"]

Block = tuple[slice, ...]


class ZarrSource:
    """Blocks of one Zarr array on disk (a `napari_scope.arrays.BlockSource`).

    Parameters
    ----------
    info : ArrayInfo
        Where the array is and what its JSON says.
    """

    def __init__(self, info: ArrayInfo) -> None:
        self._info = info
        self._lock = threading.Lock()
        self._opened: tuple[_Reader, _Signature] | None = None

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
        """Folder of the array."""
        return self._info.folder

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
        reader = self._reader()
        try:
            pixels = reader.read(block)
        except _READ_ERRORS:
            # The store may have been finished between the look and the read.
            try:
                pixels = self._reader(after=reader).read(block)
            except _READ_ERRORS as error:
                raise FormatError(
                    f"pixels cannot be read: {_first_line(error)}", path=self.folder
                ) from error
        return np.asarray(pixels, dtype=self.dtype)

    def _reader(self, after: _Reader | None = None) -> _Reader:
        """Return the open array, opened anew if its document was replaced.

        ``after`` is a reader that failed: it is not used again.
        """
        signature = _signature(self._info.document)
        with self._lock:
            if self._opened is not None:
                reader, opened_at = self._opened
                if opened_at == signature and reader is not after:
                    return reader
            reader = _open(self._info)
            if len(reader.shape) != len(self.shape) or any(
                now < then for now, then in zip(reader.shape, self.shape, strict=True)
            ):
                raise FormatError(
                    f"the array now has shape {reader.shape}, it had {self.shape} "
                    "when it was opened",
                    path=self.folder,
                    hint="open the data set again",
                )
            self._opened = (reader, signature)
            return reader


# What the two libraries raise for damaged data: tensorstore ValueError and OSError
# kinds, zarr-python and numcodecs RuntimeError, KeyError and TypeError as well.
_READ_ERRORS = (ValueError, OSError, RuntimeError, KeyError, TypeError)

_Signature = tuple[int, int, int]


def _signature(path: Path) -> _Signature:
    """Return what changes when a document is replaced."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise FormatError(
            f"the array is gone: {error.strerror}", path=path.parent
        ) from error
    return status.st_ino, status.st_mtime_ns, status.st_size


class _Reader(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self, block: Block) -> npt.NDArray[np.generic]: ...


class _TensorStoreReader:
    """An array opened by tensorstore, without cache."""

    def __init__(self, info: ArrayInfo) -> None:
        import tensorstore

        folder = info.folder.absolute().as_posix()
        self._array = tensorstore.open(
            {
                "driver": "zarr3" if info.zarr_format == 3 else "zarr",
                "kvstore": {"driver": "file", "path": f"{folder}/"},
                "context": {"cache_pool": {"total_bytes_limit": 0}},
            },
            open=True,
            read=True,
        ).result()

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._array.shape)

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        pixels: npt.NDArray[np.generic] = self._array[block].read().result()
        return pixels


class _ZarrReader:
    """An array opened by zarr-python."""

    def __init__(self, info: ArrayInfo) -> None:
        import zarr

        self._array = zarr.open_array(
            str(info.folder), mode="r", zarr_format=info.zarr_format
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        return np.asarray(self._array[block])


def _open(info: ArrayInfo) -> _Reader:
    reasons: list[str] = []
    cause: BaseException | None = None
    for kind in (_TensorStoreReader, _ZarrReader):
        try:
            return kind(info)
        except (*_READ_ERRORS, ImportError) as error:
            reasons.append(_first_line(error))
            cause = error
    raise FormatError(
        f"the array cannot be opened, neither by tensorstore ({reasons[0]}) nor by "
        f"zarr ({reasons[1]})",
        path=info.folder,
    ) from cause


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return (text or type(error).__name__)[:300]
