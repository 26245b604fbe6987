"""A folder that is made aside and takes its name when it is complete, in one step.

Whoever looks at the name sees the old store or the new one, whole, also if this program
is killed, the disk is full or the power fails: the new one is on the medium before it
gets the name. What is being made lies beside the target, under a name
that begins with a dot; what a killed program left there is removed by the next one that
makes the same target.

A store is only replaced if asked for, and only by its like: a folder that holds
anything that an OME-Zarr store does not have, such as the journal of an acquisition, is
refused, and so is a link.

Examples
--------
>>> import tempfile
>>> target = Path(tempfile.mkdtemp()) / "new"
>>> with made_aside(target) as folder:
...     folder.mkdir()
...     target.exists()
False
>>> target.exists()
True
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import re
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import OutputExistsError, StreamError
from napari_scope.fileio import DataFile, sync_folder
from napari_scope.formats.zarr_sniff import is_ome_zarr

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "check_replaceable",
    "exchange",
    "made_aside",
    "name_aside",
    "remove_aside",
    "remove_leftovers",
    "sync_tree",
]

# The documents of Zarr and OME, and chunks: c, c.0.1 and numbers.
_OF_A_STORE = re.compile(
    r"\.?(zarr\.json|\.zattrs|\.zgroup|\.zarray|\.zmetadata|METADATA\.ome\.xml)(\.\d+)*"
    r"|c(\.\d+)*|\d+([.]\d+)*"
)
_HOST = re.sub(r"\W", "", socket.gethostname())[:20] or "here"
_counter = itertools.count()

_GROUPS = ("zarr.json", ".zgroup", ".zarray")
_DEPTH = 4  # groups between a store and what is looked for in it: row, well, image
_MOST_REMOVALS = 20
_PAUSE_S = 0.1
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # of Linux
_RENAME_SWAP = 2  # of macOS


def check_replaceable(target: Path) -> None:
    """Refuse to replace what is not wholly an OME-Zarr store.

    Raises
    ------
    OutputExistsError
        Saying what stands in the way.
    """
    if target.is_symlink():
        raise _refusal(target, "the output is a link")
    if not target.is_dir() or not is_ome_zarr(target):
        raise _refusal(target, "the output exists and is no OME-Zarr store")
    for root, folders, files in os.walk(target):
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        for name in (*files, *links):
            if name in links or not _OF_A_STORE.fullmatch(name):
                raise _refusal(
                    Path(root, name),
                    "the output holds something that is not of an OME-Zarr store",
                )


def _refusal(path: Path, why: str) -> OutputExistsError:
    return OutputExistsError(
        f"{why} and is not overwritten", path=path, hint="choose another name"
    )


@contextlib.contextmanager
def made_aside(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a free path beside the target, which becomes the target in the end.

    Parameters
    ----------
    target : Path
        What is to be made; folders above it are made too.
    overwrite : bool
        Whether an OME-Zarr store there may be replaced.

    Yields
    ------
    Path
        Where to make it. If the block raises it is removed, and what was at the target
        is there still.

    Raises
    ------
    OutputExistsError
        If there is something that may not be replaced; before anything is made, or in
        the end if it has come meanwhile.
    StreamError
        If the new one cannot take the name, or the old one cannot be removed.
    """
    target = Path(os.path.abspath(target))
    for folder in list(target.parents)[:_DEPTH]:
        if any((folder / name).is_file() for name in _GROUPS):
            # It would go with the store when that is replaced or removed.
            raise OutputExistsError(
                "the output lies inside of a Zarr store",
                path=folder,
                hint="choose a place beside it",
            )
    if os.path.lexists(target):
        if not overwrite:
            raise _refusal(target, "the output exists already")
        check_replaceable(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StreamError(
            f"the folder of the output cannot be made, {error.strerror or error}",
            path=target.parent,
            hint="choose a folder that you may write to",
        ) from error
    remove_leftovers(target)
    aside = name_aside(target)
    try:
        try:
            yield aside
        except BaseException:
            remove_aside(aside)
            raise
        sync_tree(aside)
        if os.path.lexists(target):
            if not overwrite:
                raise _refusal(target, "the output was made meanwhile")
            check_replaceable(target)
            exchange(aside, target)  # `aside` is the old one from here on
        else:
            os.rename(aside, target)
        sync_folder(target.parent)
    except OSError as error:
        if isinstance(error, StreamError | OutputExistsError):
            raise
        raise StreamError(
            f"the output cannot take its name, {error.strerror or error}",
            path=target,
            hint="close what has it open, or choose another name",
        ) from error
    finally:
        # What cannot be removed (opened by another program) is removed next time.
        shutil.rmtree(aside, ignore_errors=True)


def sync_tree(folder: Path) -> None:
    """Wait until a folder is on the medium, with all that is in it.

    Raises
    ------
    OSError
        If the disk cannot take something.
    """
    for root, _, files in os.walk(folder):
        for name in files:
            with DataFile.open(Path(root, name), writable=True) as file:
                file.sync()
        sync_folder(root)


def exchange(one: Path, other: Path) -> None:
    """Let two folders take each other's name; nobody sees only one of them.

    Linux and macOS do this in one step. Elsewhere, and on file systems that cannot, it
    takes three: a program that is killed between them leaves both, whole, one of them
    under the name of the first with ``.old``.

    Raises
    ------
    OSError
        If they cannot; both have their names still.
    """
    if _exchanged_at_once(one, other):
        return
    between = one.with_name(one.name + ".old")
    os.rename(other, between)
    try:
        os.rename(one, other)
    except OSError:
        os.rename(between, other)
        raise
    os.rename(between, one)


def _exchanged_at_once(one: Path, other: Path) -> bool:
    first, second = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            at = _AT_FDCWD
            return not library.renameat2(at, first, at, second, _RENAME_EXCHANGE)
        if sys.platform == "darwin":
            return not library.renamex_np(first, second, _RENAME_SWAP)
    except (AttributeError, OSError, TypeError):
        pass  # an older system library, or another one
    return False


def remove_aside(folder: Path) -> None:
    """Remove what did not become a target; somebody may still write there a moment.

    A thread or a worker that cannot be stopped ends the chunk that it is at, and makes
    the folder anew for it.
    """
    for _ in range(_MOST_REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_PAUSE_S)
        if not os.path.lexists(folder):
            return


def name_aside(target: Path) -> Path:
    """Return a free path beside a target, where it can be made."""
    return target.with_name(f"{_stem(target)}{os.getpid()}-{next(_counter)}")


def _stem(target: Path) -> str:
    """Return how the names begin under which this machine makes a target."""
    # Names are limited in bytes, and this one is to be longer than that of the target.
    name = target.name.encode("utf-8", "surrogateescape")[:180]
    return f".{name.decode('utf-8', 'ignore')}.saving-{_HOST}-"


def remove_leftovers(target: Path) -> None:
    """Remove what programs left that were killed while they made the target."""
    if sys.platform == "win32":
        return  # asking for a process by its number would end it
    stem = _stem(target)
    for path in target.parent.glob(f"{_globbed(stem)}*"):
        number = re.fullmatch(r"(\d+)-\d+(\.old)?", path.name[len(stem) :])
        if number and not _runs(int(number.group(1))):
            shutil.rmtree(path, ignore_errors=True)


def _globbed(text: str) -> str:
    return re.sub(r"([\[*?])", r"[\1]", text)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
