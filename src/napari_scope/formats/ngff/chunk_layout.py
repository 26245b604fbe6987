"""How an array of the plain kind is stored: its chunks, their files and their codecs.

Most arrays are cut into equal chunks (or shards of these), each compressed by Blosc,
Zstandard, gzip or not at all. `chunk_layout` says how, or None for every array that
has anything else about it: other filters and codecs, transposed axes, extensions that
are not known. Such arrays are left to the libraries, which also have the last word on
chunks that are not as they should be; here nothing is guessed.

No file is read here.

Sources: Zarr core specifications 2 and 3; sharding_indexed, crc32c and blosc codecs of
Zarr 3; header of Blosc 1 (README_HEADER of c-blosc); Zstandard frame header (RFC 8878,
section 3.1.1.1).
"""

from __future__ import annotations

import functools
import json
import math
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.place.array_info import array_info
from napari_scope.formats.ngff.place.places import FolderPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    Json = Mapping[str, object]

__all__ = ["ChunkLayout", "Coding", "ShardIndex", "chunk_layout"]

_V2_KEYS = {
    "zarr_format", "shape", "chunks", "dtype", "compressor", "fill_value", "order",
    "filters", "dimension_separator",
}  # fmt: skip
_V3_KEYS = {
    "zarr_format", "node_type", "shape", "data_type", "chunk_grid",
    "chunk_key_encoding", "fill_value", "codecs", "attributes", "dimension_names",
    "storage_transformers",
}  # fmt: skip
_CRC_BYTES = 4
_MOST_PER_SHARD = 2**14  # chunks: their index is read whole, each time
_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NO_NUMBER = object()

# What documents raise that are not what they should be.
_ODD = (FormatError, ValueError, TypeError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Coding:
    """How a chunk becomes bytes.

    Parameters
    ----------
    size : int
        Bytes of its pixels.
    compressor : str
        ``"blosc"``, ``"zstd"``, ``"gzip"``, ``"zlib"`` or nothing.
    checked : bool
        Whether a CRC-32C follows.
    """

    size: int
    compressor: str
    checked: bool

    @property
    def most(self) -> int:
        """No chunk takes more bytes: compressed noise grows a little."""
        packed = 2 * self.size + 2**16 if self.compressor else self.size
        return packed + _CRC_BYTES * self.checked

    def decode(self, data: bytes) -> bytes:
        """Return the bytes of the pixels.

        Raises
        ------
        ValueError, RuntimeError, zlib.error
            If it is not exactly one whole chunk.
        """
        if self.checked:
            data = checked(data)
        if self.compressor:
            data = _DECODERS[self.compressor](data, self.size)
        if len(data) != self.size:
            raise ValueError(f"{len(data)} bytes of pixels, {self.size} were expected")
        return data


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """The table of a shard: where the chunks lie in it.

    Parameters
    ----------
    at_end : bool
        Whether it is the last part of the shard or the first.
    checked : bool
        Whether a CRC-32C follows.
    counts : tuple of int
        Number of chunks along each axis.
    """

    at_end: bool
    checked: bool
    counts: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the table."""
        return 16 * math.prod(self.counts) + _CRC_BYTES * self.checked


@dataclass(frozen=True, slots=True, eq=False)
class ChunkLayout:
    """How an array is stored.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    dtype : numpy.dtype
        Type of the pixels, in the byte order of the files.
    file : tuple of int
        Pixels of a file, along each axis: of a chunk or of a shard.
    chunk : tuple of int
        Pixels of a chunk; the same where there are no shards.
    prefix, separator : str
        Of the names of the files.
    fill : ndarray
        The value of pixels that are not stored, in the byte order of the machine.
    coding : Coding
        Of a chunk.
    index : ShardIndex or None
        Of a shard.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    file: tuple[int, ...]
    chunk: tuple[int, ...]
    prefix: str
    separator: str
    fill: npt.NDArray[np.generic]
    coding: Coding
    index: ShardIndex | None

    def name(self, place: tuple[int, ...]) -> str:
        """Return the name of a file, with slashes.

        Examples
        --------
        With the separator ``"/"`` of Zarr 3 the file (0, 2) is ``c/0/2``.
        """
        return self.prefix + self.separator.join(map(str, place))


@functools.lru_cache(maxsize=64)  # the fields of a plate mostly say the same
def chunk_layout(document: bytes, zarr_format: Literal[2, 3]) -> ChunkLayout | None:
    """Return how an array is stored, None if that is not of the plain kind.

    Parameters
    ----------
    document : bytes
        Its ``zarr.json`` or ``.zarray``.
    zarr_format : 2 or 3
        Version of Zarr.
    """
    try:
        found = json.loads(document)
        array_info(found, FolderPlace("", ""), zarr_format, "")  # lengths and limits
        return _layout_3(found) if zarr_format == 3 else _layout_2(found)
    except _ODD:
        return None


def _layout_2(document: Json) -> ChunkLayout | None:
    if (
        not set(document) <= _V2_KEYS
        or document.get("order") != "C"
        or document.get("filters")
    ):
        return None
    dtype = np.dtype(str(document["dtype"]))
    if dtype.str != document["dtype"]:
        return None
    compressor = document.get("compressor")
    name = ""
    if compressor is not None:
        name = str(compressor.get("id"))  # type: ignore[attr-defined]
        if name not in _DECODERS:
            return None
    shape, chunk = _lengths(document["shape"]), _lengths(document["chunks"])
    value = document.get("fill_value")
    return _layout(
        shape,
        dtype,
        (chunk, chunk),
        ("", document.get("dimension_separator", ".")),
        0 if value is None else value,
        (name, False),
        None,
    )


def _layout_3(document: Json) -> ChunkLayout | None:
    if not set(document) <= _V3_KEYS or document.get("storage_transformers"):
        return None
    shape, file = _lengths(document["shape"]), None
    grid = _configured(document["chunk_grid"], "regular", {"chunk_shape"})
    kind, key = _named(document.get("chunk_key_encoding"))
    if grid is None or kind not in ("default", "v2") or not set(key) <= {"separator"}:
        return None
    file = chunk = _lengths(grid["chunk_shape"])
    codecs = document["codecs"]
    index = None
    sharding = _configured(
        codecs[0],  # type: ignore[index]
        "sharding_indexed",
        {"chunk_shape", "codecs", "index_codecs", "index_location"},
    )
    if sharding is not None:
        if len(codecs) != 1:  # type: ignore[arg-type]
            return None
        chunk = _lengths(sharding["chunk_shape"])
        codecs = sharding["codecs"]
        index = _shard_index(sharding, file, chunk)
        if index is None:
            return None
    dtype = np.dtype(str(document["data_type"]))
    if dtype.name != document["data_type"]:
        return None
    coding = _codecs(codecs, dtype)
    if coding is None:
        return None
    separator = key.get("separator", "/" if kind == "default" else ".")
    return _layout(
        shape,
        dtype.newbyteorder(coding[0]),  # type: ignore[arg-type]
        (file, chunk),
        (f"c{separator}" if kind == "default" else "", separator),
        document["fill_value"],
        coding[1:],
        index,
    )


def _layout(
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    sizes: tuple[tuple[int, ...], tuple[int, ...]],
    names: tuple[str, object],
    value: object,
    coding: tuple[str, bool],
    index: ShardIndex | None,
) -> ChunkLayout | None:
    fill = _fill(value, dtype.newbyteorder("="))
    prefix, separator = names
    if fill is None or not shape or separator not in (".", "/"):
        return None
    size = math.prod(sizes[1]) * dtype.itemsize
    return ChunkLayout(
        shape,
        dtype,
        *sizes,
        prefix,
        str(separator),
        fill,
        Coding(size, *coding),
        index,
    )


def _shard_index(
    sharding: Json, file: tuple[int, ...], chunk: tuple[int, ...]
) -> ShardIndex | None:
    location = sharding.get("index_location", "end")
    dtype = np.dtype(np.uint64)
    coding = _codecs(sharding.get("index_codecs"), dtype)
    counts = tuple(f // c for f, c in zip(file, chunk, strict=True))
    if (
        coding is None
        or coding[:2] != ("<", "")
        or location not in ("start", "end")
        or any(f % c for f, c in zip(file, chunk, strict=True))
        or math.prod(counts) > _MOST_PER_SHARD
    ):
        return None
    return ShardIndex(location == "end", coding[2], counts)


def _codecs(
    codecs: object, dtype: np.dtype[np.generic]
) -> tuple[str, str, bool] | None:
    """Return byte order, compressor, and whether a checksum follows."""
    if not isinstance(codecs, list) or not 1 <= len(codecs) <= 3:
        return None
    names = [_named(codec) for codec in codecs]
    first, order = names.pop(0)
    endian = order.get("endian", "little" if dtype.itemsize == 1 else None)
    if first != "bytes" or endian not in ("little", "big"):
        return None
    checked = bool(names) and names[-1][0] == "crc32c"
    if checked:
        names.pop()
    compressor = names.pop(0)[0] if names else ""
    if names or compressor not in ("", "blosc", "zstd", "gzip"):
        return None
    return "<" if endian == "little" else ">", compressor, checked


def _named(value: object) -> tuple[object, Json]:
    """Return name and configuration of an object of Zarr 3, which has no more."""
    if isinstance(value, dict) and set(value) <= {"name", "configuration"}:
        configuration = value.get("configuration", {})
        if isinstance(configuration, dict):
            return value.get("name"), configuration
    return None, {}


def _configured(value: object, name: str, keys: set[str]) -> Json | None:
    found, configuration = _named(value)
    return configuration if found == name and set(configuration) <= keys else None


def _lengths(value: object) -> tuple[int, ...]:
    # `array_info` has looked at those of the array; those of shards are compared.
    return tuple(int(n) for n in value)  # type: ignore[attr-defined]


def _fill(value: object, dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic] | None:
    number: object = _NO_NUMBER
    if dtype.kind in "iu" and type(value) is int:
        limits = np.iinfo(dtype)  # type: ignore[type-var]
        number = value if limits.min <= value <= limits.max else _NO_NUMBER
    elif dtype.kind == "f" and isinstance(value, str):
        number = _FLOATS.get(value, _NO_NUMBER)
    elif dtype.kind == "f" and type(value) in (int, float):
        most = float(np.finfo(dtype).max)  # type: ignore[type-var]
        number = value if abs(value) <= most else _NO_NUMBER  # type: ignore[arg-type]
    return None if number is _NO_NUMBER else np.array(number, dtype)


def checked(data: bytes) -> bytes:
    """Return what comes before a CRC-32C.

    Raises
    ------
    ValueError
        If that is not its checksum.
    """
    from crc32c import crc32c

    body = data[:-_CRC_BYTES]
    if len(data) < _CRC_BYTES or struct.pack("<I", crc32c(body)) != data[len(body) :]:
        raise ValueError("the checksum is another one")
    return body


def _unblosc(data: bytes, size: int) -> bytes:
    from numcodecs import blosc

    # Before the decoder believes them: it would make room for what they say.
    if len(data) < 16 or struct.unpack_from("<I4xI", data, 4) != (size, len(data)):
        raise ValueError("not a whole chunk of Blosc")
    found: bytes = blosc.decompress(data)
    return found


def _unzstd(data: bytes, size: int) -> bytes:
    from numcodecs import zstd

    if _zstd_size(data) != size:
        raise ValueError("not a whole chunk of Zstandard")
    found: bytes = zstd.decompress(data)
    return found


def _zstd_size(data: bytes) -> int | None:
    """Return the length of the contents that the header of a frame states."""
    if len(data) < 5 or data[:4] != b"\x28\xb5\x2f\xfd":
        return None
    descriptor = data[4]
    single, kind = descriptor >> 5 & 1, descriptor >> 6
    length = (single, 2, 4, 8)[kind]
    if not length:
        return None
    at = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
    if len(data) < at + length:
        return None
    size = int.from_bytes(data[at : at + length], "little")
    return size + 256 if kind == 1 else size


def _inflated(data: bytes, size: int, wbits: int) -> bytes:
    decoder = zlib.decompressobj(wbits)
    found = decoder.decompress(data, size + 1)
    if not decoder.eof or decoder.unused_data:
        raise ValueError("not a whole chunk of zlib")
    return found


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "blosc": _unblosc,
    "zstd": _unzstd,
    "gzip": functools.partial(_inflated, wbits=31),
    "zlib": functools.partial(_inflated, wbits=15),
}
