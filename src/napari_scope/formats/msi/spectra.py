"""The spectra of one data set as they lie in a file: what a format has to offer.

A format implements three primitives, and whatever else is wanted follows from them:

- `Spectra.spectrum`: one spectrum,
- `Spectra.blocks`: all or some of them, many at a time, in bounded memory,
- `Spectra.window`: one number a spectrum for a window of m/z; what is here works for
  every format, one with a quicker way has its own.

All three are called from many threads at once: files are read at positions, nothing is
shared but what never changes. Intensities keep the type of the file, sums are float64.
Spectra know nothing of images, regions or selections.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.formats.msi.blocks import CommonBlock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_scope.formats.msi.blocks import (
        Block,
        Floats,
        How,
        Numbers,
        Spectrum,
        Values,
    )
    from napari_scope.formats.msi.pixels import PixelTable

__all__ = ["BLOCK_BYTES", "MetadataValue", "PixelSize", "Spectra"]

BLOCK_BYTES = 16 << 20
"""How much of a file a block holds, about."""


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Size of a pixel in micrometers, and where pixel (0, 0, 0) lies."""

    x_um: float
    y_um: float
    z_um: float = 1.0
    left_um: float = 0.0
    top_um: float = 0.0
    front_um: float = 0.0


@dataclass(frozen=True, slots=True)
class MetadataValue:
    """One thing that a file says of itself.

    Parameters
    ----------
    value : object
        A string, number, bool, or a list of these.
    unit : str
        Unit of the value, empty without one.
    description : str
        What it means.
    ontology : str
        Accession of the term in a controlled vocabulary, empty without one.
    """

    value: Any
    unit: str = ""
    description: str = ""
    ontology: str = ""


@dataclass(eq=False)
class Spectra(ABC):
    """The spectra of one data set.

    Parameters
    ----------
    name : str
        What the file calls the data set; a scan type of mzML, for example.
    pixels : PixelTable
        Where each spectrum lies.
    common_mz : ndarray, (bins,), optional
        The m/z axis if all spectra have the same one.
    intensity_dtype, mz_dtype : dtype
        Types of the values in the file.
    is_profile : bool, optional
        Whether the spectra are profiles (True) or peaks (False); None if unknown.
    pixel_size : PixelSize, optional
        How large a pixel is.
    metadata : mapping of str to MetadataValue
        What the file says of this data set.
    totals : ndarray of float64, (spectra,), optional
        Sums of all intensities where the file tells them.
    identity : str
        What tells these spectra from any others, for what is kept on disk about them;
        empty if they are not to be recognised again.
    cube_ppm : float
        Width of the bins of the cube where there is no common axis, in millionths of
        the m/z (`napari_scope.formats.msi.axes`).
    """

    name: str
    pixels: PixelTable
    intensity_dtype: np.dtype[Any]
    mz_dtype: np.dtype[Any]
    common_mz: Values | None = None
    is_profile: bool | None = None
    pixel_size: PixelSize | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)
    totals: Floats | None = None
    identity: str = ""
    cube_ppm: float = 15.0

    def __len__(self) -> int:
        return len(self.pixels)

    @abstractmethod
    def spectrum(self, number: int) -> Spectrum:
        """Return one spectrum; m/z ascending wherever the file has them so.

        Raises
        ------
        FormatError
            If it cannot be read, with the place in the file.
        DatasetClosedError
            If the file is closed.
        """

    @abstractmethod
    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """Yield some spectra, or all, in the order asked for, about 16 MB at a time.

        Parameters
        ----------
        numbers : ndarray of int64, optional
            Which ones; all if not given.
        """

    @abstractmethod
    def mz_range(self) -> tuple[float, float]:
        """Return the lowest and the highest m/z that is known without reading all.

        A format that would have to read every spectrum takes a sample of them.
        """

    def window(
        self,
        low: float,
        high: float,
        how: How = "sum",
        numbers: Numbers | None = None,
    ) -> Floats:
        """Return one number for each spectrum (asked for) from low <= m/z <= high.

        Parameters
        ----------
        low, high : float
            The window, closed on both sides.
        how : {"sum", "max", "mean"}
            What becomes of the intensities in it; 0 where there are none.
        numbers : ndarray of int64, optional
            Which spectra; all if not given.
        """
        parts = [block.window(low, high, how) for block in self.blocks(numbers)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def columns(self, bins: Numbers, numbers: Numbers | None = None) -> Values:
        """Return some bins of the common axis, (spectra, bins), in the file's type.

        Parameters
        ----------
        bins : ndarray of int64
            Which bins.
        numbers : ndarray of int64, optional
            Which spectra; all if not given.
        """
        parts = [
            block.intensities[:, bins]
            for block in self.blocks(numbers)
            if isinstance(block, CommonBlock)
        ]
        if not parts:
            return np.zeros((0, len(bins)), self.intensity_dtype)
        return np.concatenate(parts)
