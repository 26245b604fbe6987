"""The two files of imzML: which ones a path stands for, whatever case their names have.

Examples
--------
>>> find_imzml("folder"), find_ibd(Path("brain.imzML"))  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from napari_scope.fileio import sync_folder

PathLike = str | os.PathLike[str]

__all__ = ["find_ibd", "find_imzml", "give_names", "identity", "imzml_in", "namesakes"]

SUFFIX: Final = ".imzml"


def identity(*files: Path) -> str:
    """Return what changes when one of the files does."""
    parts = [
        f"{one.resolve()}|{(f := one.stat()).st_size}|{f.st_mtime_ns}" for one in files
    ]
    return "imzml|" + "|".join(parts)


def find_imzml(name: PathLike) -> Path | None:
    """Return the .imzML file that a path stands for."""
    path = Path(name)
    try:
        if path.is_dir():
            return next(iter(imzml_in(path)), None)
        if path.suffix.lower() == ".ibd":
            return _beside(path, SUFFIX)
        if path.suffix.lower() == SUFFIX and path.is_file():
            return path
    except (OSError, ValueError):
        return None
    return None


def imzml_in(folder: Path) -> list[Path]:
    """Return the .imzML files of a folder by name.

    Hidden files are none: other systems leave some (``._brain.imzML``) beside each.
    """
    names = [
        name
        for name in os.listdir(folder)
        if name.lower().endswith(SUFFIX) and not name.startswith(".")
    ]
    return [folder / name for name in sorted(names)]


def find_ibd(path: Path) -> Path | None:
    """Return the .ibd file of an .imzML file."""
    return _beside(path, ".ibd")


def _beside(path: Path, suffix: str) -> Path | None:
    """Return the file of the same name with another suffix, in any case.

    Of a link, it may lie beside the link, or beside what the link leads to.
    """
    plain = path.with_suffix(suffix)
    if plain.is_file():
        return plain
    found = next(iter(namesakes(path, suffix)), None)
    if found is None and path.is_symlink():
        target = path.resolve()
        return None if target.is_symlink() else _beside(target, suffix)
    return found


def namesakes(path: Path, suffix: str) -> list[Path]:
    """Return the files of the same name in any case, those of the same case first."""
    wanted = path.with_suffix(suffix).name.lower()
    with os.scandir(path.parent) as entries:
        found = [
            Path(entry.path)
            for entry in entries
            if entry.name.lower() == wanted and entry.is_file()
        ]
    return sorted(found, key=lambda one: (one.stem != path.stem, one.name))


def give_names(ibd_part: Path, ibd: Path, xml_part: Path, xml: Path) -> None:
    """Let the two files of a pair take their names, or none of them.

    The XML comes last, and that of an old pair goes first: an .imzML file that is there
    is complete, and its .ibd file is its own.
    """
    old = xml.with_name(xml.name + ".old")
    if xml.exists():
        xml.replace(old)
    try:
        ibd_part.replace(ibd)
    except BaseException:
        if old.exists():
            old.replace(xml)
        raise
    try:
        xml_part.replace(xml)
    except BaseException:
        ibd.unlink()
        raise
    with contextlib.suppress(OSError):
        old.unlink(missing_ok=True)
    sync_folder(xml.parent)
