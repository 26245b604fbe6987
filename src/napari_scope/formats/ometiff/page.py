"""What the directory (IFD) of an image in a BigTIFF file says, every number checked.

The reverse of `napari_scope.formats.ometiff.ifd`. The directories of a long run differ
in a few offsets only: `PageReader` knows one by the bytes of the last one, which takes
a small part of the time. This module opens no files.

Examples
--------
>>> import numpy as np
>>> from napari_scope.formats.ometiff.ifd import IfdTemplate
>>> template = IfdTemplate((4, 6), np.dtype("u2"))
>>> ifd = template.fill(pixels=1000, nbytes=48, facts=1048, facts_length=20)
>>> page = read_page(ifd, 0, 2000)
>>> page.shape, page.dtype, page.pixels, page.next_ifd
((4, 6), dtype('uint16'), 1000, 0)
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ometiff.ifd import (
    DESCRIPTION_TAG,
    FACTS_TAG,
    SAMPLE_FORMATS,
    SUB_IFDS_TAG,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["IFD_BYTES", "Page", "PageReader", "read_page"]

IFD_BYTES = 1024
"""More than a directory of ours takes, with the list of its levels."""

_ASCII = 2
_FIELDS = {3: "H", 4: "I", 16: "Q", 18: "Q"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 16: 8, 18: 8}
_KINDS = {number: kind for kind, number in SAMPLE_FORMATS.items()}

_MAX_ENTRIES = 256
_MAX_SIDE = 1 << 24
_MAX_LEVELS = 32


class Page(NamedTuple):
    """What one IFD says; offsets and lengths lie inside of the file.

    ``facts`` and ``description`` are (length, offset), None without that tag;
    ``link`` and ``describing`` are where in the file the offset of the next IFD and
    count and offset of the description stand; ``levels`` are the offsets of the IFDs
    of coarse levels.
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
    levels: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """Offset behind what belongs to this image but the OME-XML and levels."""
        ends = [self.link + 8, self.pixels + self.nbytes]
        if len(self.levels) > 1:
            ends.append(self.link + 8 + 8 * len(self.levels))
        if self.facts is not None:
            ends.append(sum(self.facts))
        return max(ends)


def read_page(data: bytes | bytearray, ifd: int, file_size: int) -> Page:
    """Return what an IFD says.

    Parameters
    ----------
    data : bytes
        The file from the IFD on, `IFD_BYTES` of it or up to its end.
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
    levels: tuple[int, ...] = ()
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
        elif tag == SUB_IFDS_TAG:
            levels = _levels(data, ifd, kind, number, raw)
        elif 0 < size <= 8 and kind in _FIELDS:
            values[tag] = struct.unpack_from(f"<{number}{_FIELDS[kind]}", raw)
    link = 8 + 20 * count
    (next_ifd,) = struct.unpack_from("<Q", data, link)
    shape, dtype = _pixels(values, ifd)
    (offset,), (nbytes,) = _one(values, 273, ifd), _one(values, 279, ifd)
    page = Page(
        ifd,
        shape,
        dtype,
        values.get(259, (1,))[0],
        values.get(317, (1,))[0],
        offset,
        nbytes,
        texts.get(FACTS_TAG),
        texts.get(DESCRIPTION_TAG),
        next_ifd,
        ifd + link,
        describing,
        levels,
    )
    _check_strip(page, file_size)
    return page


class PageReader:
    """Reads directories that are alike, as `read_page` does.

    Parameters
    ----------
    file_size : int
        Length of the file.
    """

    def __init__(self, file_size: int) -> None:
        self._file_size = file_size
        self._mold = b""  # the last directory, zeros for what differs
        self._gaps: tuple[tuple[int, int], ...] = ()
        self._known: Page | None = None
        self._places: dict[int, int] = {}

    def read(self, data: bytes, ifd: int) -> Page:
        """Return what an IFD says; raises as `read_page` does."""
        known = self._known
        if known is not None and len(data) >= len(self._mold):
            mold = bytearray(data[: len(self._mold)])
            for start, size in self._gaps:
                mold[start : start + size] = bytes(size)
            if mold == self._mold:
                return self._like(known, data, ifd)
        page = read_page(data, ifd, self._file_size)
        self._remember(page, data)
        return page

    def _remember(self, page: Page, data: bytes) -> None:
        """Note which bytes of a directory may differ from one image to the next."""
        (count,) = struct.unpack_from("<Q", data)
        tags = {
            struct.unpack_from("<H", data, place)[0]: place
            for place in range(8, 8 + 20 * count, 20)
        }
        self._known = None
        if page.facts is None or page.facts[0] <= 8 or page.description is not None:
            return
        size = 16 + 20 * count
        # Count and value of the facts; the values of the strip; the end of the chain.
        gaps = [
            (tags[FACTS_TAG] + 4, 16),
            (tags[273] + 12, 8),
            (tags[279] + 12, 8),
            (size - 8, 8),
        ]
        if page.levels:
            gaps.append((tags[SUB_IFDS_TAG] + 12, 8))
        if len(page.levels) > 1:
            gaps.append((size, 8 * len(page.levels)))
            size += 8 * len(page.levels)
        mold = bytearray(data[:size])
        for start, length in gaps:
            mold[start : start + length] = bytes(length)
        self._known, self._mold, self._gaps = page, bytes(mold), tuple(gaps)
        self._places = tags

    def _like(self, known: Page, data: bytes, ifd: int) -> Page:
        tags = self._places
        length, offset = struct.unpack_from("<QQ", data, tags[FACTS_TAG] + 4)
        if length <= 8:
            return read_page(data, ifd, self._file_size)
        if offset + length > self._file_size:
            raise _outside(FACTS_TAG, offset, length, self._file_size)
        link = known.link - known.ifd
        levels: tuple[int, ...] = ()
        if known.levels:
            place = tags[SUB_IFDS_TAG]
            kind, number, raw = struct.unpack_from("<HQ8s", data, place + 2)
            levels = _levels(data, ifd, kind, number, raw)
        page = Page(
            ifd,
            known.shape,
            known.dtype,
            known.compression,
            known.predictor,
            _number(data, tags[273] + 12),
            _number(data, tags[279] + 12),
            (length, offset),
            None,
            _number(data, link),
            ifd + link,
            0,
            levels,
        )
        _check_strip(page, self._file_size)
        return page


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 8], "little")


def _check_strip(page: Page, file_size: int) -> None:
    offset, nbytes = page.pixels, page.nbytes
    if offset + nbytes > file_size:
        raise _outside(273, offset, nbytes, file_size)
    whole = page.dtype.itemsize * math.prod(page.shape)
    if page.compression == 1 and nbytes not in (0, whole):
        raise FormatError(
            f"the image at byte {page.ifd} of shape {page.shape} and type {page.dtype} "
            f"should have {whole} bytes, found {nbytes}"
        )


def _levels(
    data: bytes | bytearray, ifd: int, kind: int, number: int, raw: bytes
) -> tuple[int, ...]:
    """Return the offsets of the coarse levels, which stand right behind the IFD."""
    if _FIELDS.get(kind) != "Q" or not 1 <= number <= _MAX_LEVELS:
        raise FormatError(f"the image at byte {ifd} lists {number} levels as {kind}")
    (offset,) = struct.unpack("<Q", raw)
    if number == 1:
        return (offset,)
    (count,) = struct.unpack_from("<Q", data)
    place = 16 + 20 * count
    if offset != ifd + place or len(data) < place + 8 * number:
        raise FormatError(
            f"the levels of the image at byte {ifd} are listed at byte {offset}, not "
            "behind it"
        )
    return struct.unpack_from(f"<{number}Q", data, place)


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
