"""Reading ahead: the next items are made by a thread while the last one is used.

A conversion reads and writes; on a thread each, the disk does both at once. Few items
wait, so memory stays bounded.

Examples
--------
>>> with ahead(range(3)) as items:
...     list(items)
[0, 1, 2]
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ahead"]

_T = TypeVar("_T")

_WAITING = 3


@contextlib.contextmanager
def ahead(items: Iterable[_T]) -> Iterator[Iterator[_T]]:
    """Iterate over items that a thread takes from an iterable.

    An error of the iterable is raised where its next item would be. When the block
    ends, so does the thread, and what it has taken is dropped.
    """
    ready: queue.Queue[tuple[bool, _T | BaseException | None]] = queue.Queue(_WAITING)
    ended = threading.Event()

    def put(found: tuple[bool, _T | BaseException | None]) -> bool:
        while not ended.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(found, timeout=0.1)
                return True
        return False

    def take() -> None:
        try:
            for item in items:
                if not put((True, item)):
                    return
        except BaseException as error:  # raised where the items are used
            put((False, error))
        else:
            put((False, None))

    def give() -> Iterator[_T]:
        while True:
            more, found = ready.get()
            if more:
                yield found  # type: ignore[misc]
            elif isinstance(found, BaseException):
                raise found
            else:
                return

    thread = threading.Thread(
        target=take, name="napari-scope reading ahead", daemon=True
    )
    thread.start()
    try:
        yield give()
    finally:
        ended.set()
        thread.join()
