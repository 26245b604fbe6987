"""Readers of mass-spectrometry images for tests: in memory, or held up at will."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.formats.msi import (
    MSIReader,
    PixelSize,
    PixelTable,
    Spectrum,
    registry,
)
from napari_scope.formats.msi.memory import MemorySpectra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_scope.formats.msi import Spectra
    from napari_scope.formats.msi.blocks import Block, Numbers

MZ = np.array([100.0, 100.5, 102.0, 110.0])  # not even


def memory_reader(*spectra: Spectra, path: str = "/data/brain.mem") -> MSIReader:
    """Return a reader of what is in memory, unknown to the registry."""
    known = dict(registry._KNOWN)

    class Invented(MSIReader):
        name = "invented"
        closed = False

        def _open(self) -> Sequence[Spectra]:
            return spectra

        def _close(self) -> None:
            type(self).closed = True

        @classmethod
        def is_valid_dataset(cls, name: Any) -> bool:
            return False

    registry._KNOWN.clear()
    registry._KNOWN.update(known)
    return Invented(path)


def over_one_axis(mz: Any = MZ, **known: Any) -> MemorySpectra:
    """Return five spectra on a grid of 3 x 2 pixels that begins at (4, 7)."""
    table = PixelTable.of(
        [4, 5, 6, 4, 6], [7, 7, 7, 8, 8], region=[0, 0, 1, 0, 1], names=["left", ""]
    )
    values = np.arange(5 * len(mz), dtype="u2").reshape(5, len(mz)) + 1
    return MemorySpectra.over(mz, values, table, "ms1", **known)


def each_its_own(*, is_profile: bool) -> MemorySpectra:
    """Return spectra with m/z values of their own, one of them empty."""
    random = np.random.default_rng(3)
    spectra = [
        Spectrum(np.sort(random.uniform(100, 101, n)), random.uniform(1, 9, n))
        for n in (20, 35, 0, 4)
    ]
    table = PixelTable.of([0, 1, 2, 1], [0, 0, 0, 1])
    return MemorySpectra("own", table, spectra, is_profile=is_profile)


def sized() -> PixelSize:
    """Return pixels of 20 x 10 micrometers whose first one lies at (1000, 500)."""
    return PixelSize(20.0, 10.0, left_um=1000.0, top_um=500.0)


class HeldSpectra(MemorySpectra):
    """Spectra that come one by one, each when it is let through."""

    def __init__(self, *arguments: Any, **known: Any) -> None:
        super().__init__(*arguments, **known)
        self.gate = threading.Semaphore(0)
        self.error: Exception | None = None

    def let(self, count: int) -> None:
        """Let some more reads through."""
        self.gate.release(count)

    def _pass(self) -> None:
        assert self.gate.acquire(timeout=30)
        if self.error is not None:
            raise self.error

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """Yield blocks of one spectrum."""
        for number in np.arange(len(self)) if numbers is None else numbers:
            self._pass()
            yield from super().blocks(np.array([number]))

    def columns(self, bins: Numbers, numbers: Numbers | None = None) -> Any:
        """Read some bins; one read for the gate."""
        self._pass()
        assert self.common_mz is not None
        chosen = range(len(self)) if numbers is None else numbers
        return np.stack([self._of_each[n].intensities[bins] for n in chosen])


def held() -> HeldSpectra:
    """Return five spectra over one axis that are held up."""
    free = over_one_axis(np.arange(60) + 200.0)
    spectra = [free.spectrum(number) for number in range(len(free))]
    return HeldSpectra("held", free.pixels, spectra, common_mz=free.common_mz)
