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
import io
import os
import shutil
import sys
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    Buffer: TypeAlias = "bytes | bytearray | memoryview | npt.NDArray[np.generic]"

__all__ = ["DataFile", "free_bytes", "portable_io", "replace_file", "uses_portable_io"]

_IOV_MAX = 512  # POSIX promises 16, Linux and macOS have 1024
_force_portable = os.environ.get("NAPARI_SCOPE_PORTABLE_IO", "") not in ("", "0")
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

    All methods are thread safe. ``close`` is idempotent.
    """

    path: Path

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
    def read_at(self, offset: int, size: int) -> bytes:
        """Read up to ``size`` bytes; fewer at the end of the file."""

    @abstractmethod
    def read_into(self, offset: int, target: memoryview) -> int:
        """Fill ``target`` from ``offset`` on; returns the number of bytes read."""

    @abstractmethod
    def fileno(self) -> int:
        """Return the file descriptor."""

    @abstractmethod
    def close(self) -> None:
        """Close the file; again is harmless."""

    def size(self) -> int:
        """Return the length of the file in bytes."""
        return os.fstat(self.fileno()).st_size

    def truncate(self, size: int) -> None:
        """Set the length of the file; new bytes are zeros and take no room.

        On Windows the file is marked sparse first, otherwise the system would write
        the zeros when something is written behind them.
        """
        if sys.platform == "win32":
            _mark_sparse(self.fileno())
        os.truncate(self.fileno(), size)

    def sync(self) -> None:
        """Wait until the data are on the medium (survive a loss of power)."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(self.fileno())
        else:
            os.fsync(self.fileno())

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


def _open(path: Path, flags: int) -> DataFile:
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o666)
    if uses_portable_io():
        return _PortableFile(path, descriptor, writable=bool(flags & os.O_RDWR))
    return _PosixFile(path, descriptor)


def _views(buffers: tuple[Buffer, ...]) -> list[memoryview]:
    views = (memoryview(b).cast("B") if _nbytes(b) else None for b in buffers)
    return [v for v in views if v is not None]


def _nbytes(buffer: Buffer) -> int:
    return memoryview(buffer).nbytes


class _PosixFile(DataFile):
    """One file descriptor, ``pwritev`` and ``preadv``: no lock, no seek."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    def fileno(self) -> int:
        if self._descriptor is None:
            raise ValueError(f"the file is closed: {self.path}")
        return self._descriptor

    def write_at(self, offset: int, *buffers: Buffer) -> int:
        pending = _views(buffers)
        total = 0
        while pending:
            batch = pending[:_IOV_MAX]
            written = os.pwritev(self.fileno(), batch, offset + total)
            if written == 0:
                raise OSError(28, "nothing could be written", str(self.path))
            total += written
            while written:
                if written >= pending[0].nbytes:
                    written -= pending.pop(0).nbytes
                else:
                    pending[0] = pending[0][written:]
                    written = 0
        return total

    def read_at(self, offset: int, size: int) -> bytes:
        data = os.pread(self.fileno(), size, offset)
        if len(data) in (0, size):
            return data
        parts = [data]
        total = len(data)
        while total < size and (
            data := os.pread(self.fileno(), size - total, offset + total)
        ):
            parts.append(data)
            total += len(data)
        return b"".join(parts)

    def read_into(self, offset: int, target: memoryview) -> int:
        view = target.cast("B")
        total = 0
        while total < view.nbytes:
            count = os.preadv(self.fileno(), [view[total:]], offset + total)
            if count == 0:
                break
            total += count
        return total

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class _PortableFile(DataFile):
    """One unbuffered file object, a lock, ``seek`` and ``write``: runs anywhere."""

    def __init__(self, path: Path, descriptor: int, *, writable: bool) -> None:
        self.path = path
        self._file = io.FileIO(descriptor, "r+b" if writable else "rb")
        self._lock = threading.Lock()

    def fileno(self) -> int:
        return self._file.fileno()

    def write_at(self, offset: int, *buffers: Buffer) -> int:
        total = 0
        with self._lock:
            self._file.seek(offset)
            for view in _views(buffers):
                done = 0
                while done < view.nbytes:
                    written = self._file.write(view[done:])
                    if not written:
                        raise OSError(28, "nothing could be written", str(self.path))
                    done += written
                total += done
        return total

    def read_at(self, offset: int, size: int) -> bytes:
        target = bytearray(size)
        count = self.read_into(offset, memoryview(target))
        return bytes(target[:count])

    def read_into(self, offset: int, target: memoryview) -> int:
        view = target.cast("B")
        total = 0
        with self._lock:
            self._file.seek(offset)
            while total < view.nbytes:
                count = self._file.readinto(view[total:])
                if not count:
                    break
                total += count
        return total

    def close(self) -> None:
        self._file.close()


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a small file so that readers see the old or the new one, never a part.

    The data go to a neighbour first, which then takes the name. On Windows a reader
    that has the old file open makes the exchange fail for a moment; it is tried again.
    """
    path = Path(path)
    neighbour = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with open(neighbour, "wb") as file:
            file.write(data)
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


def free_bytes(path: str | os.PathLike[str]) -> int:
    """Return the free space, in bytes, on the disk that holds or will hold ``path``."""
    place = Path(path).absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


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
