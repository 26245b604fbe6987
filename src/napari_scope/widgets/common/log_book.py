"""What the program has said: a bounded book of log lines, kept from its start.

Everything in `napari_scope` and pymmcore-plus that logs writes into it by Python's
`logging`; messages and errors of the docks do, too. So whoever opens the log after
something went wrong finds it there. Writing a line costs microseconds and waits for
nobody; the events that the engine logs one by one are passed over.

Examples
--------
>>> book = LogBook(most_lines=2)
>>> for number in range(3):
...     book.add(LogLine(0.0, 20, "test", f"line {number}"))
>>> [line.text for line in book.since(0)[0]]
['line 1', 'line 2']
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import ClassVar

__all__ = ["LogBook", "LogLine"]

_MOST_LINES = 20_000
_MOST_CHARACTERS = 8000  # of one line: a traceback, not a dump
_LOGGERS = ("napari_scope", "pymmcore-plus")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One message.

    Parameters
    ----------
    time_s : float
        When, in seconds since the epoch.
    level : int
        How much it matters, as in `logging`: 10 debug, 20 info, 30 warning, 40 error.
    source : str
        Who said it.
    text : str
        What; may have several lines.
    """

    time_s: float
    level: int
    source: str
    text: str

    @property
    def level_name(self) -> str:
        """The level in a word."""
        if self.level >= logging.ERROR:
            return "Error"
        if self.level >= logging.WARNING:
            return "Warning"
        return "Info" if self.level >= logging.INFO else "Debug"

    @property
    def clock(self) -> str:
        """The time of day, to the millisecond."""
        moment = time.localtime(self.time_s)
        return f"{time.strftime('%H:%M:%S', moment)}.{int(self.time_s % 1 * 1000):03d}"

    def as_text(self) -> str:
        """Return the line as it stands in a file."""
        day = time.strftime("%Y-%m-%d", time.localtime(self.time_s))
        return f"{day} {self.clock} {self.level_name:7} [{self.source}] {self.text}"


class LogBook:
    """The latest lines, from any thread.

    Parameters
    ----------
    most_lines : int
        How many are kept.
    """

    _shared: ClassVar[LogBook | None] = None

    def __init__(self, most_lines: int = _MOST_LINES) -> None:
        self._lines: deque[LogLine] = deque(maxlen=most_lines)
        self._written = 0
        self._lock = threading.Lock()

    @classmethod
    def shared(cls) -> LogBook:
        """Return the book of this process; it begins to listen when first asked for."""
        if cls._shared is None:
            cls._shared = cls()
            handler = _Writer(cls._shared)
            for name in _LOGGERS:
                logging.getLogger(name).addHandler(handler)
            ours = logging.getLogger("napari_scope")
            if ours.level == logging.NOTSET:
                ours.setLevel(logging.INFO)
        return cls._shared

    @property
    def most_lines(self) -> int:
        """How many lines are kept."""
        return self._lines.maxlen or 0

    def add(self, line: LogLine) -> None:
        """Write a line."""
        if len(line.text) > _MOST_CHARACTERS:
            text = f"{line.text[:_MOST_CHARACTERS]} …"
            line = LogLine(line.time_s, line.level, line.source, text)
        with self._lock:
            self._lines.append(line)
            self._written += 1

    def since(self, number: int) -> tuple[list[LogLine], int]:
        """Return what was written after a number of lines, and the number now.

        Lines that did not stay are left out.
        """
        with self._lock:
            new = min(self._written - number, len(self._lines))
            if new <= 0:
                return [], self._written
            if new == len(self._lines):
                return list(self._lines), self._written
            return [self._lines[i] for i in range(-new, 0)], self._written


class _Writer(logging.Handler):
    """Writes what is logged into a book."""

    def __init__(self, book: LogBook) -> None:
        super().__init__(logging.DEBUG)
        self._book = book
        self._format = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        # The engine of pymmcore-plus logs every event of a run; the text of one costs
        # more than the rest of the event.
        if record.msg == "%s" and record.name == "pymmcore-plus":
            return
        try:
            text = record.getMessage()
            if record.exc_info and record.exc_info[0] is not None:
                text = f"{text}\n{self._format.formatException(record.exc_info)}"
        except Exception:  # of whoever logs; a log must not fail
            text = str(record.msg)
        ours = record.name.startswith("napari_scope.")
        source = record.name.rpartition(".")[2] if ours else record.name
        self._book.add(LogLine(record.created, record.levelno, source, text))
