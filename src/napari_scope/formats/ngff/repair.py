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
from itertools import product
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ngff.images import ome_block
from napari_scope.formats.ngff.layouts import collection_images, plate_images
from napari_scope.formats.ngff.packed import seal
from napari_scope.formats.ngff.shards import MISSING
from napari_scope.formats.ngff.store import Store, read_bounded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

__all__ = [
    "FrameArray",
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
_ENTRY = 16
_MAX_ENTRIES = 1 << 24
_LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
_CACHE_BYTES = 128 * 1024 * 1024


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
    document = _document(folder)
    sharding = _sharding(document)
    if sharding is None or sharding.get("index_location") != "start":
        return 0
    shard = document["chunk_grid"]["configuration"]["chunk_shape"]
    chunk = sharding["chunk_shape"]
    entries = math.prod(s // c for s, c in zip(shard, chunk, strict=True))
    if not 0 < entries <= _MAX_ENTRIES or sharding["index_codecs"] != [_LITTLE]:
        raise FormatError("its shards are not those of this writer", path=folder)
    count = 0
    for path in _files(folder / "c"):
        with DataFile.open(path, writable=True) as file:
            seal(file, entries, _tail(file, entries))
            file.sync()
        count += 1
    sharding["index_location"] = "end"
    sharding["index_codecs"] = [_LITTLE, {"name": "crc32c"}]
    _replace(folder, document)
    return count


def _tail(file: DataFile, entries: int) -> int:
    """Return where the last chunk of a shard ends; chunks that are cut are given up."""
    import numpy as np

    data = bytearray(file.read_at(0, entries * _ENTRY))
    size = file.size()
    if len(data) < entries * _ENTRY:
        # The file was made, its index never reached the medium.
        file.write_at(len(data), b"\xff" * (entries * _ENTRY - len(data)))
        return entries * _ENTRY
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


def _files(folder: Path) -> Iterator[Path]:
    """Iterate over the files of an array; links are not followed."""
    from pathlib import Path

    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and not path.is_symlink():
                yield path


# ------------------------------------------------------------------ metadata


def _document(folder: Path) -> dict[str, Any]:
    """Return the document of an array or group; keys that matter are checked later."""
    for name in ("zarr.json", ".zarray", ".zattrs"):
        data = read_bounded(folder / name)
        if data is not None:
            try:
                document = json.loads(data)
            except (ValueError, RecursionError) as error:
                message = f"damaged JSON: {error}"
                raise FormatError(message, path=folder / name) from error
            if isinstance(document, dict):
                return document
    raise FormatError("its metadata are missing", path=folder)


def _replace(folder: Path, document: Mapping[str, Any]) -> None:
    for name in ("zarr.json", ".zarray", ".zattrs"):
        if (folder / name).is_file():
            data = json.dumps(document, indent=2, allow_nan=False).encode()
            replace_file(folder / name, data)
            return


def _sharding(document: Mapping[str, Any]) -> dict[str, Any] | None:
    codecs = document.get("codecs")
    if isinstance(codecs, list) and len(codecs) == 1 and isinstance(codecs[0], dict):
        configuration = codecs[0].get("configuration")
        if codecs[0].get("name") == "sharding_indexed":
            if isinstance(configuration, dict):
                return configuration
    return None


def shape_of(folder: Path) -> tuple[int, ...]:
    """Return the shape of an array."""
    return Store(folder.parent).array(folder.name).shape


def set_shape(folder: Path, lead: Sequence[int]) -> bool:
    """Set the length of the index axes of an array; returns whether it was another."""
    document = _document(folder)
    before = shape_of(folder)
    shape = [*lead, *before[len(lead) :]]
    if list(before) == shape:
        return False
    document["shape"] = shape
    _replace(folder, document)
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
    document = _document(image.folder)
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
    _replace(image.folder, document)
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


# ------------------------------------------------------------------ pixels


class FrameArray:
    """The frames of an array, read and written by an independent library.

    Parameters
    ----------
    folder : Path
        Folder of the array.
    """

    def __init__(self, folder: Path) -> None:
        import tensorstore

        info = Store(folder.parent).array(folder.name)
        self.folder = folder
        self.shape = info.shape
        self._chunk = info.chunks[:-2]
        sharding = _sharding(_document(folder))
        self._plain_shards = sharding is not None and sharding["codecs"] == [_LITTLE]
        self.span = self._span(folder, info.chunks)
        self._tensorstore = tensorstore
        self._array = tensorstore.open(
            {
                "driver": "zarr3" if info.zarr_format == 3 else "zarr",
                "kvstore": {"driver": "file", "path": f"{folder.absolute()}/"},
                "recheck_cached_data": "open",
            },
            open=True,
            context=tensorstore.Context(
                {
                    "cache_pool": {"total_bytes_limit": _CACHE_BYTES},
                    "file_io_sync": False,  # see `sync`
                }
            ),
        ).result()

    @staticmethod
    def _span(folder: Path, chunks: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many frames share a file on each index axis."""
        document = _document(folder)
        if _sharding(document) is not None:
            chunks = document["chunk_grid"]["configuration"]["chunk_shape"]
        return tuple(chunks[:-2])

    def file_of(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return which file a frame is in."""
        return tuple(i // n for i, n in zip(index, self.span, strict=True))

    def read(self, index: tuple[int, ...]) -> npt.NDArray[np.generic]:
        """Read a frame.

        Raises
        ------
        FormatError
            If what is stored cannot be read.
        """
        import numpy as np

        try:
            return np.ascontiguousarray(self._array[index].read().result())
        except (ValueError, OSError, RuntimeError, IndexError) as error:
            text = str(error).split("[source locations")[0].strip()
            raise FormatError(f"the frame {index} cannot be read: {text}") from error

    def write(
        self, frames: Sequence[tuple[tuple[int, ...], npt.NDArray[np.generic]]]
    ) -> None:
        """Write frames, each file once."""
        with self._tensorstore.Transaction() as transaction:
            array = self._array.with_transaction(transaction)
            for index, frame in frames:
                array[index].write(frame).result()

    def erase(self, index: tuple[int, ...]) -> bool:
        """Make a frame that is broken empty; returns whether others went with it.

        A chunk that cannot be decoded is given up with all its frames, a file of which
        nothing can be read altogether.
        """
        span = zip(index, self._chunk, self.shape, strict=False)
        chunk = tuple(slice(i // n * n, min(i // n * n + n, s)) for i, n, s in span)
        for what in (index, chunk):
            try:
                self._array[what].write(0).result()
                return what is chunk and math.prod(self._chunk) > 1
            except (ValueError, OSError, RuntimeError):
                continue
        for name in self._files_of(index):
            name.unlink(missing_ok=True)
        return math.prod(self.span) > 1

    def suspects(self, good: Collection[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
        """Iterate over frames that nobody knows of, in files that exist.

        A loss of power may have kept a file, or its entry, and neither the pixels nor
        the line in the journal. Shards without compression have all their entries from
        the beginning, and any bytes are pixels.
        """
        if self._plain_shards:
            return
        for file in sorted({coordinates for _, coordinates in self._located()}):
            ranges = [
                range(f * n, min(f * n + n, size))
                for f, n, size in zip(file, self.span, self.shape, strict=False)
            ]
            yield from (index for index in product(*ranges) if index not in good)

    def _files_of(self, index: tuple[int, ...]) -> list[Path]:
        mine = self.file_of(index)
        return [path for path, file in self._located() if file == mine]

    def _located(self) -> Iterator[tuple[Path, tuple[int, ...]]]:
        """Iterate over the files and their coordinates on the index axes."""
        depth = len(self.span) + 2
        for path in _files(self.folder):
            parts = re.split(r"[./]", path.relative_to(self.folder).as_posix())
            numbers = [part for part in parts if part.isdecimal()]
            if len(numbers) == depth and len(parts) - depth in (0, 1):
                yield path, tuple(map(int, numbers[:-2]))

    def clear(self) -> None:
        """Remove all frames; the metadata stay."""
        for path in list(_files(self.folder)):
            if path.name != "zarr.json":
                path.unlink()

    def sync(self) -> None:
        """Wait until all frames survive a loss of power."""
        for path in _files(self.folder):
            with DataFile.open(path, writable=True) as file:
                file.sync()
