"""A lock on a file that ends with the process that holds it, however that ends.

The writer of a run locks its journal for as long as the journal is open; `recover`
asks for the same lock. The system gives it up when a process dies, so there is no
heartbeat to miss, no clock to trust and nothing to clean up after a kill.

POSIX systems lock the open file (``flock``): the writer's own readers do not disturb
it. Windows locks a byte far behind the end, because a locked byte cannot be read.

Examples
--------
>>> import tempfile, pathlib
>>> from napari_scope.fileio import DataFile
>>> path = pathlib.Path(tempfile.mkdtemp()) / "f"
>>> mine, other = DataFile.create(path), DataFile.open(path, writable=True)
>>> hold(mine), hold(other)
(<Held.YES: 'yes'>, <Held.TAKEN: 'taken'>)
>>> mine.close()
>>> hold(other)
<Held.YES: 'yes'>
>>> other.close()
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_scope.fileio import DataFile

__all__ = ["Held", "hold", "release"]

_FAR = 2**62  # the byte that is locked on Windows; no file is so long


class Held(Enum):
    """What came of asking for a lock."""

    YES = "yes"
    TAKEN = "taken"
    UNKNOWN = "unknown"
    """The file system has no locks (some network drives)."""


def hold(file: DataFile) -> Held:
    """Lock an open file until it is closed; never waits."""
    try:
        _lock(file.fileno())
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return Held.TAKEN
        return Held.UNKNOWN
    return Held.YES


def release(file: DataFile) -> None:
    """Give up the lock of a file that is about to be closed.

    To close it is not enough where a process was forked meanwhile: the lock would last
    as long as that lives.
    """
    with contextlib.suppress(OSError, ValueError):
        _unlock(file.fileno())


if sys.platform == "win32":  # pragma: no cover - Windows only
    import msvcrt

    def _lock(descriptor: int) -> None:
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            os.lseek(descriptor, _FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, place, os.SEEK_SET)

    def _unlock(descriptor: int) -> None:
        """Do nothing: nothing is forked, so closing the file is enough."""

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
