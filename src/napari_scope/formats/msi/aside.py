"""Files that are made aside, and take their names when they are complete.

What is being made lies in a hidden folder beside the target, one of its own for each
conversion, so that two that make the same target do not meet. What was at the target
stays until the new files are whole, and for good if they do not become so. What a
killed program left is removed by the next one that makes the same target
(`napari_scope.formats.replacing` does the same with folders).

Examples
--------
>>> import tempfile
>>> target = Path(tempfile.mkdtemp()) / "new.h5"
>>> with aside(target) as folder:
...     size = (folder / target.name).write_bytes(b"whole")
...     take_name(folder / target.name, target, overwrite=False)
>>> target.read_bytes(), [path.name for path in target.parent.iterdir()]
(b'whole', ['new.h5'])
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import OutputExistsError, ScopeError, StreamError
from napari_scope.formats.ngff.disk_errors import disk_error
from napari_scope.formats.replacing import name_aside, remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["aside", "check_free", "take_name"]

_NO_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def check_free(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that may not be made.

    Raises
    ------
    OutputExistsError
        If there is something that is not to be replaced: anything at all unless it was
        asked for, and never a folder or a link.
    """
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise OutputExistsError(
            "the file exists", path=target, hint="choose another name"
        )
    if target.is_symlink() or target.is_dir():
        kind = "link" if target.is_symlink() else "folder"
        raise OutputExistsError(
            f"the output is a {kind} and is not replaced",
            path=target,
            hint="choose another name",
        )


@contextlib.contextmanager
def aside(target: Path) -> Iterator[Path]:
    """Give an empty folder beside a target, which is removed in the end.

    Errors that name a file in it name the file that it was to become.

    Raises
    ------
    StreamError
        If the folder cannot be made.
    DiskSpaceError
        If the disk is full.
    """
    target = Path(os.path.abspath(target))
    folder = name_aside(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target)
        folder.mkdir()
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise disk_error(error, target) from error
        raise StreamError(
            "nothing can be made in the folder of the output, "
            f"{error.strerror or error}",
            path=target.parent,
            hint="choose a folder that you may write to",
        ) from error
    try:
        yield folder
    except ScopeError as error:
        if error.path is None or folder not in Path(error.path).parents:
            raise
        path = target.parent / Path(error.path).relative_to(folder)
        raise type(error)(error.message, path=path, hint=error.hint) from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise disk_error(error, target) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def take_name(made: Path, target: Path, *, overwrite: bool) -> None:
    """Let a file that is complete take its name.

    Raises
    ------
    OutputExistsError
        If somebody has made the target meanwhile.
    """
    check_free(target, overwrite=overwrite)
    if overwrite:
        made.replace(target)
        return
    try:
        # Unlike renaming, this never replaces what has come this very moment.
        os.link(made, target)
    except FileExistsError as error:
        raise OutputExistsError("the file was made meanwhile", path=target) from error
    except OSError:
        os.rename(made, target)  # on a file system without links
    else:
        made.unlink()
