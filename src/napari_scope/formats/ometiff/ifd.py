"""The bytes of a BigTIFF file: its header and the directory (IFD) of one image.

Every image is one strip. All values fit into the 8 bytes that an entry has, so a
directory has a fixed size and nothing lies outside of it but the pixels, the facts on
the frame (JSON, in a private tag) and, for the first image, the OME-XML.

Numbers of a file that is read are checked by `read_page` before anything uses them.
This module opens no files.

Source of the layout: the BigTIFF proposal of the libtiff project, TIFF 6.0.

Examples
--------
>>> import numpy as np
>>> template = IfdTemplate((4, 6), np.dtype("u2"))
>>> ifd = template.fill(pixels=1000, nbytes=48, facts=1048, facts_length=20)
>>> page = read_page(ifd, 0, 2000)
>>> page.shape, page.dtype, page.pixels, page.next_ifd
((4, 6), dtype('uint16'), 1000, 0)
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DESCRIPTION_TAG",
    "FACTS_TAG",
    "FIRST_LINK",
    "HEADER_SIZE",
    "IfdTemplate",
    "Page",
    "encode_header",
    "read_first_link",
    "read_page",
]

HEADER_SIZE = 16
FIRST_LINK = 8
"""Where the header holds the offset of the first IFD."""

DESCRIPTION_TAG = 270
FACTS_TAG = 65000
"""JSON on one frame; from the range of tags that TIFF leaves to private use."""

_SHORT, _LONG, _RATIONAL, _ASCII, _LONG8 = 3, 4, 5, 2, 16
_FIELDS = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}
_SIZES = {1: 1, 2: 1, _SHORT: 2, _LONG: 4, _RATIONAL: 8, 6: 1, 7: 1, _LONG8: 8}
_SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}
_KINDS = {number: kind for kind, number in _SAMPLE_FORMATS.items()}

_MAX_ENTRIES = 256
_MAX_SIDE = 1 << 24


def encode_header(first_ifd: int = 0) -> bytes:
    """Return the header of a little-endian BigTIFF file."""
    return struct.pack("<2sHHHQ", b"II", 43, 8, 0, first_ifd)


def read_first_link(header: bytes) -> int:
    """Return the offset of the first IFD, 0 where there is none.

    Raises
    ------
    FormatError
        The bytes are not the header of a file of ours.
    """
    if len(header) < HEADER_SIZE or header[:8] != encode_header()[:8]:
        raise FormatError("not a little-endian BigTIFF file")
    return int.from_bytes(header[8:16], "little")


class IfdTemplate:
    """The IFD of all images of one kind, with gaps for what differs.

    Parameters
    ----------
    shape : tuple of int
        (height, width), or (height, width, 3) for colour.
    dtype : numpy.dtype
        Type of the pixels.
    compression, predictor : int
        Values of the TIFF tags 259 and 317.
    pixel_um : float, optional
        Size of a pixel, for the resolution tags.
    described : bool
        Whether there is an entry for the OME-XML (the first image of a file).
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
        *,
        compression: int = 1,
        predictor: int = 1,
        pixel_um: float | None = None,
        described: bool = False,
    ) -> None:
        height, width = shape[:2]
        samples = shape[2] if len(shape) == 3 else 1
        bits = (8 * dtype.itemsize,) * samples
        entries = [
            _entry(256, _LONG, width),
            _entry(257, _LONG, height),
            _entry(258, _SHORT, *bits),
            _entry(259, _SHORT, compression),
            _entry(262, _SHORT, 2 if samples == 3 else 1),
            _entry(273, _LONG8, 0),
            _entry(277, _SHORT, samples),
            _entry(278, _LONG, height),
            _entry(279, _LONG8, 0),
            _entry(284, _SHORT, 1),
            _entry(339, _SHORT, *(_SAMPLE_FORMATS[dtype.kind],) * samples),
            _entry(FACTS_TAG, _ASCII, 0, count=0),
        ]
        if described:
            entries.append(_entry(DESCRIPTION_TAG, _ASCII, 0, count=0))
        if predictor != 1:
            entries.append(_entry(317, _SHORT, predictor))
        ratio = _pixels_per_cm(pixel_um)
        if ratio is not None:
            entries += [_entry(tag, _RATIONAL, *ratio) for tag in (282, 283)]
            entries.append(_entry(296, _SHORT, 3))
        entries.sort(key=lambda entry: entry[:2][::-1])
        self._ifd = struct.pack("<Q", len(entries)) + b"".join(entries) + bytes(8)
        places = {int.from_bytes(e[:2], "little"): i for i, e in enumerate(entries)}
        self._value = {tag: 8 + 20 * place + 12 for tag, place in places.items()}
        self.nbytes = len(self._ifd)
        self.link = self.nbytes - 8
        """Where in an IFD the offset of the next one stands."""

    @property
    def description(self) -> int:
        """Where in an IFD count and offset of the OME-XML stand, 16 bytes."""
        return self._value[DESCRIPTION_TAG] - 8

    def fill(
        self,
        *,
        pixels: int,
        nbytes: int,
        facts: int,
        facts_length: int,
        description: tuple[int, int] = (0, 0),
        next_ifd: int = 0,
    ) -> bytearray:
        """Return the IFD of one image.

        Parameters
        ----------
        pixels, nbytes : int
            Where the strip is and how long.
        facts, facts_length : int
            Where the JSON is and how long, with the zero at its end; at least 9.
        description : (int, int)
            Length and place of the OME-XML.
        next_ifd : int
            Offset of the next IFD; 0 ends the chain.
        """
        ifd = bytearray(self._ifd)
        value = self._value
        struct.pack_into("<Q", ifd, value[273], pixels)
        struct.pack_into("<Q", ifd, value[279], nbytes)
        struct.pack_into("<QQ", ifd, value[FACTS_TAG] - 8, facts_length, facts)
        struct.pack_into("<Q", ifd, self.link, next_ifd)
        if DESCRIPTION_TAG in value:
            struct.pack_into("<QQ", ifd, self.description, *description)
        return ifd


def _entry(tag: int, kind: int, *values: int, count: int | None = None) -> bytes:
    if kind == _RATIONAL:
        data, count = struct.pack("<II", *values), 1
    elif kind == _ASCII:
        data = struct.pack("<Q", *values)
    else:
        data = struct.pack(f"<{len(values)}{_FIELDS[kind]}", *values)
    return struct.pack(
        "<HHQ8s", tag, kind, len(values) if count is None else count, data
    )


def _pixels_per_cm(pixel_um: float | None) -> tuple[int, int] | None:
    """Return the resolution as two 32 bit numbers, None where it does not fit."""
    if not pixel_um or not 1e-4 < pixel_um < 1e8:
        return None
    denominator = max(1, min(1_000_000, int(pixel_um * 1e5)))
    return max(1, round(1e4 / pixel_um * denominator)), denominator


class Page(NamedTuple):
    """What one IFD says; offsets and lengths lie inside of the file.

    ``facts`` and ``description`` are (length, offset), None without that tag;
    ``link`` and ``describing`` are where in the file the offset of the next IFD and
    count and offset of the description stand.
    """

    ifd: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    compression: int
    predictor: int
    pixels: int
    nbytes: int
    facts: tuple[int, int] | None
    description: tuple[int, int] | None
    next_ifd: int
    link: int
    describing: int

    @property
    def end(self) -> int:
        """Offset behind everything that belongs to this image but the OME-XML."""
        ends = [self.link + 8, self.pixels + self.nbytes]
        if self.facts is not None:
            ends.append(sum(self.facts))
        return max(ends)


def read_page(data: bytes | bytearray, ifd: int, file_size: int) -> Page:
    """Return what an IFD says.

    Parameters
    ----------
    data : bytes
        The file from the IFD on; 8 + 20 * 256 + 8 bytes are enough.
    ifd : int
        Its offset in the file.
    file_size : int
        Length of the file.

    Raises
    ------
    FormatError
        The numbers contradict each other or point out of the file, or the image is
        none of ours.
    """
    if len(data) < 8:
        raise FormatError(f"the file ends inside of the image directory at byte {ifd}")
    (count,) = struct.unpack_from("<Q", data)
    if not 1 <= count <= _MAX_ENTRIES or len(data) < 16 + 20 * count:
        raise FormatError(f"there is no image directory at byte {ifd}")
    values: dict[int, Sequence[int]] = {}
    texts: dict[int, tuple[int, int]] = {}
    describing = 0
    for place in range(8, 8 + 20 * count, 20):
        tag, kind, number, raw = struct.unpack_from("<HHQ8s", data, place)
        size = _SIZES.get(kind, 0) * number
        if kind == _ASCII:
            (offset,) = struct.unpack("<Q", raw)
            if size <= 8:
                offset = ifd + place + 12
            if offset + size > file_size:
                raise _outside(tag, offset, size, file_size)
            texts[tag] = number, offset
            if tag == DESCRIPTION_TAG:
                describing = ifd + place + 4
        elif 0 < size <= 8 and kind in _FIELDS:
            values[tag] = struct.unpack_from(f"<{number}{_FIELDS[kind]}", raw)
    link = 8 + 20 * count
    (next_ifd,) = struct.unpack_from("<Q", data, link)
    shape, dtype = _pixels(values, ifd)
    (offset,), (nbytes,) = _one(values, 273, ifd), _one(values, 279, ifd)
    if offset + nbytes > file_size:
        raise _outside(273, offset, nbytes, file_size)
    compression = values.get(259, (1,))[0]
    whole = dtype.itemsize
    for side in shape:
        whole *= side
    if compression == 1 and nbytes not in (0, whole):
        raise FormatError(
            f"the image at byte {ifd} of shape {shape} and type {dtype} should have "
            f"{whole} bytes, found {nbytes}"
        )
    return Page(
        ifd,
        shape,
        dtype,
        compression,
        values.get(317, (1,))[0],
        offset,
        nbytes,
        texts.get(FACTS_TAG),
        texts.get(DESCRIPTION_TAG),
        next_ifd,
        ifd + link,
        describing,
    )


def _pixels(
    values: dict[int, Sequence[int]], ifd: int
) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    (width,), (height,) = _one(values, 256, ifd), _one(values, 257, ifd)
    (samples,) = _one(values, 277, ifd)
    bits, kinds = values.get(258, ()), values.get(339, ())
    if not (0 < width < _MAX_SIDE and 0 < height < _MAX_SIDE and samples in (1, 3)):
        raise FormatError(
            f"the image at byte {ifd} has the impossible size {width} x {height} "
            f"with {samples} samples"
        )
    if len(set(bits)) != 1 or len(set(kinds)) != 1 or kinds[0] not in _KINDS:
        raise FormatError(f"the image at byte {ifd} has an unknown pixel type")
    name = f"<{_KINDS[kinds[0]]}{bits[0] // 8}"
    if bits[0] % 8 or name[1:] not in ("u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8"):
        raise FormatError(f"the image at byte {ifd} has an unknown pixel type")
    shape = (height, width) if samples == 1 else (height, width, samples)
    return shape, np.dtype(name)


def _one(values: dict[int, Sequence[int]], tag: int, ifd: int) -> Sequence[int]:
    found = values.get(tag, ())
    if len(found) != 1:
        raise FormatError(f"the image directory at byte {ifd} lacks the tag {tag}")
    return found


def _outside(tag: int, offset: int, size: int, file_size: int) -> FormatError:
    return FormatError(
        f"tag {tag} points to the bytes {offset} to {offset + size}, but the file ends "
        f"at byte {file_size}"
    )
