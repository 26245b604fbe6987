"""The TIFF files of a store, opened when needed, and the frames in them.

A store of terabytes has hundreds of files, more than a process may hold open. A file
that no reader is using may be closed at any time; one that is in use never is, because
its descriptor could come to mean another file under the reader's hands.

Names come from an index, which is not to be trusted: only a plain name of a file in the
folder is opened, and only a regular one. A link is followed wherever it leads, to a
regular file too: who can make one in the folder is its owner, and owners link large
files to other disks. No name of an index makes a link.

An offset has 32 bits in this format, so no frame reaches beyond `MAX_END`. A sparse
file may be as long as an index likes; memory is not taken for what cannot be in it.
"""

from __future__ import annotations

import contextlib
import stat
import sys
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff.record import PIXEL_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["MAX_END", "NATIVE_ORDER", "FilePool", "FrameLocation", "is_plain_name"]

MAX_END = 2**32
"""The byte before which every frame ends."""


class FrameLocation(NamedTuple):
    """Where a frame is stored.

    Offsets and lengths are bytes, ``width`` and ``height`` pixels; ``pixel_type`` is
    the code of the index.
    """

    file: str
    pixel_offset: int
    width: int
    height: int
    pixel_type: int
    metadata_offset: int
    metadata_length: int


NATIVE_ORDER = "<" if sys.byteorder == "little" else ">"

# A colon is a drive or a stream on Windows, and a letter like any other elsewhere.
_OUTSIDE = "/\\\0:" if sys.platform == "win32" else "/\\\0"


def is_plain_name(name: str) -> bool:
    """Return whether a name stays inside its folder."""
    return name not in ("", ".", "..") and not any(c in name for c in _OUTSIDE)


class _Entry:
    __slots__ = ("file", "size", "users")

    def __init__(self, file: DataFile, size: int) -> None:
        self.file = file
        self.size = size
        self.users = 0


class FilePool:
    """Files of one folder, read-only, at most ``limit`` of them open while idle.

    Thread safe. After `close` a file that is asked for is opened again, so that a
    late viewer still works; whatever is open is closed with the pool's own end.

    Parameters
    ----------
    folder : Path
        Where the files are.
    limit : int
        How many idle files may stay open.
    """

    def __init__(self, folder: Path, *, limit: int = 32) -> None:
        self.folder = folder
        self._limit = limit
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def use(self, name: str) -> Iterator[DataFile]:
        """Lend a file for the length of a ``with`` block.

        Raises
        ------
        FormatError
            The name leaves the folder, or the file is missing or no regular file.
        """
        entry = self._take(name)
        try:
            yield entry.file
        finally:
            self._give_back(entry)

    def read_frame(
        self, location: FrameLocation, *, order: str = "<"
    ) -> npt.NDArray[np.generic]:
        """Return the pixels of a frame, shape (height, width) or (height, width, 3).

        Parameters
        ----------
        location : FrameLocation
            Where the frame is; it is checked against the file.
        order : str
            Byte order of the file, ``"<"`` or ``">"``.

        Raises
        ------
        FormatError
            The file is missing or ends before the frame does, or the frame lies where
            no offset of the format leads.
        """
        name, offset, width, height, code, _, _ = location
        kind = PIXEL_TYPES.get(code)
        if kind is None:
            raise FormatError(
                f"pixel type {code} is not known", path=self.folder / name
            )
        samples = kind.samples
        shape = (height, width) if samples == 1 else (height, width, samples)
        nbytes = height * width * kind.nbytes
        if offset + nbytes > MAX_END:
            raise FormatError(
                f"a frame of {nbytes} bytes at byte {offset} reaches beyond 4 GiB, "
                "where no offset of the format leads",
                path=self.folder / name,
            )
        entry = self._take(name)
        try:
            # Before memory is taken for it: the numbers may be anything.
            if offset + nbytes > entry.size:
                self._check(entry, offset, nbytes, "pixels")
            frame = np.empty(shape, kind.dtype)
            # Once more where a file that was too short has grown meanwhile.
            while nbytes and entry.file.read_into(offset, frame.data) != nbytes:
                self._check(entry, offset, nbytes, "pixels")
        finally:
            self._give_back(entry)
        # A byte has no order.
        if kind.dtype.itemsize > 1 and order != NATIVE_ORDER:
            frame.byteswap(inplace=True)
        return frame

    def read_into(self, name: str, offset: int, target: memoryview, what: str) -> None:
        """Fill ``target`` from a file; raises as `read_bytes` does."""
        entry = self._take(name)
        try:
            if offset + target.nbytes > entry.size:
                self._check(entry, offset, target.nbytes, what)
            while entry.file.read_into(offset, target) != target.nbytes:
                self._check(entry, offset, target.nbytes, what)
        finally:
            self._give_back(entry)

    def read_bytes(self, name: str, offset: int, length: int, what: str) -> bytes:
        """Return bytes of a file; ``what`` names them in the error.

        Raises
        ------
        FormatError
            The file is missing or ends before the bytes do.
        """
        entry = self._take(name)
        try:
            self._check(entry, offset, length, what)
            return entry.file.read_at(offset, length)
        finally:
            self._give_back(entry)

    def size(self, name: str) -> int:
        """Return the present length of a file; raises as `use` does."""
        entry = self._take(name)
        try:
            entry.size = entry.file.size()
            return entry.size
        finally:
            self._give_back(entry)

    def _check(self, entry: _Entry, offset: int, length: int, what: str) -> None:
        """Compare with the present length: files grow, and some are cut."""
        size = entry.size = entry.file.size()
        if offset + length > size:
            raise FormatError(
                f"the file ends at byte {size}, before its {what} at byte {offset} "
                f"({length} bytes)",
                path=entry.file.path,
                hint="it was cut, or is still being copied",
            )

    def _take(self, name: str) -> _Entry:
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                file = self._open(name)
                entry = self._entries[name] = _Entry(file, file.size())
            self._entries.move_to_end(name)
            entry.users += 1
            return entry

    def _give_back(self, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            if len(self._entries) > self._limit:
                self._shrink()

    def check_name(self, name: str) -> None:
        """Raise FormatError if a name leaves the folder."""
        if not is_plain_name(name):
            raise FormatError(
                f"the index names a file outside the store: {name!r}",
                path=self.folder,
            )

    def _open(self, name: str) -> DataFile:
        self.check_name(name)
        path = self.folder / name
        try:
            # A pipe or a device of that name would hang or worse.
            if not stat.S_ISREG(path.stat().st_mode):
                raise FormatError("not a regular file", path=path)
            return DataFile.open(path)
        except OSError as error:
            raise FormatError(
                f"cannot be opened: {error.strerror or error}", path=path
            ) from error

    def _shrink(self) -> None:
        idle = len(self._entries) - self._limit
        for name in [n for n, e in self._entries.items() if not e.users][:idle]:
            self._entries.pop(name).file.close()

    def close(self) -> None:
        """Close all files that are not in use; again is harmless."""
        with self._lock:
            for name in [n for n, e in self._entries.items() if not e.users]:
                self._entries.pop(name).file.close()

    def __del__(self) -> None:
        self.close()
