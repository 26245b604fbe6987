"""What a failure of the disk means, as this project says it.

Libraries that write pixels tell a full disk in words of their own; a user has to hear
that it is full, and where.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from napari_scope.errors import DiskSpaceError, StreamError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["disk_error"]

_NO_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FULL = ("No space left", "Disk quota exceeded", "not enough space")


def disk_error(error: BaseException, folder: Path) -> StreamError:
    """Return what a failure of the disk, or of a library that met it, means."""
    text = (str(error).strip().partition("\n")[0] or type(error).__name__)[:300]
    full = getattr(error, "errno", None) in _NO_ROOM
    if full or any(words in str(error) for words in _FULL):
        return DiskSpaceError(
            "the disk is full",
            path=folder,
            hint="nothing was changed; make room or choose another disk",
        )
    return StreamError(f"the pixels could not be written, {text}", path=folder)
