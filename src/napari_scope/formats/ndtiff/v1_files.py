"""Files of NDTiff versions 0 and 1: index maps and image directories.

What a directory says counts, not the summary: see `napari_scope.formats.ndtiff.v1`.
This module knows images by their numbers in the map; what those mean is the business
of `napari_scope.formats.ndtiff.v1_names`.
"""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.limits import MAX_JSON_BYTES
from napari_scope.formats.ndtiff.record import (
    FIRST_LINK_FIELD,
    HEADER_BYTES,
    parse_header,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from napari_scope.fileio import DataFile
    from napari_scope.formats.ndtiff.files import FilePool
    from napari_scope.formats.ndtiff.record import Header

    Facts: TypeAlias = dict[str, object]

__all__ = ["V1Frame", "V1Image", "frames_of", "headers", "read_json_at", "read_map"]

_MAP_MARK = 3453623
_MAP_ROW = 20  # bytes
_MAP_BLOCK = 4096  # rows that are read at once
_ENTRIES = range(1, 33)  # of an image directory; writers make 13, or 17 (version 0)
_SMALLEST = 162 + _MAP_ROW  # bytes that an image takes at least
_PIXEL_TYPES = {(1, 1): 0, (1, 2): 1, (3, 3): 2}  # (samples, bytes) of a pixel


class V1Image(NamedTuple):
    """What an image directory says."""

    pixel_offset: int
    width: int
    height: int
    pixel_type: int
    metadata_offset: int
    metadata_length: int
    link: int


class V1Frame(NamedTuple):
    """An image and its name: ``key`` is channel, z, time, position as in the map.

    It is None for images that the map lacks, which are known by ``facts`` only.
    """

    file: str
    start: int
    image: V1Image
    key: tuple[int, int, int, int] | None
    facts: Facts | None = None


def headers(pool: FilePool, problems: list[str]) -> Iterator[tuple[str, Header, int]]:
    """Yield name, header and length of the files of a folder, in order of writing."""
    try:
        names = [path.name for path in pool.folder.iterdir()]
    except OSError as error:
        raise FormatError(
            f"the folder cannot be read: {error.strerror or error}", path=pool.folder
        ) from error
    for name in sorted(filter(_is_tiff, names), key=_natural):
        try:
            name.encode()
            with pool.use(name) as file:
                size = file.size()
                header = parse_header(file.read_at(0, HEADER_BYTES), size)
            if header.version[0] != 1:
                raise FormatError(f"it is of version {header.version[0]}")
        except FormatError as error:
            problems.append(f"{name} was ignored: {error.message}")
        except (OSError, UnicodeEncodeError) as error:
            problems.append(f"{name!r} was ignored: {error}")
        else:
            yield name, header, size


def _is_tiff(name: str) -> bool:
    return name.endswith(".tif")


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort ``_10`` behind ``_9``: of an image that was overwritten the last counts."""
    # Digits of other scripts are no numbers of a writer.
    parts = re.split(r"([0-9]{1,18})", name.removesuffix(".tif"))
    return [(int(p), "") if i % 2 else (-1, p) for i, p in enumerate(parts)], name


def frames_of(
    pool: FilePool, name: str, header: Header, size: int, problems: list[str]
) -> list[V1Frame]:
    """Return the images of a file: those of its map, then those it lacks."""
    frames: list[V1Frame] = []
    try:
        with pool.use(name) as file:
            rows, reason = read_map(file, header, size)
            if reason:
                problems.append(f"{name}: {reason}")
            damaged = 0
            for *key, start in rows:
                image = _read_directory(file, header.order, start, size)
                if image is None:
                    damaged += 1
                    continue
                c, z, t, p = key
                frames.append(V1Frame(name, start, image, (c, z, t, p)))
            if damaged:
                problems.append(
                    f"{name}: {damaged} images of its index map are damaged or lie "
                    "beyond its end: they were left out"
                )
            lost = list(_walk(file, header, size, frames))
            short = sum(sum(frame.image[4:6]) > size for frame in frames)
            if short:
                problems.append(f"{name} ends before the metadata of {short} images")
    except OSError as error:
        problems.append(f"{name} could not be read whole: {error.strerror or error}")
        return frames
    if lost:
        problems.append(
            f"{name}: {len(lost)} images that its index map lacks were found"
        )
        frames = sorted(frames + lost, key=lambda frame: frame.start)
    return frames


def read_map(
    file: DataFile, header: Header, size: int
) -> tuple[list[list[int]], str | None]:
    """Return the rows of an index map, and what is wrong with it."""
    start, count = _find_map(file, header)
    if start is None:
        return [], "it has no index map"
    reason = None
    room = max(size - start, 0) // _MAP_ROW
    if count > room:
        reason = f"its index map was cut: {count - room} of {count} entries are missing"
    count = min(count, room)
    rows: list[list[int]] = []
    done = 0
    while done < count:
        wanted = min(_MAP_BLOCK, count - done)
        block = _map_rows(file, header, start + done * _MAP_ROW, wanted)
        written = block[block[:, 4] != 0]
        # A writer that was stopped leaves room for millions of rows: zeros end them.
        if len(written) < wanted:
            reason = reason or "it was not closed by its writer"
            if not len(written):
                break
        rows += written.tolist()
        done += wanted
        if len(rows) > size // _SMALLEST:
            # One row may be real: the walk along the directories finds the images.
            return [], "its index map names more images than the file can hold"
    return rows, reason


def _find_map(file: DataFile, header: Header) -> tuple[int | None, int]:
    """Return where the rows of the map start, and their number."""
    summary_end = header.summary_offset + header.summary_length
    for offset in (_number(file, header, 12), summary_end):
        head = file.read_at(offset, 8)
        if len(head) == 8:
            mark, count = struct.unpack(f"{header.order}2I", head)
            if mark == _MAP_MARK:
                return offset + 8, count
    return None, 0


def _number(file: DataFile, header: Header, offset: int) -> int:
    order: Literal["little", "big"] = "little" if header.order == "<" else "big"
    return int.from_bytes(file.read_at(offset, 4), order)


def _map_rows(
    file: DataFile, header: Header, offset: int, count: int
) -> npt.NDArray[np.int64]:
    data = file.read_at(offset, count * _MAP_ROW)
    data = data[: len(data) // _MAP_ROW * _MAP_ROW]
    rows = np.frombuffer(data, f"{header.order}i4").reshape(-1, 5).astype(np.int64)
    rows[:, 4] &= 0xFFFFFFFF  # files reach to 4 GiB
    return rows


def _read_directory(
    file: DataFile, order: str, start: int, size: int
) -> V1Image | None:
    """Return what an image directory says, or None if the image is not whole."""
    if start < HEADER_BYTES:
        return None
    data = file.read_at(start, 2 + _ENTRIES.stop * 12)
    if len(data) < 2:
        return None
    (count,) = struct.unpack_from(f"{order}H", data)
    end = 2 + count * 12
    if count not in _ENTRIES or len(data) < end + 4:
        return None
    tags: dict[int, tuple[int, int]] = {}
    for tag, kind, length, value in struct.iter_unpack(f"{order}HHII", data[2:end]):
        if kind == 3 and length == 1:  # SHORT: two bytes, at the left of four
            value = value & 0xFFFF if order == "<" else value >> 16
        tags[tag] = (length, value)
    # width, height, strips and their bytes
    if not tags.keys() >= {256, 257, 273, 279}:
        return None
    width, height, nbytes = (tags[tag][1] for tag in (256, 257, 279))
    strips, pixels = tags[273]
    area = width * height
    none = (1, 1)
    samples = tags.get(277, none)[1]
    if strips != 1 or tags.get(259, none)[1] != 1 or not area or nbytes % area:
        return None
    pixel_type = _PIXEL_TYPES.get((samples, nbytes // area))
    if pixel_type is None or pixels + nbytes > size:
        return None
    length, metadata = tags.get(51123, (0, 0))
    (link,) = struct.unpack_from(f"{order}I", data, end)
    return V1Image(pixels, width, height, pixel_type, metadata, length, link)


def _walk(
    file: DataFile, header: Header, size: int, known: list[V1Frame]
) -> Iterator[V1Frame]:
    """Yield images that links lead to and the map does not name."""
    first = _number(file, header, FIRST_LINK_FIELD)
    seen = {frame.start for frame in known}
    for start in (first, *(frame.image.link for frame in known)):
        while start not in seen:
            seen.add(start)
            image = _read_directory(file, header.order, start, size)
            # A writer that was stopped left a link to what was never written.
            facts = image and read_json_at(file, *image[4:6])
            if image is None or not facts:
                break
            yield V1Frame(file.path.name, start, image, None, facts)
            start = image.link


def read_json_at(file: DataFile, offset: int, length: int) -> Facts | None:
    """Return a JSON object of a file, or None if it is none."""
    if not 2 <= length <= MAX_JSON_BYTES or offset + length > file.size():
        return None
    try:
        found = json.loads(file.read_at(offset, length))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
