"""Converting data sets: all that opens becomes OME-Zarr, NDTiff 3.3 or OME-TIFF.

There are two ways. Frames of formats that know their frames go through a stream like
those of a camera: memory is bounded, coarse levels and display settings are made, each
frame has its line in the journal, and a conversion that is killed leaves a store that
opens. What the source does not have is not made up: a frame that is missing there is
skipped in the target, with that reason in the journal. A plane of tiles is stitched.

OME-Zarr becomes OME-Zarr of another version array by array, with plates, collections,
segmentations and coarse levels as they are (`convert_translate`); on a cluster all
formats do (`convert_fresh`). Then the target appears when it is complete.

The source is only read.

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
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from napari_scope.errors import (
    FormatError,
    OutputExistsError,
    ScopeError,
    SettingsError,
)
from napari_scope.formats import open_dataset
from napari_scope.formats.image_parts import Parts, image_parts, part_places
from napari_scope.formats.ngff.metadata import NGFF_VERSION
from napari_scope.formats.ngff.store import Store
from napari_scope.stream.conversion.direct import DirectConversion
from napari_scope.stream.conversion.fresh import lay_out
from napari_scope.stream.conversion.journal import JournalFrames, Journals
from napari_scope.stream.conversion.layout import Layout, Options
from napari_scope.stream.conversion.left_out import left_out
from napari_scope.stream.conversion.plan import plan_stores
from napari_scope.stream.conversion.report import (
    ConversionProgress,
    ConversionReport,
    Target,
    UnreadFrame,
)
from napari_scope.stream.conversion.source import SourceImage
from napari_scope.stream.conversion.tasks import connected
from napari_scope.stream.conversion.translate import translate
from napari_scope.stream.conversion.write import Conversion
from napari_scope.stream.journal import JOURNAL_NAME, jsonable
from napari_scope.stream.outputs import FORMATS, Output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_scope.model import Dataset, Image
    from napari_scope.stream.conversion.report import Progress

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
    parts: Parts | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    verify: bool = True,
    levels: int | None = None,
    version: str | None = None,
    compression: str | None = None,
    chunk_px: int | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> ConversionReport:
    """Convert a data set to another format; the source is not changed.

    Parameters
    ----------
    source : str or PathLike
        What `napari_scope.formats.open_dataset` opens, also an address. It may be
        unfinished; then the frames that are there are converted.
    target : str or PathLike
        The store to make; it must not exist.
    format : {"ome-zarr", "ndtiff", "ome-tiff"}, optional
        Format of the target; by default its suffix says.
    images : iterable of int or str, optional
        The images to convert, by number or name; all by default.
    parts : Parts, optional
        Which channels, time points and planes of a stack to convert; all by default.
        The target is then made frame by frame: segmentations are left out.
    on_error : {"stop", "skip"}
        What a frame that cannot be read does: the conversion stops with its error, or
        the frame is skipped with its reason in the journal.
    verify : bool
        Read each frame back from the target and compare.
    levels : int, optional
        Levels of a pyramid; 1 for none. By default an OME-Zarr store gets those of an
        OME-Zarr source, else so many that the last has 512 pixels or less.
    version : {"0.5", "0.4"}, optional
        Version of OME-Zarr; by default the newest.
    compression : str, optional
        Codec of the format, ``"none"`` for none; see
        `napari_scope.stream.outputs.COMPRESSIONS`. By default pixels are not
        compressed, unless those of an OME-Zarr source are.
    chunk_px : int, optional
        Pixels of a chunk of OME-Zarr along y and x.
    scheduler : str, optional
        Address of the scheduler of a dask.distributed cluster that does the work; its
        workers have to see source and target under the same paths. For OME-Zarr only.
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
    text = os.fspath(source)
    place = text if "://" in text else Path(os.path.expanduser(text))
    path = Path(os.path.expanduser(target))
    parts = parts or Parts()
    kind = target_format(path, format)
    output = Output(
        path, kind, compression=compression, version=version, chunk_px=chunk_px
    )
    if scheduler is not None and kind != "ome-zarr":
        raise SettingsError(
            f"a cluster converts to OME-Zarr, not to {kind}",
            hint="leave the scheduler out",
        )
    if scheduler is not None and parts:
        raise SettingsError(
            "a cluster converts whole images",
            hint="leave the scheduler out, or convert all channels, times and planes",
        )
    if on_error not in ("stop", "skip"):
        raise SettingsError(f"on_error is 'stop' or 'skip', found {on_error!r}")
    if output.exists():
        raise OutputExistsError(
            "the target exists already",
            path=path,
            hint="choose another name; nothing is ever overwritten",
        )
    with connected(scheduler) as runner:
        # Workers may have another current folder.
        dataset = open_dataset(place.absolute() if isinstance(place, Path) else place)
        _check_apart(dataset, path)
        notes = list(dataset.problems)
        if dataset.format == "ome-zarr":
            paths = (str(image.metadata.get("path", "")) for image in dataset.images)
            notes += filter(None, [left_out(Store(dataset.path), paths)])
        again = not parts and _is_told_again(dataset)
        if kind == "ome-zarr" and (scheduler is not None or again):
            options = Options(
                output.version or NGFF_VERSION, compression, chunk_px, levels
            )
            layout = _layout(dataset, images, options, notes)
            direct = DirectConversion(
                path, layout, options, runner, on_error, progress, notes
            )
            return direct.run(place, verify=verify)
    journals = Journals()
    sources = [
        _source(dataset, image, journals, notes) for image in _chosen(dataset, images)
    ]
    unfinished = not dataset.finished or any(
        isinstance(s.table, JournalFrames) and not s.table.closed for s in sources
    )
    sources = [_part(source, parts) for source in sources]
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
    if any(s.image.labels and not s.image.only_labels for s in sources):
        notes.append(f"{kind} has no place for segmentations: they are left out")
    stores = plan_stores(
        sources, kind, _name(path), _facts(dataset, unfinished=unfinished), notes
    )
    if kind == "ome-tiff":
        path = output.placed(sum(len(store.parts) for store in stores)).path
    by_frames = Conversion(
        path, kind, stores, output.storage, on_error, levels, progress, notes
    )
    return by_frames.run(place, verify=verify)


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
                hint="end it in .ome.zarr, .ndtiff or .ome.tiff, or give the format",
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
    return cast("Target", format)


# ------------------------------------------------------------------ the source


def _check_apart(dataset: Dataset, target: Path) -> None:
    """Refuse a target that would be a part of the source."""
    if "://" in dataset.path:
        return
    root = Path(dataset.path).resolve()
    if target.resolve().is_relative_to(root):
        raise SettingsError(
            "the target lies inside of the source", path=target, hint="choose another"
        )


def _is_told_again(dataset: Dataset) -> bool:
    """Return whether a store is converted array by array, not by its frames.

    Those of a run have a journal, which tells missing frames from black ones. It cannot
    tell wells and segmentations.
    """
    if dataset.format != "ome-zarr":
        return False
    if dataset.metadata.get("layout") in ("plate", "well"):
        return True
    if any(image.labels for image in dataset.images):
        return True
    root = Path(dataset.path)
    return not (root / "acquisition" / JOURNAL_NAME).is_file()


def _layout(
    dataset: Dataset,
    wanted: Iterable[int | str] | None,
    options: Options,
    notes: list[str],
) -> Layout:
    """Return what a target that is written directly will hold."""
    chosen = _chosen(dataset, wanted)
    if dataset.format != "ome-zarr":
        return lay_out(chosen, options, notes)
    paths = None
    if wanted is not None:
        paths = {str(image.metadata.get("path", "")) for image in chosen}
    return translate(Store(dataset.path), paths, options, notes)


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
    path = image.metadata.get("path")
    if dataset.metadata.get("layout") == "plate" and isinstance(path, str):
        row, _, rest = path.partition("/")
        well = f"{row}/{rest.partition('/')[0]}"
        image = replace(image, metadata={**image.metadata, "well": well})
    if dataset.format != "ome-zarr":
        return SourceImage(image, image.frames)
    # The journal says more than the table of a reader: the reasons of gaps, and more.
    plain = SourceImage(image)
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


def _part(source: SourceImage, parts: Parts) -> SourceImage:
    places = part_places(source.image, parts)
    if not places:
        return source
    image = image_parts(source.image, parts)
    table = source.table
    if isinstance(table, JournalFrames):
        return SourceImage(image, table.narrowed(places))
    return SourceImage(image, None if table is None else image.frames)


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
