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
    known = {name.lower() for name in names}
    stems = {name[:-4] for name in names if name.lower().endswith(".t2m")}
    return sorted(
        stem for stem in stems if {stem.lower() + s for s in _SUFFIXES} <= known
    )


def _of_stem(folder: Path, stem: str) -> AnalyzeFiles | None:
    plain = [folder / (stem + suffix) for suffix in _SUFFIXES]
    if all(path.is_file() for path in plain):
        return AnalyzeFiles(*plain)
    # The suffix may be in capitals; two names that differ in case are two images.
    found = {
        name.lower()[-4:]: folder / name
        for name in sorted(os.listdir(folder))
        if name[:-4] == stem and name.lower()[-4:] in _SUFFIXES
    }
    found = {suffix: path for suffix, path in found.items() if path.is_file()}
    if ".hdr" not in found or ".img" not in found:
        return None
    return AnalyzeFiles(found[".hdr"], found[".img"], found.get(".t2m"))
