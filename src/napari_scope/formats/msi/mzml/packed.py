"""mzML files that repositories keep as ``.mzML.gz``: unpacked once, into the cache.

Spectra are read where they lie, which nothing can in a packed file. What was unpacked
is found again as long as the packed file is the same. The folder of the cache is
bounded: what was used longest ago goes; and some of the disk is left free.

Examples
--------
>>> unpacked(Path("liver.mzML.gz"))  # doctest: +SKIP
(PosixPath('/home/me/.cache/napari-scope/mzml/3f0c….mzML'), '')
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import uuid
import zlib
from pathlib import Path
from typing import Final

from napari_scope.errors import FormatError
from napari_scope.fileio import free_bytes
from napari_scope.formats.msi.index_cache import cache_folder

__all__ = ["SUFFIX", "head_of", "unpacked"]

SUFFIX: Final = ".mzml.gz"
"""How names of packed files end, in lower case."""

_PIECE: Final = 4 << 20
_MOST_BYTES: Final = 64 << 30  # of all files in the cache
_SPARE_BYTES: Final = 2 << 30  # that are left free on the disk
_WHOLE: Final = ".mzML"
_DAMAGED: Final = ".damaged.mzML"
_ERRORS: Final = (EOFError, gzip.BadGzipFile, zlib.error)


def head_of(path: Path, size: int) -> bytes:
    """Return the first bytes of what is packed; fewer, or none, if it is damaged."""
    try:
        with gzip.open(path) as file:
            return file.read(size)
    except _ERRORS:
        return b""


def unpacked(path: Path) -> tuple[Path, str]:
    """Return where the unpacked file lies, and what was wrong, in words.

    Of a packed file that was cut off, or is damaged, what is before that is unpacked.

    Parameters
    ----------
    path : Path
        The packed file.

    Raises
    ------
    FormatError
        If there is no room, or nothing can be unpacked.
    """
    folder = cache_folder().with_name("mzml")
    state = path.stat()
    key = f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    for end in (_WHOLE, _DAMAGED):
        kept = folder / (name + end)
        if kept.is_file():
            with contextlib.suppress(OSError):
                os.utime(kept)  # it was used just now
            return kept, _told(end)
    # Others may unpack the same at once; the file of the last one stays.
    part = folder / f"{name}.{uuid.uuid4().hex}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        end = _unpack(path, part)
        part.replace(folder / (name + end))
    except OSError as error:
        raise FormatError(
            f"it cannot be unpacked into {folder}: {error.strerror or error}",
            path=path, hint=_BY_HAND,
        ) from error  # fmt: skip
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    found = folder / (name + end)
    _make_room(found)
    return found, _told(end)


_BY_HAND: Final = (
    "unpack it yourself where there is room (gunzip, 7-Zip) and open the .mzML file"
)


def _told(end: str) -> str:
    if end == _WHOLE:
        return ""
    return "the packed file is damaged or was not copied whole"


def _unpack(path: Path, part: Path) -> str:
    """Unpack a file; returns how the name of what there is of it ends."""
    room = min(_MOST_BYTES, free_bytes(part.parent) - _SPARE_BYTES)
    done = 0
    with part.open("wb") as target, gzip.open(path) as source:
        while True:
            try:
                piece = source.read1(_PIECE)
            except _ERRORS as error:
                if not done:
                    raise FormatError(
                        f"it cannot be unpacked: {error}", path=path
                    ) from error
                return _DAMAGED
            if not piece:
                return _WHOLE
            done += len(piece)
            if done > room:
                raise FormatError(
                    f"there is no room to unpack it: {part.parent} has "
                    f"{max(room, 0):,} bytes to spare, and it needs more",
                    path=path, hint=_BY_HAND,
                )  # fmt: skip
            target.write(piece)


def _make_room(newest: Path) -> None:
    """Remove what was used longest ago until the rest fits."""
    found: list[tuple[float, int, Path]] = []
    with contextlib.suppress(OSError), os.scandir(newest.parent) as entries:
        for entry in entries:
            facts = entry.stat()
            found.append((facts.st_mtime, facts.st_size, Path(entry.path)))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= _MOST_BYTES:
            return
        if path != newest:
            # Where another program has it open it may stay.
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size
