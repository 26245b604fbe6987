"""The groups of one local store, read and changed through their JSON documents.

`Hierarchy` lists, reads, makes, changes and removes groups by their path below the
root. Reading goes through `Store`, so nothing is opened with a Zarr library and a walk
over thousands of groups is as fast as reading their documents. A change starts from
the document as it is on disk at that moment and replaces it as a whole: two nodes of
one store (and two threads) never undo what the other one wrote.

What the attributes mean is not known here.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from napari_scope.errors import FormatError
from napari_scope.fileio import replace_file
from napari_scope.formats.ngff.metadata import encode, group_documents
from napari_scope.formats.ngff.nodes.failures import ArgumentError, ReadOnlyError
from napari_scope.formats.ngff.store import Store, read_bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import zarr

    from napari_scope.formats.ngff.store import ArrayInfo

__all__ = ["Hierarchy", "Place", "hidden_sibling", "join", "names_in_order", "natural"]

_changing = threading.RLock()
"""Held from reading a document to replacing it, by all nodes of this process."""

_DOCUMENTS = ("zarr.json", ".zgroup", ".zarray")
_PLAIN = re.compile(r"[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-]+)*")
_DIGITS = re.compile(r"(\d+)")


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts names as people count: ``2`` before ``10``."""
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, 0, part)
        for part in _DIGITS.split(name)
        if part
    )


def join(*parts: str) -> str:
    """Join parts of a path with slashes, leaving empty ones out."""
    return "/".join(part for part in parts if part)


def names_in_order(listed: Iterable[str], there: Iterable[str]) -> list[str]:
    """Return names in the order of the metadata, unlisted ones after them."""
    order = {name: number for number, name in enumerate(listed)}
    return sorted(there, key=lambda name: order.get(name, len(order)))


def hidden_sibling(folder: Path) -> Path:
    """Return a name beside a folder for what is about to be removed."""
    return folder.with_name(f".{folder.name}.removed.{os.getpid()}.{time.time_ns()}")


class Place(NamedTuple):
    """A group: the store it is in and its path there."""

    tree: Hierarchy
    path: str


class Hierarchy:
    """The folder of a store and the groups below it.

    Parameters
    ----------
    root : PathLike
        Folder of the root group.
    writable : bool
        Whether anything may be changed.
    """

    def __init__(self, root: str | os.PathLike[str], *, writable: bool = False) -> None:
        self.root = Path(root).absolute()
        self.writable = writable
        self._store = Store(self.root)
        self._base = str(self.root)
        self._has_copies: bool | None = None

    def folder(self, path: str = "") -> Path:
        """Return the folder of a node; FormatError if it lies outside of the store."""
        return self._store.folder(path)

    def attributes(self, path: str = "") -> Mapping[str, Any]:
        """Return the attributes of a group; FormatError if there is none."""
        return self._store.attributes(path)

    def zarr_format(self, path: str = "") -> Literal[2, 3]:
        """Return the version of Zarr of a group."""
        return 3 if (self.folder(path) / "zarr.json").is_file() else 2

    def has(self, path: str) -> bool:
        """Return whether there is a group or array."""
        try:
            if _PLAIN.fullmatch(path):
                # Most names need no second look, and this is asked for each member.
                start = f"{self._base}/{path}/"
                return any(os.path.isfile(start + name) for name in _DOCUMENTS)
            return self._store.exists(path)
        except FormatError:
            return False

    def info(self, path: str) -> ArrayInfo:
        """Return what the document of an array says; FormatError if there is none."""
        return self._store.array(path)

    def is_array(self, path: str) -> bool:
        """Return whether there is an array."""
        try:
            return _kind(self.folder(path)) == "array"
        except FormatError:
            return False

    def children(self, path: str, kind: str) -> list[str]:
        """Return the names of the groups or arrays in a group, sorted naturally."""
        found = []
        try:
            with os.scandir(self.folder(path)) as entries:
                for entry in entries:
                    hidden = entry.name.startswith(".")  # about to be removed
                    if (
                        not hidden
                        and entry.is_dir()
                        and _kind(Path(entry.path)) == kind
                    ):
                        found.append(entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(found, key=natural)

    def zarr_group(self, path: str) -> zarr.Group:
        """Open a group with zarr-python."""
        import zarr
        from zarr.storage import LocalStore

        return zarr.open_group(
            LocalStore(self.root, read_only=not self.writable),
            path=path,
            mode="r+" if self.writable else "r",
            # What is consolidated may be older than the documents.
            use_consolidated=False,
        )

    def make_group(
        self,
        path: str,
        version: str,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a group, and the groups above it that are missing.

        Parameters
        ----------
        path : str
            Where; there is nothing yet.
        version : str
            Version of OME-Zarr, which decides that of Zarr.
        attributes : mapping, optional
            Attributes as those of version 0.5, with what is of OME under ``ome``.
        """
        self._make_folder(path, version)
        _write_new(self.folder(path), _encoded(attributes, version))

    def make_members(
        self,
        path: str,
        version: str,
        names: Iterable[str],
        attributes: Mapping[str, Any] | None,
    ) -> None:
        """Make groups without attributes in a group, which is made as well if need be.

        Parameters
        ----------
        path : str
            The group that they are in.
        version : str
            Version of OME-Zarr.
        names : iterable of str
            Names of the members; there are none of these names.
        attributes : mapping, optional
            Attributes of the group if it is to be made, which is done last: what it
            lists is there then. None for one that exists.
        """
        self._make_folder(path, version)
        folder = str(self.folder(path))
        documents = _encoded(None, version)
        for name in names:
            member = f"{folder}/{name}"
            os.mkdir(member)
            _write_new(member, documents)
        if attributes is not None:
            _write_new(folder, _encoded(attributes, version))

    def _make_folder(self, path: str, version: str) -> None:
        self.check_writable()
        above = path.rpartition("/")[0]
        if above and not self.has(above):
            self.make_group(above, version)
        folder = self.folder(path)
        folder.mkdir(exist_ok=True)

    def change(
        self, path: str, change: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Change the attributes of a group and return them as they were written.

        Parameters
        ----------
        path : str
            The group.
        change : callable
            Is given the attributes as they are on disk now and changes them. What it
            raises is passed on, and nothing is written.
        """
        self.check_writable()
        folder = self.folder(path)
        with _changing:
            self._drop_copies()
            place = folder / "zarr.json"
            data = read_bounded(place)
            if data is not None:
                document = _parse(data, place)
                attributes = document.setdefault("attributes", {})
                if not isinstance(attributes, dict):
                    attributes = document["attributes"] = {}
            elif (folder / ".zgroup").is_file():
                place = folder / ".zattrs"
                data = read_bounded(place)
                document = {} if data is None else _parse(data, place)
                attributes = document
            else:
                raise FormatError("the group is gone", path=folder)
            change(attributes)
            try:
                text = encode(document)
            except (TypeError, ValueError) as error:
                raise ArgumentError(
                    f"cannot be kept as JSON: {error}", path=place
                ) from error
            if text != data:
                replace_file(place, text)
        changed: dict[str, Any] = attributes
        return changed

    def remove(self, path: str) -> None:
        """Remove a group or array with all below it; its name is free at once."""
        self.check_writable()
        folder = self.folder(path)
        aside = hidden_sibling(folder)
        with _changing:
            self._drop_copies()
            if folder.is_symlink():
                folder.unlink()
                return
            os.replace(folder, aside)
        shutil.rmtree(aside, ignore_errors=True)

    def remove_if_empty(self, path: str) -> None:
        """Remove a group that has neither attributes nor members."""
        folder = self.folder(path)
        try:
            members = set(os.listdir(folder))
            empty = members <= {"zarr.json", ".zgroup", ".zattrs"}
            if empty and not self.attributes(path):
                self.remove(path)
        except (FileNotFoundError, FormatError):
            return

    def move(self, old: str, new: str) -> None:
        """Give a group another path; the group above it must exist."""
        self.check_writable()
        source, target = self.folder(old), self.folder(new)
        if target.exists() or target.is_symlink():
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        with _changing:
            self._drop_copies()
            os.rename(source, target)

    def check_writable(self) -> None:
        """Refuse a change of a store that was opened for reading."""
        if not self.writable:
            raise ReadOnlyError(
                "the store is open for reading only",
                path=self.root,
                hint="open it with mode='r+'",
            )

    def _drop_copies(self) -> None:
        """Remove consolidated metadata of the root, which would not follow changes."""
        if self._has_copies is False:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.root / ".zmetadata")
        place = self.root / "zarr.json"
        data = read_bounded(place)
        if data is not None and b'"consolidated_metadata"' in data:
            document = _parse(data, place)
            if document.pop("consolidated_metadata", None) is not None:
                replace_file(place, encode(document))
        self._has_copies = False


def _encoded(
    attributes: Mapping[str, Any] | None, version: str
) -> list[tuple[str, bytes]]:
    """Return the files of a group; the one that makes it one is the last."""
    documents = group_documents(attributes, version)
    return [(name, encode(document)) for name, document in reversed(documents)]


def _write_new(folder: str | Path, documents: Iterable[tuple[str, bytes]]) -> None:
    # Nobody knows the folder yet, so nothing needs to be replaced.
    for name, data in documents:
        with open(f"{folder}/{name}", "wb") as file:
            file.write(data)


def _kind(folder: Path) -> str | None:
    """Return whether a folder is a "group" or an "array" of Zarr, None if neither."""
    data = None
    with contextlib.suppress(FormatError):
        data = read_bounded(folder / "zarr.json")
    if data is not None:
        try:
            kind = json.loads(data).get("node_type")
        except (ValueError, AttributeError, RecursionError):
            return None
        return kind if kind in ("group", "array") else None
    if (folder / ".zarray").is_file():
        return "array"
    return "group" if (folder / ".zgroup").is_file() else None


def _parse(data: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"damaged JSON: {error}", path=path) from error
    if not isinstance(document, dict):
        raise FormatError("a JSON object was expected", path=path)
    return document
