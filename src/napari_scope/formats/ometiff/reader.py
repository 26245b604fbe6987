"""Opening OME-TIFF: a file, a set of files, or their companion becomes a `Dataset`.

Each Image of the OME-XML is an image with the axes t, c and z as far as it has more
than one of them. Its coarse levels are the SubIFDs of its pages. Files that belong to
the set are looked for beside the one that is opened and nowhere else.

Examples
--------
>>> dataset = open_ometiff("cells.ome.tiff")  # doctest: +SKIP
>>> dataset.images[0].axis_names  # doctest: +SKIP
('t', 'c', 'y', 'x')
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays import LazyArray
from napari_scope.errors import FormatError
from napari_scope.formats.ometiff.names import stem_of
from napari_scope.formats.ometiff.read_pages import TiffPages
from napari_scope.formats.ometiff.read_source import PlaneTable, TiffLevel, TiffPlanes
from napari_scope.formats.ometiff.read_xml import MAX_XML, XmlDocument, read_xml
from napari_scope.formats.tiff_sniff import COMPANION, TIFF_SUFFIXES
from napari_scope.model import Axis, Channel, Dataset, Image, axis_kind
from napari_scope.model.units import standard_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.ometiff.read_images import XmlPixels
    from napari_scope.formats.ometiff.read_pages import PageFacts

__all__ = ["open_ometiff"]

_MOST_NAMES = 100_000  # of a folder


def open_ometiff(path: str | os.PathLike[str]) -> Dataset:
    """Open an OME-TIFF file, a companion file, or the folder of a set.

    Parameters
    ----------
    path : str or PathLike
        The file or folder.

    Raises
    ------
    FormatError
        If it is no OME-TIFF or not one of its images can be read.
    """
    place = Path(path)
    first, document = _document(place)
    files, pages = _files(first, document)
    problems: list[str] = []
    images: list[Image] = []
    for number, pixels in enumerate(document.images):
        name = pixels.name or f"Image {number}"
        missing = [f for f in pixels.files() if f is not None and f not in files]
        if missing:
            problems.append(f"image {name}: the file {missing[0]!r:.200} is missing")
        try:
            image = _image(pixels, name, TiffPlanes(pixels, pages, files))
        except FormatError as error:
            problems.append(f"image {name} is left out: {error}")
            continue
        problems += [f"image {name}: {problem}" for problem in pixels.problems]
        if pixels.name in document.wells:
            well = {"well": document.wells[pixels.name]}
            image = replace(image, metadata={**image.metadata, **well})
        images.append(image)
    if not images:
        raise FormatError(
            f"no image can be read: {'; '.join(problems[:3]) or 'none is listed'}",
            path=place,
        )
    if len(images) == 1 and not document.images[0].name:
        images = [replace(images[0], name=stem_of(first))]
    metadata: dict[str, object] = {"files": len(pages.paths)}
    for key, value in (("creator", document.creator), ("plate", document.plate)):
        if value:
            metadata[key] = value
    return Dataset(
        path=str(place),
        format="ome-tiff",
        format_version="2016-06",
        images=tuple(_unique_names(images)),
        problems=tuple(problems),
        metadata=metadata,
        finished=not document.growing,
    )


# ------------------------------------------------------------------ the files


def _document(place: Path) -> tuple[Path, XmlDocument]:
    """Return the file that holds the document of a path, and the document."""
    if place.is_dir():
        place = _first_of(place)
    document = _read_document(place)
    if document.companion and not document.images:
        companion = _beside(place, document.companion)
        if companion is None:
            raise FormatError(
                f"the metadata are in the file {document.companion!r:.200}, which is "
                "not beside it",
                path=place,
            )
        place, document = companion, _read_document(companion)
    return place, document


def _first_of(folder: Path) -> Path:
    """Return the file of a folder that describes its set."""
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file() and len(names) < _MOST_NAMES:
                    names.append(entry.name)
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", path=folder) from error
    names.sort()
    for suffixes in ((COMPANION,), (".ome.tif", ".ome.tiff"), TIFF_SUFFIXES):
        for name in names:
            if name.lower().endswith(suffixes):
                return folder / name
    raise FormatError("the folder holds no OME-TIFF file", path=folder)


def _read_document(path: Path) -> XmlDocument:
    try:
        status = os.stat(path)
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", path=path) from error
    if not stat.S_ISREG(status.st_mode):
        raise FormatError("not a regular file", path=path)
    try:
        if path.name.lower().endswith(COMPANION):
            if status.st_size > MAX_XML:
                raise FormatError("the OME-XML is too large", path=path)
            text = path.read_bytes()
        else:
            pages = TiffPages((path,))
            text = pages.text(0)
            pages.close()
        return read_xml(text)
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", path=path) from error
    except FormatError as error:
        raise FormatError(error.message, path=path, hint=error.hint) from error


def _files(
    first: Path, document: XmlDocument
) -> tuple[Mapping[str | None, int], TiffPages]:
    """Return the numbers of the files that the planes are in, and the files."""
    numbers: dict[str | None, int] = {}
    paths: list[Path] = []
    for name in dict.fromkeys(f for image in document.images for f in image.files()):
        path = first if name is None else _beside(first, name)
        if path is None or path.name.lower().endswith(COMPANION):
            continue
        if path not in paths:
            paths.append(path)
        numbers[name] = paths.index(path)
    return numbers, TiffPages(tuple(paths))


def _beside(file: Path, name: str) -> Path | None:
    """Return a file of the same folder; None if there is none or the name leaves it."""
    if not name or name in (".", "..") or any(c in name for c in '/\\\0:"<>|?*'):
        return None
    path = file.with_name(name)
    try:
        inside = path.resolve().parent == file.resolve().parent
        if inside and stat.S_ISREG(os.stat(path).st_mode):
            return path
    except (OSError, RuntimeError):
        return None
    return None


# ------------------------------------------------------------------ images


def _image(pixels: XmlPixels, name: str, planes: TiffPlanes) -> Image:
    if not pixels.dtype:
        raise FormatError(pixels.problems[0])
    facts, at = _first_page(pixels, planes)
    samples = facts.samples if facts is not None else pixels.samples
    if facts is not None and (facts.shape != pixels.shape or facts.dtype is None):
        raise FormatError(
            f"its pages have {facts.shape} pixels, the OME-XML says {pixels.shape}"
        )
    if pixels.samples not in (1, samples):
        raise FormatError(
            f"its pages have {samples} samples for each pixel, the OME-XML says "
            f"{pixels.samples}"
        )
    dtype = np.dtype(pixels.dtype)
    if facts is not None and facts.dtype is not None:
        dtype = facts.dtype.newbyteorder("=")
    if dtype.kind not in "biuf":
        raise FormatError(f"pixels of type {dtype} cannot be shown")
    rgb = samples in (3, 4) and dtype.kind == "u" and pixels.sizes[1] == 1
    split = 1 if rgb else samples
    lengths = {
        "t": pixels.sizes[0],
        "c": pixels.sizes[1] * split,
        "z": pixels.sizes[2],
    }
    index = tuple(axis for axis in "tcz" if lengths[axis] > 1)
    names = (*index, "y", "x", *(("rgb",) if rgb else ()))
    tail = (samples,) if rgb else ()
    levels: list[LazyArray] = []
    count = 1 if at is None else planes.pages.levels(*at)
    for level in range(count):
        page = facts if level == 0 or at is None else planes.pages.facts(*at, level)
        shape, chunk = pixels.shape, pixels.shape
        if page is not None:
            shape, chunk = page.shape, page.chunk
        if levels and not _is_coarser(shape, levels[-1].shape[len(index) :]):
            pixels.problems.append(f"level {level} is left out: it has {shape} pixels")
            break
        source = TiffLevel(
            planes,
            level,
            names,
            (*(lengths[axis] for axis in index), *shape, *tail),
            (*(1 for _ in index), *chunk, *tail),
            dtype,
            split,
        )
        levels.append(LazyArray(source))
    channels = _channels(pixels, lengths["c"], split)
    metadata: dict[str, object] = {}
    if pixels.date:
        metadata["acquired"] = pixels.date
    return Image(
        name=name,
        axes=_axes(pixels, names, channels),
        levels=tuple(levels),
        channels=channels,
        rgb=rgb,
        bit_depth=pixels.bits,
        metadata=metadata,
        frames=PlaneTable(planes, split),
    )


def _first_page(
    pixels: XmlPixels, planes: TiffPlanes
) -> tuple[PageFacts | None, tuple[int, int] | None]:
    """Return what is known of the first plane that is there."""
    for run in pixels.runs[:100]:
        t, c, z = _spot(pixels, run.first)
        at = planes.at(t, c, z)
        facts = None if at is None else planes.pages.facts(*at)
        if facts is not None:
            return facts, at
    return None, None


def _spot(pixels: XmlPixels, number: int) -> tuple[int, int, int]:
    sizes = dict(zip("TCZ", pixels.sizes, strict=True))
    found = {}
    for letter in pixels.order[2:]:
        number, found[letter] = divmod(number, sizes[letter])
    return found["T"], found["C"], found["Z"]


def _is_coarser(shape: tuple[int, ...], than: tuple[int, ...]) -> bool:
    fits = all(0 < n <= m for n, m in zip(shape, than, strict=False))
    return fits and shape[:2] != than[:2]


def _channels(pixels: XmlPixels, count: int, split: int) -> tuple[Channel, ...]:
    channels = []
    for number in range(min(count, 1 << 16)):
        place, sample = divmod(number, split)
        known = pixels.channels[place] if place < len(pixels.channels) else None
        name = known.name if known is not None else ""
        if split > 1:
            name = f"{name} {sample}".strip()
        color = known.color if known is not None and split == 1 else None
        if color == "#FFFFFF" and count > 1:
            color = None  # the default of OME-XML, which nobody chose
        channels.append(Channel(name, color))
    return tuple(channels)


def _axes(
    pixels: XmlPixels, names: tuple[str, ...], channels: tuple[Channel, ...]
) -> tuple[Axis, ...]:
    axes = []
    lengths = dict(zip("yx", pixels.shape, strict=True))
    for name in names:
        kind = axis_kind(name)
        step, unit = pixels.steps.get(name, (1.0, ""))
        standard = standard_unit(unit) if unit else None
        offset = 0.0
        if name in pixels.stage and standard is not None:
            offset = _offset(pixels.stage[name], standard)
            # The stage names the centre of an image.
            offset -= (lengths.get(name, 1) - 1) / 2 * step
        labels: tuple[str, ...] = ()
        if name == "c" and all(channel.name for channel in channels):
            labels = tuple(channel.name for channel in channels)
        axes.append(Axis(name, kind, standard, step, offset, labels))
    return tuple(axes)


def _offset(stage: tuple[float, str], unit: str) -> float:
    """Return a place on the stage in another unit; 0 where that is not possible."""
    from napari_scope.model.units import factor

    value, own = stage
    standard = standard_unit(own)
    times = None if standard is None else factor(standard, unit)
    return 0.0 if times is None else value * times


def _unique_names(images: list[Image]) -> list[Image]:
    """Return the images with their number added where two have the same name."""
    count = Counter(image.name for image in images)
    return [
        replace(image, name=f"{image.name} [{number}]")
        if count[image.name] > 1
        else image
        for number, image in enumerate(images)
    ]
