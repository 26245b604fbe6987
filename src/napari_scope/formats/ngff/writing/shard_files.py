"""Shards that are finished: their index, and how they are written once more.

A writer knows where everything in a file lies because it chose it. A finished file may
lie otherwise: the array was shorter, so that its last file holds fewer frames; or an
independent library wrote the file anew when the run was recovered. Before frames can
be added such a file is written once more, as the writer would have made it, and takes
the place of the old one when it is complete. A process killed at any moment leaves
either, both valid.

Source: Zarr v3 ``sharding_indexed`` codec (index of offset and length pairs, little
endian, CRC32C at its end, 2**64 - 1 for a chunk that does not exist).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from crc32c import crc32c

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["ENTRY", "MISSING", "array_files", "end_index", "moves", "rewrite"]

ENTRY = 16
"""Bytes of an entry in the index of a shard: offset and length."""

MISSING = 2**64 - 1
"""Offset and length, in an index, of a chunk that does not exist."""


def array_files(folder: Path) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Iterate over the files of an array: parts of the path, path; no links."""
    from pathlib import Path

    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and not path.is_symlink():
                yield path.relative_to(folder).parts, path


def end_index(file: DataFile, entries: int) -> npt.NDArray[np.uint64]:
    """Return the index at the end of a shard: offset and length of each chunk.

    Raises
    ------
    FormatError
        If there is none, or it contradicts the file.
    """
    size, length = file.size(), entries * ENTRY
    data = file.read_at(max(0, size - length - 4), length + 4)
    if (
        size < length + 4
        or crc32c(data[:length]).to_bytes(4, "little") != data[length:]
    ):
        raise FormatError(
            "the shard has no index at its end",
            path=file.path,
            hint="`napari-scope recover` mends what an interrupted run left",
        )
    table = np.frombuffer(data, "<u8", count=2 * entries).reshape(-1, 2)
    there = table[:, 0] != MISSING
    offsets, lengths = table[there].T
    end = np.uint64(size - length - 4)
    if ((lengths > end) | (offsets > end - np.minimum(lengths, end))).any():
        raise FormatError("the index of the shard contradicts it", path=file.path)
    return table


def moves(
    old: npt.NDArray[np.uint64], new: npt.NDArray[np.uint64], path: Path
) -> Iterator[tuple[int, int, int]]:
    """Iterate over what has to be copied: from where, how many bytes, to where.

    Parameters
    ----------
    old, new : numpy.ndarray
        Indices of a shard; chunks that one of them does not have are left out.
    path : Path
        The shard, for the error.

    Raises
    ------
    FormatError
        If a chunk has another length.
    """
    for (offset, length), (target, room) in zip(
        old.tolist(), new.tolist(), strict=True
    ):
        if MISSING in (offset, target):
            continue
        if length != room:
            raise FormatError(
                f"a chunk of the shard has {length} bytes instead of {room}", path=path
            )
        yield offset, length, target


def rewrite(
    source: DataFile,
    size: int,
    pieces: Iterable[tuple[int, bytes]],
    copies: Iterable[tuple[int, int, int]],
) -> None:
    """Put a new file in the place of an old one, with chunks copied from it.

    Parameters
    ----------
    source : DataFile
        The old file; closed here.
    size : int
        Length of the new one.
    pieces : iterable of (int, bytes)
        What is in it: offset, bytes.
    copies : iterable of (int, int, int)
        What is copied: offset in the old file, number of bytes, offset in the new one.
    """
    path = source.path
    hidden = path.with_name(f".{path.name}.new")
    hidden.unlink(missing_ok=True)  # of an attempt that failed
    file = DataFile.create(hidden)
    try:
        file.truncate(size)
        for offset, data in pieces:
            file.write_at(offset, data)
        for offset, length, target in copies:
            data = source.read_at(offset, length)
            if data.count(0) != len(data):  # what is zero takes no room
                file.write_at(target, data)
        file.sync()
        file.close()
        source.close()
        os.replace(hidden, path)
    except BaseException:
        file.close()
        hidden.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
