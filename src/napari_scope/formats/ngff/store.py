"""A Zarr hierarchy, seen through its JSON documents only.

`Store` reads the attributes of groups and the shape, type and chunks of arrays, for
Zarr v2 and v3, without opening anything with a Zarr library: a plate of 384 fields is
a thousand small files, and this is what makes it open in a fraction of a second. It
lies in a folder, in a zip file, on a web server or in an object store
(`napari_scope.formats.ngff.place.places`); what is far away is read by several threads.

Everything read is treated as hostile: documents have a size limit, must be regular
files, and neither a path out of metadata nor a link may leave the store. What OME-Zarr
says in the attributes is not known here.

Examples
--------
>>> store = Store("https://example.org/plate.ome.zarr")  # doctest: +SKIP
>>> store.array("A/1/0/0").shape  # doctest: +SKIP
(3, 2048, 2048)
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import unquote

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.place.array_info import ArrayInfo, array_info
from napari_scope.formats.ngff.place.opening import open_place
from napari_scope.formats.ngff.place.places import (
    MAX_DOCUMENT,
    FolderPlace,
    RefusedError,
    folder_of,
    named,
    read_bounded,
    refuse_link_out,
    safe_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from napari_scope.formats.ngff.place.places import Place

    Json = Mapping[str, object]

__all__ = ["MAX_DOCUMENT", "ArrayInfo", "Store", "read_bounded", "safe_path"]

_AT_ONCE = 16
"""Documents that are asked for at the same time, where each takes a round trip."""

_KEPT = 10_000  # documents from far away
_KEPT_BYTES = 2**16  # of one of them

_MOST_VALUES = 4_000_000  # in a document; of 10,000 fields with all of their arrays
_MARKS = (b",", b"{", b"[")

_T = TypeVar("_T")


class Store:
    """A hierarchy and the nodes below it.

    Parameters
    ----------
    root : str or PathLike
        What was opened, the root of a store or a group within one: a folder, a zip
        file (or a path within it), an address (``http://``, ``https://``, ``s3://``),
        or the document that describes the group.

    Raises
    ------
    FormatError
        If a zip file cannot be read, or an address is not complete.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = open_place(root)
        # The levels of the fields of a plate mostly say the same: equal bytes are
        # understood once.
        self._parsed: dict[bytes, ArrayInfo] = {}
        self._checked: set[tuple[str, ...]] = set()
        self._version: Literal[2, 3] | None = None
        self._fetched: dict[str, bytes | None] = {}

    @property
    def local(self) -> bool:
        """Whether the store is a folder of this machine."""
        return self._root.local

    @property
    def root(self) -> Path:
        """The folder of the store, if it is one of this machine."""
        return folder_of(self._root)

    @property
    def address(self) -> str:
        """The path by which the store can be opened again."""
        return self._root.address

    @property
    def title(self) -> str:
        """The last part of the path of the store, with its suffix."""
        if isinstance(self._root, FolderPlace):
            return self._root.folder.absolute().name
        last = self._root.name.rpartition("/")[2]
        return unquote(last) if self._root.name[:4].lower() == "http" else last

    def folder(self, path: str = "") -> Path:
        """Return the folder of a node.

        Raises
        ------
        FormatError
            If the path would leave the store, or the store is not local.
        """
        return folder_of(self._at(path))

    def place(self, path: str = "") -> str:
        """Return what messages call a node: its folder, or its address.

        Raises
        ------
        FormatError
            If the path would leave the store.
        """
        return self._at(path).name

    def document(self, path: str, name: str, limit: int = MAX_DOCUMENT) -> bytes | None:
        """Return a small file of a group, or None if there is none.

        Raises
        ------
        FormatError
            If it is larger than ``limit`` bytes or cannot be read.
        """
        return self._at(path).read(name, limit)

    def node(self, path: str = "") -> Json:
        """Return the whole JSON of a group or array: zarr.json, or .zarray or .zgroup.

        Raises
        ------
        FormatError
            If there is no such node or its document is damaged.
        """
        place = self._at(path)
        for names in (("zarr.json", ".zarray"), (".zgroup",)):
            found = self._first(place, names)
            if found is not None:
                return _parse(found[1], place, found[0])
        raise _no_node(place)

    def attributes(self, path: str = "") -> Json:
        """Return the attributes of a group or array.

        Raises
        ------
        FormatError
            If there is no such node or its document is damaged.
        """
        place = self._at(path)
        found = self._first(place, ("zarr.json", ".zattrs"))
        if found is not None:
            name, data = found
            document = _parse(data, place, name)
            if name == ".zattrs":
                return document
            attributes = document.get("attributes", {})
            return attributes if isinstance(attributes, dict) else {}
        if self._has(place, ".zgroup") or self._has(place, ".zarray"):
            return {}
        raise _no_node(place)

    def exists(self, path: str) -> bool:
        """Return whether there is a node."""
        place = self._at(path)
        names = ("zarr.json", ".zgroup", ".zarray")
        return any(self._has(place, name) for name in names)

    def array(self, path: str) -> ArrayInfo:
        """Return what the JSON of an array says.

        Raises
        ------
        FormatError
            If there is no such array, or it is one that cannot be shown.
        """
        place = self._at(path)
        found = self._first(place, ("zarr.json", ".zarray"))
        if found is None:
            raise FormatError(
                "the array is missing: zarr.json or .zarray was expected",
                path=place.name,
            )
        name, data = found
        known = self._parsed.get(data)
        if known is None:
            document = _parse(data, place, name)
            version: Literal[2, 3] = 3 if name == "zarr.json" else 2
            known = array_info(document, place, version, named(place, name))
            self._parsed[data] = known
        return ArrayInfo(
            place, known.zarr_format, known.shape, known.dtype, known.chunks
        )

    def many(self, paths: Sequence[str]) -> list[Json | FormatError]:
        """Return the attributes of many groups, or why they cannot be read.

        Parameters
        ----------
        paths : sequence of str
            Their paths; the answers have the same order.
        """
        return self._each(self.attributes, paths)

    def arrays(self, paths: Sequence[str]) -> list[ArrayInfo | FormatError]:
        """Return what the JSON of many arrays says, or why they cannot be shown.

        Parameters
        ----------
        paths : sequence of str
            Their paths; the answers have the same order.
        """
        return self._each(self.array, paths)

    def _each(
        self, read: Callable[[str], _T], paths: Sequence[str]
    ) -> list[_T | FormatError]:
        def one(path: str) -> _T | FormatError:
            try:
                return read(path)
            except FormatError as error:
                return error

        # Threads would only make the reading of a disk that is near slower.
        if self._root.timeout is None or len(paths) < 2:
            return [one(path) for path in paths]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(_AT_ONCE, len(paths))) as pool:
            return list(pool.map(one, paths))

    def _read(self, place: Place, name: str) -> bytes | None:
        """Return a document; what was fetched from far away is not fetched again."""
        if place.timeout is None:
            return place.read(name)
        key = named(place, name)
        if key in self._fetched:
            return self._fetched[key]
        data = place.read(name)
        if len(data or b"") <= _KEPT_BYTES and len(self._fetched) < _KEPT:
            self._fetched[key] = data
        return data

    def _has(self, place: Place, name: str) -> bool:
        if place.timeout is None:
            return place.has(name)
        try:
            return self._read(place, name) is not None
        except RefusedError:
            return False

    def _at(self, path: str) -> Place:
        parts = safe_path(path, self._root.name)
        if not parts:
            return self._root
        if self._root.local:
            self._refuse_links_out(parts)
        return self._root.child(*parts)

    def _refuse_links_out(self, parts: tuple[str, ...]) -> None:
        """Look at each folder on the way once."""
        if not parts or parts in self._checked:
            return
        self._refuse_links_out(parts[:-1])
        way = os.sep.join((self._root.name, *parts))
        try:
            status = os.lstat(way)
        except (OSError, ValueError):
            return  # it will not be found later, either
        # On Windows, also what is not called a link may lead elsewhere.
        if stat.S_ISLNK(status.st_mode) or _is_reparse_point(status):
            refuse_link_out(way, self._root.name)
        self._checked.add(parts)

    def _first(self, place: Place, names: tuple[str, ...]) -> tuple[str, bytes] | None:
        """Return the first document that there is; zarr.json is the one of v3.

        Far away, where each look takes a round trip, the version that the first
        document had is looked for first.
        """
        if self._version == 2:
            names = names[::-1]
        refused: RefusedError | None = None
        for name in names:
            try:
                data = self._read(place, name)
            except RefusedError as error:
                refused = refused or error
                continue
            if data is not None:
                if self._version is None and place.timeout is not None:
                    self._version = 3 if name == "zarr.json" else 2
                return name, data
        if refused is not None:
            raise refused
        return None


def _is_reparse_point(status: os.stat_result) -> bool:
    # Only Windows has it: a junction, for instance.
    return bool(getattr(status, "st_reparse_tag", None))


def _no_node(place: Place) -> FormatError:
    return FormatError(
        "no Zarr node: zarr.json, .zattrs or .zgroup was expected", path=place.name
    )


def _parse(data: bytes, place: Place, name: str) -> Json:
    # Values may take twenty times the memory of their text. Each has a mark of its own;
    # those in strings are counted, too, but will not be millions.
    if len(data) > _MOST_VALUES and sum(map(data.count, _MARKS)) > _MOST_VALUES:
        raise FormatError(
            f"more than {_MOST_VALUES:,} values in one document",
            path=named(place, name),
        )
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"damaged JSON: {error}", path=named(place, name)) from error
    if not isinstance(document, dict):
        raise FormatError("a JSON object was expected", path=named(place, name))
    return document
