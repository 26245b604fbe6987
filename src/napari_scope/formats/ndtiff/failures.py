"""What the system refuses while a store is written, turned into our errors.

Every writer of this folder asks here what to tell of an `OSError`, so that a full disk
has the same words everywhere. This module knows error numbers; it knows nothing of
stores, files or frames, and mends nothing: what was half written is taken back by who
wrote it.

Examples
--------
>>> import errno
>>> from pathlib import Path
>>> with disk_errors(Path("run_1")):
...     raise OSError(errno.ENOSPC, "No space left on device")
Traceback (most recent call last):
...
napari_scope.errors.DiskSpaceError: the disk is full (run_1): free some room; ...
"""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Final

from napari_scope.errors import (
    DiskSpaceError,
    OutputExistsError,
    ScopeError,
    StreamError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["disk_errors", "quietly", "stream_error"]

_NO_ROOM: Final = {
    errno.ENOSPC,
    errno.EFBIG,
    getattr(errno, "EDQUOT", errno.ENOSPC),
}


def stream_error(error: OSError, path: Path) -> ScopeError:
    """Return what to tell of an error of the system while writing.

    Parameters
    ----------
    error : OSError
        What the system said.
    path : Path
        The file or folder that was written.
    """
    if isinstance(error, FileExistsError):
        return OutputExistsError("another program writes there", path=path)
    if error.errno in _NO_ROOM:
        return DiskSpaceError(
            "the disk is full",
            path=path,
            hint="free some room; nothing was lost so far",
        )
    return StreamError(
        f"could not be written: {error.strerror or error}",
        path=path,
        hint="check the disk and the permissions of the folder",
    )


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raise what `stream_error` makes of an error of the system in the block.

    Raises
    ------
    DiskSpaceError, StreamError, OutputExistsError
        The system refused something.
    """
    try:
        yield
    except OSError as error:
        raise stream_error(error, path) from error


def quietly(action: Callable[[], object]) -> None:
    """Do something whose failure does not matter."""
    with contextlib.suppress(OSError):
        action()
