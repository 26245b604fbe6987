"""The header of an Analyze file: shape, type and order of the intensities.

Programs write headers that other readers refuse: longer than 348 bytes, shorter, with a
size that is not that of the file. What tells the order of the bytes is the first
number, which is 348 or the size of the file, or else the number of axes, which is 1
to 7.

Source of the fields: the table of CardinalIO's description of the format.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    import os

    Order = Literal["<", ">"]

__all__ = ["LEAST_BYTES", "AnalyzeHeader", "order_of"]

LEAST_BYTES: Final = 148
"""Bytes of a header that has all that is needed."""

_SIZE: Final = 348
# Those of Analyze, and those that NIfTI added, which other programs write as well.
_TYPES: Final = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8",
    256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_MOST_PIXELS: Final = 1 << 28


@dataclass(frozen=True, slots=True)
class AnalyzeHeader:
    """What a header says.

    Parameters
    ----------
    order : {"<", ">"}
        Byte order of all files, little or big endian.
    bins, width, height : int
        Shape of the image.
    dtype : dtype
        Type of the intensities.
    offset : int
        First byte of the intensities in the .img file.
    pixel_size : tuple of float
        Width and height of a pixel as the header has them, in millimeters.
    description : str
        Text of the header.
    """

    order: Order
    bins: int
    width: int
    height: int
    dtype: np.dtype[Any]
    offset: int
    pixel_size: tuple[float, float]
    description: str

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    @classmethod
    def parse(
        cls, data: bytes, path: str | os.PathLike[str], size: int | None = None
    ) -> AnalyzeHeader:
        """Read the bytes of a header.

        Parameters
        ----------
        data : bytes
            The file, or its beginning.
        path : str or PathLike
            Its name, for what is told of errors.
        size : int, optional
            Bytes of the file if these are not all of them.

        Raises
        ------
        FormatError
            If it is none, or one of something else than spectra over a plane.
        """
        if len(data) < LEAST_BYTES:
            raise FormatError(
                f"the header has {len(data)} bytes, at least {LEAST_BYTES} were "
                "expected",
                path=path,
            )
        order = order_of(data, len(data) if size is None else size)
        if order is None:
            raise FormatError(
                "this is no Analyze header: its first number is neither its size nor "
                "is its number of axes from 1 to 7",
                path=path,
            )
        # Counts of bins go beyond what a sign leaves of 16 bits.
        axes = struct.unpack_from(order + "8H", data, 40)
        (code,) = struct.unpack_from(order + "h", data, 70)
        pixdim = struct.unpack_from(order + "8f", data, 76)
        (offset,) = struct.unpack_from(order + "f", data, 108)
        if code not in _TYPES:
            raise FormatError(
                f"values of type {code} are not read", path=path,
                hint=f"the types of Analyze that are: {sorted(_TYPES)}",
            )  # fmt: skip
        deep = [n for n in axes[4 : axes[0] + 1] if n > 1]
        if deep:
            raise FormatError(
                f"the image has a fourth axis of {deep[0]}", path=path,
                hint="spectra over a plane have m/z, x and y only",
            )  # fmt: skip
        width = max(1, axes[2])
        height = 1 if axes[0] in (1, 2) else max(1, axes[3])
        if width * height > _MOST_PIXELS:
            raise FormatError(f"an image of {width} x {height} pixels", path=path)
        return cls(
            order,
            axes[1],
            width,
            height,
            np.dtype(order + _TYPES[code]),
            # A negative one is meant for each slice, of which there is one.
            int(abs(offset)) if np.isfinite(offset) and abs(offset) < 2**53 else 0,
            # Of 0.05 as 32 bits have it no more digits are meant.
            (float(f"{pixdim[2]:.7g}"), float(f"{pixdim[3]:.7g}")),
            data[148:228].split(b"\0")[0].decode("latin-1").strip(),
        )


def order_of(data: bytes, size: int) -> Order | None:
    """Return the byte order of a header, None if it is none.

    Parameters
    ----------
    data : bytes
        At least the first 42 bytes.
    size : int
        Bytes of the file.
    """
    orders: tuple[Order, Order] = ("<", ">")
    for order in orders:
        if struct.unpack_from(order + "i", data, 0)[0] in (_SIZE, size):
            return order
    for order in orders:
        if 1 <= struct.unpack_from(order + "h", data, 40)[0] <= 7:
            return order
    return None
