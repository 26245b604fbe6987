"""Whether a store belongs to a run, and whether that run was closed.

The journal tells: the last line of a run that was closed says so. Where it does not,
the lock of the writer tells whether the run goes on (see `lock`). Only the end of the
journal is read, so that this is quick for a run of any length.

Examples
--------
>>> run_state("/nowhere/run.ome.zarr").value
'no run'
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.fileio import DataFile
from napari_scope.stream.lock import Held, hold
from napari_scope.stream.recovery_journal import find_journal

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["StoredRun", "run_state"]

_WINDOW = 1 << 16
_LONGEST_LINE = 1 << 26  # the last line of a run may list many frames


class StoredRun(Enum):
    """What became of the run of a store."""

    NONE = "no run"
    """There is no journal: other programs wrote it, or nobody."""
    CLOSED = "closed"
    WRITTEN = "being written"
    INTERRUPTED = "interrupted"
    """Nobody writes to it and it was not closed: `recovery.recover` finishes it."""
    UNKNOWN = "unknown"
    """It was not closed, and the file system does not tell whether somebody writes."""


def run_state(path: str | PathLike[str]) -> StoredRun:
    """Return what became of the run of a store; changes nothing.

    Parameters
    ----------
    path : str or PathLike
        The store, as for `recovery.recover`.

    Raises
    ------
    OSError
        If there is a journal that cannot be read.
    """
    journal = find_journal(Path(path))
    if journal is None:
        return StoredRun.NONE
    # The lock is given back at once. A writer makes a journal and locks it in one go,
    # so that this cannot come in between unless the store is a moment old.
    with DataFile.open(journal) as file:
        if _is_closed(file):
            return StoredRun.CLOSED
        held = hold(file)
    if held is Held.TAKEN:
        return StoredRun.WRITTEN
    return StoredRun.INTERRUPTED if held is Held.YES else StoredRun.UNKNOWN


def _is_closed(file: DataFile) -> bool:
    """Return whether the last line says that the run was closed."""
    size = file.size()
    window = _WINDOW
    while True:
        start = max(0, size - window)
        lines = file.read_at(start, size - start).rstrip(b"\n\0 ").split(b"\n")
        if len(lines) > 1 or start == 0 or window > _LONGEST_LINE:
            break
        window *= 4
    try:
        entry = json.loads(lines[-1])
    except (ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and "closed" in entry
