"""The arrays of a pyramid: documents like that of full resolution, and their pixels.

A coarser level is described by a copy of the document of full resolution in which only
the shape is another: codecs, shards, separator, fill value, order and names stay what
they are. Chunks keep their size as well (they are not halved), but none is larger than
its array.

tensorstore reads and writes; zarr-python does where tensorstore cannot (filters and
codecs of numcodecs).
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Protocol

from napari_scope.errors import DiskSpaceError, FormatError, StreamError
from napari_scope.formats.ngff.disk_errors import disk_error
from napari_scope.formats.ngff.documents import read_document
from napari_scope.formats.ngff.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ngff.pyramid.blocks import Block

__all__ = [
    "LevelArray",
    "level_document",
    "open_level",
    "write_chunks",
    "write_level",
]

_DIMENSIONS = "_ARRAY_DIMENSIONS"  # xarray's names of the axes of Zarr v2

# What the two libraries raise for data or places that are not as they should be.
_ERRORS = (ValueError, OSError, RuntimeError, KeyError, TypeError)


class LevelArray(Protocol):
    """Pixels of one level, read and written by any number of threads."""

    def read(self, block: Block, into: npt.NDArray[Any]) -> None:
        """Read the pixels of a block into an array of its shape."""

    def write(self, block: Block, pixels: npt.NDArray[Any]) -> Callable[[], object]:
        """Begin to write whole chunks; returns what waits for the end of it."""


def level_document(folder: Path, shape: Sequence[int]) -> dict[str, Any]:
    """Return the document of an array like another one, of another shape.

    Parameters
    ----------
    folder : Path
        Folder of the array of full resolution.
    shape : sequence of int
        Shape of the coarser level.

    Raises
    ------
    FormatError
        If that array has no document, or its chunks are not regular.
    """
    document = copy.deepcopy(read_document(folder))
    write = write_chunks(document, folder)
    document["shape"] = list(shape)
    if document.get("zarr_format") == 2:
        document["chunks"] = _clipped(write, shape)
        return document
    attributes = document.get("attributes")
    dimensions = attributes.get(_DIMENSIONS) if isinstance(attributes, dict) else None
    document["attributes"] = {} if dimensions is None else {_DIMENSIONS: dimensions}
    chunk = _clipped(write, shape)
    codecs = document.get("codecs")
    names = [_name(codec) for codec in codecs] if isinstance(codecs, list) else []
    if isinstance(codecs, list) and "sharding_indexed" in names:
        place = names.index("sharding_indexed")
        configuration = codecs[place]["configuration"]
        within = [_name(codec) for codec in configuration.get("codecs", ())]
        if "transpose" in names[:place] or "sharding_indexed" in within:
            # Its chunks are counted in another order of the axes, or hold chunks.
            chunk = list(write)
        else:
            inner = _clipped(configuration["chunk_shape"], shape)
            configuration["chunk_shape"] = inner
            # A shard holds whole chunks: as few as cover the array, if it is small.
            chunk = [
                min(w, -(-n // i) * i)
                for w, n, i in zip(write, shape, inner, strict=True)
            ]
    document["chunk_grid"]["configuration"]["chunk_shape"] = chunk
    return document


def _name(codec: object) -> object:
    return codec.get("name") if isinstance(codec, dict) else codec


def _clipped(chunk: Sequence[int], shape: Sequence[int]) -> list[int]:
    return [min(c, max(1, n)) for c, n in zip(chunk, shape, strict=True)]


def write_chunks(document: Mapping[str, Any], folder: Path) -> tuple[int, ...]:
    """Return what is written at once: the chunk, or the shard of a sharded array.

    The document is one that `Store.array` has accepted.

    Raises
    ------
    FormatError
        If the array is not cut into equal chunks.
    """
    if document.get("zarr_format") == 2:
        return tuple(document["chunks"])
    grid = document["chunk_grid"]
    if grid.get("name") != "regular":
        raise FormatError(
            f"chunks of the kind {grid.get('name')!r} are not written", path=folder
        )
    return tuple(grid["configuration"]["chunk_shape"])


def write_level(folder: Path, document: Mapping[str, Any]) -> None:
    """Make the folder and the document of an array that has no pixels yet."""
    folder.mkdir(parents=True)
    old = document.get("zarr_format") == 2
    data = json.dumps(document, indent=2).encode()
    (folder / (".zarray" if old else "zarr.json")).write_bytes(data)


def open_level(folder: Path) -> LevelArray:
    """Open the array of one level.

    Raises
    ------
    FormatError
        If neither library can.
    """
    reasons: list[str] = []
    cause: BaseException | None = None
    for kind in (_TensorStoreLevel, _ZarrLevel):
        try:
            return kind(folder)
        except (*_ERRORS, ImportError) as error:
            cause = error
            reasons.append(_first_line(error))
    raise FormatError(
        f"the array cannot be opened, neither by tensorstore ({reasons[0]}) nor by "
        f"zarr ({reasons[1]})",
        path=folder,
    ) from cause


class _TensorStoreLevel:
    """An array opened by tensorstore, which codes chunks in its own threads."""

    def __init__(self, folder: Path) -> None:
        import tensorstore

        self._folder = folder
        info = Store(folder).array("")
        self._array = tensorstore.open(
            {
                "driver": "zarr3" if info.zarr_format == 3 else "zarr",
                "kvstore": {
                    "driver": "file",
                    "path": f"{folder.absolute().as_posix()}/",
                },
                "context": {
                    "cache_pool": {"total_bytes_limit": 0},
                    # A level is made of what is there already, and anew after a loss
                    # of power.
                    "file_io_sync": False,
                },
            },
            open=True,
        ).result()

    def read(self, block: Block, into: npt.NDArray[Any]) -> None:
        import tensorstore

        try:
            source = self._array[block][tensorstore.d[:].translate_to[0]]
            tensorstore.array(into).write(source).result()
        except _ERRORS as error:
            raise _unread(error, self._folder) from error

    def write(self, block: Block, pixels: npt.NDArray[Any]) -> Callable[[], object]:
        pending = self._array[block].write(
            pixels, can_reference_source_data_indefinitely=True
        )

        def wait() -> None:
            try:
                pending.result()
            except _ERRORS as error:
                raise _unwritten(error, self._folder) from error

        return wait


class _ZarrLevel:
    """An array opened by zarr-python."""

    def __init__(self, folder: Path) -> None:
        import zarr

        self._folder = folder
        info = Store(folder).array("")
        self._array = zarr.open_array(
            str(folder), mode="r+", zarr_format=info.zarr_format
        )

    def read(self, block: Block, into: npt.NDArray[Any]) -> None:
        try:
            into[...] = self._array[block]
        except _ERRORS as error:
            raise _unread(error, self._folder) from error

    def write(self, block: Block, pixels: npt.NDArray[Any]) -> Callable[[], object]:
        try:
            self._array[block] = pixels
        except _ERRORS as error:
            raise _unwritten(error, self._folder) from error
        return lambda: None


def _unread(error: BaseException, folder: Path) -> FormatError:
    return FormatError(f"pixels cannot be read: {_first_line(error)}", path=folder)


def _unwritten(error: BaseException, folder: Path) -> StreamError:
    if isinstance(found := disk_error(error, folder), DiskSpaceError):
        return found
    return StreamError(f"pixels cannot be written: {_first_line(error)}", path=folder)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return (text or type(error).__name__)[:300]
