"""Mass-spectrometry images for tests: a disc, a ring and a background, each an ion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.msi import PixelTable, Spectrum
from napari_scope.formats.msi.imzml.writer import ImzMLWriter
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.reader import MSIReader
from napari_scope.formats.msi.registry import _KNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_scope.formats.msi import Spectra

DISC, RING, EVERYWHERE = 500.25, 700.5, 885.55


def shares(x: int, y: int, width: int, height: int) -> tuple[float, float, float]:
    """Return how much of each ion a pixel has."""
    away = np.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5)
    return (
        float(np.exp(-((away / 0.15) ** 2))),
        float(np.exp(-(((away - 0.35) / 0.06) ** 2))),
        0.3,
    )


def write_peaks(path: Path, width: int = 12, height: int = 8, noise: int = 30) -> Path:
    """Write an imzML file in which each spectrum has peaks of its own."""
    rng = np.random.default_rng(3)
    with ImzMLWriter(path, pixel_um=(20, 20), origin_um=(100, 40)) as writer:
        for y in range(height):
            for x in range(width):
                mz = np.concatenate(
                    [[DISC, RING, EVERYWHERE], rng.uniform(400, 1000, noise)]
                )
                heights = np.concatenate(
                    [
                        1000 * np.array(shares(x, y, width, height)),
                        rng.gamma(1.0, 8.0, noise),
                    ]
                )
                order = np.argsort(mz)
                writer.write(x, y, mz[order], heights[order])
    return path


def write_profiles(
    path: Path, width: int = 10, height: int = 8, bins: int = 2000
) -> Path:
    """Write an imzML file of profiles over one axis."""
    rng = np.random.default_rng(4)
    mz = np.linspace(400, 1000, bins)
    shapes = [np.exp(-(((mz - m) / 0.6) ** 2)) for m in (DISC, RING, EVERYWHERE)]
    with ImzMLWriter(path, mz=mz, pixel_um=(50, 50), is_profile=True) as writer:
        for y in range(height):
            for x in range(width):
                parts = shares(x, y, width, height)
                values = sum(1000 * p * s for p, s in zip(parts, shapes, strict=True))
                writer.write(x, y, None, values + rng.gamma(1.0, 4.0, bins))
    return path


class TwoScans(MSIReader):
    """A reader with an MS1 and an MS2 data set that belong together, in memory.

    The MS1 data set has two regions.
    """

    name = "two-scans-for-tests"

    @classmethod
    def is_valid_dataset(cls, name: object) -> bool:
        return False

    @classmethod
    def supports_multidata(cls) -> bool:
        return True

    def _open(self) -> Sequence[Spectra]:
        table = PixelTable.of(
            [0, 1, 2, 3], [0, 0, 0, 0], region=[0, 0, 1, 1], names=("left", "right")
        )
        first = MemorySpectra.over(
            [100.0, 200.0], [[1, 0], [2, 0], [0, 3], [0, 4]], table, "MS1"
        )
        second = MemorySpectra(
            "MS2 of 100",
            PixelTable.of([0, 1], [0, 0]),
            [
                Spectrum(np.array([50.0]), np.array([7.0])),
                Spectrum(np.array([60.0, 70.0]), np.array([1.0, 9.0])),
            ],
            is_profile=False,
        )
        return [first, second]

    def get_dataset_dependencies(self) -> list[object]:
        there = self._depends("MS2_100", "co_modality", "fragments", dataset=1)
        back = self._depends("MS1", "co_modality", "precursors", dataset=0)
        return [[there], [back]]


# Other tests ask which formats there are; a class is known as soon as it is defined.
_KNOWN.pop(TwoScans.format_name(), None)
