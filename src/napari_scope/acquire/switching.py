"""How long a thread may keep the others waiting while a run goes on.

Python hands its lock from thread to thread every 5 ms. A run has a thread for the
microscope and some for the files; each works for microseconds at a time, and a viewer
that draws would make each of them wait for 5 ms again and again, and they it. With a
tenth of that a run beside a viewer is about as fast as one without, and the viewer
does not stutter.

Examples
--------
>>> import sys
>>> before = sys.getswitchinterval()
>>> with quick_switching():
...     sys.getswitchinterval() < before
True
>>> sys.getswitchinterval() == before
True
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["quick_switching"]

_INTERVAL_S: Final = 0.0005

_lock = threading.Lock()
_before_s: list[float] = []


@contextlib.contextmanager
def quick_switching() -> Iterator[None]:
    """Let threads take turns quickly; the last who leaves sets it back.

    An interval that is shorter already, or that somebody sets meanwhile, is left alone.
    """
    with _lock:
        _before_s.append(sys.getswitchinterval())
        if _before_s[0] > _INTERVAL_S:
            sys.setswitchinterval(_INTERVAL_S)
    try:
        yield
    finally:
        with _lock:
            first_s = _before_s[0]
            _before_s.pop()
            ours = abs(sys.getswitchinterval() - _INTERVAL_S) < _INTERVAL_S / 10
            if not _before_s and ours:
                sys.setswitchinterval(first_s)
