"""The three MS-Numpress codings of arrays in mzML, decoded.

Teleman et al. 2014 (doi:10.1074/mcp.O114.037879) describe them. *Linear* and *slof*
begin with a factor, a float64 in network order. *Linear* then has two integers of four
bytes, and for all further values how far they lie from the straight line through the
two before; *pic* has integers. Both are made of half bytes, the upper one first: one
says how many half bytes of zeros (0 to 8) or of ones (9 to 15, less 8) were left out at
the upper end of 32 bits, the others follow, the lowest first. *Slof* has 16 bits a
value, the logarithm of the value + 1.

Examples
--------
>>> decode_pic(bytes([0x77, 0x72])).tolist()  # twice, 7 half bytes are left out
[7.0, 2.0]
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

__all__ = ["DECODERS", "decode_linear", "decode_pic", "decode_slof"]

# How many half bytes a number has by its first one, that one counted.
_LENGTHS: Final = bytes([9 - n if n <= 8 else 17 - n for n in range(16)])
_LENGTH_TABLE: Final = _LENGTHS + bytes(240)


def decode_linear(data: bytes) -> Floats:
    """Decode values that follow a line, m/z for example.

    Raises
    ------
    ValueError
        If the bytes cannot be such a coding.
    """
    if len(data) == 8:
        return np.zeros(0)
    if len(data) not in (12,) and len(data) < 16:
        raise ValueError(f"{len(data)} bytes are too few")
    factor = _factor(data)
    first = np.frombuffer(data[8:16], "<u4").astype(np.int64)
    if len(first) == 1:
        return first / factor
    steps = _integers(data[16:])
    # Each value is twice the last one, less the one before it, and what is stored.
    slopes = np.cumsum(np.concatenate([[first[1] - first[0]], steps]))
    values = np.concatenate([first[:1], first[0] + np.cumsum(slopes)])
    return values / factor


def decode_pic(data: bytes) -> Floats:
    """Decode whole numbers from 0 on, counts of ions for example.

    Raises
    ------
    ValueError
        If the bytes cannot be such a coding.
    """
    return _integers(data).astype(np.float64)


def decode_slof(data: bytes) -> Floats:
    """Decode logarithms of 16 bits.

    Raises
    ------
    ValueError
        If the bytes cannot be such a coding.
    """
    if len(data) < 8 or len(data) % 2:
        raise ValueError(f"{len(data)} bytes are no whole number of values")
    factor = _factor(data)
    with np.errstate(over="ignore"):
        return np.expm1(np.frombuffer(data, "<u2", offset=8) / factor)


def _factor(data: bytes) -> float:
    factor: float = struct.unpack(">d", data[:8])[0]
    if not (np.isfinite(factor) and factor > 0):
        raise ValueError(f"the factor is {factor}")
    return factor


def _integers(data: bytes) -> Integers:
    """Return signed numbers made of half bytes."""
    whole = np.frombuffer(data, np.uint8)
    halves = np.empty(2 * len(whole), np.uint8)
    halves[::2], halves[1::2] = whole >> 4, whole & 15
    n = len(halves)
    # A zero in the last half byte fills the last byte up: as a number it would need
    # eight more.
    if n and halves[-1] == 0:
        n -= 1
    lengths = halves[:n].tobytes().translate(_LENGTH_TABLE)
    heads, at = [], 0
    while at < n:
        heads.append(at)
        at += lengths[at]
    if at == n + 1 and n < len(halves):
        n += 1  # the zero was the last part of a number
    elif at != n:
        raise ValueError("the last number is cut off")
    begin = np.array(heads, np.int64)
    head = halves[begin].astype(np.int64) if heads else np.zeros(0, np.int64)
    count = 8 - np.where(head > 8, head - 8, head)
    values = np.zeros(len(begin), np.int64)
    for place in range(8):
        has = count > place
        values[has] |= halves[begin[has] + 1 + place].astype(np.int64) << (4 * place)
    # The half bytes of ones that were left out, and the sign of 32 bits.
    values |= np.where(head > 8, -1 << (4 * count), 0)
    return ((values + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


DECODERS: Final[dict[str, Callable[[bytes], Floats]]] = {
    "linear": decode_linear,
    "pic": decode_pic,
    "slof": decode_slof,
}
"""Decoders by the names of the codings."""
