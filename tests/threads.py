"""Threads and waits that cannot keep a failing test from ending."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Thread", "wait_until"]

_PATIENCE_S = 60.0


class Thread(threading.Thread):
    """A thread that dies with the process; joining it without a timeout means it."""

    def __init__(
        self, target: Callable[..., object], args: tuple[object, ...] = ()
    ) -> None:
        super().__init__(target=target, args=args, daemon=True)

    def join(self, timeout: float | None = None) -> None:
        super().join(_PATIENCE_S if timeout is None else timeout)
        assert timeout is not None or not self.is_alive(), "the thread hangs"


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until something has become true."""
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.001)
