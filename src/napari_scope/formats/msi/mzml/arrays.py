"""The text of an array of mzML made into numbers.

base64, zlib or zstd, bytes in another order or MS-Numpress, undone in this order; all
numbers are little endian.

Examples
--------
>>> form = ArrayForm(np.dtype("<f4"), Coding())
>>> decode(b"AACAPwAAAEA=", form, 2).tolist()
[1.0, 2.0]
"""

from __future__ import annotations

import binascii
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.formats.msi.mzml.entry import ArrayForm
from napari_scope.formats.msi.mzml.numpress import DECODERS
from napari_scope.formats.msi.mzml.terms import Coding
from napari_scope.formats.msi.mzml.zstd import in_order, unpacked, without_dictionary

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ArrayForm", "Coding", "decode", "decode_part", "stored_dtype"]

_SPACES: Final = b" \t\r\n"
# A damaged array, or a hostile one, must not unpack to more than it should.
_LARGEST: Final = 64 << 20


def stored_dtype(form: ArrayForm) -> np.dtype[Any]:
    """Return the type of the values of an array; float64 if that is not known."""
    if form.coding.numpress or form.dtype is None:
        return np.dtype(np.float64)
    return form.dtype


def decode(text: bytes, form: ArrayForm, length: int) -> npt.NDArray[Any]:
    """Return the values of an array.

    Parameters
    ----------
    text : bytes
        What is in the file.
    form : ArrayForm
        How they are stored.
    length : int
        How many values there should be, for how much may be unpacked; there may be
        fewer, or more.

    Raises
    ------
    ValueError
        If the text is no such array; says why.
    """
    coding = form.coding
    if coding.unknown:
        raise ValueError(f"the compression {coding.unknown} is not known")
    if form.dtype is None and not coding.numpress:
        raise ValueError("the type of the values is not told")
    data = _bytes_of(text)
    if coding.packed and data:
        unpack = unpacked if coding.packed == "zstd" else _inflated
        data = unpack(data, max(_LARGEST, 16 * length))
    if coding.numpress:
        if not data:
            return np.zeros(0)
        try:
            return DECODERS[coding.numpress](data)
        except ValueError as error:
            raise ValueError(f"numpress {coding.numpress}: {error}") from error
    assert form.dtype is not None
    if coding.order == "dictionary":
        return without_dictionary(data, form.dtype) if data else np.zeros(0, form.dtype)
    if len(data) % form.dtype.itemsize:
        raise ValueError(
            f"{len(data)} bytes are no whole number of values of type {form.dtype.name}"
        )
    if coding.order == "shuffled":
        data = in_order(data, form.dtype.itemsize)
    return np.frombuffer(data, form.dtype)


def _bytes_of(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        pass
    try:
        # Lines are allowed, and are the exception.
        return binascii.a2b_base64(text.translate(None, _SPACES), strict_mode=True)
    except binascii.Error as error:
        raise ValueError(f"the base64 text is damaged: {error}") from error


def _inflated(data: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(data, limit)
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error
    if unpacker.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {limit:,} bytes")
    if not unpacker.eof:
        raise ValueError("it cannot be unpacked: its end is missing")
    return plain


def decode_part(text: bytes, skip: int, size: int, form: ArrayForm) -> npt.NDArray[Any]:
    """Return some values of an array that is nothing but base64.

    Parameters
    ----------
    text : bytes
        A part of its text that begins at a multiple of four letters.
    skip, size : int
        Which of its bytes are wanted.
    form : ArrayForm
        How they are stored.

    Raises
    ------
    ValueError
        If the text is no base64, or too short.
    """
    assert form.dtype is not None
    return np.frombuffer(_bytes_of(text)[skip : skip + size], form.dtype)
