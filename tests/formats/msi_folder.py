"""A folder with everything in it: mass spectra of all formats, images, foreign files.

Written without the readers that are tested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tests.formats.msi.analyze_files import write as write_analyze
from tests.formats.msi.flex_files import spot_name, write_sample, write_spot
from tests.formats.msi.imzml_files import Wild, over_one_axis
from tests.formats.msi.mzml_files import Scan, bruker, write_mzml
from tests.formats.ngff.ngff_stores import pixels, write_image

from napari_scope.formats.ndtiff.writer import NDTiffWriter

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

ENTRIES = {
    "brain.imzML": "msi",
    "cells.zarr": "ome-zarr",
    "loose": "msi",
    "run": "ndtiff",
    "scans.mzML": "msi",
    "slide.img": "msi",
    "tissue Spot List.txt": "msi",
}
"""What a list of the folder has, and of which format."""


def counts(seed: int, points: int = 50) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).integers(1, 100, points)


def scan(seed: int, x: int, y: int, text: str, level: int = 1) -> Scan:
    """Return a scan of a scan type at a place."""
    mz = np.arange(10) * 20.0 + 100 + 5 * level
    values = np.random.default_rng(seed).uniform(1, 9, 10)
    made = Scan(mz, values, filter=text, level=level)
    return bruker(made, x, y)


def write_imzml(path: Path, n: int = 6, width: int = 3) -> Path:
    """Write a small image; returns the .imzML file."""
    return Wild(over_one_axis(n, width), continuous=True).write(path)


def write_scans(path: Path) -> Path:
    """Write two scan types of 2 x 2 pixels."""
    scans = [
        scan(4 * k + level, k % 2, k // 2, f"FTMS ms{level}", level)
        for k in range(4)
        for level in (1, 2)
    ]
    return write_mzml(path, scans)


def write_tissue(folder: Path) -> Path:
    """Write spots of two regions; returns their list."""
    places = [(0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 4, 2), (1, 5, 2)]
    return write_sample(folder, {place: counts(k) for k, place in enumerate(places)})


def write_mixed(folder: Path) -> Path:
    """Write the whole; returns the folder."""
    folder.mkdir()
    write_imzml(folder / "brain.imzML")
    write_scans(folder / "scans.mzML")
    write_tissue(folder)
    for x in range(2):
        write_spot(folder / "loose", spot_name(x, 0), counts(x))
    cube = np.arange(24, dtype="i2").reshape(2, 3, 4)
    write_analyze(folder / "slide", cube, np.array([1.0, 2, 3, 4]))
    write_image(folder / "cells.zarr", "yx", pixels((4, 4)))
    with NDTiffWriter(folder / "run") as writer:
        writer.put({"time": 0}, np.zeros((8, 8), "u2"))
    # Foreign files of the same suffixes.
    write_analyze(folder / "mri", cube, None)
    (folder / "other.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(4096))
    (folder / "notes.txt").write_text("spots")
    (folder / "left over.ibd").write_bytes(bytes(16))
    return folder
