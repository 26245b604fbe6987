"""Where a Zarr hierarchy lies: the few things that are asked of any such place.

A `Place` is one group or array. It reads small documents within a limit and says how
tensorstore reaches the chunks; what the documents mean is not known here. This module
has the folders of this machine; zip files are in `places_zip`, servers in
`places_remote`, and `place_opening` chooses. Places pickle.

Examples
--------
>>> place = FolderPlace("a.ome.zarr", "a.ome.zarr")
>>> place.child("A", "1").name, place.local
('a.ome.zarr/A/1', True)
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import tensorstore

__all__ = [
    "MAX_DOCUMENT",
    "FolderPlace",
    "Place",
    "RefusedError",
    "folder_of",
    "named",
    "read_bounded",
    "refuse_link_out",
    "safe_path",
    "wait",
]

MAX_DOCUMENT = 64 * 2**20
"""Largest metadata document in bytes; the biggest real plates stay below a tenth."""

_T = TypeVar("_T")

_DRIVE = re.compile(r"^[A-Za-z]:")


class RefusedError(FormatError):
    """A server refused to hand out an object, which may also mean there is none.

    S3 answers so for objects that do not exist, if the bucket may not be listed.
    """


class Place(Protocol):
    """One group or array, wherever it lies."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def address(self) -> str:
        """The path by which it can be opened again."""

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine."""

    @property
    def timeout(self) -> float | None:
        """Seconds that one read may take; None where the disk sets the pace."""

    def child(self, *parts: str) -> Place:
        """Return a place below; the parts come from `safe_path`."""

    def read(self, name: str, limit: int = MAX_DOCUMENT) -> bytes | None:
        """Return a file of this place, or None if there is none.

        Raises
        ------
        FormatError
            If it is larger than ``limit`` bytes or cannot be read.
        """

    def has(self, name: str) -> bool:
        """Return whether this place has a file."""

    def kvstore(self) -> dict[str, object]:
        """Return the key-value store of tensorstore for the files of this place."""

    def context(self) -> tensorstore.Context | None:
        """Return what readers of tensorstore share; None where nothing is cached."""

    def signature(self) -> Hashable:
        """Return what changes when an array here is replaced, as far as is cheap.

        Raises
        ------
        FormatError
            If the array is gone.
        """

    def ask(self, read: Callable[[float | None], _T]) -> _T:
        """Call a function that reads here, with the seconds that it may take."""

    def explain(self, error: BaseException) -> FormatError | None:
        """Return in words an error of the way to this place, None for others."""


def folder_of(place: Place) -> Path:
    """Return the folder of a place.

    Raises
    ------
    FormatError
        If it is no folder of this machine.
    """
    if isinstance(place, FolderPlace):
        return place.folder
    raise FormatError(
        "this is possible in a folder of this machine only",
        path=place.name,
        hint="copy or unpack the store first",
    )


def named(place: Place, name: str) -> str:
    """Return what messages call a file of a place."""
    return os.path.join(place.name, name) if place.local else f"{place.name}/{name}"


@dataclass(frozen=True, slots=True)
class FolderPlace:
    """A folder.

    Documents and folders that are links out of the store are refused. Files of pixels
    are not looked at: a decoder reads nothing but pixels out of them, and looking would
    cost every read.

    Parameters
    ----------
    name : str
        Path of the folder itself.
    root : str
        Path of the store, which links may not leave.
    """

    # Text and no Path: a plate has thousands of them.
    name: str
    root: str

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return Path(self.name)

    @property
    def address(self) -> str:
        """The path by which it can be opened again."""
        return self.name

    @property
    def local(self) -> bool:
        """Always."""
        return True

    @property
    def timeout(self) -> float | None:
        """None: the disk sets the pace."""
        return None

    def child(self, *parts: str) -> FolderPlace:
        """Return a folder below."""
        return FolderPlace(os.sep.join((self.name, *parts)), self.root)

    def read(self, name: str, limit: int = MAX_DOCUMENT) -> bytes | None:
        """Return a file of this folder, or None if there is none."""
        path = f"{self.name}{os.sep}{name}"
        return read_bounded(path, limit, within=self.root)

    def has(self, name: str) -> bool:
        """Return whether there is such a file."""
        return os.path.isfile(os.path.join(self.name, name))

    def kvstore(self) -> dict[str, object]:
        """Return the driver of files."""
        return {"driver": "file", "path": f"{self.folder.absolute().as_posix()}/"}

    def context(self) -> None:
        """Nothing is cached."""

    def signature(self) -> Hashable:
        """Return what changes when the document of the array is replaced."""
        for name in ("zarr.json", ".zarray"):
            try:
                status = os.stat(os.path.join(self.name, name))
            except OSError as error:
                gone = error
            else:
                return status.st_ino, status.st_mtime_ns, status.st_size
        raise FormatError(
            f"the array is gone: {gone.strerror}", path=self.name
        ) from gone

    def ask(self, read: Callable[[float | None], _T]) -> _T:
        """Call the function."""
        return read(None)

    def explain(self, error: BaseException) -> None:
        """There is no way to a folder that could fail by itself."""


def wait(future: tensorstore.Future[_T], seconds: float | None) -> _T:
    """Return what a read of tensorstore gives; give it up after some seconds.

    Raises
    ------
    TimeoutError
        If it takes longer.
    """
    try:
        return future.result(timeout=seconds)
    except TimeoutError:
        future.cancel()
        raise


def safe_path(path: str, root: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the parts of a path below the root of a store.

    Parameters
    ----------
    path : str
        A path as metadata give it, with slashes.
    root : str or PathLike
        The store, for the message.

    Raises
    ------
    FormatError
        If the path is absolute, goes up, or means something else on Windows.
    """
    # One slash at either end is written by some tools and harmless.
    parts = tuple(p for p in path.strip("/").split("/") if p not in ("", "."))
    if (
        path.startswith("//")
        or "\\" in path
        or "\0" in path
        or any(p == ".." or _DRIVE.match(p) for p in parts)
    ):
        raise FormatError(f"the path {path!r} in the metadata leaves it", path=root)
    return parts


def read_bounded(
    path: str | os.PathLike[str],
    limit: int = MAX_DOCUMENT,
    *,
    within: str | None = None,
) -> bytes | None:
    """Read a small regular file; None if there is none.

    Parameters
    ----------
    path : str or PathLike
        The file.
    limit : int
        Largest size in bytes.
    within : str, optional
        A folder which the file may not leave, if it is a link.

    Raises
    ------
    FormatError
        If it is larger than ``limit`` bytes, leaves the folder or cannot be read.
    """
    opener = _open_without_waiting if within is None else _open_without_following
    try:
        with open(path, "rb", opener=opener) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FormatError("not a regular file", path=path)
            data = file.read(min(status.st_size, limit) + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, ValueError) as error:
        if within is not None and os.path.islink(path):
            refuse_link_out(path, within)
            return read_bounded(path, limit)
        raise FormatError(f"cannot be read: {error}", path=path) from error
    if len(data) > limit:
        raise FormatError(f"larger than the {limit >> 20} MiB allowed", path=path)
    return data


def refuse_link_out(path: str | os.PathLike[str], root: str) -> None:
    """Raise a `FormatError` if what a link leads to lies outside of the store."""
    target = os.path.realpath(path)
    try:
        inside = os.path.commonpath((target, os.path.realpath(root)))
    except ValueError:  # another drive of Windows
        inside = ""
    if inside != os.path.realpath(root):
        raise FormatError(
            f"the link leads out of the store, to {target}",
            path=path,
            hint="copy what it leads to into the store",
        )


def _open_without_waiting(path: str, flags: int) -> int:
    # A named pipe in place of a document would block for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _open_without_following(path: str, flags: int) -> int:
    follow = getattr(os, "O_NOFOLLOW", None)
    if follow is None:  # Windows
        if os.path.islink(path):
            raise OSError("a link")
        follow = 0
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | follow)
