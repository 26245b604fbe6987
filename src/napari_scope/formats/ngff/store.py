"""A Zarr hierarchy on disk, seen through its JSON documents only.

`Store` reads the attributes of groups and the shape, type and chunks of arrays, for
Zarr v2 and v3, without opening anything with a Zarr library: a plate of 384 fields is
a thousand small files, and this is what makes it open in a fraction of a second.

Everything read is treated as hostile: documents have a size limit, must be regular
files, and no path out of metadata may leave the store. What OME-Zarr says in the
attributes is not known here.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = Mapping[str, object]

__all__ = ["MAX_DOCUMENT", "ArrayInfo", "Store", "read_bounded", "safe_path"]

MAX_DOCUMENT = 64 * 2**20
"""Largest metadata document in bytes; the biggest real plates stay below a tenth."""

_MAX_AXES = 16
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class ArrayInfo:
    """What the JSON of an array says.

    Parameters
    ----------
    folder : Path
        Folder of the array.
    zarr_format : 2 or 3
        Version of Zarr.
    shape : tuple of int
        Length of each axis.
    dtype : numpy.dtype
        Type of the pixels, in the byte order of this machine.
    chunks : tuple of int
        What is cheap to read: the chunk, or the inner chunk of a sharded array.
    """

    folder: Path
    zarr_format: Literal[2, 3]
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    chunks: tuple[int, ...]

    @property
    def document(self) -> Path:
        """The file that describes the array."""
        return self.folder / ("zarr.json" if self.zarr_format == 3 else ".zarray")


class Store:
    """The folder of a hierarchy and the nodes below it.

    Parameters
    ----------
    root : PathLike
        Folder that was opened; the root of a store or a group within one.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        # The levels of the fields of a plate mostly say the same: equal bytes are
        # understood once.
        self._parsed: dict[bytes, ArrayInfo] = {}

    def folder(self, path: str = "") -> Path:
        """Return the folder of a node.

        Raises
        ------
        FormatError
            If the path would leave the store.
        """
        return self.root.joinpath(*safe_path(path, self.root))

    def attributes(self, path: str = "") -> Json:
        """Return the attributes of a group or array.

        Raises
        ------
        FormatError
            If there is no such node or its document is damaged.
        """
        folder = self.folder(path)
        data = read_bounded(folder / "zarr.json")
        if data is not None:
            document = _parse(data, folder / "zarr.json")
            attributes = document.get("attributes", {})
            return attributes if isinstance(attributes, dict) else {}
        data = read_bounded(folder / ".zattrs")
        if data is not None:
            return _parse(data, folder / ".zattrs")
        if (folder / ".zgroup").is_file() or (folder / ".zarray").is_file():
            return {}
        raise FormatError(
            "no Zarr node: zarr.json, .zattrs or .zgroup was expected", path=folder
        )

    def exists(self, path: str) -> bool:
        """Return whether there is a node."""
        folder = self.folder(path)
        return any(
            (folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray")
        )

    def array(self, path: str) -> ArrayInfo:
        """Return what the JSON of an array says.

        Raises
        ------
        FormatError
            If there is no such array, or it is one that cannot be shown.
        """
        folder = self.folder(path)
        for name, understand in (("zarr.json", _array_v3), (".zarray", _array_v2)):
            data = read_bounded(folder / name)
            if data is None:
                continue
            known = self._parsed.get(data)
            if known is None:
                document = _parse(data, folder / name)
                known = self._parsed[data] = understand(document, folder / name)
            return replace(known, folder=folder)
        raise FormatError(
            "the array is missing: zarr.json or .zarray was expected", path=folder
        )


def safe_path(path: str, root: Path) -> tuple[str, ...]:
    """Return the parts of a path below the root of a store.

    Parameters
    ----------
    path : str
        A path as metadata give it, with slashes.
    root : Path
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


def read_bounded(path: Path, limit: int = MAX_DOCUMENT) -> bytes | None:
    """Read a small regular file; None if there is none.

    Raises
    ------
    FormatError
        If it is larger than ``limit`` bytes or cannot be read.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FormatError("not a regular file", path=path)
            data = file.read(min(status.st_size, limit) + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise FormatError(f"cannot be read: {error}", path=path) from error
    if len(data) > limit:
        raise FormatError(f"larger than the {limit >> 20} MiB allowed", path=path)
    return data


def _open_without_waiting(path: str, flags: int) -> int:
    # A named pipe in place of a document would block for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _parse(data: bytes, path: Path) -> Json:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"damaged JSON: {error}", path=path) from error
    if not isinstance(document, dict):
        raise FormatError("a JSON object was expected", path=path)
    return document


def _array_v3(document: Json, path: Path) -> ArrayInfo:
    if document.get("node_type") != "array":
        raise FormatError("an array was expected, this is a group", path=path)
    shape = _lengths(document.get("shape"), "shape", path, least=0)
    dtype = _dtype(document.get("data_type"), path)
    grid = _member(document.get("chunk_grid"))
    chunks = _lengths(grid.get("chunk_shape"), "chunk_shape", path, len(shape))
    codecs = document.get("codecs")
    orders: list[list[int]] = []
    for codec in codecs if isinstance(codecs, list) else []:
        name = codec.get("name") if isinstance(codec, dict) else codec
        configuration = _member(codec)
        if name == "transpose":
            order = configuration.get("order")
            if not isinstance(order, list) or sorted(order) != list(range(len(shape))):
                raise FormatError(f"transpose order {order!r}", path=path)
            orders.append(order)
        elif name == "sharding_indexed":
            inner = _lengths(
                configuration.get("chunk_shape"), "chunk_shape", path, len(shape)
            )
            # The shard's chunks are counted in the order after the transposes.
            for order in reversed(orders):
                inner = tuple(inner[order.index(axis)] for axis in range(len(shape)))
            chunks = inner
            break
    return ArrayInfo(path.parent, 3, shape, dtype, chunks)


def _array_v2(document: Json, path: Path) -> ArrayInfo:
    shape = _lengths(document.get("shape"), "shape", path, least=0)
    chunks = _lengths(document.get("chunks"), "chunks", path, len(shape))
    return ArrayInfo(path.parent, 2, shape, _dtype(document.get("dtype"), path), chunks)


def _member(value: object) -> Json:
    """Return the ``configuration`` of a named object of Zarr v3."""
    if isinstance(value, dict):
        configuration = value.get("configuration", {})
        if isinstance(configuration, dict):
            return configuration
    return {}


def _lengths(
    value: object, what: str, path: Path, ndim: int | None = None, *, least: int = 1
) -> tuple[int, ...]:
    good = (
        isinstance(value, list)
        and len(value) <= _MAX_AXES
        and all(type(n) is int and least <= n < 2**63 for n in value)
        and (ndim is None or len(value) == ndim)
    )
    if not good:
        raise FormatError(f"{what} {str(value)[:60]} is not valid", path=path)
    return tuple(value)  # type: ignore[arg-type]


def _dtype(value: object, path: Path) -> np.dtype[np.generic]:
    """Return the type of the pixels; only numbers and truth values can be shown."""
    if isinstance(value, str) and re.fullmatch(r"[<>|=]?[a-z]+\d*", value):
        try:
            dtype = np.dtype(value)
        except TypeError:
            dtype = np.dtype(object)
        if dtype.kind in "biuf":
            return dtype.newbyteorder("=")
    raise FormatError(f"pixels of type {str(value)[:60]} cannot be shown", path=path)
