"""The spectra that are chosen of one data set, as a cube and one by one.

What is chosen acts as if it were all there is. The cube has the axes (x, y, m/z), or
(x, y, z, m/z); where a pixel has no spectrum there are zeros. What is computed of the
spectra is in `napari_scope.formats.msi.data`.

Examples
--------
>>> chosen = ChosenSpectra(spectra)  # doctest: +SKIP
>>> chosen[3, 4], chosen.spectrum_at(3, 4)  # doctest: +SKIP
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_scope.formats.msi.blocks import Spectrum
from napari_scope.formats.msi.cube import read_cube
from napari_scope.formats.msi.passes import never, silent
from napari_scope.formats.msi.shared import Shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.msi.axes import CubeAxis
    from napari_scope.formats.msi.blocks import Floats, How, Numbers
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.pixels import PixelTable
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["ChosenSpectra"]

Value = TypeVar("Value", bound=np.generic)


class ChosenSpectra:
    """Some spectra of a data set, or all.

    Parameters
    ----------
    spectra : Spectra
        The data set.
    numbers : ndarray of int64, optional
        Which of its spectra; all if not given.
    shared : Shared, optional
        What was found out about the data set; a new one if not given.
    """

    def __init__(
        self,
        spectra: Spectra,
        numbers: Numbers | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.spectra = spectra
        self.numbers = numbers
        self.shared = shared or Shared(spectra)

    @property
    def axis(self) -> CubeAxis:
        """The m/z axis of the cube."""
        return self.shared.axis

    @cached_property
    def pixels(self) -> PixelTable:
        """Where the chosen spectra lie."""
        table = self.spectra.pixels
        return table if self.numbers is None else table.only(self.numbers)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def mz(self) -> npt.NDArray[Any]:
        """The m/z axis of the cube, (bins,)."""
        return self.axis.mz

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the cube: that of the file where it has a common axis."""
        if self.spectra.common_mz is not None:
            return self.spectra.intensity_dtype
        return np.result_type(self.spectra.intensity_dtype, np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cube: (x, y, m/z), of a volume (x, y, z, m/z)."""
        width, height, depth = self.pixels.shape
        if self.pixels.is_volume:
            return width, height, depth, len(self.mz)
        return width, height, len(self.mz)

    @property
    def ndim(self) -> int:
        """Number of axes of the cube."""
        return 4 if self.pixels.is_volume else 3

    def number_in_file(self, number: int) -> int:
        """Return which spectrum of the data set one of the chosen ones is."""
        return number if self.numbers is None else int(self.numbers[number])

    def spectrum_at(self, x: int, y: int, z: int = 0) -> Spectrum:
        """Return the spectrum of a pixel, as it is in the file.

        Two arrays of length 0 where there is no spectrum.

        Raises
        ------
        IndexError
            If the place lies outside of the image.
        """
        number = self.pixels.number_at(x, y, z)
        if number is None:
            nothing = np.zeros(0, self.spectra.mz_dtype)
            return Spectrum(nothing, np.zeros(0, self.spectra.intensity_dtype))
        return self.spectra.spectrum(self.number_in_file(number))

    def spectrum_iter(self) -> Iterator[tuple[tuple[int, ...], npt.NDArray[Any]]]:
        """Yield place, (x, y) or (x, y, z), and intensities on `mz` of each."""
        table = self.pixels
        corner = table.origin
        columns = [
            c - o for c, o in zip((table.x, table.y, table.z), corner, strict=True)
        ]
        axes = columns if table.is_volume else columns[:2]
        done = 0
        for block in self.spectra.blocks(self.numbers):
            for k in range(len(block)):
                place = tuple(int(axis[done]) for axis in axes)
                yield place, self.axis.place(*block.spectrum(k)).astype(self.dtype)
                done += 1

    def image(self, values: npt.NDArray[Value]) -> npt.NDArray[Value]:
        """Lay one value for each chosen spectrum out as an image."""
        return self.pixels.image(values)

    def window(
        self,
        low: float,
        high: float,
        how: How = "sum",
        *,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> Floats:
        """Return one number for each chosen spectrum from low <= m/z <= high."""
        return self.shared.window(low, high, how, self.numbers, cancelled, progress)

    @property
    def index_ready(self) -> bool:
        """Whether ion images are as quick as they can be."""
        return self.shared.is_quick

    def prepare_index(
        self,
        *,
        memory_mb: float = 256,
        cache_dir: Path | None = None,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> bool:
        """Sort the peaks by m/z, for ion images in a millisecond; not for the GUI.

        Returns whether ion images are quick then: True at once over a common axis,
        False where there is no room for the table.

        Parameters
        ----------
        memory_mb : float
            Largest table in memory; a larger one is kept in a cache on disk.
        cache_dir : Path, optional
            Another folder for it than the user's.
        cancelled, progress : callable
            See `MSIData`. Closing the reader cancels it, too.

        Raises
        ------
        CancelledError
            If it was cancelled.
        """
        size = int(memory_mb * (1 << 20))
        return self.shared.prepare(size, cache_dir, cancelled, progress)

    def close_index(self) -> None:
        """Let go of the sorted peaks; images are read from the file again.

        It waits for nobody: images that are being made are read from the file, and
        peaks that are being sorted are given up.
        """
        self.shared.close_index()

    def __getitem__(self, index: Any) -> npt.NDArray[Any]:
        """Read a part of the cube.

        Integers, slices and an ellipsis are understood, and on one axis a list of
        numbers or a mask. Axes stay where they are, as those of h5py do; numpy moves
        that of a list in front where an integer stands apart from it.

        Raises
        ------
        IndexError
            If the index does not fit the shape.
        """
        return read_cube(self, index)
