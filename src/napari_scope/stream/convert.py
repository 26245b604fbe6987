"""Converting data sets: everything that opens becomes OME-Zarr 0.5 or NDTiff 3.3.

The frames go through a stream like those of a camera: memory is bounded, coarse levels
and display settings are made, each frame has its line in the journal, and a conversion
that is killed leaves a store that opens. The source is only read. Planes are read one
by one, or a chunk of some planes at a time; a plane of tiles is stitched first.

What the source does not have is not made up: a frame that is missing there is skipped
in the target, with that reason in the journal.

Examples
--------
>>> report = convert("cells_001.ndtiff", "cells_001.ome.zarr")  # doctest: +SKIP
>>> report.written, report.verified  # doctest: +SKIP
(80, 80)
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from napari_scope.errors import (
    FormatError,
    OutputExistsError,
    ScopeError,
    SettingsError,
)
from napari_scope.formats import open_dataset
from napari_scope.stream.convert_journal import JournalFrames, Journals
from napari_scope.stream.convert_plan import plan_stores
from napari_scope.stream.convert_report import (
    ConversionProgress,
    ConversionReport,
    Target,
    UnreadFrame,
)
from napari_scope.stream.convert_source import SourceImage
from napari_scope.stream.convert_write import Conversion
from napari_scope.stream.journal import jsonable
from napari_scope.stream.outputs import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_scope.model import Dataset, Image
    from napari_scope.stream.convert_report import Progress

__all__ = [
    "ConversionProgress",
    "ConversionReport",
    "Target",
    "UnreadFrame",
    "convert",
    "target_format",
]

_NO_NAME = '/\\:\0"<>|?*'  # what some system does not allow in a file name


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    format: Target | None = None,
    images: Iterable[int | str] | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    verify: bool = True,
    levels: int | None = None,
    progress: Progress | None = None,
) -> ConversionReport:
    """Convert a data set to another format; the source is not changed.

    Parameters
    ----------
    source : str or PathLike
        What `napari_scope.formats.open_dataset` opens. It may be unfinished; then the
        frames that are there are converted.
    target : str or PathLike
        The store to make; it must not exist.
    format : {"ome-zarr", "ndtiff"}, optional
        Format of the target; by default its suffix says.
    images : iterable of int or str, optional
        The images to convert, by number or name; all by default.
    on_error : {"stop", "skip"}
        What a frame that cannot be read does: the conversion stops with its error, or
        the frame is skipped with its reason in the journal.
    verify : bool
        Read each frame back from the target and compare.
    levels : int, optional
        Levels of an OME-Zarr pyramid; 1 for none, by default down to 512 pixels.
    progress : callable, optional
        Called before the first frame and after each; returns False to cancel. A
        conversion that is cancelled, by this or by Ctrl+C, closes the target as
        interrupted. While comparing, False ends comparing.

    Returns
    -------
    ConversionReport
        What was done.

    Raises
    ------
    OutputExistsError
        If the target exists; nothing is written.
    SettingsError
        If the target cannot hold the source; nothing is written.
    FormatError
        If the source, or a frame of it, cannot be read.
    StreamError
        If the target cannot be written, `DiskSpaceError` if the disk is full.
    """
    place, path = Path(source), Path(target)
    kind = target_format(path, format)
    if on_error not in ("stop", "skip"):
        raise SettingsError(f"on_error is 'stop' or 'skip', found {on_error!r}")
    if os.path.lexists(path):
        raise OutputExistsError(
            "the target exists already",
            path=path,
            hint="choose another name; nothing is ever overwritten",
        )
    dataset = open_dataset(place)
    root = Path(dataset.path).resolve()
    if path.resolve().is_relative_to(root):
        raise SettingsError(
            "the target lies inside of the source", path=path, hint="choose another"
        )
    notes = list(dataset.problems)
    journals = Journals()
    sources = [
        _source(dataset, image, journals, notes) for image in _chosen(dataset, images)
    ]
    unfinished = not dataset.finished or any(
        isinstance(s.table, JournalFrames) and not s.table.closed for s in sources
    )
    notes += [
        f"{s.image.name}: tiles are stitched to one plane; a tile that is missing is "
        "black, the metadata of a frame list those that are there"
        for s in sources
        if s.is_mosaic
    ]
    if unfinished:
        notes.append(
            "the source is not finished (it is still written, or was interrupted): "
            "frames that come later are not in the target"
        )
    stores = plan_stores(
        sources, kind, _name(path), _facts(dataset, unfinished=unfinished), notes
    )
    conversion = Conversion(path, kind, stores, on_error, levels, progress, notes)
    return conversion.run(place, verify=verify)


def target_format(path: Path, format: str | None = None) -> Target:
    """Return the format of a target, by its suffix or as asked for.

    Raises
    ------
    SettingsError
        If neither says, or they contradict each other.
    """
    found: Target | None = None
    for name in get_args(Target):
        if path.name.lower().endswith(FORMATS[name]):
            found = name
    if format is None:
        if found is None:
            raise SettingsError(
                "the suffix of the target does not say its format",
                path=path,
                hint="end it in .ome.zarr or .ndtiff, or give the format",
            )
        return found
    if format not in get_args(Target):
        raise SettingsError(
            f"there is no format {format!r} to convert to",
            hint=f"use one of {', '.join(get_args(Target))}",
        )
    if found is not None and found != format:
        raise SettingsError(
            f"the suffix of {path.name!r} means {found}, the format is {format}",
            hint="leave one of the two out",
        )
    return "ome-zarr" if format == "ome-zarr" else "ndtiff"


# ------------------------------------------------------------------ the source


def _chosen(dataset: Dataset, wanted: Iterable[int | str] | None) -> tuple[Image, ...]:
    if wanted is None:
        return dataset.images
    by_name = {image.name: image for image in dataset.images}
    chosen: dict[int, Image] = {}
    for item in wanted:
        if isinstance(item, str):
            image = by_name.get(item)
        else:
            inside = 0 <= item < len(dataset.images)
            image = dataset.images[item] if inside else None
        if image is None:
            names = ", ".join(repr(name) for name in list(by_name)[:10])
            raise SettingsError(
                f"the source has no image {item!r}",
                path=dataset.path,
                hint=f"it has {len(dataset.images)}: {names}",
            )
        chosen[id(image)] = image
    if not chosen:
        raise SettingsError("no image was chosen", path=dataset.path)
    return tuple(chosen.values())


def _source(
    dataset: Dataset, image: Image, journals: Journals, notes: list[str]
) -> SourceImage:
    """Return an image with what is known of its frames."""
    plain = SourceImage(image, image.frames)
    if image.frames is not None or dataset.format != "ome-zarr":
        return plain
    path = image.metadata.get("path")
    folder = Path(dataset.path).absolute()
    if isinstance(path, str):
        folder = folder.joinpath(*path.split("/"))
    try:
        table = journals.frames(folder, plain.names)
    except (ScopeError, OSError) as error:
        notes.append(
            f"{image.name}: the journal cannot be read ({error}); every frame counts "
            "as saved, gaps are black"
        )
        return plain
    if table is None:
        return plain
    axes = [
        replace(axis, labels=table.labels(axis.name, length))
        if axis.name in plain.names and not axis.labels
        else axis
        for axis, length in zip(image.axes, image.levels[0].shape, strict=True)
    ]
    return SourceImage(replace(image, axes=tuple(axes)), table)


def _facts(dataset: Dataset, *, unfinished: bool) -> dict[str, Any]:
    """Return what is stored on the source with the target."""
    import napari_scope

    metadata: dict[str, object] = dict(dataset.metadata)
    if dataset.format == "ome-zarr":
        own = _run_facts(Path(dataset.path))
        if own:
            metadata["acquisition"] = own
    origin = {
        "name": Path(dataset.path).absolute().name,
        "format": dataset.format,
        "format_version": dataset.format_version,
        "finished": not unfinished,
        "metadata": metadata,
    }
    if dataset.problems:
        origin["problems"] = list(dataset.problems)
    software = {"napari_scope": napari_scope.__version__}
    facts: dict[str, Any] = jsonable({"converted_from": origin, "software": software})
    return facts


def _run_facts(root: Path) -> object:
    """Return what the stream that wrote an OME-Zarr store has stored on its run."""
    from napari_scope.formats.ngff.store import Store

    try:
        return Store(root).attributes("acquisition").get("napari_scope")
    except FormatError:
        return None  # another program's store


def _name(path: Path) -> str:
    """Return the name of the target without suffix, usable in names of files."""
    name = path.name
    for suffixes in FORMATS.values():
        for suffix in suffixes:
            if name.lower().endswith(suffix) and len(name) > len(suffix):
                name = name[: -len(suffix)]
    return "".join("_" if c in _NO_NAME else c for c in name)
