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

import numpy as np

from napari_scope.formats.ndtiff.columns import ColumnBuilder
from napari_scope.formats.ndtiff.limits import MAX_AXES_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.columns import IndexTable

__all__ = [
    "INDEX_NAME",
    "NOT_CLOSED",
    "IndexParser",
    "encode_record",
    "first_records",
    "parse_index",
]

INDEX_NAME = "NDTiff.index"

NOT_CLOSED = "the index was not closed by its writer"
"""The problem of an index that ends in zeros: it grows, or its writer died."""

_NUMBERS = 32  # bytes of the eight numbers
_BLOCK = 4096  # records for each pass: bounds the temporary Python objects
_BLOCK_BYTES = 1 << 20  # of them together, as a rule
_MAX_TEXT = MAX_AXES_BYTES  # of a file name, too; real ones have less than 200

_LENGTH = struct.Struct("<I")
_PLACE = struct.Struct("<8I")


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
            _LENGTH.pack(len(axes)),
            axes,
            _LENGTH.pack(len(file_name)),
            file_name,
            _PLACE.pack(
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


class IndexParser:
    """Reads an index piece by piece, as it grows.

    Pieces are given in order, each starting where the last one ended to make sense
    (`consumed`): a record that was cut is read once the rest of it is there.
    """

    def __init__(self) -> None:
        #: Bytes of the index that were understood.
        self.consumed = 0
        self._columns = ColumnBuilder()
        self._order = ""
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why the last piece was not understood to its end; None if it was."""
        return self._reason

    def feed(self, data: bytes) -> int:
        """Read the bytes of the index from `consumed` on; returns the new records."""
        if not self._order and len(data) >= 4:
            self._order = _byte_order(data)
        before = self._columns.count
        size, self._reason = _split(
            data, self._order or "<", self._columns, self.consumed
        )
        self.consumed += size
        return self._columns.count - before

    def table(self, more: bytes = b"") -> IndexTable:
        """Return all records read so far.

        Parameters
        ----------
        more : bytes
            Records that do not stand in the index (they were found elsewhere): they
            come last in this table, and are not kept.
        """
        columns = self._columns
        if more:
            columns = columns.copy()
            _split(more, "<", columns, 0)
        problems = [self._reason] if self._reason else []
        if columns.refused:
            problems.append(
                f"{columns.refused} records of the index have axes that are "
                "neither whole numbers nor text: they were left out"
            )
        return columns.table(self._order or "<", self.consumed, tuple(problems))


def first_records(records: bytes, count: int) -> bytes:
    """Return the first of some records, as many as there are of ``count``.

    Parameters
    ----------
    records : bytes
        Whole records, little endian.
    count : int
        How many.
    """
    position = 0
    for _ in range(count):
        if position >= len(records):
            break
        for extra in (0, _NUMBERS):
            (length,) = _LENGTH.unpack_from(records, position)
            position += _LENGTH.size + length + extra
    return records[:position]


def parse_index(data: bytes) -> IndexTable:
    """Read an index as far as it makes sense.

    Parameters
    ----------
    data : bytes
        The whole file. Zeros behind the last record (the Java library allocates
        ahead) and a cut at any byte are expected.
    """
    parser = IndexParser()
    parser.feed(data)
    return parser.table()


def _byte_order(data: bytes) -> str:
    """Guess the byte order, of which the index has no mark, from its first length."""
    if (
        int.from_bytes(data[:4], "little")
        > _MAX_TEXT
        >= int.from_bytes(data[:4], "big")
    ):
        return ">"
    return "<"


def _split(
    data: bytes, order: str, columns: ColumnBuilder, base: int
) -> tuple[int, str | None]:
    """Cut the index into records; returns where it ended and why, if too early.

    ``base`` is where in the index the data start, for the messages.
    """
    read: Callable[[bytes, int], tuple[int]] = struct.Struct(f"{order}I").unpack_from
    size = len(data)
    position = 0
    alike = b""  # length and name of the file of the last block, if it had just one
    while position < size:
        start = position
        if alike:
            taken, stop = _split_alike(data, position, alike, order, columns)
            if taken:
                position = stop
                continue
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
                reason = _not_closed(data, position, base)
                break
            if length > _MAX_TEXT:
                reason = _nonsense(position, size, base)
                break
            middle = position + 4 + length
            if not last or not data.startswith(last, middle):
                if size - middle < 4:
                    reason = _cut(size - position)
                    break
                (name_length,) = read(data, middle)
                if not 0 < name_length <= _MAX_TEXT:
                    reason = _nonsense(position, size, base)
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
        fields = np.frombuffer(b"".join(numbers), f"{order}u4").reshape(-1, 8)
        taken = columns.extend(texts, names, fields.astype(np.uint32))
        if taken < len(texts):
            position = ends[taken - 1] if taken else start
            return position, _nonsense(position, size, base)
        if reason:
            return position, reason
        alike = last if len(texts) == _BLOCK else b""
    return position, None


def _split_alike(
    data: bytes, position: int, name: bytes, order: str, columns: ColumnBuilder
) -> tuple[int, int]:
    """Cut a block of records that all name one file; returns how many, and the end.

    ``name`` is the file name with its length. The block is split there in one go, which
    is several times as fast as going from record to record; every length is checked
    afterwards. Where any of it does not fit nothing is taken.
    """
    chunk = data[position : position + _BLOCK_BYTES]
    pieces = chunk.split(name, _BLOCK)
    if len(pieces) < 3:
        return 0, position
    # Numbers of a record and, behind them, length and axes of the next; the last piece
    # holds more, or is cut.
    tail = pieces.pop()
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    ends = np.cumsum(lengths + len(name))  # where the numbers of each record stand
    lengths[1:] -= _NUMBERS
    if lengths.min() < 4 or len(tail) < _NUMBERS:
        return 0, position
    heads = np.append(0, ends[:-1] + _NUMBERS)
    stated = _items(chunk, f"{order}u4", heads)
    if (stated != lengths - 4).any() or stated.max() > _MAX_TEXT or not stated.all():
        return 0, position
    texts = [piece[_NUMBERS + 4 :] for piece in pieces]
    texts[0] = pieces[0][4:]
    fields = _items(chunk, f"V{_NUMBERS}", ends).view(f"{order}u4").reshape(-1, 8)
    taken = columns.extend(texts, name, fields.astype(np.uint32))
    return taken, position + (int(ends[taken - 1]) + _NUMBERS if taken else 0)


def _items(
    data: bytes, dtype: str, places: npt.NDArray[np.int64]
) -> npt.NDArray[np.generic]:
    """Return the items of a type that start at some bytes."""
    kind = np.dtype(dtype)
    count = len(data) - kind.itemsize + 1
    every: npt.NDArray[np.generic] = np.ndarray((count,), kind, data, strides=(1,))
    return every[places]


def _cut(count: int) -> str:
    return f"the index ends inside a record: its last {count} bytes were ignored"


def _nonsense(position: int, size: int, base: int) -> str:
    return (
        f"the index makes no sense from byte {base + position} on: "
        f"the {size - position} bytes behind it were ignored"
    )


def _not_closed(data: bytes, position: int, base: int) -> str:
    # A store that is being written, or whose writer died: all that counts is here,
    # unless something follows the zeros.
    if data.count(b"\0", position) == len(data) - position:
        return NOT_CLOSED
    return _nonsense(position, len(data), base)
