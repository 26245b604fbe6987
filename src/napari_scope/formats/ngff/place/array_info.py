"""What the document of a Zarr array says: shape, type of pixels, chunks.

Reads the JSON of Zarr v2 and v3 and nothing else. Every number is checked before it is
used: a document can declare anything, and a reader that believes it would ask for more
memory than there is.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.place.places import folder_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_scope.formats.ngff.place.places import Place

    Json = Mapping[str, object]

__all__ = ["MAX_CHUNK", "ArrayInfo", "array_info"]

MAX_CHUNK = 8 * 2**30
"""Largest chunk in bytes, uncompressed: it has to fit into memory to be decoded."""

_MAX_AXES = 16
_MAX_BYTES = 2**62  # of an array: products stay within the integers of numpy
_MAX_PER_SHARD = 2**26  # chunks; their index is read whole, 16 bytes for each


@dataclass(frozen=True, slots=True)
class ArrayInfo:
    """What the JSON of an array says.

    Parameters
    ----------
    place : Place
        Where the array lies.
    zarr_format : 2 or 3
        Version of Zarr.
    shape : tuple of int
        Length of each axis.
    dtype : numpy.dtype
        Type of the pixels, in the byte order of this machine.
    chunks : tuple of int
        What is cheap to read: the chunk, or the inner chunk of a sharded array.
    """

    place: Place
    zarr_format: Literal[2, 3]
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    chunks: tuple[int, ...]

    @property
    def name(self) -> str:
        """What messages call the array."""
        return self.place.name

    @property
    def folder(self) -> Path:
        """Folder of the array, if it is one of this machine.

        Raises
        ------
        FormatError
            If it is not.
        """
        return folder_of(self.place)

    @property
    def document(self) -> Path:
        """The file that describes the array, if it is one of this machine."""
        return self.folder / ("zarr.json" if self.zarr_format == 3 else ".zarray")


def array_info(
    document: Json, place: Place, zarr_format: Literal[2, 3], path: str
) -> ArrayInfo:
    """Understand the document of an array.

    Parameters
    ----------
    document : mapping
        The JSON of ``zarr.json`` or ``.zarray``.
    place : Place
        Where the array lies.
    zarr_format : 2 or 3
        Version of Zarr.
    path : str
        The document, for messages.

    Raises
    ------
    FormatError
        If it is no array, or one that cannot be shown.
    """
    understand = _array_v3 if zarr_format == 3 else _array_v2
    shape, dtype, outer, inner = understand(document, path)
    if math.prod(n or 1 for n in shape) * dtype.itemsize > _MAX_BYTES:
        raise FormatError(f"shape {list(shape)} is not possible", path=path)
    size = math.prod(inner) * dtype.itemsize
    if size > MAX_CHUNK:
        raise FormatError(
            f"chunks of {list(inner)} {dtype}, {size:,} bytes each, are larger than "
            f"the {MAX_CHUNK >> 30} GiB that are read at once",
            path=path,
        )
    if math.prod(-(-n // m) for n, m in zip(outer, inner, strict=True)) > (
        _MAX_PER_SHARD
    ):
        raise FormatError(
            f"shards of {list(outer)} hold too many chunks of {list(inner)}", path=path
        )
    return ArrayInfo(place, zarr_format, shape, dtype, inner)


_Understood = tuple[
    tuple[int, ...], np.dtype[np.generic], tuple[int, ...], tuple[int, ...]
]


def _array_v3(document: Json, path: str) -> _Understood:
    if document.get("node_type") != "array":
        raise FormatError("an array was expected, this is a group", path=path)
    shape = _lengths(document.get("shape"), "shape", path, least=0)
    dtype = _dtype(document.get("data_type"), path)
    grid = _member(document.get("chunk_grid"))
    chunks = _lengths(grid.get("chunk_shape"), "chunk_shape", path, len(shape))
    inner = chunks
    codecs = document.get("codecs")
    orders: list[list[int]] = []
    for codec in codecs if isinstance(codecs, list) else []:
        name = codec.get("name") if isinstance(codec, dict) else codec
        configuration = _member(codec)
        if name == "transpose":
            order = configuration.get("order")
            if (
                not isinstance(order, list)
                or not all(type(axis) is int for axis in order)
                or sorted(order) != list(range(len(shape)))
            ):
                raise FormatError(f"transpose order {str(order)[:60]}", path=path)
            orders.append(order)
        elif name == "sharding_indexed":
            inner = _lengths(
                configuration.get("chunk_shape"), "chunk_shape", path, len(shape)
            )
            # The shard's chunks are counted in the order after the transposes.
            for order in reversed(orders):
                inner = tuple(inner[order.index(axis)] for axis in range(len(shape)))
            break
    return shape, dtype, chunks, inner


def _array_v2(document: Json, path: str) -> _Understood:
    shape = _lengths(document.get("shape"), "shape", path, least=0)
    chunks = _lengths(document.get("chunks"), "chunks", path, len(shape))
    return shape, _dtype(document.get("dtype"), path), chunks, chunks


def _member(value: object) -> Json:
    """Return the ``configuration`` of a named object of Zarr v3."""
    if isinstance(value, dict):
        configuration = value.get("configuration", {})
        if isinstance(configuration, dict):
            return configuration
    return {}


def _lengths(
    value: object, what: str, path: str, ndim: int | None = None, *, least: int = 1
) -> tuple[int, ...]:
    good = (
        isinstance(value, list)
        and len(value) <= _MAX_AXES
        and all(type(n) is int and least <= n < 2**63 for n in value)
        and (ndim is None or len(value) == ndim)
    )
    if not good:
        raise FormatError(f"{what} {str(value)[:60]} is not valid", path=path)
    return tuple(value)  # type: ignore[arg-type]


def _dtype(value: object, path: str) -> np.dtype[np.generic]:
    """Return the type of the pixels; only numbers and truth values can be shown."""
    if isinstance(value, str) and re.fullmatch(r"[<>|=]?[a-z]+\d*", value):
        try:
            dtype = np.dtype(value)
        except TypeError:
            dtype = np.dtype(object)
        if dtype.kind in "biuf":
            return dtype.newbyteorder("=")
    raise FormatError(f"pixels of type {str(value)[:60]} cannot be shown", path=path)
