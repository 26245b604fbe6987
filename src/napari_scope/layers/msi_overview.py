"""What a folder's list shows of mass-spectrometry images: a few facts and a picture.

The picture is the sum of all intensities of the first data set. Where the file tells
the sums nothing is read; of a small file all spectra are, of a large one those of a
coarse grid of pixels.

Examples
--------
>>> msi_picture("brain.imzML", 128).shape  # doctest: +SKIP
(67, 87, 3)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.msi import Spectra
    from napari_scope.formats.tree_node import Node

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float64]

__all__ = ["msi_picture", "msi_shape_words"]

_SMALL: Final = 32 << 20  # bytes of spectra that are all read for a picture
_MOST_SPECTRA: Final = 4096  # of a larger file, each read for itself
_BRIGHT: Final = 99.5  # percentile of what is above 0 that is brightest

# Some colours of viridis, evenly spaced; between them they are mixed.
_VIRIDIS: Final = np.array(
    [
        (68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142),
        (31, 158, 137), (53, 183, 121), (110, 206, 88), (181, 222, 43), (253, 231, 37),
    ],
    np.float64,
)  # fmt: skip


def msi_shape_words(root: Node) -> str:
    """Return how large an acquisition is: pixels, data sets, regions, range of m/z."""
    facts = root.facts
    count = facts.count or 1
    words = [facts.shape_words]
    if count > 1:
        first = next((c for c in root.children() if c.facts.shape), None)
        words = [] if first is None else [first.facts.shape_words]
        words.append(f"{count:,} data sets")
    if facts.regions > 1:
        words.append(f"{facts.regions:,} regions")
    words.append(facts.mz_words)
    return ", ".join(word for word in words if word)


def msi_picture(place: str, size: int) -> Pixels | None:
    """Return a small picture of the sums of all intensities, None if there is none.

    Parameters
    ----------
    place : str
        The file or folder.
    size : int
        Longer side in pixels.

    Raises
    ------
    ScopeError, OSError, ValueError
        If the spectra cannot be read.
    """
    from napari_scope.formats.msi import open_msi

    with open_msi(place) as reader:
        spectra = next((one for one in reader.data_sets if len(one)), None)
        if spectra is None:
            return None
        stored = type(reader).size(place)
        return _enlarged(_painted(_sums(spectra, stored, size)), size)


def _sums(spectra: Spectra, stored: int | None, size: int) -> Floats:
    """Return the sums of one plane as an image, NaN where there is no spectrum.

    Parameters
    ----------
    spectra : Spectra
        The data set.
    stored : int, optional
        Bytes of the file.
    size : int
        How large the image is to be at most.
    """
    from napari_scope.formats.msi.maps import totals_of

    table = spectra.pixels
    width, height, depth = table.shape
    left, top, front = table.origin
    step = max(1, math.ceil(max(width, height) / size))
    known = spectra.totals is not None
    if not known and (stored is None or stored > _SMALL):
        step = max(step, math.ceil(math.sqrt(width * height / _MOST_SPECTRA)))
    x, y, z = table.x - left, table.y - top, table.z - front
    # Of a volume the plane in the middle that has the first spectrum after it.
    plane = int(z[z >= depth // 2].min(initial=depth - 1))
    wanted = (x % step == 0) & (y % step == 0) & (z == plane)
    numbers = np.flatnonzero(wanted)
    image = np.full((-(-height // step), -(-width // step)), np.nan)
    values = totals_of(spectra, numbers)
    image[y[numbers] // step, x[numbers] // step] = values
    return image


def _enlarged(pixels: Pixels | None, size: int) -> Pixels | None:
    """Return an image of few pixels with large ones, so that they are seen."""
    if pixels is None:
        return None
    times = max(1, size // max(pixels.shape[:2]))
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def _painted(image: Floats) -> Pixels | None:
    """Return an image in the colours that its layer has; black without a spectrum."""
    finite = np.isfinite(image)
    if not finite.any():
        return None
    above = image[finite & (image > 0)]
    high = float(np.percentile(above, _BRIGHT)) if above.size else 1.0
    place = (np.nan_to_num(image) / (high or 1.0)).clip(0, 1) * (len(_VIRIDIS) - 1)
    colours = np.stack(
        [np.interp(place, np.arange(len(_VIRIDIS)), band) for band in _VIRIDIS.T], -1
    )
    colours[~finite] = 0
    painted: Pixels = colours.round().astype(np.uint8)
    return painted
