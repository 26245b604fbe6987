"""Errors of the system, told as errors of this package."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from napari_scope.errors import DiskSpaceError, OutputExistsError, StreamError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.errors import ScopeError

__all__ = ["disk_failure"]

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def disk_failure(error: OSError, path: Path, what: str = "written") -> ScopeError:
    """Return the error to raise for one of the system; ``what`` could not be done."""
    if isinstance(error, FileExistsError):
        return OutputExistsError("the output exists already", path=path)
    if error.errno in _NO_ROOM:
        return DiskSpaceError(
            "the disk is full",
            path=path,
            hint="free some room; what was saved stays readable",
        )
    return StreamError(
        f"could not be {what}: {error.strerror or error}",
        path=path,
        hint="check the disk and the permissions of the folder",
    )
