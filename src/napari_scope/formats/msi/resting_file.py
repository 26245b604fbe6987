"""A file of spectra that is open only while somebody needs it.

As long as it is shown it stays open. Somebody who has taken it from the screen lets it
rest: it is closed at once, or by the call that is under way, whoever else still refers
to it, so that it can be deleted or renamed on Windows, too. What is read of it while it
rests opens it for that call. A file that was replaced meanwhile is not the same data:
it is refused.

Examples
--------
>>> file = RestingFile("brain.ibd")  # doctest: +SKIP
>>> file.rest()  # doctest: +SKIP
>>> file.read_at(0, 16)  # doctest: +SKIP
"""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.fileio import DataFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.fileio import Buffer
    from napari_scope.formats.msi.reader import MSIReader

__all__ = ["OneRestingFile", "RestingFile", "rest", "wake"]


class RestingFile(DataFile):
    """A file that is read at given offsets; it is open from the start.

    Parameters
    ----------
    path : str or PathLike
        The file.

    Raises
    ------
    OSError
        If it cannot be opened, and by each call if it cannot be opened again.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(Path(path), -1)
        self._descriptor = None  # that of `_file` is used
        # Readers are collected in any thread, within any call: the lock lets them in.
        self._turn = threading.RLock()
        self._calls = 0
        self._resting = False
        self._ended = False
        self._file: DataFile | None = None
        file = self._file = DataFile.open(path)
        self._known = _facts(file)

    def rest(self) -> None:
        """Close the file until it is read, or `wake` is called."""
        with self._turn:
            self._resting = True
            self._let_go()

    def wake(self) -> None:
        """Keep the file open from the next call on."""
        self._resting = False

    def write_at(self, offset: int, *buffers: Buffer) -> int:
        """Refuse: it is for reading."""
        raise OSError(errno.EBADF, "the file is open for reading", str(self.path))

    def read_into(self, offset: int, target: memoryview) -> int:
        """Fill ``target`` from ``offset`` on; returns the number of bytes read."""
        file = self._borrow()
        try:
            return file.read_into(offset, target)
        finally:
            self._return()

    def read_pieces(self, offsets: Sequence[int], size: int) -> list[bytes]:
        """Read pieces of one size."""
        file = self._borrow()
        try:
            return file.read_pieces(offsets, size)
        finally:
            self._return()

    def size(self) -> int:
        """Return the length of the file in bytes."""
        file = self._borrow()
        try:
            return file.size()
        finally:
            self._return()

    def close(self) -> None:
        """Close the file; again is harmless, a call that is under way is completed."""
        with self._turn:
            self._ended = True
            file, self._file = self._file, None
        if file is not None:
            file.close()

    def _borrow(self) -> DataFile:
        with self._turn:
            if self._ended:
                raise self._closed()
            file = self._file
            if file is None:
                file = self._file = self._opened_again()
            self._calls += 1
            return file

    def _return(self) -> None:
        with self._turn:
            self._calls -= 1
            self._let_go()

    def _let_go(self) -> None:
        if self._resting and not self._calls and self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _opened_again(self) -> DataFile:
        file = DataFile.open(self.path)
        if _facts(file) != self._known:
            file.close()
            raise OSError(
                errno.ESTALE,
                "the file was changed after it was opened; open it again",
                str(self.path),
            )
        return file


class OneRestingFile:
    """What readers of one file with spectra share; it comes before their base.

    Attributes
    ----------
    _file : RestingFile, optional
        The file, once it is open.
    """

    _file: RestingFile | None = None

    @property
    def resting_files(self) -> tuple[RestingFile, ...]:
        """The file of the spectra, which may rest while nobody shows it."""
        return () if self._file is None else (self._file,)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()


def rest(reader: MSIReader) -> None:
    """Let the files of a reader rest, if it has some that can."""
    for file in _files_of(reader):
        file.rest()


def wake(reader: MSIReader) -> None:
    """Keep the files of a reader open again."""
    for file in _files_of(reader):
        file.wake()


def _files_of(reader: MSIReader) -> Sequence[RestingFile]:
    # Readers of other packages need not know of this.
    found: Sequence[RestingFile] = getattr(reader, "resting_files", ())
    return found


def _facts(file: DataFile) -> tuple[int, int]:
    """Return what tells a file from another of the same name."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns
