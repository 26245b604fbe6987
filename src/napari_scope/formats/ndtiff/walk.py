"""Finding the images of a file without an index, from one image directory to the next.

In versions 2 and 3 the record of an image is directory, pixels and metadata, in this
order and without holes, and the next record starts at the next even byte. A walk goes
from record to record by their ends, because the link of a record cannot be relied on:
writers of the reference library set it before the next record exists, so that it
points into zeros after a crash, and ours sets it after the next record is complete.
The link helps only where something else lies behind a record, and only forwards.

A file is taken for hostile and for damaged. A record counts when all of it is there:
its directory, pixels within the file, metadata that are a JSON object. The walk ends
at the first place that is not such a record; it never goes back, so it ends.

This module knows one file, not the store nor its index.

Examples
--------
>>> import tempfile, numpy as np
>>> from napari_scope.fileio import DataFile
>>> from napari_scope.formats.ndtiff.record import HEADER_BYTES, parse_header
>>> from napari_scope.formats.ndtiff.writer import NDTiffWriter
>>> folder = tempfile.mkdtemp()
>>> with NDTiffWriter(folder) as writer:
...     place = writer.put({"time": 0, "z": -1}, np.ones((4, 3), "u2"))
>>> with DataFile.open(f"{folder}/NDTiffStack.tif") as file:
...     header = parse_header(file.read_at(0, HEADER_BYTES), file.size())
...     (image,) = walk_images(file, header)
>>> image.axes, image.location == place
(b'{"time":0,"z":-1}', True)
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.files import FrameLocation
from napari_scope.formats.ndtiff.limits import (
    MAX_AXES,
    MAX_AXES_BYTES,
    MAX_JSON_BYTES,
    is_axis_value,
)
from napari_scope.formats.ndtiff.record import FIRST_LINK_FIELD, LINK_FIELD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.fileio import DataFile
    from napari_scope.formats.ndtiff.record import Header

    Fields: TypeAlias = tuple[int, ...]

__all__ = ["WalkedImage", "axes_json", "walk_images"]

_TAGS = (256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 296, 51123)
_DIRECTORY = LINK_FIELD + 4  # bytes up to and with the link
_LAYOUTS = {order: struct.Struct(f"{order}H{'HHII' * 13}I") for order in "<>"}
_COUNT, _METADATA_LENGTH, _LINK = 0, 51, 53  # places in what a layout unpacks

# Records that are small are read many at once. Of large ones only the metadata and the
# next directory are read, which lie side by side: the pixels are skipped.
_BLOCK = 2**20
_SMALL = 2**15

_U8, _U16, _RGB = 0, 1, 2
_CODE_OF_BITS = {10: 3, 11: 6, 12: 4, 14: 5}

_encode = json.JSONEncoder(separators=(",", ":")).encode


class WalkedImage(NamedTuple):
    """An image as its file describes it.

    ``axes`` are the bytes of a JSON object, or None where the metadata do not have
    any that an index could hold. ``end`` is the byte where the next record starts,
    ``link`` what the directory says about that.
    """

    axes: bytes | None
    location: FrameLocation
    end: int
    link: int


def walk_images(
    file: DataFile, header: Header, start: int | None = None
) -> Iterator[WalkedImage]:
    """Find the images of a file, one after the other.

    Parameters
    ----------
    file : DataFile
        The file; it may be growing, and is looked at up to its present end.
    header : Header
        What its header says. Files of version 1 are built otherwise: nothing is
        found in them.
    start : int, optional
        Where a record starts; by default that of the first image.

    Yields
    ------
    WalkedImage
        Every image that is whole, up to the first that is not.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    if header.version[0] not in (2, 3):
        return
    window = _Window(file)
    layout = _LAYOUTS[header.order]
    link = 0
    if start is None:
        start = _even(header.summary_offset + header.summary_length)
        link = _first_link(window, header.order)
    while True:
        fields = _directory(window, layout, start)
        if fields is None and link > start:
            start = link
            fields = _directory(window, layout, start)
        if fields is None:
            return
        image = _image(window, fields, start, header.order)
        if image is None:
            return
        yield image
        window.ahead = _BLOCK if image.end - start <= _SMALL else 0
        start, link = image.end, image.link


class _Window:
    """The part of a file that is in memory; ``ahead`` bytes are read at once."""

    def __init__(self, file: DataFile) -> None:
        self.name = file.path.name
        self.size = file.size()
        self.ahead = 0
        self._file = file
        self._data = b""
        self._start = 0

    def get(self, offset: int, length: int, more: int = 0) -> bytes | None:
        """Return bytes of the file, or None where it ends before them.

        ``more`` bytes behind them will be wanted next.
        """
        first = offset - self._start
        if first < 0 or first + length > len(self._data):
            if offset + length > self.size:
                return None
            wanted = max(length + more, self.ahead)
            self._data = self._file.read_at(offset, min(wanted, self.size - offset))
            self._start, first = offset, 0
            # The file may have been cut since its size was asked for.
            if len(self._data) < length:
                return None
        return self._data[first : first + length]


def _even(offset: int) -> int:
    return offset + offset % 2


def _first_link(window: _Window, order: str) -> int:
    data = window.get(FIRST_LINK_FIELD, 4) or b""
    return int.from_bytes(data, "little" if order == "<" else "big")


def _directory(window: _Window, layout: struct.Struct, start: int) -> Fields | None:
    """Return the fields of a directory, or None where there is none."""
    data = window.get(start, _DIRECTORY)
    if data is None:
        return None
    fields: Fields = layout.unpack(data)
    if fields[_COUNT] != len(_TAGS) or fields[1:_LINK:4] != _TAGS:
        return None
    return fields


def _image(
    window: _Window, fields: Fields, start: int, order: str
) -> WalkedImage | None:
    """Return the image of a directory, or None where it is not whole."""
    values = fields[4:_LINK:4]
    width, height, bits, compression, _, pixels, samples, _, nbytes, *_ = values
    metadata, length = values[-1], fields[_METADATA_LENGTH]
    if order == ">":
        bits, compression, samples = map(_short, (bits, compression, samples))
    code = _pixel_code(width * height, nbytes, samples, bits)
    if code is None or compression != 1:
        return None
    if pixels < start + _DIRECTORY or metadata < pixels + nbytes:
        return None
    if length > MAX_JSON_BYTES:
        return None
    about = _metadata(window.get(metadata, length, 1 + _DIRECTORY))
    if about is None:
        return None
    if code == _U16:
        code = _CODE_OF_BITS.get(facts.bit_depth(about, 16), _U16)
    return WalkedImage(
        axes_json(about.get("Axes")),
        FrameLocation(window.name, pixels, width, height, code, metadata, length),
        _even(metadata + length),
        fields[_LINK],
    )


def _short(value: int) -> int:
    """Return a 16 bit value of a big-endian directory.

    TIFF puts it into the first half of its four bytes, as the Java library does; the
    Python one writes it as a number of four bytes.
    """
    return value if value < 2**16 else value >> 16


def _pixel_code(area: int, nbytes: int, samples: int, bits: int) -> int | None:
    """Return the pixel type, or None where the numbers contradict each other.

    The length decides: the reference writer in Python declares 16 bits for uint8 too.
    """
    if area and samples == 3:
        return _RGB if nbytes == 3 * area else None
    if area and samples == 1:
        if nbytes == area:
            return _U8
        if nbytes == 2 * area and 8 < bits <= 16:
            return _U16
    return None


def _metadata(data: bytes | None) -> dict[str, object] | None:
    """Return metadata, or None where they are no JSON object."""
    # Most of what is no metadata (zeros, pixels) is known without parsing it.
    if data is None or data[:1] != b"{" or data[-1:] != b"}":
        return None
    try:
        about: dict[str, object] = json.loads(str(data, "utf-8"))
    except (ValueError, RecursionError):
        return None
    return about


def axes_json(axes: object) -> bytes | None:
    """Return axes as the JSON of an index, or None where they cannot be any.

    Examples
    --------
    >>> axes_json({"z": -1, "channel": "DAPI"})
    b'{"z":-1,"channel":"DAPI"}'
    >>> axes_json({"z": 0.5}) is None
    True
    """
    if not isinstance(axes, dict) or len(axes) > MAX_AXES:
        return None
    if not all(map(is_axis_value, axes.values())):
        return None
    text = _encode(axes).encode()
    return text if len(text) <= MAX_AXES_BYTES else None
