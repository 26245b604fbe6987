"""Files as the data path needs them: positional, vectored, durable, on every system.

Formats and streams write through `DataFile` and `replace_file` only, so that what
differs between POSIX and Windows is in this one module. Two implementations stand
behind `DataFile`: one over ``os.pwritev`` and ``os.preadv``, one portable over a lock,
``seek`` and ``write``. The environment variable ``NAPARI_SCOPE_PORTABLE_IO=1`` or
`portable_io` forces the portable one; the tests run both.

This module knows nothing of formats or frames.

Examples
--------
>>> import tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "data.bin"
>>> with DataFile.create(path) as file:
...     _ = file.write_at(4, b"later", b"!")
...     _ = file.write_at(0, b"soon")
>>> path.read_bytes()
b'soonlater!'
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import sys
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    Buffer: TypeAlias = "bytes | bytearray | memoryview | npt.NDArray[np.generic]"

__all__ = [
    "DataFile",
    "disk_of",
    "free_bytes",
    "portable_io",
    "replace_file",
    "sync_folder",
    "uses_portable_io",
]

_IOV_MAX = 512  # POSIX promises 16, Linux and macOS have 1024
_force_portable = os.environ.get("NAPARI_SCOPE_PORTABLE_IO", "") not in ("", "0")
# Pieces that lie farther apart than this are announced to the system, so many at once:
# it reads them side by side then. Between nearer ones it reads on by itself.
_APART = 8192
_ANNOUNCED = 256
_HAS_POSITIONAL = hasattr(os, "pwritev") and hasattr(os, "preadv")


def uses_portable_io() -> bool:
    """Return whether new files use the portable implementation."""
    return _force_portable or not _HAS_POSITIONAL


@contextlib.contextmanager
def portable_io(force: bool = True) -> Iterator[None]:
    """Use the portable implementation for files opened inside the block."""
    global _force_portable
    before, _force_portable = _force_portable, force
    try:
        yield
    finally:
        _force_portable = before


class DataFile(ABC):
    """A binary file that is read and written at given offsets.

    All methods are thread safe. ``close`` is idempotent; a call that is under way in
    another thread is still completed.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        # One item for each call under way, and the descriptor once it is to be closed:
        # whoever is last takes it from the list, which only one can. Lists are safe to
        # append to and to pop from in any thread, in a third of the time of a lock.
        self._users: list[None] = []
        self._leaving: list[int] = []
        self._gate = threading.Lock()

    @staticmethod
    def create(path: str | os.PathLike[str]) -> DataFile:
        """Create a new file for reading and writing; an existing one is refused."""
        return _open(Path(path), os.O_RDWR | os.O_CREAT | os.O_EXCL)

    @staticmethod
    def open(path: str | os.PathLike[str], *, writable: bool = False) -> DataFile:
        """Open an existing file."""
        return _open(Path(path), os.O_RDWR if writable else os.O_RDONLY)

    @abstractmethod
    def write_at(self, offset: int, *buffers: Buffer) -> int:
        """Write all buffers one after the other from ``offset`` on.

        Short writes are continued; an error of the system is raised as OSError.
        Returns the number of bytes written.
        """

    @abstractmethod
    def read_into(self, offset: int, target: memoryview) -> int:
        """Fill ``target`` from ``offset`` on; returns the number of bytes read."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Read up to ``size`` bytes; fewer at the end of the file."""
        target = bytearray(size)
        count = self.read_into(offset, memoryview(target))
        return bytes(memoryview(target)[:count])

    def read_pieces(self, offsets: Sequence[int], size: int) -> list[bytes]:
        """Read pieces of one size, as `read_at` does each.

        Thousands of small pieces take a fraction of the time of as many calls.
        """
        return [self.read_at(offset, size) for offset in offsets]

    def _take(self) -> int:
        """Take the descriptor; its number is not freed for another file meanwhile.

        Whoever takes it gives it back in ``finally``. Small frames are written in a few
        microseconds, of which a ``with`` block over a generator would be one.
        """
        # In this order: `close` takes the descriptor away before it looks for users.
        self._users.append(None)
        descriptor = self._descriptor
        if descriptor is None:
            self._give_back()
            raise self._closed()
        return descriptor

    def _give_back(self) -> None:
        self._users.pop()
        if self._leaving and not self._users:
            self._leave()

    def _leave(self) -> None:
        with contextlib.suppress(IndexError):
            os.close(self._leaving.pop())

    @contextlib.contextmanager
    def _lent(self) -> Iterator[int]:
        """Lend the descriptor for the length of a ``with`` block."""
        descriptor = self._take()
        try:
            yield descriptor
        finally:
            self._give_back()

    def _closed(self) -> ValueError:
        return ValueError(f"the file is closed: {self.path}")

    def fileno(self) -> int:
        """Return the file descriptor."""
        if self._descriptor is None:
            raise self._closed()
        return self._descriptor

    def close(self) -> None:
        """Close the file; again is harmless."""
        descriptor = self._descriptor
        if descriptor is None:
            return
        with self._gate:
            if self._descriptor is None:
                return
            self._leaving.append(descriptor)
            self._descriptor = None
        if not self._users:
            self._leave()

    def size(self) -> int:
        """Return the length of the file in bytes."""
        with self._lent() as descriptor:
            return os.fstat(descriptor).st_size

    def truncate(self, size: int) -> None:
        """Set the length of the file; new bytes are zeros and take no room.

        Windows lengthens a file by writing zeros, so there the file is marked sparse
        and a single byte at the new end is written instead.
        """
        if sys.platform == "win32" and size > self.size():
            with self._lent() as descriptor:
                _mark_sparse(descriptor)
            self.write_at(size - 1, b"\0")
            return
        with self._lent() as descriptor:
            os.truncate(descriptor, size)

    def sync(self) -> None:
        """Wait until the data are on the medium (survive a loss of power)."""
        with self._lent() as descriptor:
            if hasattr(os, "fdatasync"):
                os.fdatasync(descriptor)
            else:
                os.fsync(descriptor)

    def __enter__(self) -> DataFile:
        """Return the file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def __del__(self) -> None:
        self.close()


def _open(path: Path, flags: int) -> DataFile:
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o666)
    if uses_portable_io():
        return _PortableFile(path, descriptor, writable=bool(flags & os.O_RDWR))
    return _PosixFile(path, descriptor)


def _nbytes(buffer: Buffer) -> int:
    return len(buffer) if isinstance(buffer, (bytes, bytearray)) else buffer.nbytes


def _views(buffers: tuple[Buffer, ...]) -> list[memoryview]:
    # numpy tells type checkers of its buffers from Python 3.12 on only.
    views = (memoryview(buffer) for buffer in buffers)  # type: ignore[arg-type]
    # An empty view cannot be cast.
    return [view.cast("B") for view in views if view.nbytes]


class _PosixFile(DataFile):
    """One file descriptor, ``pwritev`` and ``preadv``: no lock, no seek.

    The system nearly always does the whole of a request, so that is tried with the
    buffers as they are; what it left is done piece by piece.
    """

    def write_at(self, offset: int, *buffers: Buffer) -> int:
        size = 0
        for buffer in buffers:
            size += len(buffer) if type(buffer) is bytes else _nbytes(buffer)
        # As `_take`, in line: a call is a tenth of a small write.
        self._users.append(None)
        try:
            descriptor = self._descriptor
            if descriptor is None:
                raise self._closed()
            if len(buffers) == 1:
                done = os.pwrite(descriptor, buffers[0], offset)  # type: ignore[arg-type]
            elif 0 < len(buffers) <= _IOV_MAX:
                done = os.pwritev(descriptor, buffers, offset)  # type: ignore[arg-type]
            else:
                done = 0
            if done < size:
                self._write_rest(descriptor, offset, buffers, done)
        finally:
            self._users.pop()
            if self._leaving and not self._users:
                self._leave()
        return size

    def _write_rest(
        self, descriptor: int, offset: int, buffers: tuple[Buffer, ...], done: int
    ) -> None:
        pending = _views(buffers)
        skip = done
        while True:
            while pending and skip >= pending[0].nbytes:
                skip -= pending.pop(0).nbytes
            if not pending:
                return
            if skip:
                pending[0] = pending[0][skip:]
            skip = os.pwritev(descriptor, pending[:_IOV_MAX], offset + done)
            if skip == 0:
                raise _no_room(self.path)
            done += skip

    def read_into(self, offset: int, target: memoryview) -> int:
        descriptor = self._take()
        try:
            total = os.preadv(descriptor, (target,), offset)
            if total < target.nbytes:
                rest = target.cast("B")
                while 0 < total < rest.nbytes:
                    count = os.preadv(descriptor, (rest[total:],), offset + total)
                    if count == 0:
                        break
                    total += count
        finally:
            self._give_back()
        return total

    def read_pieces(self, offsets: Sequence[int], size: int) -> list[bytes]:
        descriptor = self._take()
        try:
            # As nearly always, the system reads the whole of a request.
            read = os.pread
            pieces: list[bytes] = []
            step = _ANNOUNCED if _lie_apart(offsets) else max(1, len(offsets))
            for begin in range(0, len(offsets), step):
                part = offsets[begin : begin + step]
                if step == _ANNOUNCED:
                    _announce(descriptor, part, size)
                pieces += [read(descriptor, size, offset) for offset in part]
        finally:
            self._give_back()
        return [
            piece if len(piece) == size else self.read_at(offset, size)
            for piece, offset in zip(pieces, offsets, strict=True)
        ]


def _lie_apart(offsets: Sequence[int]) -> bool:
    steps = len(offsets) - 1
    return steps > 0 and abs(offsets[-1] - offsets[0]) > _APART * steps


def _announce(descriptor: int, offsets: Sequence[int], size: int) -> None:
    """Let the system begin to read pieces, where it can be told."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is None:
        return
    # Not all file systems know it, and nothing depends on it.
    with contextlib.suppress(OSError):
        for offset in offsets:
            advise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)


class _PortableFile(DataFile):
    """One unbuffered file object, a lock, ``seek`` and ``write``: runs anywhere."""

    def __init__(self, path: Path, descriptor: int, *, writable: bool) -> None:
        super().__init__(path, descriptor)
        mode = "r+b" if writable else "rb"
        self._file = io.FileIO(descriptor, mode, closefd=False)
        self._lock = threading.Lock()

    def write_at(self, offset: int, *buffers: Buffer) -> int:
        total = 0
        with self._lent(), self._lock:
            self._file.seek(offset)
            for view in _views(buffers):
                done = 0
                while done < view.nbytes:
                    written = self._file.write(view[done:])
                    if not written:
                        raise _no_room(self.path)
                    done += written
                total += done
        return total

    def read_into(self, offset: int, target: memoryview) -> int:
        total = 0
        with self._lent(), self._lock:
            self._file.seek(offset)
            for view in _views((target,)):
                while total < view.nbytes:
                    count = self._file.readinto(view[total:])
                    if not count:
                        break
                    total += count
        return total


def _no_room(path: Path) -> OSError:
    return OSError(errno.ENOSPC, "nothing could be written", str(path))


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a small file so that readers see the old or the new one, never a part.

    The data go to a neighbour first, which then takes the name. Where a file is
    replaced they are synced before: a name may reach the medium ahead of the data, and
    after a loss of power neither the old nor the new ones would be there. On Windows a
    reader that has the old file open makes the exchange fail for a moment; it is tried
    again.
    """
    path = Path(path)
    neighbour = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with open(neighbour, "wb") as file:
            file.write(data)
            if path.exists():
                file.flush()
                os.fsync(file.fileno())
        for attempt in range(50):
            try:
                os.replace(neighbour, path)
                return
            except PermissionError:
                if sys.platform != "win32" or attempt == 49:
                    raise
                threading.Event().wait(0.02)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(neighbour)


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Wait until the names in a folder are on the medium (survive a loss of power).

    A file that was synced is lost all the same while its folder does not know it.
    Windows has no such call; NTFS keeps its names in a journal.
    """
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems know no such thing for folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def free_bytes(path: str | os.PathLike[str]) -> int:
    """Return the free space, in bytes, on the disk that holds or will hold ``path``."""
    return shutil.disk_usage(_existing(path)).free


def disk_of(path: str | os.PathLike[str]) -> int:
    """Return a number that is the same for all paths on one disk."""
    return _existing(path).stat().st_dev


def _existing(path: str | os.PathLike[str]) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    place = Path(path).absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _mark_sparse(descriptor: int) -> None:  # pragma: no cover - Windows only
    """Set the sparse flag of an NTFS file; other file systems simply refuse."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        fsctl_set_sparse = 0x000900C4
        returned = ctypes.c_ulong()
        ctypes.windll.kernel32.DeviceIoControl(
            ctypes.c_void_p(msvcrt.get_osfhandle(descriptor)),
            fsctl_set_sparse,
            None,
            0,
            None,
            0,
            ctypes.byref(returned),
            None,
        )
