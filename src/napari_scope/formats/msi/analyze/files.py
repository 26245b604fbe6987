"""The files of an Analyze image: .hdr, .img and .t2m of one name, in any case.

Examples
--------
>>> find_files("sample.img")  # doctest: +SKIP
AnalyzeFiles(hdr=Path('sample.hdr'), img=Path('sample.img'), t2m=Path('sample.t2m'))
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["AnalyzeFiles", "find_files", "stems_in"]

_SUFFIXES: Final = (".hdr", ".img", ".t2m")


class AnalyzeFiles(NamedTuple):
    """The files; there may be no m/z axis."""

    hdr: Path
    img: Path
    t2m: Path | None


def find_files(name: str | os.PathLike[str]) -> AnalyzeFiles | None:
    """Return the files that a path stands for.

    Parameters
    ----------
    name : str or PathLike
        One of the files, their common name without a suffix, or a folder (the first
        ones by name, if it has several).
    """
    path = Path(name)
    try:
        if path.is_dir():
            stem = next(iter(stems_in(path)), None)
            return None if stem is None else _of_stem(path, stem)
        if path.suffix.lower() in _SUFFIXES:
            found = _of_stem(path.parent, path.name[: -len(path.suffix)])
            if found is not None:
                return found
        return _of_stem(path.parent, path.name)
    except (OSError, ValueError):
        return None


def stems_in(folder: Path) -> list[str]:
    """Return the common names of the files in a folder, those with an m/z axis.

    Raises
    ------
    OSError
        If it cannot be listed.
    """
    names = os.listdir(folder)
    axes = [name for name in names if name.lower().endswith(".t2m")]
    if not axes:
        return []
    known = {name.lower() for name in names}
    stems = {name[:-4] for name in axes}
    return sorted(
        stem
        for stem in stems
        if stem.lower() + ".hdr" in known and stem.lower() + ".img" in known
    )


def _of_stem(folder: Path, stem: str) -> AnalyzeFiles | None:
    """Return the files of a name; their suffixes may be in capitals.

    The folder, which may be large, is not listed. Two names that differ in case are two
    images.
    """
    hdr, img, t2m = (_with(folder, stem, suffix) for suffix in _SUFFIXES)
    return None if hdr is None or img is None else AnalyzeFiles(hdr, img, t2m)


def _with(folder: Path, stem: str, suffix: str) -> Path | None:
    written = (suffix, suffix.upper(), suffix.title())
    return next((p for s in written if (p := folder / (stem + s)).is_file()), None)
