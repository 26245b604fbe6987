"""An HDF5 file that is not trusted: what is looked at, and what is left alone.

Files are made by others. Only what lies in the file itself is read: links, virtual
datasets and external storage may name any file of this machine, so they are left out
and told. Sizes are looked at before anything is read, since compressed data may claim
to be endless. libhdf5 is not thread safe, so one thread at a time is in a file. Closing
waits for nobody: whoever is reading closes the file when it is done.

h5py is an extra; it is imported when a file is opened.

Examples
--------
>>> with H5File("brain.h5").held() as root:  # doctest: +SKIP
...     children(root, "entry_")
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import math
import os
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import DatasetClosedError, FormatError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    PathLike = str | os.PathLike[str]

__all__ = [
    "ATTRIBUTE", "SIGNATURE", "H5File", "attribute", "child", "children", "group_in",
    "import_h5py", "is_hdf5", "numbers_in", "refusal", "small_value",
]  # fmt: skip

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
"""First bytes of HDF5, or those after a user block of 512, 1024, ... bytes."""

ATTRIBUTE: Final = "omsi_type"
"""Attribute that tells what an object of OpenMSI is."""

MOST_VALUES: Final = 1 << 26
"""Largest number of values of an array that is read whole: axes and places."""

_MOST_CHILDREN = 100_000
_MOST_SMALL = 1 << 20  # bytes of one value of the metadata
_MOST_CHUNK = 1 << 29  # bytes that one piece has in memory when it is unpacked
_CACHE = 32 << 20  # bytes of unpacked pieces that are kept, for each array
_FAILURES = (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError)


def is_hdf5(path: PathLike) -> bool:
    """Return whether a file begins as HDF5 does, after a user block if it has one."""
    try:
        with open(path, "rb") as file:
            head = file.read(len(SIGNATURE))
            # A user block is 512 bytes or more, by twos.
            return head == SIGNATURE or _after_user_block(file.read(1 << 15))
    except (OSError, ValueError):
        return False


def _after_user_block(data: bytes) -> bool:
    """Return whether HDF5 begins at 512, 1024, ... of a file, after 8 bytes of it.

    Examples
    --------
    >>> _after_user_block(bytes(504) + SIGNATURE), _after_user_block(bytes(1024))
    (True, False)
    """
    places = (512 << k for k in range(7))
    return any(data[at - 8 :].startswith(SIGNATURE) for at in places)


def import_h5py(path: PathLike) -> Any:
    """Return the module h5py.

    Raises
    ------
    FormatError
        If it is not installed.
    """
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise FormatError(
            f"OpenMSI HDF5 needs the package h5py, which cannot be imported ({error})",
            path=path,
            hint="install it with: pip install h5py",
        ) from error


class H5File:
    """A file that is open for reading.

    Parameters
    ----------
    path : str or PathLike
        The file.

    Raises
    ------
    FormatError
        If h5py is missing, or this is no HDF5 file, or one that was cut.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = os.fspath(path)
        self._lock = threading.Lock()
        self._closed = False
        h5py = import_h5py(path)
        try:
            # No lock on the file: it may lie on a drive that has none.
            self._file: Any = h5py.File(
                path, "r", locking="best-effort", rdcc_nbytes=_CACHE
            )
        except _FAILURES as error:
            raise FormatError(
                f"the HDF5 file cannot be opened, {_words(error)}",
                path=path,
                hint="it was probably not copied whole, or is written just now",
            ) from error

    @contextlib.contextmanager
    def held(self) -> Iterator[Any]:
        """Keep other threads out; gives the root group.

        Raises
        ------
        DatasetClosedError
            If it is closed.
        FormatError
            If libhdf5 cannot read something.
        """
        try:
            with self._lock:
                if self._closed:
                    raise DatasetClosedError("the reader is closed", path=self.path)
                yield self._file
        except ScopeError:
            raise
        except _FAILURES as error:
            raise FormatError(
                f"the HDF5 file cannot be read, {_words(error)}",
                path=self.path,
                hint="it is damaged, or packed by a filter that h5py does not have",
            ) from error
        finally:
            self._let_go()

    def close(self) -> None:
        """Close it, or let the thread close it that is reading; does not wait."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        # It may be called by the garbage collector, within a call of h5py: no waiting.
        if self._closed and self._lock.acquire(blocking=False):
            try:
                self._file.close()
            finally:
                self._lock.release()


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def children(group: Any, prefix: str = "") -> list[str]:
    """Return the names in a group that begin with something, numbers in their order.

    Raises
    ------
    FormatError
        If there are too many to be true.
    """
    names = list(itertools.islice(group, _MOST_CHILDREN + 1))
    if len(names) > _MOST_CHILDREN:
        raise FormatError(f"the group {group.name} has more than {_MOST_CHILDREN:,}")

    def key(name: str) -> tuple[int, str]:
        rest = name[len(prefix) :]
        return (int(rest) if rest.isdecimal() and len(rest) < 10 else 1 << 40, name)

    return sorted((name for name in names if name.startswith(prefix)), key=key)


def child(group: Any, name: str, problems: list[str]) -> Any:
    """Return an object of a group, or None; links are not followed, but told."""
    kind = type(group.get(name, getlink=True)).__name__
    if kind == "NoneType":
        return None
    if kind != "HardLink":
        place = f"{group.name.rstrip('/')}/{name}"
        words = "a link to another file" if kind == "ExternalLink" else "a link"
        problems.append(f"{place} is {words}, which is not followed")
        return None
    return group[name]


def group_in(group: Any, name: str, problems: list[str]) -> Any:
    """Return a group of a group, or None; see `child`."""
    found = child(group, name, problems)
    return found if hasattr(found, "keys") else None


def attribute(thing: Any, name: str) -> str:
    """Return a short text of the attributes; empty if there is none."""
    if name not in thing.attrs:
        return ""
    if math.prod(thing.attrs.get_id(name).shape or ()) != 1:
        return ""
    value = np.asarray(thing.attrs[name], dtype=object).reshape(-1)[0]
    return _plain(value) if isinstance(value, bytes | str) else ""


def refusal(dataset: Any) -> str:
    """Return why an array is not read; empty if it may be."""
    if not hasattr(dataset, "id") or not hasattr(dataset, "chunks"):
        return "is no dataset"
    if dataset.is_virtual:
        return "is put together from other datasets, which is not followed"
    if dataset.external:
        return "keeps its values in other files, which are not followed"
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if dataset.chunks and chunk > _MOST_CHUNK:
        return f"has pieces of {chunk:,} bytes"
    if dataset.shape is None:
        return "is empty"
    return ""


def numbers_in(
    group: Any, name: str, ndim: int | None, problems: list[str], kinds: str = "iu"
) -> npt.NDArray[Any] | None:
    """Return an array of numbers, read whole, in the byte order of this machine.

    None if there is none, or it is no such array; that is told then.

    Parameters
    ----------
    group : h5py.Group
        Where it is.
    name : str
        Its name.
    ndim : int, optional
        Its number of axes; any if not given.
    problems : list of str
        What was wrong is added to it.
    kinds : str
        Kinds of numbers as numpy has them.
    """
    dataset = child(group, name, problems)
    if dataset is None:
        return None
    place = f"{group.name.rstrip('/')}/{name}"
    why = refusal(dataset)
    if not why and (
        dataset.dtype.kind not in kinds or ndim not in (None, dataset.ndim)
    ):
        why = f"has {dataset.ndim} axes and the type {dataset.dtype}"
    if not why and dataset.size > MOST_VALUES:
        why = f"has {dataset.size:,} values"
    if why:
        problems.append(f"{place} {why}")
        return None
    values = np.asarray(dataset[()])
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def small_value(dataset: Any) -> Any:
    """Return a value of the metadata: text, number, bool, or a list of these.

    Raises
    ------
    FormatError
        If it is too large to be one, or of a type that is none.
    """
    why = refusal(dataset)
    if not why and dataset.size * max(1, dataset.dtype.itemsize) > _MOST_SMALL:
        why = f"has {dataset.size:,} values"
    if why:
        raise FormatError(f"{getattr(dataset, 'name', 'it')} {why}")
    if dataset.dtype.kind in "SO":
        return _texts(dataset)
    values = np.asarray(dataset[()])
    if values.dtype.kind not in "iufb":
        raise FormatError(f"{dataset.name} has values of type {values.dtype}")
    return values.tolist()


def _texts(dataset: Any) -> Any:
    """Return texts one by one: all may stand at one long text of the file."""
    if not dataset.ndim:
        return _plain(dataset[()])
    found, size = [], 0
    for index in np.ndindex(dataset.shape):
        value = dataset[index]
        size += len(value) if hasattr(value, "__len__") else 8
        if size > _MOST_SMALL:
            raise FormatError(f"{dataset.name} has more than {_MOST_SMALL:,} bytes")
        found.append(_plain(value))
    return found[0] if len(found) == 1 else found


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").rstrip("\0")
    return str(value)
