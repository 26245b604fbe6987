"""Values as they stand in an .ibd file: which type holds them, and their bytes.

Examples
--------
>>> count, data = pack([1, 2], stored_type("uint8"), "none")
>>> count, data.hex()
(2, '01000200')
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml.written_xml import TYPE_TERMS

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.msi.imzml.terms import Compression

__all__ = ["pack", "stored_type"]

_WIDER: Final = {"u1": "<i2", "u2": "<i4", "u4": "<i8", "f2": "<f4", "b1": "i1"}


def stored_type(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return the type in the file that holds all values of a type.

    Examples
    --------
    >>> stored_type("uint16").str, stored_type(">f8").str
    ('<i4', '<f8')
    """
    given = np.dtype(dtype)
    plain = np.dtype(_WIDER.get(given.str[1:], given)).newbyteorder("<")
    if plain not in TYPE_TERMS:
        raise FormatError(
            f"imzML has no values of type {given}",
            hint="it has floats of 4 and 8 bytes and integers with a sign",
        )
    return plain


def pack(
    given: npt.ArrayLike, dtype: np.dtype[Any], compression: Compression
) -> tuple[int, bytes]:
    """Return the number of values, and their bytes.

    Raises
    ------
    ValueError
        If they are no row of values, or one of them does not fit the type.
    """
    values = np.asarray(given)
    if values.ndim != 1:
        raise ValueError(
            f"one row of values was expected, not the shape {values.shape}"
        )
    with np.errstate(invalid="ignore", over="ignore"):
        converted = values.astype(dtype)
    if dtype.kind == "i":
        fits = bool((converted == values).all())
    elif dtype.itemsize < values.dtype.itemsize:
        # Digits may be lost, but no number may become infinite.
        fits = bool((np.isfinite(converted) | ~np.isfinite(values)).all())
    else:
        fits = True
    if not fits:
        raise ValueError(f"values of type {values.dtype} do not fit {dtype}")
    data = converted.tobytes()
    return values.size, zlib.compress(data) if compression == "zlib" else data
