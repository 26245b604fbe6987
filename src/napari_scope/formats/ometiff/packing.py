"""Compression of the strip of one frame: zlib ("deflate") and LZW.

Whole numbers are stored as differences along a row first (the horizontal predictor of
TIFF), which makes camera images a good deal smaller. zlib comes from Python. LZW comes
from Pillow, which is made to write and read a TIFF file in memory whose strip is ours.

Examples
--------
>>> import numpy as np
>>> codec = Codec("zlib", np.dtype("u2"))
>>> frame = np.arange(12, dtype="u2").reshape(3, 4)
>>> bool((codec.unpack(codec.pack(frame), (3, 4)) == frame).all())
True
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from napari_scope.errors import FormatError, SettingsError

if TYPE_CHECKING:
    import numpy.typing as npt

    Frame: TypeAlias = npt.NDArray[np.generic]

__all__ = ["COMPRESSIONS", "Codec", "Compression", "codec_of"]

Compression: TypeAlias = Literal["zlib", "lzw"]

COMPRESSIONS: tuple[Compression, ...] = ("zlib", "lzw")

# Twice as fast as the next level for two percent of the size (noisy 16 bit images).
_LEVEL = 1

_TAGS: dict[Compression, int] = {"zlib": 8, "lzw": 5}

# What Pillow opens without a warning.
_LZW_MOST_BYTES = 80_000_000


class Codec:
    """Packs and unpacks frames of one type. Thread safe.

    Parameters
    ----------
    name : {"zlib", "lzw"}
        The compression.
    dtype : numpy.dtype
        Type of the pixels.
    predictor : bool, optional
        Whether differences are stored; by default for whole numbers.
    """

    def __init__(
        self,
        name: Compression,
        dtype: np.dtype[np.generic],
        *,
        predictor: bool | None = None,
    ) -> None:
        if name not in _TAGS:
            raise SettingsError(
                f"OME-TIFF has no compression {name!r}",
                hint=f"use one of {', '.join(COMPRESSIONS)}, or none",
            )
        self.name = name
        self.dtype = dtype.newbyteorder("<")
        self.compression = _TAGS[name]
        differences = dtype.kind in "ui" if predictor is None else predictor
        self.predictor = 2 if differences else 1
        # Differences wrap around, whatever the sign.
        self._plain = np.dtype(f"<u{dtype.itemsize}")

    def check(self, nbytes: int) -> None:
        """Refuse frames of a size that cannot be packed.

        Raises
        ------
        SettingsError
            LZW and too large.
        """
        if self.name == "lzw" and nbytes > _LZW_MOST_BYTES:
            raise SettingsError(
                f"frames of {nbytes / 1e6:.0f} MB cannot be packed with LZW",
                hint="use zlib, which is smaller and faster, too",
            )

    def pack(self, frame: Frame) -> bytes:
        """Return the strip of a frame."""
        pixels = np.ascontiguousarray(frame, self.dtype)
        if self.predictor == 2:
            plain = pixels.view(self._plain)
            pixels = plain.copy()
            np.subtract(plain[:, 1:], plain[:, :-1], out=pixels[:, 1:])
        if self.name == "zlib":
            return zlib.compress(pixels.data.cast("B"), _LEVEL)
        return _pack_lzw(pixels)

    def unpack(self, strip: bytes, shape: tuple[int, ...]) -> Frame:
        """Return the frame of a strip.

        Raises
        ------
        FormatError
            The strip is damaged.
        """
        nbytes = math.prod(shape) * self.dtype.itemsize
        if self.name == "zlib":
            data = _unpack_zlib(strip, nbytes)
        else:
            data = _unpack_lzw(strip, shape[0], nbytes // shape[0])
        if len(data) != nbytes:
            raise FormatError(
                f"a packed frame of {nbytes} bytes unpacks to {len(data)} bytes"
            )
        if self.predictor == 2:
            plain = np.frombuffer(data, self._plain).reshape(shape)
            return np.cumsum(plain, axis=1, dtype=self._plain).view(self.dtype)
        return np.frombuffer(bytearray(data), self.dtype).reshape(shape)


def codec_of(
    compression: int, predictor: int, dtype: np.dtype[np.generic]
) -> Codec | None:
    """Return what unpacks a strip, None for a plain one, from values of TIFF tags.

    Raises
    ------
    FormatError
        There is no such compression here.
    """
    if compression == 1:
        return None
    for name, tag in _TAGS.items():
        if tag == compression and predictor in (1, 2):
            return Codec(name, dtype, predictor=predictor == 2)
    raise FormatError(
        f"TIFF compression {compression} with predictor {predictor} is not read"
    )


def _unpack_zlib(strip: bytes, nbytes: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        # A damaged strip may claim any size.
        return unpacker.decompress(strip, nbytes + 1)
    except zlib.error as error:
        raise FormatError(f"a packed frame is damaged: {error}") from error


def _pack_lzw(pixels: Frame) -> bytes:
    from PIL import Image

    height = pixels.shape[0]
    data = pixels.tobytes()
    # For Pillow the bytes are pixels: it need not know their type.
    image = Image.frombuffer("L", (len(data) // height, height), data, "raw", "L", 0, 1)
    file = io.BytesIO()
    image.save(file, "TIFF", compression="tiff_lzw", tiffinfo={278: height})
    written = file.getbuffer()
    (ifd,) = struct.unpack_from("<I", written, 4)
    (count,) = struct.unpack_from("<H", written, ifd)
    tags = {}
    for entry in range(ifd + 2, ifd + 2 + 12 * count, 12):
        tag, kind, _, value = struct.unpack_from("<HHI4s", written, entry)
        tags[tag] = int.from_bytes(value[: 2 if kind == 3 else 4], "little")
    return bytes(written[tags[273] : tags[273] + tags[279]])


def _unpack_lzw(strip: bytes, height: int, row_bytes: int) -> bytes:
    from PIL import Image, UnidentifiedImageError

    # fmt: off
    entries = (
        256, 4, 1, row_bytes, 257, 4, 1, height, 258, 3, 1, 8, 259, 3, 1, 5,
        262, 3, 1, 1, 273, 4, 1, 126, 277, 3, 1, 1, 278, 4, 1, height,
        279, 4, 1, len(strip),
    )
    # fmt: on
    head = struct.pack("<2sHIH" + "HHII" * 9 + "I8x", b"II", 42, 8, 9, *entries, 0)
    try:
        with Image.open(io.BytesIO(head[:126] + strip)) as image:
            return image.tobytes()
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise FormatError(f"a packed frame is damaged: {error}") from error
