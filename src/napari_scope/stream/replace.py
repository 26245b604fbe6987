"""Making room for a stream that may overwrite: only a store, never a foreign folder.

The old store is moved aside, the new one is opened, then the old one is removed. If
opening fails the old one is put back, so that an overwrite that cannot work loses
nothing. What holds anything that a store of its format does not have is refused, as is
a link.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import OutputExistsError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.formats.detect import detect
from napari_scope.stream.journal import JOURNAL_NAME
from napari_scope.stream.lock import Held, hold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tifffile import TiffFile

    from napari_scope.stream.outputs import FormatName

__all__ = ["check_replaceable", "moved_aside", "remove_store", "store_bytes"]

_JOURNAL = re.escape(JOURNAL_NAME)

# Names of files that a store may hold. Neighbours that a killed writer left begin with
# a dot: see `fileio.replace_file`.
_FILES = {
    "ome-zarr": re.compile(
        r"\.?(zarr\.json|\.zattrs|\.zgroup|\.zarray|\.zmetadata|METADATA\.ome\.xml"
        rf"|{_JOURNAL})(\.\d+)*|c(\.\d+)*|\d+([.]\d+)*"
    ),
    "ndtiff": re.compile(
        r".*\.tiff?|NDTiff\.(writing|index(\.recovered(_\d+)?)?)"
        r"|\.?display_settings\.txt(\.\d+)*"
        rf"|\.?{_JOURNAL}(\.\d+)*",
        re.DOTALL,
    ),
    "ome-tiff": re.compile(
        rf".*\.tiff?|.*companion\.ome|.*{_JOURNAL}(\.\d+)*", re.DOTALL
    ),
}


def check_replaceable(path: Path, format: FormatName) -> None:
    """Refuse to overwrite what is not wholly a store of the format.

    Raises
    ------
    OutputExistsError
        Saying what stands in the way.
    """
    if path.is_symlink():
        raise _refusal(path, "the output is a link")
    if format == "ome-tiff":
        _check_ome_tiff(path)
    elif detect(path) != format or not path.is_dir():
        raise _refusal(path, f"the output exists and is no {format} store")
    if path.is_dir():
        foreign = _foreign_file(path, _FILES[format])
        if foreign is not None:
            raise _refusal(
                foreign, f"the output holds a file that no {format} store has"
            )
    journal = _journal(path, format)
    if journal.is_symlink() or (journal.exists() and not journal.is_file()):
        raise _refusal(journal, "the journal of the output is no file")
    if journal.exists() and _is_written(journal):
        raise _refusal(path, "another stream is writing to the output")


def _journal(path: Path, format: FormatName) -> Path:
    """Return where the journal of a store is: in it, or beside a single file."""
    if format == "ome-zarr":
        return path / "acquisition" / JOURNAL_NAME
    if format == "ndtiff" or path.is_dir():
        return path / JOURNAL_NAME
    from napari_scope.stream.sinks.ometiff import journal_path

    return journal_path(path, folder=False)


def _is_written(journal: Path) -> bool:
    """Return whether a stream has the journal open; a writer that died has not."""
    try:
        with DataFile.open(journal, writable=True) as file:
            return hold(file) is Held.TAKEN
    except OSError:
        return False  # moving it will tell


def _check_ome_tiff(path: Path) -> None:
    files = [path]
    if path.is_dir():
        files = sorted(
            p for p in path.iterdir() if p.suffix.lower() in (".tif", ".tiff")
        )
    if not files or not all(map(_is_ome_tiff, files)):
        raise _refusal(path, "the output exists and is no OME-TIFF")


def _is_ome_tiff(path: Path) -> bool:
    """Return whether a file is a TIFF that speaks of OME-XML."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            return bool(tif.is_ome) or b"<OME" in _description(tif)
    except (OSError, ValueError, IndexError, struct.error, tifffile.TiffFileError):
        return False


def _description(tif: TiffFile) -> bytes:
    """Return the first image description; that of a killed run is not complete."""
    return tif.pages.first.description.encode() if len(tif.pages) else b""


def _foreign_file(folder: Path, known: re.Pattern[str]) -> Path | None:
    """Return the first file or link below a folder that a store would not have."""
    for root, folders, files in os.walk(folder):
        for name in folders:
            if os.path.islink(os.path.join(root, name)):
                return Path(root, name)
        for name in files:
            path = Path(root, name)
            if not known.fullmatch(name) or path.is_symlink():
                return path
    return None


def _refusal(path: Path, what: str) -> OutputExistsError:
    return OutputExistsError(
        what, path=path, hint="it is not overwritten; remove it, or choose another name"
    )


def store_bytes(path: Path) -> int:
    """Return the room that a store takes on disk, in bytes."""
    if path.is_file():
        return path.stat().st_size
    total = 0
    for root, _, files in os.walk(path):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(os.path.join(root, name)).st_size
    return total


@contextlib.contextmanager
def moved_aside(path: Path, format: FormatName) -> Iterator[Path]:
    """Move a store out of the way; remove it if the block succeeds, else put it back.

    Parameters
    ----------
    path : Path
        A store that `check_replaceable` lets pass; it is asked again.
    format : str
        Its format.

    Yields
    ------
    Path
        Where the store is meanwhile.
    """
    check_replaceable(path, format)
    aside = _free_neighbour(path)
    # The journal of a single file lies beside it and goes with it.
    journal = _journal(path, format)
    pairs = [(path, aside)]
    if journal.parent == path.parent and journal.exists():
        pairs.append((journal, _journal(aside, format)))
    try:
        for old, new in pairs:
            old.rename(new)
    except OSError as error:
        raise StreamError(
            f"the output cannot be replaced, {error.strerror or error}",
            path=path,
            hint="close what has it open, or choose another name",
        ) from error
    try:
        yield aside
    except BaseException:
        # The new store may have been begun; the old one counts. Whatever else has
        # taken the name meanwhile stays, and the old store beside it.
        for old, new in pairs:
            if _is_ours(old, format):
                remove_store(old)
            if new.exists() and not old.exists():
                new.rename(old)
        raise
    for _, new in pairs:
        remove_store(new)


def _is_ours(path: Path, format: FormatName) -> bool:
    """Return whether a path holds what a stream has begun, and nothing else."""
    if path.is_dir():
        return _foreign_file(path, _FILES[format]) is None
    journal = path.name.endswith(JOURNAL_NAME)
    return format == "ome-tiff" and (journal or _is_ome_tiff(path))


def _free_neighbour(path: Path) -> Path:
    number = 1
    while True:
        # The suffix stays: what a killed program leaves can be opened.
        neighbour = path.with_name(f"replaced-{number}-{path.name}")
        if not os.path.lexists(neighbour):
            return neighbour
        number += 1


def remove_store(path: Path) -> None:
    """Remove a store that was moved aside; one that is gone is no error."""
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StreamError(
            f"the old output cannot be removed, {error.strerror or error}",
            path=path,
            hint="remove it when nothing has it open",
        ) from error
