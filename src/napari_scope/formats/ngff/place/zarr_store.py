"""A `Place` as a store of zarr-python, for arrays that tensorstore cannot read.

Only reading is there, and no listing: web servers have none, and an array needs none.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from zarr.abc.store import (
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)

from napari_scope.formats.ngff.place.array_info import MAX_CHUNK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

    from napari_scope.formats.ngff.place.places import Place

__all__ = ["PlaceStore"]


class PlaceStore(Store):
    """What zarr-python reads of a place.

    Parameters
    ----------
    place : Place
        Where the array lies.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = False

    def __init__(self, place: Place) -> None:
        super().__init__(read_only=True)
        self._place = place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlaceStore) and self._place == other._place

    def __hash__(self) -> int:
        return hash(self._place)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return an object, or the part of it that is asked for."""
        data = await asyncio.to_thread(self._place.read, key, MAX_CHUNK)
        if data is None:
            return None
        return prototype.buffer.from_bytes(data[_slice(byte_range)])

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Return parts of objects."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether there is an object."""
        return await asyncio.to_thread(self._place.has, key)

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse to write."""
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse to delete."""
        self._check_writable()

    def list(self) -> AsyncIterator[str]:
        """Refuse to list."""
        raise NotImplementedError("a place cannot be listed")

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Refuse to list."""
        raise NotImplementedError("a place cannot be listed")

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Refuse to list."""
        raise NotImplementedError("a place cannot be listed")


def _slice(part: ByteRequest | None) -> slice:
    match part:
        case None:
            return slice(None)
        case RangeByteRequest(start, end):
            return slice(start, end)
        case OffsetByteRequest(offset):
            return slice(offset, None)
        case SuffixByteRequest(suffix):
            return slice(-suffix, None)
    raise TypeError(f"{part!r} is no part of an object")
