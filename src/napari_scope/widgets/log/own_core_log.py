"""A log file of one core alone.

pymmcore-plus lets the cores of all of a user's programs write into one file, and the
lines tell threads only. `OwnCoreLog` lets its core write a second file that nobody else
writes; it is begun anew when it has grown large, and deleted at the end. What the core
has said before is taken from the common file by the threads of this process.

Examples
--------
>>> log = OwnCoreLog(core)  # doctest: +SKIP
>>> tail = CoreLogTail(log.path, book, log.before)  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["OwnCoreLog", "lines_of_threads"]

_LARGEST: Final = 8 * 1024 * 1024  # bytes; followers read it a few times a second
_BEFORE: Final = 256 * 1024  # how much of the common file is looked through
_THREAD = re.compile(rb"\d{4}-\d\d-\d\dT\S+\s+tid(\S+)\s")


class OwnCoreLog:
    """Lets a core write a log file of its own.

    Parameters
    ----------
    core : CMMCorePlus
        The core. Its log can be set up in any thread, also while a device hangs.
    """

    def __init__(self, core: Any) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._path: Path | None = None
        self._before = b""

    def path(self) -> str:
        """Return the file; it is begun when first asked for, and when it is too large.

        Raises
        ------
        OSError, RuntimeError
            If no file can be written.
        """
        with self._lock:
            if self._path is not None and _size(self._path) < _LARGEST:
                return str(self._path)
            first = self._path is None
            self._end()
            if first:
                self._before = _end_of(self._core.getPrimaryLogFile())
            descriptor, name = tempfile.mkstemp(".log", "napari-scope-core-")
            os.close(descriptor)
            self._path = Path(name)
            debug = bool(self._core.debugLogEnabled())
            self._handle = self._core.startSecondaryLogFile(name, debug, True, False)
            return name

    def before(self) -> str:
        """Return what this process's threads logged before; once, then nothing."""
        with self._lock:
            data, self._before = self._before, b""
        idents = {str(thread.ident) for thread in threading.enumerate()}
        return lines_of_threads(data, idents)

    def close(self) -> None:
        """Let the core write it no more and delete it; idempotent."""
        with self._lock:
            self._end()
            self._path = None

    def _end(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(RuntimeError):
                self._core.stopSecondaryLogFile(handle)
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()


def lines_of_threads(data: bytes, idents: Collection[str]) -> str:
    r"""Return the lines that some threads have written, with their continuations.

    Threads of other processes have other numbers: they are addresses.

    >>> log = b"2026-11-21T15:34:27.1 tid77 [IFO,Core] a\n  more\n"
    >>> lines_of_threads(log, {"77"}).count("more"), lines_of_threads(log, {"78"})
    (1, '')
    """
    kept: list[bytes] = []
    ours = False
    for line in data.split(b"\n"):
        found = _THREAD.match(line)
        if found is not None:
            ours = found.group(1).decode("ascii", "replace") in idents
        if ours and line.strip():
            kept.append(line)
    return b"\n".join(kept).decode("utf-8", "replace")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return _LARGEST  # somebody has deleted it: it is begun anew


def _end_of(name: str) -> bytes:
    """Return the last part of a file; nothing if it cannot be read."""
    if not name:
        return b""
    try:
        with open(name, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _BEFORE))
            return file.read(_BEFORE)
    except OSError:
        return b""
