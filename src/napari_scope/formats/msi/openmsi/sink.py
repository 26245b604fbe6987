"""A file for libhdf5 to write to, which never tells it that something failed.

libhdf5 does not survive a disk that is full: what it cannot write it cannot close
either, and the process ends with a violation of memory. So the first failure is kept
here, what is written from then on is kept in memory, and who writes asks `Sink.check`
after each block whether to go on.

Examples
--------
>>> with Sink("new.h5") as sink, h5py.File(sink, "w") as file:  # doctest: +SKIP
...     file["a"] = 1
...     sink.check()
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from napari_scope.fileio import DataFile

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import Any

__all__ = ["Sink"]


class Sink(io.RawIOBase):
    """A new file as libhdf5 wants it through h5py: with a position.

    Parameters
    ----------
    path : str or PathLike
        The file, which does not exist.

    Attributes
    ----------
    failed : BaseException or None
        The first failure.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._file = DataFile.create(path)
        self._at = 0
        self._end = 0
        self._kept: list[tuple[int, bytes]] = []
        self.failed: BaseException | None = None

    def check(self) -> None:
        """Raise the first failure, if there is one."""
        if self.failed is not None:
            raise self.failed

    def sync(self) -> None:
        """Wait until all is on the medium."""
        self._file.sync()

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        self._at = start + offset
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Set the length."""
        end = self._at if size is None else size
        self._try(self._file.truncate, end)
        self._end = end
        return end

    def write(self, data: Any, /) -> int:
        """Write at the position; that of a disk that is full goes to memory."""
        view = memoryview(data).cast("B")
        self._try(self._file.write_at, self._at, view)
        if self.failed is not None:
            self._kept.append((self._at, bytes(view)))
        self._at += view.nbytes
        self._end = max(self._end, self._at)
        return view.nbytes

    def readinto(self, target: Any, /) -> int:
        """Fill a buffer from the position on; zeros where nothing was written."""
        view = memoryview(target).cast("B")
        count = self._try(self._file.read_into, self._at, view) or 0
        view[count:] = bytes(view.nbytes - count)
        for offset, data in self._kept:
            low = max(offset, self._at)
            high = min(offset + len(data), self._at + view.nbytes)
            if low < high:
                view[low - self._at : high - self._at] = data[
                    low - offset : high - offset
                ]
        self._at += view.nbytes
        return view.nbytes

    def close(self) -> None:
        """Close the file; again is harmless."""
        if not self.closed:
            self._file.close()
        super().close()

    def _try(self, act: Callable[..., int | None], *arguments: Any) -> int | None:
        try:
            return act(*arguments)
        except BaseException as error:
            # Also Ctrl-C: nothing may leave a call of libhdf5.
            self.failed = self.failed or error
            return None
