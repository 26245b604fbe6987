"""What is in a folder of NDTiff that a writer goes on with.

New frames go to files of their own, which follow those that are there, and their
records behind those of the index. What exists is never changed, so that nothing can
happen to it. A store that is damaged is refused; `recovery.recover` mends it.

This module reads; the writing is that of `folder` and `store_root`.

Examples
--------
>>> import tempfile, numpy as np
>>> from napari_scope.formats.ndtiff.writer import NDTiffWriter
>>> folder = tempfile.mkdtemp()
>>> with NDTiffWriter(folder, prefix="a") as writer:
...     place = writer.put({"time": 0}, np.ones((4, 3), "u2"))
>>> found = stored_folder(folder)
>>> found.names, found.kinds(), list(found.records())
(('a_NDTiffStack.tif',), {'time': <class 'int'>}, [(b'{"time":0}', 67)])
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff.display import SETTINGS_NAME, encode_settings
from napari_scope.formats.ndtiff.index import INDEX_NAME, parse_index
from napari_scope.formats.ndtiff.limits import MAX_JSON_BYTES
from napari_scope.formats.ndtiff.record import HEADER_BYTES, parse_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from napari_scope.formats.ndtiff.columns import IndexTable
    from napari_scope.model import Channel

__all__ = ["StoredFolder", "kept_settings", "merged_settings", "stored_folder"]

_FILE = re.compile(r"((?:.*_)?NDTiffStack)(?:_[1-9][0-9]{0,8})?\.tif", re.DOTALL)
_MAX_INDEX = 2**31
_NUMBERS = 32  # bytes behind the name of the file, in a record


@dataclass(frozen=True, slots=True)
class StoredFolder:
    """The files of a folder.

    Parameters
    ----------
    stem : str
        Start of the names of the files.
    names : tuple of str
        The files.
    summary : bytes
        Summary metadata of the first one, JSON.
    index : bytes
        The records.
    table : IndexTable
        What they say.
    """

    stem: str
    names: tuple[str, ...]
    summary: bytes
    index: bytes
    table: IndexTable

    def records(self) -> Iterator[tuple[bytes, int]]:
        """Iterate over axes (JSON) and length of each record."""
        data, start = self.index, 0
        while start < len(data):
            middle = start + 4 + int.from_bytes(data[start : start + 4], "little")
            name = int.from_bytes(data[middle : middle + 4], "little")
            length = middle - start + 4 + name + _NUMBERS
            yield data[start + 4 : middle], length
            start += length

    def kinds(self) -> dict[str, type]:
        """Return what kind of value each axis has."""
        return {
            name: type(values[0])
            for name, values in self.table.values.items()
            if values
        }

    def channels(self) -> tuple[str, ...]:
        """Return the names that the axis ``channel`` has, in order of appearance."""
        values = self.table.values.get("channel", ())
        return tuple(value for value in values if isinstance(value, str))

    def facts(self) -> dict[str, object]:
        """Return the summary metadata; none where they are damaged."""
        return _object(self.summary)


def stored_folder(folder: str | PathLike[str]) -> StoredFolder:
    """Look at a folder that a writer is to go on with.

    Raises
    ------
    FormatError
        If it is no store of version 3 whose index is whole.
    """
    folder = Path(folder)
    index = folder / INDEX_NAME
    names = sorted(p.name for p in folder.iterdir() if _FILE.fullmatch(p.name))
    if not index.is_file() or not names:
        raise FormatError(
            f"there is no {INDEX_NAME} with TIFF files of version 3, so nothing that "
            "can be continued",
            path=folder,
        )
    stems = {_stem(name) for name in names}
    if len(stems) > 1:
        raise FormatError(
            f"the files of two stores are here: {', '.join(sorted(stems))}", path=folder
        )
    if index.stat().st_size > _MAX_INDEX:
        raise FormatError("the index is too long to be continued", path=index)
    data = index.read_bytes()
    table = parse_index(data)
    if table.consumed != len(data) or table.problems or table.order != "<":
        what = "; ".join(table.problems) or "it was not written by this package"
        raise FormatError(
            f"the index cannot be continued: {what}",
            path=index,
            hint="recover it first",
        )
    stem = stems.pop()
    first = min(names, key=len)
    return StoredFolder(stem, tuple(names), _summary(folder / first), data, table)


def _stem(name: str) -> str:
    match = _FILE.fullmatch(name)
    assert match is not None  # it was found so
    return match[1]


def _summary(path: Path) -> bytes:
    """Return the summary metadata of a file."""
    with DataFile.open(path) as file:
        try:
            header = parse_header(file.read_at(0, HEADER_BYTES), file.size())
        except FormatError as error:
            raise FormatError(error.message, path=path) from error
        if header.version[0] != 3 or header.order != "<":
            raise FormatError(
                f"a store of NDTiff {header.version[0]}.{header.version[1]} is not "
                "continued",
                path=path,
            )
        if header.summary_length > MAX_JSON_BYTES:
            raise FormatError("its summary metadata are too long", path=path)
        return file.read_at(header.summary_offset, header.summary_length)


def kept_settings(folder: Path) -> bytes:
    """Return the display settings of a store; none where there are none."""
    path = folder / SETTINGS_NAME
    if not path.is_file() or path.stat().st_size > MAX_JSON_BYTES:
        return b""
    return path.read_bytes()


def merged_settings(kept: bytes, channels: Sequence[Channel], *, bits: int) -> bytes:
    """Return display settings with those channels added that they do not name.

    Parameters
    ----------
    kept : bytes
        The settings; all that they say stays.
    channels : sequence of Channel
        All channels.
    bits : int
        Significant bits of the pixels.
    """
    known = _object(kept)
    new = [channel for channel in channels if channel.name not in known]
    if known and not new:
        return kept
    added = _object(encode_settings(new or channels, bits=bits))
    return json.dumps({**added, **known}, separators=(",", ":")).encode()


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
