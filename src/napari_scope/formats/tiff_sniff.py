"""Whether a file or folder is OME-TIFF, from a few bytes of it.

The text of the first image is looked at, as the standard has it: it is OME-XML. Of a
folder some names are looked at. Nothing is raised for what is on disk.
"""

from __future__ import annotations

import os
import stat
import struct
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["COMPANION", "TIFF_SUFFIXES", "is_ome_tiff", "ome_tiff_folder"]

TIFF_SUFFIXES = (".tif", ".tiff")
COMPANION = ".companion.ome"

_OME_SUFFIXES = (".ome.tif", ".ome.tiff", COMPANION)
_MOST_NAMES = 1000  # of a folder that are looked at
_MOST_TAGS = 4096
_DESCRIPTION = 270
_HEAD = 4096  # of a text, in which its root element begins


def is_ome_tiff(path: Path) -> bool:
    """Return whether a file is a TIFF with OME-XML, or a companion of such files."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False  # a pipe would block
        with open(path, "rb") as file:
            if path.name.lower().endswith(COMPANION):
                return b"<OME" in file.read(_HEAD)
            return b"<OME" in _first_text(file)
    except (OSError, ValueError, struct.error):
        return False


def _first_text(file: object) -> bytes:
    """Return the beginning of the description of the first image."""
    read, seek = file.read, file.seek  # type: ignore[attr-defined]
    head = read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        return b""
    version = struct.unpack(f"{order}H", head[2:4])[0]
    if version == 42:
        offset, big = struct.unpack(f"{order}I", head[4:8])[0], False
    elif version == 43:
        offset, big = struct.unpack(f"{order}Q", head[8:16])[0], True
    else:
        return b""
    seek(offset)
    count = struct.unpack(f"{order}Q" if big else f"{order}H", read(8 if big else 2))[0]
    size = 20 if big else 12
    tags = read(size * min(count, _MOST_TAGS))
    for place in range(0, len(tags) - size + 1, size):
        code = struct.unpack_from(f"{order}H", tags, place)[0]
        if code == _DESCRIPTION:
            kind = "QQ" if big else "II"
            length, start = struct.unpack_from(f"{order}{kind}", tags, place + 4)
            if length <= (8 if big else 4):
                return b""
            seek(start)
            text: bytes = read(min(length, _HEAD))
            return text
    return b""


def ome_tiff_folder(path: Path) -> bool:
    """Return whether a folder holds files of OME-TIFF, by their names."""
    try:
        with os.scandir(path) as entries:
            return any(
                entry.name.lower().endswith(_OME_SUFFIXES) and entry.is_file()
                for entry in islice(entries, _MOST_NAMES)
            )
    except (OSError, ValueError):
        return False
