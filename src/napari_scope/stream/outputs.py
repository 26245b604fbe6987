"""The formats of outputs: their names, suffixes, sinks, and names that count up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import SettingsError
from napari_scope.stream.sinks import (
    FormatName,
    MemorySink,
    NDTiffSink,
    OmeZarrSink,
    Sink,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

__all__ = [
    "COMPRESSIONS",
    "FORMATS",
    "RESERVE_BYTES",
    "FormatName",
    "Output",
    "make_sink",
    "next_free_name",
    "output_path",
    "room_needed",
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


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a run: a path and a format."""

    path: Path
    format: FormatName


def make_sink(
    path: str | PathLike[str],
    format: FormatName,
    *,
    levels: int | None = None,
    limit_bytes: int | None = None,
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
        Levels of an OME-Zarr pyramid.
    limit_bytes : int, optional
        Most memory that frames in memory may take.
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

        return OmeTiffSink(path, single_file=single_file)
    if format == "memory":
        return MemorySink(limit_bytes)
    raise SettingsError(
        f"there is no format {format!r}", hint=f"use one of {', '.join(FORMATS)}"
    )


def room_needed(n_frames: int, frame_bytes: int, formats: Iterable[FormatName]) -> int:
    """Return the room that a run needs on one disk, in bytes.

    Parameters
    ----------
    n_frames, frame_bytes : int
        Number of frames and size of a frame.
    formats : iterable of str
        Formats that are saved on that disk. OME-Zarr takes a third more for its
        coarse levels; memory takes no room.

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
        if not any(output_path(folder, candidate, kind).exists() for kind in kinds):
            return candidate
        number += 1
