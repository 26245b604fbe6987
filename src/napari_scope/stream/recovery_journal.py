"""The journal of an interrupted run: found, locked, mended and closed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.stream.journal import JOURNAL_NAME, encode_line, scan_journal
from napari_scope.stream.lock import Held, hold

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = ["OpenJournal", "find_journal"]

_NULLS = re.compile(rb"\0+")


def find_journal(path: Path) -> Path | None:
    """Return the journal of a store, None where there is none.

    It is in the folder ``acquisition`` of an OME-Zarr store, in the folder of an NDTiff
    store or of a series of TIFF files, or beside a single file, with its name.
    """
    if path.name.endswith(JOURNAL_NAME) and path.is_file():
        return path
    folder = path if path.is_dir() else path.parent
    places = [folder / "acquisition" / JOURNAL_NAME, folder / JOURNAL_NAME]
    if not path.is_dir():
        stem = re.sub(r"(\.ome)?\.tiff?$", "", path.name, flags=re.IGNORECASE)
        places = [
            path.with_name(f"{path.name}.{JOURNAL_NAME}"),
            path.with_name(f"{stem}.{JOURNAL_NAME}"),
        ]
    return next((place for place in places if place.is_file()), None)


class OpenJournal:
    """A journal that is locked: nobody writes to the run while it is open.

    Parameters
    ----------
    path : Path
        The journal.
    force : bool
        Go on where the file system cannot tell whether somebody writes.

    Raises
    ------
    StreamError
        If the run is still being written, or this cannot be found out.
    FormatError
        If it is no journal.
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path = path
        try:
            self._file = DataFile.open(path, writable=True)
        except OSError as error:
            raise StreamError(
                f"the journal cannot be opened, {error.strerror or error}",
                path=path,
                hint="recovery writes to the store; it needs the permission to do so",
            ) from error
        try:
            held = hold(self._file)
            if held is Held.TAKEN:
                raise StreamError(
                    "the run is still being written, or recovered",
                    path=path,
                    hint="wait until it ends; nothing was changed",
                )
            if held is Held.UNKNOWN and not force:
                raise StreamError(
                    "this file system does not tell whether the run is still being "
                    "written",
                    path=path,
                    hint="make sure that no program does, then recover with force",
                )
            try:
                self.scan = scan_journal(path)
            except FormatError as error:
                raise FormatError(
                    f"{error.message}; no frame of the run is known to be saved",
                    path=path,
                ) from error
        except BaseException:
            self._file.close()
            raise

    def mend(self) -> list[str]:
        """Blank what is broken in the middle and cut off the torn end; say so.

        In place, so that a second interruption does no harm: a blank is no line.
        """
        notes = []
        data = self.path.read_bytes()
        end = self.scan.end
        inner = [line for line in self.scan.broken if line.end < end]
        spans = [(line.start, line.end) for line in inner]
        spans += [match.span() for match in _NULLS.finditer(data, 0, end)]
        for start, stop in spans:
            self._file.write_at(start, b" " * (stop - start))
        if inner:
            notes.append(f"{len(inner)} broken lines of the journal were left out")
        if len(data) > end:
            self._file.truncate(end)
            notes.append("the torn end of the journal was cut off")
        if not data[:end].endswith(b"\n"):
            self._file.write_at(end, b"\n")
            end += 1
        self._end = end
        return notes

    def close_run(self, entry: Mapping[str, object]) -> None:
        """Write the last line, safely; after `mend`."""
        self._file.write_at(self._end, encode_line({"closed": True, **entry}))
        self._file.sync()

    def __enter__(self) -> OpenJournal:
        """Return the journal itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file and let go of the lock."""
        self._file.close()
