"""Which files are mzML, told from their first bytes, and about how much is in them.

Examples
--------
>>> find_file("runs"), is_mzml(Path("runs/liver.mzML"))  # doctest: +SKIP
(PosixPath('runs/liver.mzML'), True)
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.formats.msi.mzml.packed import SUFFIX as PACKED
from napari_scope.formats.msi.mzml.packed import head_of
from napari_scope.formats.msi.mzml.strict import wide_encoding

if TYPE_CHECKING:
    PathLike = str | os.PathLike[str]

__all__ = ["find_file", "is_mzml", "is_packed", "mzml_in", "values_in"]

_SUFFIX: Final = ".mzml"
_HEAD: Final = 4096
_ROOT: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?[^>]*\?>\s*|<!--.*?-->\s*)*"
    # Whoever opens one with declarations shall be told why it is refused.
    rb"<(?:!DOCTYPE|(?:[A-Za-z]\w*:)?(?:indexedmzML|mzML))[\s>]",
    re.S,
)
_SIZED: Final = re.compile(
    rb"""<spectrum\s[^<>]*defaultArrayLength\s*=\s*["'](\d{1,12})["']"""
)
_MOST_SIZED_BYTES: Final = 256 << 20
_PIECE: Final = 1 << 20


def find_file(name: PathLike) -> Path | None:
    """Return the file that a path stands for: itself, or the first one of a folder."""
    path = Path(name)
    try:
        if path.is_dir():
            return next(iter(mzml_in(path)), None)
        if path.name.lower().endswith((_SUFFIX, PACKED)) and path.is_file():
            return path
    except (OSError, ValueError):
        return None
    return None


def mzml_in(folder: Path) -> list[Path]:
    """Return the files of a folder, by name; not those that macOS puts beside them.

    Packed ones are opened by themselves only: to look into them takes long.
    """
    names = [
        name
        for name in os.listdir(folder)
        if name.lower().endswith(_SUFFIX) and not name.startswith("._")
    ]
    return [folder / name for name in sorted(names) if (folder / name).is_file()]


def is_packed(path: Path) -> bool:
    """Return whether a file is to be unpacked before it is read."""
    return path.name.lower().endswith(PACKED)


def is_mzml(path: Path) -> bool:
    """Return whether a file begins like mzML."""
    try:
        if is_packed(path):
            head = head_of(path, _HEAD)
        else:
            with path.open("rb") as file:
                head = file.read(_HEAD)
    except OSError:
        return False
    wide = wide_encoding(head)
    if wide:
        head = head.decode(wide, "ignore").lstrip("\ufeff").encode()
    return _ROOT.match(head) is not None


def values_in(path: Path, most: int) -> int | None:
    """Return about how many values all spectra of a file have; None if it says nothing.

    Parameters
    ----------
    path : Path
        The file.
    most : int
        How many spectra are looked at; the others are taken to be like them.
    """
    whole = path.stat().st_size
    values, count, done = 0, 0, 0
    buffer, first, last = b"", -1, 0
    with path.open("rb") as file:
        while count < most and done < _MOST_SIZED_BYTES:
            piece = file.read(_PIECE)
            if not piece:
                break
            begin = done - len(buffer)
            done += len(piece)
            buffer += piece
            end = 0
            for one in _SIZED.finditer(buffer):
                end = one.end()
                last = begin + one.start()
                first = last if first < 0 else first
                values += int(one[1])
                count += 1
                if count == most:
                    break
            # The beginning of one may be at the end of the piece.
            buffer = buffer[max(end, len(buffer) - _HEAD) :]
    # All of them were seen, unless one of the limits ended the search.
    if (count == most or done < whole) and last > first:
        return round(values / count * ((whole - first) / (last - first) * (count - 1)))
    return values if count else None
