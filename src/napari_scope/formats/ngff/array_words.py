"""What the JSON of a Zarr array says of its storage, in words.

Chunks, shards and codecs of Zarr v2 and v3 as a person wants to read them. Documents
come from files of others: what is odd is left out, nothing here raises.

Examples
--------
>>> storage_of({"zarr_format": 2, "chunks": [1, 64], "compressor": {"id": "zstd"}})
Storage(chunks=(1, 64), shards=(), codecs=('zstd',))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Storage", "storage_of"]

_MOST_CODECS: Final = 16
_LONGEST: Final = 40
_TOLD: Final = ("cname", "clevel", "level", "shuffle")
_SILENT: Final = ("crc32c",)  # of the index of each shard; says nothing of the pixels
_SHUFFLES: Final = {0: "noshuffle", 1: "shuffle", 2: "bitshuffle"}  # numcodecs.Blosc


@dataclass(frozen=True, slots=True)
class Storage:
    """How an array is stored.

    Parameters
    ----------
    chunks : tuple of int
        Shape of a chunk; of the inner chunk, where chunks are packed in shards.
    shards : tuple of int
        Shape of a shard, or empty.
    codecs : tuple of str
        What encodes a chunk, in order, without the plain bytes.
    """

    chunks: tuple[int, ...] = ()
    shards: tuple[int, ...] = ()
    codecs: tuple[str, ...] = ()


def storage_of(document: Mapping[str, object]) -> Storage:
    """Return how an array is stored, from its ``zarr.json`` or ``.zarray``."""
    if document.get("zarr_format") == 2:
        filters = document.get("filters")
        found = list(filters) if isinstance(filters, list) else []
        found.append(document.get("compressor"))
        return Storage(_lengths(document.get("chunks")), (), _words(found))
    grid = _configuration(document.get("chunk_grid"))
    chunks = _lengths(grid.get("chunk_shape"))
    shards: tuple[int, ...] = ()
    codecs = document.get("codecs")
    outer = list(codecs) if isinstance(codecs, list) else []
    listed: list[object] = []
    for codec in outer[:_MOST_CODECS]:
        if _name(codec) != "sharding_indexed":
            listed.append(codec)
            continue
        inside = _configuration(codec)
        chunks, shards = _lengths(inside.get("chunk_shape")), chunks
        inner = inside.get("codecs")
        listed += inner if isinstance(inner, list) else []
    return Storage(chunks, shards, _words(listed))


def _words(codecs: Sequence[object]) -> tuple[str, ...]:
    words: list[str] = []
    for codec in codecs[:_MOST_CODECS]:
        name = _name(codec)
        told = _configuration(codec)
        if name == "bytes":
            if told.get("endian") == "big":
                words.append("big endian")
            continue
        if not name or name in _SILENT:
            continue
        details: list[str] = []
        for key in _TOLD:
            value = told.get(key)
            if key == "shuffle" and type(value) is int:
                value = _SHUFFLES.get(value, value)
            if isinstance(value, str):
                details.append(value[:_LONGEST])
            elif type(value) is int:
                details.append(f"level {value}"[:_LONGEST])
        words.append(f"{name} ({', '.join(details)})" if details else name)
    return tuple(words)


def _name(codec: object) -> str:
    """Return the name of a codec of either version of Zarr."""
    if isinstance(codec, dict):
        codec = codec.get("name", codec.get("id"))
    return codec[:_LONGEST] if isinstance(codec, str) else ""


def _configuration(codec: object) -> Mapping[str, object]:
    """Return the settings: within ``configuration`` in v3, beside the ``id`` in v2."""
    if not isinstance(codec, dict):
        return {}
    inside = codec.get("configuration", {} if "name" in codec else codec)
    return inside if isinstance(inside, dict) else {}


def _lengths(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > _MOST_CODECS:
        return ()
    return tuple(n for n in value if type(n) is int and 0 < n < 2**63)
