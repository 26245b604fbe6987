"""Makes Analyze files with spectra, sound ones and odd ones."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

TYPES = {
    "u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64,
    "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280,
}  # fmt: skip


def header(
    dim: tuple[int, ...],
    dtype: str = "i2",
    order: str = "<",
    *,
    length: int = 348,
    said: int | None = None,
    offset: float = 0,
    pixdim: tuple[float, ...] = (),
    text: bytes = b"",
) -> bytes:
    data = bytearray(max(length, 348))
    struct.pack_into(order + "i", data, 0, length if said is None else said)
    data[38:39] = b"r"
    for k, n in enumerate(dim):
        struct.pack_into(order + "H", data, 40 + 2 * k, n % 65536)
    struct.pack_into(order + "h", data, 70, TYPES[dtype])
    struct.pack_into(order + "h", data, 72, 8 * np.dtype(dtype).itemsize)
    struct.pack_into(order + f"{len(pixdim)}f", data, 76, *pixdim)
    struct.pack_into(order + "f", data, 108, offset)
    data[148 : 148 + len(text)] = text
    return bytes(data[:length])


def write(
    stem: Path,
    cube: np.ndarray[Any, Any],
    mz: np.ndarray[Any, Any] | None,
    order: str = "<",
    *,
    dim: tuple[int, ...] | None = None,
    before: bytes = b"",
    **known: Any,
) -> Path:
    """Write a cube (y, x, m/z); returns the name of all files without a suffix."""
    height, width, bins = cube.shape
    dtype = cube.dtype.str[1:]
    said = dim or (4, bins, width, height, 1)
    known.setdefault("offset", len(before))
    stem.with_name(stem.name + ".hdr").write_bytes(header(said, dtype, order, **known))
    image = cube.astype(order + dtype).tobytes()
    stem.with_name(stem.name + ".img").write_bytes(before + image)
    if mz is not None:
        stem.with_name(stem.name + ".t2m").write_bytes(
            mz.astype(order + "f4").tobytes()
        )
    return stem
