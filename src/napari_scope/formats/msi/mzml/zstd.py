"""Arrays of mzML that were made smaller with Zstandard, plain or put in order before.

Newer files have them. Bytes may be shuffled first: the first bytes of all values, then
the second ones, and so on. Or the values are replaced by a dictionary: two integers of
eight bytes (where the indices begin, how many values there are), the different values,
shuffled, and for each value of the array its index, shuffled, in the fewest whole bytes
of 1, 2, 4 and 8 that can count the values. What the frames of Zstandard look like, RFC
8878 says.

Examples
--------
>>> list(in_order(bytes([1, 2, 0, 0]), 2))  # 1 and 2, of two bytes each
[1, 0, 2, 0]
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["in_order", "unpacked", "without_dictionary"]

_MAGIC: Final = 0xFD2FB528
_LARGEST_BLOCK: Final = 128 << 10
_IDS: Final = (0, 1, 2, 4)  # bytes of the number of a dictionary, by two bits
_SIZES: Final = (0, 2, 4, 8)  # and of the size of the content


def unpacked(data: bytes, limit: int) -> bytes:
    """Return what frames of Zstandard hold.

    Parameters
    ----------
    data : bytes
        The frames.
    limit : int
        Most bytes that they may unpack to.

    Raises
    ------
    ValueError
        If they are damaged, or would unpack to more.
    """
    try:
        most = _most_bytes(data)
    except (struct.error, IndexError) as error:
        raise ValueError("it cannot be unpacked: its end is missing") from error
    if most > limit:
        raise ValueError(f"it unpacks to more than {limit:,} bytes")
    if not most:
        return b""
    from numcodecs.zstd import Zstd

    try:
        return bytes(Zstd().decode(data))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error


def _most_bytes(data: bytes) -> int:
    """Return how much some frames may unpack to, from the heads of their blocks."""
    at, most = 0, 0
    while at < len(data):
        (magic,) = struct.unpack_from("<I", data, at)
        if magic != _MAGIC:
            raise ValueError("it cannot be unpacked: it is no Zstandard")
        described = data[at + 4]
        is_single = bool(described & 0x20)
        size = _SIZES[described >> 6] or int(is_single)
        at += 5 + (not is_single) + _IDS[described & 3] + size
        is_last = False
        while not is_last:
            head = int.from_bytes(data[at : at + 3], "little")
            if at + 3 > len(data):
                raise IndexError(at)
            is_last, kind, length = bool(head & 1), head >> 1 & 3, head >> 3
            most += length if kind < 2 else _LARGEST_BLOCK
            at += 3 + (1 if kind == 1 else length)
        at += 4 * bool(described & 4)  # a checksum
    return most


def in_order(data: bytes, width: int) -> bytes:
    """Return bytes in the order of values again.

    Parameters
    ----------
    data : bytes
        A whole number of values.
    width : int
        Bytes of a value.
    """
    return np.frombuffer(data, np.uint8).reshape(width, -1).T.tobytes()


def without_dictionary(data: bytes, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the values that stand in a dictionary, in the order of its indices.

    Raises
    ------
    ValueError
        If the bytes are no dictionary of values of this type.
    """
    if len(data) < 16:
        raise ValueError(f"{len(data)} bytes are too few for a dictionary")
    begin, count = struct.unpack_from("<QQ", data)
    if begin != 16 + count * dtype.itemsize or begin > len(data):
        raise ValueError(
            f"a dictionary of {count} values of type {dtype.name} does not end at "
            f"byte {begin} of {len(data)}"
        )
    width = next(n for n in (1, 2, 4, 8) if count < 1 << 8 * n)
    if (len(data) - begin) % width:
        raise ValueError(f"its indices are no whole number of {width} bytes each")
    values = np.frombuffer(in_order(data[16:begin], dtype.itemsize), dtype)
    indices = np.frombuffer(in_order(data[begin:], width), f"<u{width}")
    if len(indices) and int(indices.max()) >= count:
        raise ValueError(f"an index is beyond the {count} values of its dictionary")
    found: npt.NDArray[Any] = values[indices]
    return found
