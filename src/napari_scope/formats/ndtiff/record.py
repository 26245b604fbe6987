"""The bytes of an NDTiff file: its header and the record of one image.

An NDTiff file is a plain TIFF whose header also holds the summary metadata, followed
by records of one image each: image file directory (IFD), pixels, metadata as JSON.
Layout after the NDTiff 3.3 specification and the files that Micro-Manager writes
(micro-manager/NDStorage). This module knows neither files on disk nor the index.

Examples
--------
>>> header = encode_header(b'{"Prefix":"demo"}', first_ifd=46)
>>> parse_header(header, len(header)).version
(3, 3)
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from napari_scope.errors import FormatError, FrameError

__all__ = [
    "FIRST_LINK_FIELD",
    "HEADER_BYTES",
    "HEADER_SIZE",
    "LINK_FIELD",
    "PIXEL_TYPES",
    "Header",
    "IfdTemplate",
    "PixelType",
    "encode_header",
    "encode_ifd",
    "ifd_size",
    "parse_header",
    "pixel_type_of",
]

_MAGIC = 483729
_MAGIC_V1 = 54773648
_SUMMARY_MARK = 2355492
_VERSION = (3, 3)

HEADER_SIZE = 28
"""Bytes before the summary metadata in version 3."""

HEADER_BYTES = 40
"""Bytes that are enough to parse the header of any version; a file may be shorter."""

LINK_FIELD = 2 + 13 * 12
"""Offset, in an IFD, of the field that holds the offset of the next IFD."""

FIRST_LINK_FIELD = 4
"""Offset, in a file, of the field that holds the offset of the first IFD."""


class PixelType(NamedTuple):
    """What a pixel type of the index means.

    ``samples`` is 1, or 3 for red, green, blue; ``bits`` are significant bits.
    """

    code: int
    dtype: np.dtype[np.generic]
    samples: int
    bits: int

    @property
    def nbytes(self) -> int:
        """Bytes of one pixel on disk."""
        return self.dtype.itemsize * self.samples


_U8, _U16 = np.dtype("u1"), np.dtype("u2")

PIXEL_TYPES: dict[int, PixelType] = {
    entry.code: entry
    for entry in (
        PixelType(0, _U8, 1, 8),
        PixelType(1, _U16, 1, 16),
        PixelType(2, _U8, 3, 8),
        PixelType(3, _U16, 1, 10),
        PixelType(4, _U16, 1, 12),
        PixelType(5, _U16, 1, 14),
        # Missing from the published specification, written by the Java library.
        PixelType(6, _U16, 1, 11),
    )
}
"""Every pixel type of the format by its code in the index."""

_U16_BY_BITS = sorted(
    (entry for entry in PIXEL_TYPES.values() if entry.dtype == _U16),
    key=lambda entry: entry.bits,
)


def pixel_type_of(
    shape: tuple[int, ...], dtype: np.dtype[np.generic], bit_depth: int | None = None
) -> PixelType:
    """Return the pixel type that stores a frame.

    Parameters
    ----------
    shape : tuple of int
        (height, width), or (height, width, 3) for red, green, blue.
    dtype : numpy.dtype
        ``uint8`` or ``uint16``; colour is ``uint8`` only.
    bit_depth : int, optional
        Significant bits of the camera. The format knows 8, 10, 11, 12, 14 and 16; a
        depth between two of them takes the larger.

    Raises
    ------
    FrameError
        The format has no type for such a frame.
    """
    if len(shape) not in (2, 3) or shape[2:] not in ((), (3,)) or 0 in shape:
        raise FrameError(
            f"a frame of shape {shape} cannot be stored in NDTiff",
            hint="expected (height, width), or (height, width, 3) for colour",
        )
    kind, size = dtype.kind, dtype.itemsize
    if kind != "u" or size not in (1, 2) or (len(shape) == 3 and size != 1):
        raise FrameError(
            f"pixels of type {dtype} and shape {shape} cannot be stored in NDTiff",
            hint="expected uint8 or uint16, and uint8 for colour; "
            "OME-Zarr stores every type",
        )
    if size == 1:
        if bit_depth is not None and not 1 <= bit_depth <= 8:
            raise FrameError(f"a bit depth of {bit_depth} does not fit in uint8 pixels")
        return PIXEL_TYPES[2 if len(shape) == 3 else 0]
    if bit_depth is None:
        return PIXEL_TYPES[1]
    if bit_depth >= 1:
        for entry in _U16_BY_BITS:
            if bit_depth <= entry.bits:
                return entry
    raise FrameError(f"a bit depth of {bit_depth} does not fit in uint16 pixels")


class Header(NamedTuple):
    """What the header of a file says.

    ``order`` is ``"<"`` or ``">"``, the byte order of everything in the file.
    ``version`` is (1, 0) for version 0 too: their files are laid out alike.
    """

    order: str
    version: tuple[int, int]
    summary_offset: int
    summary_length: int


def encode_header(summary: bytes, *, first_ifd: int) -> bytes:
    """Return the header of a version 3.3 file, padded to an even length.

    Parameters
    ----------
    summary : bytes
        Summary metadata, a JSON object in UTF-8.
    first_ifd : int
        Offset of the first IFD; 0 while the file holds no image.
    """
    head = struct.pack(
        "<2sHIIIIII",
        b"II",
        42,
        first_ifd,
        _MAGIC,
        *_VERSION,
        _SUMMARY_MARK,
        len(summary),
    )
    return head + summary + b"\0" * (len(summary) % 2)


def parse_header(data: bytes, file_size: int) -> Header:
    """Return what the first bytes of a file say.

    Parameters
    ----------
    data : bytes
        The first `HEADER_BYTES` bytes or more; the whole file if it is shorter.
    file_size : int
        Length of the file, which the summary must fit into.

    Raises
    ------
    FormatError
        The bytes are no NDTiff header of a known version.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < HEADER_SIZE:
        raise FormatError("not a TIFF file")
    fields = struct.unpack_from(f"{order}HIIIIII", data, 2)
    if fields[0] != 42:
        raise FormatError("not a TIFF file")
    if fields[2] == _MAGIC_V1:
        version, offset = (1, 0), HEADER_BYTES
        mark, length = _summary_fields_v1(order, data)
    elif fields[2] != _MAGIC:
        raise FormatError("a TIFF file, but not one of NDTiff")
    elif fields[3] == 2:
        version, mark, length, offset = (2, 0), fields[4], fields[5], 24
    elif fields[3] == 3:
        version, mark, length, offset = (3, fields[4]), fields[5], fields[6], 28
    else:
        raise FormatError(f"NDTiff version {fields[3]} is not known")
    if mark != _SUMMARY_MARK or offset + length > file_size:
        raise FormatError("the summary metadata of this NDTiff file are damaged")
    return Header(order, version, offset, length)


def _summary_fields_v1(order: str, data: bytes) -> tuple[int, int]:
    """Return mark and length of the summary in a header of version 0 or 1."""
    if len(data) < HEADER_BYTES:
        raise FormatError("the file ends inside its header")
    magic, major, mark, length = struct.unpack_from(f"{order}4I", data, 24)
    # Where version 1 says so, version 0 has the place of comments, or nothing.
    if magic == _MAGIC and major not in (0, 1):
        raise FormatError(f"NDTiff version {major} is not known")
    return mark, length


_ENTRIES = "HHII" * 13
_GRAY = struct.Struct(f"<H{_ENTRIES}I4I")
_RGB = struct.Struct(f"<H{_ENTRIES}I3H4I")


def ifd_size(pixel_type: PixelType) -> int:
    """Return the bytes between the start of a record and its pixels."""
    return _RGB.size if pixel_type.samples == 3 else _GRAY.size


def encode_ifd(
    offset: int,
    height: int,
    width: int,
    pixel_type: PixelType,
    metadata_length: int,
    *,
    next_ifd: int = 0,
    resolution: int = 1,
) -> bytes:
    """Return the IFD of one image, up to its pixels.

    Parameters
    ----------
    offset : int
        Where in the file the record starts; even.
    height, width : int
        Size of the image in pixels.
    pixel_type : PixelType
        How the pixels are stored.
    metadata_length : int
        Bytes of JSON behind the pixels.
    next_ifd : int
        Offset of the next IFD; 0 ends the chain.
    resolution : int
        Pixels per centimetre.
    """
    rgb = pixel_type.samples == 3
    small = offset + LINK_FIELD + 4  # values that do not fit into their entries
    x_resolution = small + (6 if rgb else 0)
    pixels = x_resolution + 16
    nbytes = height * width * pixel_type.nbytes
    bits = 8 * pixel_type.dtype.itemsize
    # Rows per strip is SHORT in every known writer, which cannot hold more.
    rows_type = 3 if height < 65536 else 4
    # fmt: off
    entries = (
        256, 4, 1, width,
        257, 4, 1, height,
        258, 3, 3 if rgb else 1, small if rgb else bits,
        259, 3, 1, 1,
        262, 3, 1, 2 if rgb else 1,
        273, 4, 1, pixels,
        277, 3, 1, 3 if rgb else 1,
        278, rows_type, 1, height,
        279, 4, 1, nbytes,
        282, 5, 1, x_resolution,
        283, 5, 1, x_resolution + 8,
        296, 3, 1, 3,
        51123, 2, metadata_length, pixels + nbytes,
    )
    # fmt: on
    ratio = (resolution, 1, resolution, 1)
    if rgb:
        return _RGB.pack(13, *entries, next_ifd, bits, bits, bits, *ratio)
    return _GRAY.pack(13, *entries, next_ifd, *ratio)


# What differs between two images of one size and type: the value of an entry, once
# also its count (of the metadata), and the link.
_GAPS = (*(2 + 12 * entry + 8 for entry in (2, 5, 9, 10)), 2 + 12 * 12 + 4, LINK_FIELD)


class IfdTemplate:
    """The IFD of all images of one size and type, with gaps for what differs.

    Filling it takes a quarter of the time of `encode_ifd`, which counts for small
    images: a thousand of them are written in some 15 ms.

    Parameters
    ----------
    height, width, pixel_type, resolution
        As for `encode_ifd`.
    """

    __slots__ = ("_fill", "_pieces", "_rgb", "_values", "nbytes")

    def __init__(
        self, height: int, width: int, pixel_type: PixelType, *, resolution: int = 1
    ) -> None:
        ifd = encode_ifd(0, height, width, pixel_type, 0, resolution=resolution)
        self.nbytes = len(ifd)
        values = [struct.unpack_from("<I", ifd, gap)[0] for gap in _GAPS]
        # Three samples have their bits at a place in the file, one has them here.
        self._rgb = int(pixel_type.samples == 3)
        (metadata,) = struct.unpack_from("<I", ifd, _GAPS[4] + 4)
        self._values = (*values[:4], metadata)
        # The gap of the metadata holds two numbers: how long they are, and where.
        starts = [0, *(g + (8 if g == _GAPS[4] else 4) for g in _GAPS)]
        ends = [*_GAPS, len(ifd)]
        self._pieces = tuple(ifd[a:b] for a, b in zip(starts, ends, strict=True))
        sizes = [len(piece) for piece in self._pieces]
        form = "".join(
            f"{size}s{gap}"
            for size, gap in zip(
                sizes, ("I", "I", "I", "I", "II", "I", ""), strict=True
            )
        )
        self._fill = struct.Struct(f"<{form}").pack

    def fill(self, offset: int, metadata_length: int, next_ifd: int) -> bytes:
        """Return the IFD of one image; the arguments are those of `encode_ifd`."""
        bits, pixels, x, y, metadata = self._values
        a, b, c, d, e, f, g = self._pieces
        # fmt: off
        return self._fill(
            a, bits + offset * self._rgb, b, offset + pixels, c, offset + x,
            d, offset + y, e, metadata_length, offset + metadata, f, next_ifd, g,
        )
        # fmt: on
