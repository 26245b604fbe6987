"""What is looked at of a large file takes little memory."""

from __future__ import annotations

import shutil
import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.formats.msi import PixelTable, Spectrum, open_msi
from napari_scope.formats.msi.imzml.writer import write_imzml
from napari_scope.formats.msi.memory import MemorySpectra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MB = 1 << 20
_BINS, _PIXELS = 20_000, (50, 50)


@pytest.fixture(scope="module", params=["analyze", "processed"])
def large(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Path]:
    """Write 200 MB of spectra, nearly all of them holes in the file or the same."""
    folder = tmp_path_factory.mktemp("large")
    mz = np.linspace(100, 1000, _BINS)
    width, height = _PIXELS
    if request.param == "analyze":
        head = bytearray(348)
        struct.pack_into("<i", head, 0, 348)
        struct.pack_into("<8H", head, 40, 4, _BINS, width, height, 1, 0, 0, 0)
        struct.pack_into("<hh", head, 70, 16, 32)
        (folder / "a.hdr").write_bytes(head)
        (folder / "a.t2m").write_bytes(mz.astype("f4").tobytes())
        with (folder / "a.img").open("wb") as file:
            file.truncate(_BINS * width * height * 4)
            file.seek(4 * _BINS * 7 + 4 * 100)
            file.write(np.float32(5).tobytes())
        path = folder / "a.img"
    else:
        path = _processed(folder, mz)
    yield path
    shutil.rmtree(folder)  # such files are not to be kept until the next run


def _processed(folder: Path, mz: Any) -> Path:
    width, height = _PIXELS
    n = width * height // 3
    values = np.zeros(_BINS, "f4")
    values[100] = 5
    y, x = np.divmod(np.arange(n), width)
    one = Spectrum(mz, values)
    memory = MemorySpectra("", PixelTable.of(x, y), [one] * n)
    return write_imzml(memory, folder / "a.imzML", compression="none")


WORK: dict[str, Any] = {
    "open": lambda reader: reader.shape,
    "tic": lambda reader: reader.data.tic_image(),
    "base peak": lambda reader: reader.data.base_peak_image(),
    "rms": lambda reader: reader.data.ion_image(500, 1, normalise="rms"),
    "one ion": lambda reader: reader.data.ion_image(500, 200),
    "ions": lambda reader: list(
        reader.data.ion_images([(200 + k, 0.5) for k in range(50)])
    ),
    "summary": lambda reader: reader.data.summary(),
    "pixel": lambda reader: reader[3, 3, :],
    "channel": lambda reader: reader[:, :, 100],
}


@pytest.mark.parametrize("name", WORK)
def test_memory(large: Path, name: str) -> None:
    with open_msi(large) as reader:
        stored = large.with_suffix(".ibd")
        size = (stored if stored.exists() else large).stat().st_size
        assert size > 190 * _MB
        tracemalloc.start()
        try:
            WORK[name](reader)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # A block of the file, and what is computed of it.
    assert peak < 96 * _MB
