"""The formats of outputs: their names, suffixes, sinks, and names that count up.

Examples
--------
>>> output = Output(Path("cells.ome.zarr"), "ome-zarr", compression="blosc-zstd")
>>> output.storage.compression, output.sink().format
('blosc-zstd', 'ome-zarr')
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import SettingsError
from napari_scope.fileio import free_bytes
from napari_scope.formats.ngff.metadata import NGFF_VERSIONS
from napari_scope.stream.journal import JOURNAL_NAME
from napari_scope.stream.sinks import (
    FormatName,
    MemorySink,
    NDTiffSink,
    OmeZarrSink,
    Sink,
)
from napari_scope.stream.spec import StorageSpec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

__all__ = [
    "COMPRESSIONS",
    "FORMATS",
    "PYRAMIDS",
    "RESERVE_BYTES",
    "VERSIONS",
    "FormatName",
    "Output",
    "free_bytes",
    "make_sink",
    "next_free_name",
    "output_path",
    "room_needed",
    "taken_place",
]

RESERVE_BYTES = 256 * 1024 * 1024
"""Room that a stream leaves on a disk, so that files can still be closed."""

FORMATS: dict[FormatName, tuple[str, ...]] = {
    "ome-zarr": (".ome.zarr", ".zarr"),
    "ndtiff": (".ndtiff",),
    "ome-tiff": (".ome.tiff", ".ome.tif", ".tiff", ".tif"),
    "memory": (),
}
"""Formats and the suffixes that choose them; the first is the one we add."""

COMPRESSIONS: dict[FormatName, tuple[str, ...]] = {
    "ome-zarr": ("blosc-lz4", "blosc-zstd", "zstd"),
    "ndtiff": (),
    "ome-tiff": ("zlib", "lzw"),
    "memory": (),
}
"""Codecs that a format can be asked for, by the names of ome-writers."""


VERSIONS: dict[FormatName, tuple[str, ...]] = {
    "ome-zarr": tuple(sorted(NGFF_VERSIONS, reverse=True)),
    "ndtiff": (),
    "ome-tiff": (),
    "memory": (),
}
"""Versions that a format can be asked for, the newest first."""

PYRAMIDS: tuple[FormatName, ...] = ("ome-zarr", "ome-tiff")
"""Formats that can hold smaller copies of the images."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a run: where, in which format, and how its pixels are packed.

    Parameters
    ----------
    path : Path
        Where to store. Several positions as OME-TIFF are a folder, which loses the
        suffix (see `placed`).
    format : str
        One of `FORMATS`.
    compression : str, optional
        One of `COMPRESSIONS` of the format; ``None`` or ``"none"`` for none.
    version : str, optional
        One of `VERSIONS` of the format; by default the newest.
    chunk_px : int, optional
        Pixels of a chunk of OME-Zarr along y and along x; by default a chunk is a
        whole frame.
    single_file : bool
        Whether several positions of OME-TIFF go to one file.
    levels : int, optional
        Levels of the pyramid of OME-Zarr or OME-TIFF, 1 for the full size alone; by
        default as many as a viewer needs for OME-Zarr, and none more for OME-TIFF.

    Raises
    ------
    SettingsError
        For an option that the format does not have.
    """

    path: Path
    format: FormatName
    compression: str | None = None
    version: str | None = None
    chunk_px: int | None = None
    single_file: bool = False
    levels: int | None = None

    def __post_init__(self) -> None:
        """Refuse what the format does not have."""
        if self.format not in FORMATS:
            raise _no_format(self.format)
        if self.compression == "none":
            object.__setattr__(self, "compression", None)
        for what, value, known in (
            ("compression", self.compression, COMPRESSIONS),
            ("version", self.version, VERSIONS),
        ):
            if value is not None and value not in known[self.format]:
                names = ", ".join(known[self.format])
                raise SettingsError(
                    f"{self.format} has no {what} {value!r}",
                    path=self.path,
                    hint=f"use one of {names}" if names else f"leave the {what} out",
                )
        if self.chunk_px is not None and self.format != "ome-zarr":
            raise SettingsError(
                f"{self.format} is not cut into chunks",
                path=self.path,
                hint="leave the size of chunks out, or save as ome-zarr",
            )
        if self.chunk_px is not None and self.chunk_px < 1:
            raise SettingsError(
                f"chunks of {self.chunk_px} pixels are not possible",
                path=self.path,
                hint="sizes count from 1",
            )
        if self.levels is not None and self.format not in PYRAMIDS:
            raise SettingsError(
                f"{self.format} has no pyramid",
                path=self.path,
                hint=f"leave the levels out, or save as {' or '.join(PYRAMIDS)}",
            )
        if self.levels is not None and self.levels < 1:
            raise SettingsError(
                f"a pyramid of {self.levels} levels is not possible",
                path=self.path,
                hint="1 is the full size alone",
            )
        if self.single_file and self.format != "ome-tiff":
            raise SettingsError(
                "a single file for all positions is for ome-tiff only, not for "
                f"{self.format}",
                path=self.path,
            )

    @property
    def storage(self) -> StorageSpec:
        """How the pixels are cut and packed."""
        chunk = self.chunk_px
        chunks = {} if chunk is None else {"y": chunk, "x": chunk}
        return StorageSpec(
            chunks=chunks, compression=self.compression, version=self.version
        )

    def placed(self, images: int) -> Output:
        """Return the output of so many images: a folder of OME-TIFF has no suffix.

        >>> Output(Path("cells.ome.tiff"), "ome-tiff").placed(2).path.name
        'cells'
        """
        if self.format != "ome-tiff" or images < 2 or self.single_file:
            return self
        from napari_scope.formats.ometiff import stem_of

        return replace(self, path=self.path.with_name(stem_of(self.path)))

    def exists(self) -> bool:
        """Return whether something is in the way of this output."""
        return taken_place(self.path, self.format) is not None

    def sink(self) -> Sink:
        """Return a sink for this output; nothing is created on disk."""
        sink = make_sink(
            self.path, self.format, single_file=self.single_file, levels=self.levels
        )
        if self.storage != StorageSpec():
            sink.tailored = {"storage": self.storage}
        return sink


def _no_format(format: str) -> SettingsError:
    return SettingsError(
        f"there is no format {format!r}", hint=f"use one of {', '.join(FORMATS)}"
    )


def make_sink(
    path: str | PathLike[str],
    format: FormatName,
    *,
    levels: int | None = None,
    limit_bytes: int | None = None,
    spill: bool = False,
    spill_folder: Path | None = None,
    single_file: bool = False,
) -> Sink:
    """Return the sink of a format; nothing is created on disk.

    Parameters
    ----------
    path : str or PathLike
        Where to store.
    format : str
        One of `FORMATS`.
    levels : int, optional
        Levels of a pyramid; OME-TIFF has none by default.
    limit_bytes : int, optional
        Most memory that frames in memory may take.
    spill : bool
        Whether those beyond it go to a temporary file.
    spill_folder : Path, optional
        Where that is made.
    single_file : bool
        Whether several images of OME-TIFF go to one file.

    Raises
    ------
    SettingsError
        For a format that does not exist.
    """
    if format == "ome-zarr":
        return OmeZarrSink(path, levels=levels)
    if format == "ndtiff":
        return NDTiffSink(path)
    if format == "ome-tiff":
        from napari_scope.stream.sinks.ometiff import OmeTiffSink

        return OmeTiffSink(path, single_file=single_file, levels=levels)
    if format == "memory":
        return MemorySink(limit_bytes, spill=spill, folder=spill_folder)
    raise _no_format(format)


def room_needed(n_frames: int, frame_bytes: int, formats: Iterable[FormatName]) -> int:
    """Return the room that a run needs on one disk, in bytes.

    Parameters
    ----------
    n_frames, frame_bytes : int
        Number of frames and size of a frame.
    formats : iterable of str
        Formats that are saved on that disk. OME-Zarr takes a third more for its
        coarse levels; memory takes no room. What compression saves is not known
        before, so that this is the most that is needed.

    Returns
    -------
    int
        With the reserve that a stream leaves, so that files can still be closed.
    """
    pixels = n_frames * frame_bytes
    wanted: dict[str, int] = {
        "ome-zarr": pixels + pixels // 3,
        "ndtiff": pixels,
        "ome-tiff": pixels,
        "memory": 0,
    }
    total = sum(wanted.get(name, pixels) for name in formats)
    return total + RESERVE_BYTES if total else 0


def output_path(
    folder: str | PathLike[str],
    name: str,
    format: FormatName,
) -> Path:
    """Return the path of an output in a folder: the name and the format's suffix."""
    suffixes = FORMATS[format]
    return Path(folder) / (name + (suffixes[0] if suffixes else ""))


def taken_place(path: str | PathLike[str], format: FormatName) -> Path | None:
    """Return what is in the way of an output, or None.

    That is the path itself, and for OME-TIFF the folder that several positions make,
    or the journal beside the file.

    >>> taken_place("/nowhere/cells.ome.tiff", "ome-tiff") is None
    True
    """
    path = Path(path)
    places = [path]
    if format == "memory":
        return None
    if format == "ome-tiff":
        from napari_scope.formats.ometiff import stem_of

        stem = stem_of(path)
        places += [path.with_name(stem), path.with_name(f"{stem}.{JOURNAL_NAME}")]
    return next((place for place in places if os.path.lexists(place)), None)


def next_free_name(
    folder: str | PathLike[str], name: str, formats: Iterable[FormatName]
) -> str:
    """Return a name that no output in the folder has, by counting up.

    Examples
    --------
    >>> next_free_name("/nowhere", "cells", ["ome-zarr"])
    'cells_001'
    >>> next_free_name("/nowhere", "cells_007", ["ome-zarr"])
    'cells_007'
    """
    match = re.fullmatch(r"(.*?)_(\d{3,})", name, re.DOTALL)
    stem, number = (match[1], int(match[2])) if match else (name or "run", 1)
    kinds = list(formats)
    while True:
        candidate = f"{stem}_{number:03d}"
        paths = {kind: output_path(folder, candidate, kind) for kind in kinds}
        if not any(taken_place(path, kind) for kind, path in paths.items()):
            return candidate
        number += 1
