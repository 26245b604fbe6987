"""An OME-Zarr store of an interrupted run, made like one that was closed.

What a killed writer leaves is valid, but not finished: files without their name yet,
shards whose index is at their start, arrays that have grown ahead of the frames, coarse
levels that are incomplete and therefore not listed. Each function here mends one of
these; all may be run again, also after having been interrupted themselves. Pixels of
frames that are whole are never changed.

Which frames there are is not known here: the caller has it from the journal.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ngff.documents import (
    LITTLE,
    read_document,
    replace_document,
    sharding_of,
)
from napari_scope.formats.ngff.images import ome_block
from napari_scope.formats.ngff.layouts import collection_images, plate_images
from napari_scope.formats.ngff.store import Store, read_bounded
from napari_scope.formats.ngff.writing.packed import seal
from napari_scope.formats.ngff.writing.shard_files import ENTRY, MISSING, array_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


__all__ = [
    "StoredImage",
    "fix_sizes_in_xml",
    "list_levels",
    "remove_leftovers",
    "seal_shards",
    "set_shape",
    "shape_of",
    "stored_images",
]

# Names of files that were being made: `replace_file` and the writer of shards.
_LEFTOVER = re.compile(r"\..+\.\d+\.\d+|\..+\.new")
_MAX_ENTRIES = 1 << 24


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image group of a store.

    Parameters
    ----------
    folder : Path
        The group.
    place : mapping
        Axes of its frames that say where it was taken.
    names : tuple of str
        Names of the axes of its arrays.
    listed : int
        Number of levels that its metadata list.
    levels : tuple of Path
        All levels that exist, finest first, also those not listed.
    """

    folder: Path
    place: Mapping[str, int | str]
    names: tuple[str, ...]
    listed: int
    levels: tuple[Path, ...]


# ------------------------------------------------------------------ looking


def stored_images(root: Path) -> list[StoredImage]:
    """Return the images of a store in their order: one, a collection or a plate.

    Raises
    ------
    FormatError
        If the metadata of the root or of an image cannot be read.
    """
    store = Store(root)
    ome = ome_block(store.attributes())
    plate = ome.get("plate")
    problems: list[str] = []
    if "multiscales" in ome:
        paths = [""]
    elif isinstance(plate, dict):
        paths = [path for path, _ in plate_images(store, plate, problems)]
    else:
        paths = [path for path, _ in collection_images(store, problems)]
    if problems:
        raise FormatError(problems[0], path=root)
    return [_image(store, path) for path in paths]


def _image(store: Store, path: str) -> StoredImage:
    attributes = store.attributes(path)
    multiscale: Any
    try:
        (multiscale, *_) = ome_block(attributes)["multiscales"]  # type: ignore[misc]
        names = tuple(str(axis["name"]) for axis in multiscale["axes"])
        listed = [str(level["path"]) for level in multiscale["datasets"]]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            "the metadata of the image are incomplete", path=store.folder(path)
        ) from error
    if listed != [str(n) for n in range(len(listed))] or not listed:
        raise FormatError(
            "its levels are not numbered as this writer does", path=store.folder(path)
        )
    levels: list[Path] = []
    while store.exists(f"{path}/{len(levels)}"):
        levels.append(store.folder(f"{path}/{len(levels)}"))
    own = attributes.get("napari_scope")
    place = own.get("axes") if isinstance(own, dict) else None
    return StoredImage(
        store.folder(path),
        place if isinstance(place, dict) else {},
        names,
        len(listed),
        tuple(levels),
    )


# ------------------------------------------------------------------ files


def remove_leftovers(root: Path) -> int:
    """Remove files that never got their name; returns how many."""
    count = 0
    for folder, _, names in os.walk(root):
        for name in names:
            if _LEFTOVER.fullmatch(name):
                os.unlink(os.path.join(folder, name))
                count += 1
    return count


def seal_shards(folder: Path) -> int:
    """Move the index of the shards of an array to their end, where all readers look.

    Returns
    -------
    int
        Number of shards; 0 where the array is not one whose index is at the start.

    Raises
    ------
    FormatError
        If the index of a shard contradicts its file.
    """
    document = read_document(folder)
    sharding = sharding_of(document)
    if sharding is None or sharding.get("index_location") != "start":
        return 0
    shard = document["chunk_grid"]["configuration"]["chunk_shape"]
    chunk = sharding["chunk_shape"]
    entries = math.prod(s // c for s, c in zip(shard, chunk, strict=True))
    if not 0 < entries <= _MAX_ENTRIES or sharding["index_codecs"] != [LITTLE]:
        raise FormatError("its shards are not those of this writer", path=folder)
    count = 0
    for _, path in array_files(folder / "c"):
        with DataFile.open(path, writable=True) as file:
            seal(file, entries, _tail(file, entries))
            file.sync()
        count += 1
    sharding["index_location"] = "end"
    sharding["index_codecs"] = [LITTLE, {"name": "crc32c"}]
    replace_document(folder, document)
    return count


def _tail(file: DataFile, entries: int) -> int:
    """Return where the last chunk of a shard ends; chunks that are cut are given up."""
    import numpy as np

    data = bytearray(file.read_at(0, entries * ENTRY))
    size = file.size()
    if len(data) < entries * ENTRY:
        # The file was made, its index never reached the medium.
        file.write_at(len(data), b"\xff" * (entries * ENTRY - len(data)))
        return entries * ENTRY
    table = np.frombuffer(data, "<u8").reshape(-1, 2)
    there = table[:, 0] != MISSING
    offsets, lengths = table[:, 0], table[:, 1]
    inside = (offsets >= len(data)) & (lengths <= size) & (offsets <= size - lengths)
    cut = there & ~(inside & (lengths > 0))
    if cut.any():
        table[cut] = MISSING
        file.write_at(0, bytes(data))
        there &= ~cut
    if not there.any():
        return len(data)
    return int((offsets[there] + lengths[there]).max())


# ------------------------------------------------------------------ metadata


def shape_of(folder: Path) -> tuple[int, ...]:
    """Return the shape of an array."""
    return Store(folder.parent).array(folder.name).shape


def set_shape(folder: Path, lead: Sequence[int]) -> bool:
    """Set the length of the index axes of an array; returns whether it was another."""
    document = read_document(folder)
    before = shape_of(folder)
    shape = [*lead, *before[len(lead) :]]
    if list(before) == shape:
        return False
    document["shape"] = shape
    replace_document(folder, document)
    return True


def list_levels(image: StoredImage, windows: Mapping[int, tuple[float, float]]) -> bool:
    """List all levels of an image, and the ranges to show; returns whether it changed.

    Parameters
    ----------
    image : StoredImage
        Its coarse levels must be complete.
    windows : mapping
        Number of a channel to the range of its pixels; used where the metadata still
        have the whole range of the camera.
    """
    document = read_document(image.folder)
    attributes = document.get("attributes", document)
    ome = attributes["ome"] if "ome" in attributes else attributes
    before = json.dumps(document)
    multiscale = ome["multiscales"][0]
    (first, *_) = multiscale["datasets"]
    multiscale["datasets"] = [
        _coarser(first, level) for level in range(len(image.levels))
    ]
    channels = ome.get("omero", {}).get("channels", [])
    for number, (start, end) in windows.items():
        if number < len(channels):
            window = channels[number]["window"]
            if (window["start"], window["end"]) == (window["min"], window["max"]):
                window["start"], window["end"] = start, end
    if json.dumps(document) == before:
        return False
    replace_document(image.folder, document)
    return True


def _coarser(first: Mapping[str, Any], level: int) -> dict[str, Any]:
    """Return the entry of a level, from that of full resolution.

    A coarse pixel lies between the fine ones that it covers: it is shifted by half of
    what is reduced.
    """
    factor = 2**level
    scale = [float(n) for n in first["coordinateTransformations"][0]["scale"]]
    shift = [0.0] * len(scale)
    if len(first["coordinateTransformations"]) > 1:
        shift = [float(n) for n in first["coordinateTransformations"][1]["translation"]]
    for axis in (-2, -1):
        shift[axis] += scale[axis] * (factor - 1) / 2
        scale[axis] *= factor
    return {
        "path": str(level),
        "coordinateTransformations": [
            {"type": "scale", "scale": scale},
            {"type": "translation", "translation": shift},
        ],
    }


_PIXELS = re.compile(r"<Pixels\b[^>]*>")


def fix_sizes_in_xml(root: Path, sizes: Sequence[Mapping[str, int]]) -> bool:
    """Set the sizes of the images in ``OME/METADATA.ome.xml``, if there is one.

    Parameters
    ----------
    root : Path
        The store.
    sizes : sequence of mapping
        For each image, the length of its axes by their names (``t``, ``c``, ``z``).
    """
    path = root / "OME" / "METADATA.ome.xml"
    data = read_bounded(path)
    if data is None:
        return False
    text = data.decode("utf-8", "replace")
    found = _PIXELS.findall(text)
    if len(found) != len(sizes):
        raise FormatError(
            f"it describes {len(found)} images, the store has {len(sizes)}", path=path
        )
    images = iter(sizes)

    def fixed(match: re.Match[str]) -> str:
        element = match[0]
        for name, size in next(images).items():
            key = f"Size{name.upper()}"
            element = re.sub(rf'\b{key}="\d+"', f'{key}="{size}"', element)
        return element

    new = _PIXELS.sub(fixed, text).encode()
    if new == data:
        return False
    replace_file(path, new)
    return True
