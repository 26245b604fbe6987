"""The core's own log, read from its file as it grows.

The core tells its log to nobody; it writes files (see `own_core_log`). `CoreLogTail`
reads what is new in a thread of its own and writes it into a `LogBook`. Lines that
Python has written into the same file (pymmcore-plus does) are passed over: the book has
them already; and so is what the log says of itself.
"""

from __future__ import annotations

import calendar
import os
import re
import threading
import time
import weakref
from typing import TYPE_CHECKING, ClassVar

from napari_scope.widgets.common.log_book import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.widgets.common.log_book import LogBook

__all__ = ["CoreLogTail", "parse_core_line"]

_LOOK_S = 0.4
_AT_START = 64 * 1024  # how much of what is there already is read
_AT_ONCE = 256 * 1024  # more than this since the last look is a flood: its end counts
_LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3,6})\s+tid\S+\s+\[(\w+),([^\]]*)\] ?(.*)"
)
_LEVELS = {
    **{"trc": 10, "dbg": 10, "ifo": 20, "wrn": 30, "err": 40, "ftl": 50},
    **{"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50},
}
_PASSED_OVER = ("pymmcore-plus", "napari_scope", "LogManager")


def parse_core_line(text: str) -> LogLine | None:
    """Return a line of the core's log file; None for the continuation of one.

    Examples
    --------
    >>> text = "2026-11-21T15:34:27.123456 tid0x7f [WRN,Core:dev:Z] it is slow"
    >>> line = parse_core_line(text)
    >>> line.level, line.source, line.text
    (30, 'Core:dev:Z', 'it is slow')
    """
    found = _LINE.match(text)
    if found is None:
        return None
    moment, part, level, source, message = found.groups()
    try:
        fields = time.strptime(moment, "%Y-%m-%dT%H:%M:%S")
        seconds = time.mktime(fields)
    except (ValueError, OverflowError):
        seconds = float(calendar.timegm(time.gmtime(0)))
    part_s = int(part) / 10 ** len(part)
    return LogLine(seconds + part_s, _LEVELS.get(level.lower(), 20), source, message)


class CoreLogTail:
    """Follows the log file of a core.

    Parameters
    ----------
    path : callable
        Returns the file, or an empty text if there is none; called in the thread.
    book : LogBook
        Where its lines are written.
    before : callable, optional
        Returns lines from before the file was begun; called once, after `path`.
    """

    _left_at: ClassVar[weakref.WeakKeyDictionary[LogBook, tuple[str, int]]] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(
        self,
        path: Callable[[], str],
        book: LogBook,
        before: Callable[[], str] | None = None,
    ) -> None:
        self._path = path
        self._book = book
        self._before = before
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        # Who opens the log again has read the beginning already.
        self._file, self._place = self._left_at.get(book, ("", -1))
        self._rest = b""
        self._open: LogLine | None = None

    def start(self) -> None:
        """Begin or go on; again is harmless."""
        if self._thread is None:
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._work,
                args=(self._stop,),
                name="napari-scope core log",
                daemon=True,
            )
            self._thread.start()

    def stop(self) -> None:
        """End the thread; a disk that hangs does not hold up the caller."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            thread.join(1.0)

    def _work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.look()
            except (OSError, RuntimeError):
                pass  # no file yet, or none that can be read: looked for again
            stop.wait(_LOOK_S)

    def look(self) -> None:
        """Read what is new; called by the thread.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        name = self._path()
        if not name:
            return
        self._look_back()
        with open(name, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if name != self._file or self._place > size:
                # Another file, or the same one begun anew.
                begun = self._place if name == self._file else -1
                self._file, self._rest = name, b""
                self._place = 0 if begun > size else max(0, size - _AT_START)
            if size - self._place > _AT_ONCE:
                self._place, self._rest = size - _AT_ONCE, b""
            file.seek(self._place)
            data = file.read(size - self._place)
        self._place += len(data)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()[-_AT_ONCE:]
        for line in lines:
            self._take(line.decode("utf-8", "replace").rstrip("\r"))
        self._write()
        self._left_at[self._book] = (name, self._place - len(self._rest))

    def _look_back(self) -> None:
        before, self._before = self._before, None
        if before is None or self._book in self._left_at:
            return  # whoever followed before has read it
        for line in before().splitlines():
            self._take(line)
        self._write()

    def _take(self, text: str) -> None:
        line = parse_core_line(text)
        if line is not None:
            self._write()
            if line.source.startswith(_PASSED_OVER):
                return
            source = line.source
            if not source.startswith("Core"):  # an adapter with a log of its own
                line = LogLine(line.time_s, line.level, f"Core:{source}", line.text)
            self._open = line
        elif self._open is not None and text.strip():
            before = self._open
            joined = f"{before.text}\n{text.strip()}"
            self._open = LogLine(before.time_s, before.level, before.source, joined)

    def _write(self) -> None:
        line, self._open = self._open, None
        if line is not None:
            self._book.add(line)
