"""Which outputs a run has, from what was typed.

A path chooses a name and, by its suffix, a format; ``--format`` chooses others. A codec
belongs to the formats that have it, so it needs no more than its name.

Examples
--------
>>> outputs = chosen_outputs("day1/run", [SaveAs.BOTH], compression=["zstd"])
>>> [(o.path.as_posix(), o.compression) for o in outputs]
[('day1/run.ome.zarr', 'zstd'), ('day1/run.ndtiff', None)]
"""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.stream import FormatName, Output

__all__ = ["Overwrite", "SaveAs", "chosen_outputs", "numbered"]


class Overwrite(StrEnum):
    """What happens where an output exists already. It is never overwritten."""

    NO = "no"
    REFUSE = "refuse"


class SaveAs(StrEnum):
    """What to save a run as."""

    OME_ZARR = "ome-zarr"
    NDTIFF = "ndtiff"
    OME_TIFF = "ome-tiff"
    BOTH = "both"

    @property
    def formats(self) -> tuple[FormatName, ...]:
        """The formats that are meant."""
        known: dict[SaveAs, tuple[FormatName, ...]] = {
            SaveAs.OME_ZARR: ("ome-zarr",),
            SaveAs.NDTIFF: ("ndtiff",),
            SaveAs.OME_TIFF: ("ome-tiff",),
            SaveAs.BOTH: ("ome-zarr", "ndtiff"),
        }
        return known[self]


def chosen_outputs(
    out: str,
    save_as: Sequence[SaveAs] = (),
    *,
    compression: Sequence[str] = (),
    zarr_version: str | None = None,
    chunk_px: int | None = None,
) -> list[Output]:
    """Return the outputs that a path and the options ask for.

    A path with a suffix that is known is kept as it was typed.

    Parameters
    ----------
    out : str
        Folder and name.
    save_as : sequence of SaveAs
        Formats; without any the suffix says, or it is OME-Zarr.
    compression : sequence of str
        Codecs, each for the formats that have it; ``"none"`` for none.
    zarr_version : str, optional
        Version of OME-Zarr.
    chunk_px : int, optional
        Side of a chunk of OME-Zarr.

    Raises
    ------
    SettingsError
        If the path has no name, or an option does not fit the formats.
    """
    from napari_scope.stream import Output, output_path

    path = Path(out)
    found, name = _split(path.name)
    is_folder = out.endswith(("/", os.sep)) and found is None
    if is_folder or path.name in ("", ".."):
        raise SettingsError(
            "the output is a folder",
            path=out,
            hint=f"add a name for the run, such as {path / 'run'}",
        )
    if not name:
        raise SettingsError("the output has no name", path=out)
    formats = _formats(found, save_as, path.name)
    codecs = _codecs(formats, compression)
    if "ome-zarr" not in formats and (zarr_version or chunk_px):
        option = "--zarr-version" if zarr_version else "--chunk"
        raise SettingsError(
            f"{option} is for ome-zarr, which is not among the formats "
            f"({', '.join(formats)})",
            hint="leave it out, or add --format ome-zarr",
        )
    return [
        Output(
            path if f == found else output_path(path.parent, name, f),
            f,
            compression=codecs.get(f),
            version=zarr_version if f == "ome-zarr" else None,
            chunk_px=chunk_px if f == "ome-zarr" else None,
        )
        for f in formats
    ]


def numbered(outputs: Sequence[Output]) -> list[Output]:
    """Return the outputs with the first free number, if any of them exists.

    All get the same number: they are one run.
    """
    from napari_scope.stream import next_free_name, output_path

    if not any(output.exists() for output in outputs):
        return list(outputs)
    folder = outputs[0].path.parent
    _, name = _split(outputs[0].path.name)
    name = next_free_name(folder, name, [output.format for output in outputs])
    return [replace(o, path=output_path(folder, name, o.format)) for o in outputs]


def _split(name: str) -> tuple[FormatName | None, str]:
    """Return the format that a suffix means, and the name without it."""
    from napari_scope.stream import FORMATS

    for known, suffixes in FORMATS.items():
        for suffix in suffixes:
            if name.lower().endswith(suffix):
                return known, name[: -len(suffix)]
    return None, name


def _formats(
    found: FormatName | None, save_as: Sequence[SaveAs], name: str
) -> tuple[FormatName, ...]:
    """Return the formats, each once, in the order in which they were asked for."""
    if not save_as:
        return (found or "ome-zarr",)
    formats = tuple(dict.fromkeys(f for choice in save_as for f in choice.formats))
    if found is not None and found not in formats:
        raise SettingsError(
            f"the suffix of {name!r} means {found}, --format says {', '.join(formats)}",
            hint="leave one of the two out",
        )
    return formats


def _codecs(
    formats: Sequence[FormatName], compression: Sequence[str]
) -> dict[FormatName, str]:
    """Return the codec of each format that gets one."""
    from napari_scope.stream import COMPRESSIONS

    found: dict[FormatName, str] = {}
    for codec in compression:
        if codec == "none":
            continue
        takers = [f for f in formats if codec in COMPRESSIONS[f]]
        if not takers:
            known = {c for f in formats for c in COMPRESSIONS[f]}
            raise SettingsError(
                f"no compression {codec!r} for {', '.join(formats)}",
                hint=f"use one of none, {', '.join(sorted(known))}"
                if known
                else "leave --compression out",
            )
        for taker in takers:
            if found.setdefault(taker, codec) != codec:
                raise SettingsError(
                    f"{taker} cannot be compressed by {found[taker]} and by {codec}",
                    hint="choose one of them",
                )
    return found
