"""The TIFF files of one folder of a store: ``stem.tif``, ``stem_1.tif``, ...

Frames are appended to the last file; a new one is begun before it reaches its limit,
and files are never allocated ahead. The series owns what these files are called, how
large they may be, and which of them the system has not yet been asked to keep.

It knows frames that were checked and encoded. It knows nothing of the index, of locks,
or of what readers of the store see: that is the business of
`napari_scope.formats.ndtiff.folder`.

Examples
--------
>>> file_stem("demo", "run_1"), file_stem("", "run_1")
('demo_NDTiffStack', 'NDTiffStack')
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from napari_scope.errors import SettingsError
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff.failures import quietly
from napari_scope.formats.ndtiff.record import HEADER_SIZE
from napari_scope.formats.ndtiff.tiff import GrowingTiff

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike
    from pathlib import Path

    from napari_scope.fileio import Buffer
    from napari_scope.formats.ndtiff.encoding import PendingFrame
    from napari_scope.formats.ndtiff.files import FrameLocation
    from napari_scope.formats.ndtiff.tiff import TiffMark

__all__ = [
    "MAX_FILE_BYTES",
    "SeriesMark",
    "TiffSeries",
    "check_file_size",
    "file_stem",
    "next_number",
]

MAX_FILE_BYTES: Final = 2**32 - 5_000_000
"""Where a new file is begun, as in the Java library: offsets are 32 bit numbers."""

_NO_NAME: Final = '/\\:\0"<>|?*'  # what some system does not allow in a file name


class SeriesMark(NamedTuple):
    """A moment in the life of a series, and the files that were begun since."""

    tiff: GrowingTiff
    place: TiffMark
    begun: list[GrowingTiff]


class TiffSeries:
    """The files of one folder. Not thread safe.

    Parameters
    ----------
    folder : Path
        The folder; it exists.
    stem : str
        Start of the names of the files.
    summary : bytes
        Summary metadata, JSON.
    resolution : int
        Pixels per centimetre.
    max_file_bytes : int
        A new file is begun before one grows beyond this.
    earlier : sequence of str
        Names of the files that the folder has already; they stay as they are.

    Attributes
    ----------
    current : GrowingTiff
        The file that frames are appended to.
    room : int
        Bytes of the largest frame that a file can hold.

    Raises
    ------
    OSError
        The first file could not be written; nothing is left of it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        stem: str,
        summary: bytes,
        resolution: int,
        max_file_bytes: int,
        earlier: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._stem = stem
        self._summary = summary
        self._resolution = resolution
        self._limit = max_file_bytes
        self.room = max_file_bytes - HEADER_SIZE - len(summary) - 1
        self._first = self._count = next_number(stem, earlier)
        # Whether the system was ever asked to keep the old ones is not known.
        self._unsynced = list(earlier)
        self._names_unsynced = True
        self.current = self._next()

    def _next(self) -> GrowingTiff:
        path = self._folder / self._name(self._count)
        tiff = GrowingTiff(path, self._summary, self._resolution)
        self._count += 1
        self._names_unsynced = True
        return tiff

    def _name(self, number: int) -> str:
        return _name(self._stem, number)

    # ---- frames

    @property
    def mark(self) -> SeriesMark:
        """What `append` adds to, and `cut` returns to."""
        return SeriesMark(self.current, self.current.mark, [])

    def append(
        self, batch: list[PendingFrame], records: list[bytes], mark: SeriesMark
    ) -> list[FrameLocation]:
        """Write frames to as many files as they need.

        Parameters
        ----------
        batch : list of PendingFrame
            The frames, each smaller than `room`.
        records : list of bytes
            Takes the record of each frame for the index.
        mark : SeriesMark
            The moment before; files that are begun are noted in it.

        Raises
        ------
        OSError
            The system refused; the caller cuts the series back.
        """
        end = self.current.end
        if len(batch) == 1 and end + batch[0].nbytes <= self._limit:
            return self.current.append(batch, records)
        locations: list[FrameLocation] = []
        group: list[PendingFrame] = []
        for item in batch:
            if end + item.nbytes > self._limit:
                if group:
                    locations += self.current.append(group, records)
                    group = []
                self.current.flush()
                self.current = self._next()
                mark.begun.append(self.current)
                end = self.current.end
            group.append(item)
            end += item.nbytes
        return locations + self.current.append(group, records)

    def cut(self, mark: SeriesMark) -> None:
        """Forget what was written since ``mark``."""
        for new in mark.begun:
            new.remove()
        self._count -= len(mark.begun)
        self.current = mark.tiff
        self.current.cut(mark.place)

    def settle(self, mark: SeriesMark) -> None:
        """Close the files that were left behind as full since ``mark``.

        Raises
        ------
        OSError
            The system refused.
        """
        if mark.begun:
            for full in (mark.tiff, *mark.begun[:-1]):
                full.close()
                self._unsynced.append(full.name)

    def overwrite(self, name: str, offset: int, data: Buffer) -> None:
        """Replace bytes of a frame in any file of the series.

        Raises
        ------
        OSError
            The system refused; the bytes may be partly replaced.
        """
        if name == self.current.name:
            self.current.overwrite(offset, data)
            return
        with DataFile.open(self._folder / name, writable=True) as file:
            file.write_at(offset, data)
        if name not in self._unsynced:
            self._unsynced.append(name)

    # ---- what the system was not yet asked to keep

    def take_unsynced(self) -> tuple[list[str], bool]:
        """Return the full files that changed, and whether names of files are new.

        From then on they count as kept; see `give_back`.
        """
        names, self._unsynced = self._unsynced, []
        new, self._names_unsynced = self._names_unsynced, False
        return names, new

    def give_back(self, names: Sequence[str], new: bool) -> None:
        """Take back what `take_unsynced` gave and the disk refused."""
        self._unsynced = [*names, *self._unsynced]
        self._names_unsynced |= new

    # ---- the end, and another place

    def close(self) -> None:
        """Link all frames and close the last file; again is harmless.

        Raises
        ------
        OSError
            The last links could not be written.
        """
        self.current.close()

    def drop_empty(self) -> None:
        """Delete the last file after `close` if it has no frame and others have."""
        if self._count > 1 and self.current.is_empty:
            quietly(self.current.path.unlink)

    def moved(self, folder: Path) -> None:
        """Note after `close` that the folder has another name."""
        self._folder = folder
        self._names_unsynced = True

    def reopen(self) -> None:
        """Open the last file again after `close`.

        Raises
        ------
        OSError
            The system refused.
        """
        self.current.reopen(self._folder)

    def delete(self) -> None:
        """Delete all files of this writer after `close`."""
        for number in range(self._first, self._count):
            quietly((self._folder / self._name(number)).unlink)


def _name(stem: str, number: int) -> str:
    return f"{stem}_{number}.tif" if number else f"{stem}.tif"


def next_number(stem: str, names: Iterable[str]) -> int:
    """Return the number of the file that follows those of a series.

    Examples
    --------
    >>> next_number("a_NDTiffStack", ["a_NDTiffStack.tif", "a_NDTiffStack_4.tif"])
    5
    """
    found = [-1]
    for name in names:
        match = re.fullmatch(r"(?:_([1-9][0-9]{0,8}))?\.tif", name.removeprefix(stem))
        if match and name.startswith(stem):
            found.append(int(match[1] or 0))
    return 1 + max(found)


def file_stem(prefix: str, folder: str | PathLike[str]) -> str:
    """Return the start of the names of the files.

    Raises
    ------
    SettingsError
        Some system does not allow such a name.
    """
    if any(c in prefix for c in _NO_NAME):
        raise SettingsError(f"{prefix!r} cannot be part of a file name", path=folder)
    return f"{prefix}_NDTiffStack" if prefix else "NDTiffStack"


def check_file_size(max_file_bytes: int) -> None:
    """Refuse a size of files that the format does not allow.

    Raises
    ------
    SettingsError
        The size is not between 1 and `MAX_FILE_BYTES`.
    """
    if not 1 <= max_file_bytes <= MAX_FILE_BYTES:
        raise SettingsError(
            f"a file size of {max_file_bytes} bytes is impossible",
            hint=f"NDTiff allows up to {MAX_FILE_BYTES}",
        )
