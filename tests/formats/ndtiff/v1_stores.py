"""Stores of NDTiff version 1, written byte for byte as its Java writer did.

No writer of that version is left, so the tests make their own: header, index map, and
for each image directory, pixels, resolution and metadata. The reference library opens
them, which is the check of this module.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Axes = dict[str, int]
Place = tuple[int, int, int, int]  # channel, z, time, position


@dataclass
class V1Image:
    """An image to be written; ``metadata`` are written as they are."""

    axes: Axes
    pixels: np.ndarray
    metadata: dict[str, object] = field(default_factory=dict)


def frame(
    number: int, shape: tuple[int, ...] = (4, 6), dtype: str = "u2"
) -> np.ndarray:
    """Return an image that no other number has."""
    return np.random.default_rng(number).integers(0, 255, shape).astype(dtype)


def super_channel(axes: Axes) -> str:
    """Return the text that stands for all axes without a column in the index map."""
    extra = {k: v for k, v in axes.items() if k not in ("time", "z", "position")}
    return "".join(f"Axis_{k}_{v}" for k, v in {**extra, **_channel(axes)}.items())


def _channel(axes: Axes) -> Axes:
    return {"channel": axes.get("channel", 0)}


def metadata_of(image: V1Image) -> dict[str, object]:
    """Return what the writer and its acquisition engine store with an image."""
    return {
        "Axes": {**image.axes, **_channel(image.axes)},
        "Channel": f"name of {image.axes.get('channel', 0)}",
        "StorageSuperChannelName": super_channel(image.axes),
        **image.metadata,
    }


def summary_of(pixels: np.ndarray, **more: object) -> dict[str, object]:
    """Return summary metadata for images like this one."""
    kind = "RGB32" if pixels.ndim == 3 else {1: "GRAY8", 2: "GRAY16"}[pixels.itemsize]
    height, width = pixels.shape[:2]
    size = {"Width": width, "Height": height}
    return {"PixelType": kind, **size, "PixelSize_um": 0.5, "Prefix": "µ", **more}


def file_bytes(
    summary: dict[str, object],
    images: Sequence[tuple[Place, np.ndarray, dict[str, object]]],
    *,
    order: str = "<",
    version: int = 1,
    room: int | None = None,
    finished: bool = True,
) -> bytes:
    """Return a file.

    ``room`` is the number of entries that the map has space for. An unfinished file
    has a link behind its last image and says the room for the number of entries.
    """
    text = json.dumps(summary, ensure_ascii=False).encode()
    room = len(images) if room is None else room
    first = 40 + len(text) + 8 + 20 * room
    first += first % 2
    records = bytearray()
    rows = b""
    for number, (place, pixels, metadata) in enumerate(images, 1):
        start = first + len(records)
        rows += struct.pack(f"{order}4iI", *place, start)
        last = finished and number == len(images)
        records += record_bytes(start, pixels, metadata, order=order, last=last)
    count = len(images) if finished else room
    unique = (483729, 1) if version == 1 else (0, 0)
    header = struct.pack(
        f"{order}2sH9I",
        b"II" if order == "<" else b"MM",
        42,
        first,
        54773648,
        40 + len(text),
        483765892,
        0,
        *unique,
        2355492,
        len(text),
    )
    index_map = struct.pack(f"{order}2I", 3453623, count) + rows
    return (header + text + index_map).ljust(first, b"\0") + records + bytes(8)


def record_bytes(
    start: int,
    pixels: np.ndarray,
    metadata: dict[str, object],
    *,
    order: str = "<",
    last: bool = False,
) -> bytes:
    """Return directory, pixels and metadata of an image, padded to an even length."""
    rgb = pixels.ndim == 3
    height, width = pixels.shape[:2]
    text = json.dumps(metadata).encode() + b" "
    bits = start + 2 + 13 * 12 + 4
    offset = bits + (6 if rgb else 0)
    resolution = offset + pixels.nbytes
    end = resolution + 16 + len(text)
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, bits) if rgb else (258, 3, 1, 8 * pixels.itemsize),
        (259, 3, 1, 1),
        (262, 3, 1, 2 if rgb else 1),
        (273, 4, 1, offset),
        (277, 3, 1, 3 if rgb else 1),
        (278, 3, 1, height),
        (279, 4, 1, pixels.nbytes),
        (282, 5, 1, resolution),
        (283, 5, 1, resolution + 8),
        (296, 3, 1, 3),
        (51123, 2, len(text), resolution + 16),
    ]
    data = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        short = kind == 3 and count == 1
        layout = f"{order}HHIHH" if short else f"{order}HHII"
        data += struct.pack(layout, tag, kind, count, value, *([0] if short else []))
    data += struct.pack(f"{order}I", 0 if last else end + end % 2)
    if rgb:
        data += struct.pack(f"{order}3H", 8, 8, 8)
    data += pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    data += struct.pack(f"{order}4I", 20000, 1, 20000, 1) + text
    return data + bytes(end % 2)


def axes_file_bytes(images: Sequence[V1Image], order: str = "<") -> bytes:
    """Return the file of super channels: an entry for each image, as in version 1."""
    data = b""
    seen: list[str] = []
    numbers: dict[str, int] = {}
    for image in images:
        name = f"name of {image.axes.get('channel', 0)}"
        if name not in seen:
            seen.append(name)
            head = (-1, image.axes.get("channel", 0), len(name))
            data += struct.pack(f"{order}3i", *head) + name.encode("latin-1")
        text = super_channel(image.axes)
        number = numbers.setdefault(text, len(numbers))
        data += struct.pack(f"{order}2i", number, len(text)) + text.encode("latin-1")
    return data


def place_of(image: V1Image, numbers: dict[str, int]) -> Place:
    """Return the entry of an image; ``numbers`` of super channels grow."""
    number = numbers.setdefault(super_channel(image.axes), len(numbers))
    return (number, *(image.axes.get(name, 0) for name in ("z", "time", "position")))  # type: ignore[return-value]


def write_store(
    root: Path,
    images: Sequence[V1Image],
    *,
    level: str = "Full resolution",
    summary: dict[str, object] | None = None,
    files: int = 1,
    axes_file: bool = True,
    order: str = "<",
    room: int | None = None,
    finished: bool = True,
) -> Path:
    """Write a store and return the folder of its files."""
    folder = root / level
    folder.mkdir(parents=True, exist_ok=True)
    said = summary_of(images[0].pixels) | (summary or {})
    numbers: dict[str, int] = {}
    entries = [(place_of(i, numbers), i.pixels, metadata_of(i)) for i in images]
    each = -(-len(entries) // files)
    for number in range(files):
        part = entries[number * each : (number + 1) * each]
        name = f"NDTiffStack{f'_{number}' if number else ''}.tif"
        data = file_bytes(said, part, order=order, room=room, finished=finished)
        (folder / name).write_bytes(data)
    if axes_file:
        (root / "Axes_metedata").write_bytes(axes_file_bytes(images, order))
    return folder
