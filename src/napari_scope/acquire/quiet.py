"""Holding the log of pymmcore-plus at WARNING while runs go on.

It writes every event to a file otherwise, which costs more than its engine does.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["quiet_engine_log"]

_logger = logging.getLogger("pymmcore-plus")
_lock = threading.Lock()
_holders = 0
_level_before = logging.NOTSET


@contextlib.contextmanager
def quiet_engine_log() -> Iterator[None]:
    """Hold the log; of several runs the last one to end gives its level back."""
    global _holders, _level_before
    with _lock:
        if _holders == 0:
            _level_before = _logger.level
            _logger.setLevel(logging.WARNING)
            _logger.addFilter(_is_news)
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                _logger.removeFilter(_is_news)
                _logger.setLevel(_level_before)


def _is_news(record: logging.LogRecord) -> bool:
    """Drop the warning that a run was cancelled: who cancelled it knows."""
    return not str(record.msg).startswith("MDA Canceled")
