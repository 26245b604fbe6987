"""The index of one folder while it is written: records are appended, then findable.

A record is first written and only then counted, so the end of the index never lies
behind a record that is not whole. Where the record of a frame starts is remembered by
the frame's axes (`napari_scope.formats.ndtiff.offsets`); what it says is read back from
the disk, because the records of millions of frames do not stay in memory.

This module knows records as bytes. It knows nothing of the files that hold the frames
and takes no lock: its owner says what may happen at the same time.

Examples
--------
>>> from napari_scope.formats.ndtiff.index import encode_record
>>> record = encode_record(b'{"time":0}', b"NDTiffStack.tif", 200, 4, 4, 1, 232, 2)
>>> location_in(record, b'{"time":0}').pixel_offset
200
>>> location_in(record, b'{"time":1}') is None
True
"""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, Final

from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff.failures import quietly
from napari_scope.formats.ndtiff.index import INDEX_NAME, parse_index
from napari_scope.formats.ndtiff.offsets import OffsetTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_scope.formats.ndtiff.encoding import PendingFrame
    from napari_scope.formats.ndtiff.files import FrameLocation

__all__ = ["GrowingIndex", "location_in"]

_LENGTH: Final = struct.Struct("<I")
_MAX_NAME: Final = 1024  # bytes of a file name and the numbers behind it, in a record


class GrowingIndex:
    """The index of a folder that has none yet, or that goes on. Not thread safe.

    Parameters
    ----------
    folder : Path
        The folder; it exists.
    records : sequence of (bytes, int), optional
        Axes and length of each record that the index has already, if it has any.

    Attributes
    ----------
    end : int
        Bytes of all records that count.

    Raises
    ------
    OSError
        The file could not be made.
    """

    def __init__(
        self, folder: Path, records: Iterable[tuple[bytes, int]] | None = None
    ) -> None:
        self._folder = folder
        self._offsets = OffsetTable()
        self.end = 0
        self._is_new = records is None
        if records is None:
            self._file = DataFile.create(folder / INDEX_NAME)
            return
        for axes, length in records:
            self._offsets.add(axes, self.end)
            self.end += length
        self._file = DataFile.open(folder / INDEX_NAME, writable=True)

    def write(self, records: Sequence[bytes]) -> None:
        """Write records behind the end; they do not count yet.

        Raises
        ------
        OSError
            The system refused; the caller cuts the index.
        """
        self._file.write_at(self.end, b"".join(records))

    def count(self, batch: Sequence[PendingFrame], records: Sequence[bytes]) -> None:
        """Let the records of frames count that were written last."""
        for number, record in enumerate(records):
            self._offsets.add(batch[number].axes, self.end)
            self.end += len(record)

    def cut(self) -> None:
        """Take away what was written and does not count."""
        # Should the disk refuse even this, the next record overwrites what is left.
        with contextlib.suppress(OSError):
            self._file.truncate(self.end)

    def places(self, axes: bytes) -> list[tuple[int, int]]:
        """Return where the record of a frame may be, the newest first.

        Parameters
        ----------
        axes : bytes
            The frame's axes, JSON, as in its record.

        Returns
        -------
        list of (int, int)
            Offset in the index, and how many bytes are enough to see in them with
            `location_in` whether it is the frame's record.
        """
        most = _LENGTH.size + len(axes) + _MAX_NAME
        return [
            (offset, min(self.end - offset, most))
            for offset in self._offsets.candidates(axes)
        ]

    def close(self) -> None:
        """Close the file; again is harmless."""
        self._file.close()

    def moved(self, folder: Path) -> None:
        """Note after `close` that the folder has another name."""
        self._folder = folder

    def reopen(self) -> None:
        """Open the file again after `close`.

        Raises
        ------
        OSError
            The system refused.
        """
        self._file = DataFile.open(self._folder / INDEX_NAME, writable=True)

    def delete(self) -> None:
        """Delete the file after `close`, if it was made here."""
        if self._is_new:
            quietly((self._folder / INDEX_NAME).unlink)


def location_in(record: bytes, axes: bytes) -> FrameLocation | None:
    """Return what a record says of where its frame is, None of another frame.

    Parameters
    ----------
    record : bytes
        The record; others may follow.
    axes : bytes
        The axes that it should have, JSON.
    """
    if record.startswith(_LENGTH.pack(len(axes)) + axes):
        return parse_index(record).location(0)
    return None
