"""The bytes of a BigTIFF file: its header and the directory (IFD) of one image.

Every image is one strip. All values fit into the 8 bytes that an entry has, so a
directory has a fixed size and nothing lies outside of it but the pixels, the facts on
the frame (JSON, in a private tag) and, for the first image, the OME-XML. Coarse levels
of an image have directories of their own, which are no part of the chain: that of the
image lists them (SubIFDs); a list of more than one lies right behind it.

What a directory of a file says is read in `napari_scope.formats.ometiff.page`. This
module opens no files.

Source of the layout: the BigTIFF proposal of the libtiff project, TIFF 6.0, the
specification of OME-TIFF on pyramids.

Examples
--------
>>> import numpy as np
>>> template = IfdTemplate((4, 6), np.dtype("u2"))
>>> ifd = template.fill(pixels=1000, nbytes=48, facts=1048, facts_length=20)
>>> len(ifd) == template.nbytes, int.from_bytes(ifd[:8], "little")
(True, 12)
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

__all__ = [
    "DESCRIPTION_TAG",
    "FACTS_TAG",
    "FIRST_LINK",
    "HEADER_SIZE",
    "SAMPLE_FORMATS",
    "SUB_IFDS_TAG",
    "IfdTemplate",
    "encode_header",
    "read_first_link",
]

HEADER_SIZE = 16
FIRST_LINK = 8
"""Where the header holds the offset of the first IFD."""

DESCRIPTION_TAG = 270
FACTS_TAG = 65000
"""JSON on one frame; from the range of tags that TIFF leaves to private use."""

SUB_IFDS_TAG = 330
"""Offsets of the directories of the coarse levels."""

SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}
"""How TIFF numbers the kinds of pixels of numpy."""

_SHORT, _LONG, _RATIONAL, _ASCII, _LONG8, _IFD8 = 3, 4, 5, 2, 16, 18
_FIELDS = {_SHORT: "H", _LONG: "I", _LONG8: "Q", _IFD8: "Q"}


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
    levels : int
        How many coarse levels an image has.
    reduced : bool
        Whether this is a coarse level of another image; it has no facts.
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
        levels: int = 0,
        reduced: bool = False,
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
            _entry(339, _SHORT, *(SAMPLE_FORMATS[dtype.kind],) * samples),
        ]
        if reduced:
            entries.append(_entry(254, _LONG, 1))
        else:
            entries.append(_entry(FACTS_TAG, _ASCII, 0, count=0))
        if levels:
            entries.append(_entry(SUB_IFDS_TAG, _IFD8, 0, count=levels))
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
        self.link = len(self._ifd) - 8
        """Where in an IFD the offset of the next one stands."""
        self._levels = levels
        if levels > 1:
            self._ifd += bytes(8 * levels)
        self.nbytes = len(self._ifd)
        """Size of an IFD, with the list of its levels."""

    @property
    def description(self) -> int:
        """Where in an IFD count and offset of the OME-XML stand, 16 bytes."""
        return self._value[DESCRIPTION_TAG] - 8

    def fill(
        self,
        *,
        pixels: int,
        nbytes: int,
        facts: int = 0,
        facts_length: int = 0,
        description: tuple[int, int] = (0, 0),
        next_ifd: int = 0,
        at: int = 0,
        levels: Sequence[int] = (),
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
        at : int
            Offset of this IFD, which those with several levels have to know.
        levels : sequence of int
            Offsets of the IFDs of the coarse levels.
        """
        ifd = bytearray(self._ifd)
        value = self._value
        struct.pack_into("<Q", ifd, value[273], pixels)
        struct.pack_into("<Q", ifd, value[279], nbytes)
        if FACTS_TAG in value:
            struct.pack_into("<QQ", ifd, value[FACTS_TAG] - 8, facts_length, facts)
        struct.pack_into("<Q", ifd, self.link, next_ifd)
        if DESCRIPTION_TAG in value:
            struct.pack_into("<QQ", ifd, self.description, *description)
        if self._levels > 1:
            place = self.link + 8
            struct.pack_into("<Q", ifd, value[SUB_IFDS_TAG], at + place)
            struct.pack_into(f"<{self._levels}Q", ifd, place, *levels)
        elif self._levels:
            struct.pack_into("<Q", ifd, value[SUB_IFDS_TAG], *levels)
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
