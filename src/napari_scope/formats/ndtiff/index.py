"""The index of an NDTiff store: one record for each image, read into columns.

The file ``NDTiff.index`` is a row of records without header, count or end mark, in
order of saving: length and JSON of the axes, length and name of the file, eight
numbers. This module turns bytes into columns and one image into bytes; it does not
touch files. An index is taken for hostile and for damaged: parsing never raises, it
stops where the bytes stop making sense and says so.

Examples
--------
>>> record = encode_record(
...     b'{"time":0,"z":-1}', b"NDTiffStack.tif", 206, 4, 3, 1, 230, 2
... )
>>> table = parse_index(record + record[:20])
>>> len(table), table.values
(1, {'time': (0,), 'z': (-1,)})
>>> table.problems
('the index ends inside a record: its last 20 bytes were ignored',)
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from napari_scope.formats.ndtiff.columns import ColumnBuilder

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.formats.ndtiff.columns import IndexTable

__all__ = ["INDEX_NAME", "encode_record", "parse_index"]

INDEX_NAME = "NDTiff.index"

_NUMBERS = 32  # bytes of the eight numbers
_BLOCK = 4096  # records for each pass: bounds the temporary Python objects
_MAX_TEXT = 65536  # bytes of axes or of a file name; real ones have less than 200


def encode_record(
    axes: bytes,
    file_name: bytes,
    pixel_offset: int,
    width: int,
    height: int,
    pixel_type: int,
    metadata_offset: int,
    metadata_length: int,
) -> bytes:
    """Return the record of one image.

    Parameters
    ----------
    axes : bytes
        The axes as a JSON object in UTF-8.
    file_name : bytes
        Base name of the file that holds the image.
    pixel_offset, metadata_offset : int
        Where in that file pixels and metadata start.
    width, height : int
        Size of the image in pixels.
    pixel_type : int
        Code of the pixel type.
    metadata_length : int
        Bytes of metadata.
    """
    return b"".join(
        (
            len(axes).to_bytes(4, "little"),
            axes,
            len(file_name).to_bytes(4, "little"),
            file_name,
            struct.pack(
                "<8I",
                pixel_offset,
                width,
                height,
                pixel_type,
                0,
                metadata_offset,
                metadata_length,
                0,
            ),
        )
    )


def parse_index(data: bytes) -> IndexTable:
    """Read an index as far as it makes sense.

    Parameters
    ----------
    data : bytes
        The whole file. Zeros behind the last record (the Java library allocates
        ahead) and a cut at any byte are expected.
    """
    order = _byte_order(data)
    columns = ColumnBuilder()
    position, reason = _split(data, order, columns)
    problems = [reason] if reason else []
    if columns.refused:
        problems.append(
            f"{columns.refused} records of the index have axes that are neither whole "
            "numbers nor text: they were left out"
        )
    return columns.table(order, position, tuple(problems))


def _byte_order(data: bytes) -> str:
    """Guess the byte order, of which the index has no mark, from its first length."""
    if (
        int.from_bytes(data[:4], "little")
        > _MAX_TEXT
        >= int.from_bytes(data[:4], "big")
    ):
        return ">"
    return "<"


def _split(data: bytes, order: str, columns: ColumnBuilder) -> tuple[int, str | None]:
    """Cut the index into records; returns where it ended and why, if too early."""
    read: Callable[[bytes, int], tuple[int]] = struct.Struct(f"{order}I").unpack_from
    size = len(data)
    position = 0
    while position < size:
        start = position
        texts: list[bytes] = []
        names: list[bytes] = []
        numbers: list[bytes] = []
        ends: list[int] = []
        reason: str | None = None
        last = b""  # length and name of the file of the previous record
        while position < size and len(texts) < _BLOCK:
            if size - position < 4:
                reason = _cut(size - position)
                break
            (length,) = read(data, position)
            if length == 0:
                reason = _not_closed(data, position)
                break
            if length > _MAX_TEXT:
                reason = _nonsense(position, size)
                break
            middle = position + 4 + length
            if not last or not data.startswith(last, middle):
                if size - middle < 4:
                    reason = _cut(size - position)
                    break
                (name_length,) = read(data, middle)
                if not 0 < name_length <= _MAX_TEXT:
                    reason = _nonsense(position, size)
                    break
                last = data[middle : middle + 4 + name_length]
            end = middle + len(last) + _NUMBERS
            if end > size:
                reason = _cut(size - position)
                break
            texts.append(data[position + 4 : middle])
            names.append(last)
            numbers.append(data[end - _NUMBERS : end])
            ends.append(end)
            position = end
        taken = columns.extend(texts, names, b"".join(numbers), order)
        if taken < len(texts):
            position = ends[taken - 1] if taken else start
            return position, _nonsense(position, size)
        if reason:
            return position, reason
    return position, None


def _cut(count: int) -> str:
    return f"the index ends inside a record: its last {count} bytes were ignored"


def _nonsense(position: int, size: int) -> str:
    return (
        f"the index makes no sense from byte {position} on: "
        f"the {size - position} bytes behind it were ignored"
    )


def _not_closed(data: bytes, position: int) -> str:
    # A store that is being written, or whose writer died: all that counts is here,
    # unless something follows the zeros.
    if data.count(b"\0", position) == len(data) - position:
        return "the index was not closed by its writer"
    return _nonsense(position, len(data))
