"""Where and how the next run is to be saved, as plain values; looks at the disk.

A form makes a `SaveWish`; what asks the disk (a name that is free, room, the right to
write) is done by the wish, in any thread: a network folder that is gone answers after
half a minute. It writes nothing.

Examples
--------
>>> wish = SaveWish("/nowhere/data", "cells", (("ome-zarr", Packing(levels=1)),))
>>> wish.next_name()
'cells_001'
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import SettingsError
from napari_scope.stream.outputs import (
    Output,
    free_bytes,
    next_free_name,
    output_path,
)

if TYPE_CHECKING:
    from napari_scope.stream import FormatName

__all__ = ["DiskLook", "Packing", "SaveWish"]

_FORBIDDEN = set('/\\:*?"<>|')


@dataclass(frozen=True, slots=True)
class Packing:
    """How an output is packed; the defaults are those of `napari_scope.stream.Output`.

    Parameters
    ----------
    compression, version : str, optional
        Codec, None for none; version of the format, None for the newest.
    chunk_px : int, optional
        Side of a chunk, None for whole frames.
    levels : int, optional
        Levels of the pyramid, None for those of the format.
    single_file : bool
        Whether several positions go to one file.
    """

    compression: str | None = None
    version: str | None = None
    chunk_px: int | None = None
    levels: int | None = None
    single_file: bool = False

    def words(self) -> list[str]:
        """Return what differs from the defaults."""
        words = [word for word in (self.compression, self.version) if word]
        if self.chunk_px:
            words.append(f"{self.chunk_px} px chunks")
        if self.levels is not None:
            words.append("no pyramid" if self.levels == 1 else f"{self.levels} levels")
        return words + (["one file"] if self.single_file else [])


@dataclass(frozen=True, slots=True)
class DiskLook:
    """What a look at the disk has shown.

    Parameters
    ----------
    outputs : tuple of Output
        Where the next run goes; empty for memory and if something is wrong.
    free : int, optional
        Room on the disk in bytes, None where it cannot be asked.
    problem : str
        Why nothing can be saved there, with what to do; empty if it can.
    """

    outputs: tuple[Output, ...] = ()
    free: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SaveWish:
    """What the user wishes to be saved.

    Parameters
    ----------
    folder : str
        The folder as it was typed.
    name : str
        The name as it was typed; a number is added.
    formats : tuple of (str, Packing)
        The formats and how they are packed; empty for memory only.
    """

    folder: str
    name: str
    formats: tuple[tuple[FormatName, Packing], ...] = ()

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder.strip()).expanduser()

    def check(self) -> None:
        """Look at what was typed; no disk is asked.

        Raises
        ------
        SettingsError
            If no name or folder is given, or the name cannot be that of a file.
        """
        name = self.name.strip()
        if not name:
            raise SettingsError("the run has no name", hint="type a name under Save")
        bad = sorted(_FORBIDDEN & set(name))
        if bad or name.startswith("."):
            raise SettingsError(
                f"the name {name!r} cannot be that of a file",
                hint=f"leave out {' '.join(bad)}" if bad else "begin with a letter",
            )
        if self.formats and not self.folder.strip():
            raise SettingsError("no folder is given", hint="choose one under Save")

    def next_name(self) -> str:
        """Return the name of the next run, which is free in the folder.

        Raises
        ------
        SettingsError
            See `check`.
        OSError
            If the folder cannot be looked at.
        """
        self.check()
        name = self.name.strip()
        if not self.formats:
            return name
        return next_free_name(self.path, name, [kind for kind, _ in self.formats])

    def outputs(self) -> tuple[Output, ...]:
        """Return the outputs of the next run; empty for memory only.

        Raises
        ------
        SettingsError
            See `check`.
        OSError
            If the folder cannot be looked at.
        """
        name = self.next_name()
        return tuple(self._output(name, *chosen) for chosen in self.formats)

    def look(self) -> DiskLook:
        """Look at the disk; what is wrong is told in words instead of raised."""
        try:
            outputs = self.outputs()
        except SettingsError as error:
            hint = f": {error.hint}" if error.hint else ""
            return DiskLook(problem=f"{error.message}{hint}")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return DiskLook(problem=f"no look at the folder, {reason}")
        if not outputs:
            return DiskLook()
        try:
            free = free_bytes(self.path)
        except OSError as error:
            reason = error.strerror or str(error)
            return DiskLook(outputs, None, f"no look at the disk, {reason}")
        return DiskLook(outputs, free, _why_not_writable(self.path))

    def _output(self, name: str, kind: FormatName, packing: Packing) -> Output:
        return Output(
            output_path(self.path, name, kind),
            kind,
            compression=packing.compression,
            version=packing.version,
            chunk_px=packing.chunk_px,
            single_file=packing.single_file,
            levels=packing.levels,
        )


def _why_not_writable(folder: Path) -> str:
    """Return why nothing can be written to a folder that may not exist yet."""
    place = folder.absolute()
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.exists():
        return f"there is no {place}: choose another folder"
    if not place.is_dir():
        return f"{place} is a file: choose another folder"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{place} may not be written to: choose another folder"
    if os.name == "posix" and os.statvfs(place).f_flag & os.ST_RDONLY:
        return f"the disk of {place} is read-only: choose another one"
    return ""
