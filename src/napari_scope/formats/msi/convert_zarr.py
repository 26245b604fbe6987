"""Ion images as OME-Zarr: a channel for each ion, regions as labels.

The image has the axes c, y, x, or c, z, y, x, with the size of the pixels and the place
of the image in micrometers where the file tells them. Which ion a channel is stands in
our own attributes of the image, under ``napari_scope`` and ``msi``. Images that take
little memory are computed first, so that the display range of each is known; others one
after the other while they are written.
"""

from __future__ import annotations

import math
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import DiskSpaceError, OutputExistsError, SettingsError
from napari_scope.formats.msi.passes import part_of, silent
from napari_scope.formats.msi.windows import mz_window
from napari_scope.formats.ngff.metadata import NGFF_VERSIONS
from napari_scope.formats.ngff.saving.images import (
    SavedImage,
    SavedLabels,
    save_store,
)
from napari_scope.formats.replacing import check_replaceable
from napari_scope.model import Axis, Channel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.msi.blocks import How
    from napari_scope.formats.msi.convert_ions import Ion
    from napari_scope.formats.msi.data import Image, MSIData
    from napari_scope.formats.msi.normalise import Normalisation
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.ngff.saving.arrays import PixelSource

__all__ = ["check_target", "ion_member", "write_ion_images"]

_MOST_KEPT = 256 << 20  # bytes of images that are computed before they are written
_BRIGHT = 99.5  # percentile of the pixels above 0 that is shown at full brightness
_COLORS = ("#FFFFFF", "#00FF00", "#FF00FF", "#00FFFF", "#FFFF00", "#FF0000", "#0080FF")


def _shape(data: MSIData, ions: Sequence[Ion]) -> tuple[int, ...]:
    width, height, depth = data.pixels.shape
    plane = (depth, height, width) if data.pixels.is_volume else (height, width)
    return (max(1, len(ions)), *plane)


class _IonPixels:
    """The images of ions as they are computed, in the order of the channels."""

    chunks: tuple[int, ...] | None = None
    dtype = np.dtype(np.float32)

    def __init__(
        self,
        data: MSIData,
        ions: Sequence[Ion],
        how: How,
        normalise: Normalisation,
        hotspot: float | None,
        cancelled: Cancelled,
    ) -> None:
        self.shape = _shape(data, ions)
        self._start = partial(_images, data, ions, how, normalise, hotspot, cancelled)
        self._images: Iterator[Image] = self._start()
        self._at = -1
        self._image: Image | None = None

    def read(self, block: tuple[slice, ...]) -> npt.NDArray[np.generic]:
        """Read a part of one or several images."""
        channels = range(self.shape[0])[block[0]]
        return np.stack([self._channel(c)[block[1:]] for c in channels])

    def _channel(self, c: int) -> Image:
        if c < self._at:
            self._images, self._at = self._start(), -1
        while self._at < c:
            self._image, self._at = next(self._images), self._at + 1
        assert self._image is not None
        return self._image


def _images(
    data: MSIData,
    ions: Sequence[Ion],
    how: How,
    normalise: Normalisation,
    hotspot: float | None,
    cancelled: Cancelled,
    progress: Progress = silent,
) -> Iterator[Image]:
    if not ions:
        yield data.tic_image(cancelled=cancelled, progress=progress)
        return
    yield from data.ion_images(
        [(ion.mz, ion.tolerance, ion.unit) for ion in ions],
        how,
        normalise=normalise,
        hotspot=hotspot,
        cancelled=cancelled,
        progress=progress,
    )


class _Array:
    """An array in memory as it is saved."""

    chunks: tuple[int, ...] | None = None

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self.values = values
        self.shape = values.shape
        self.dtype = values.dtype

    def read(self, block: tuple[slice, ...]) -> npt.NDArray[np.generic]:
        return self.values[block]


def ion_member(
    data: MSIData,
    ions: Sequence[Ion],
    name: str,
    told: dict[str, object],
    *,
    how: How = "sum",
    normalise: Normalisation = "none",
    hotspot: float | None = None,
    cancelled: Cancelled,
    progress: Progress = silent,
) -> SavedImage:
    """Return the images of one data set as an image to save.

    Parameters
    ----------
    data : MSIData
        The data set, or some of its regions.
    ions : sequence of Ion
        The channels; without any the sum of all intensities is the only one.
    name : str
        Name of the image.
    told : dict
        What else the metadata say.
    how, normalise, hotspot, cancelled
        See `MSIData.ion_image`.
    progress : callable
        Told what part is computed, if it is computed now.
    """
    if not len(data):
        raise SettingsError(f"{name} has no spectrum, so there is no image of it")
    axes = _axes(data)
    titles = [ion.title for ion in ions] or ["TIC"]
    pixels: PixelSource
    limits: list[tuple[float, float] | None] = [None] * len(titles)
    if 4 * math.prod(_shape(data, ions)) <= _MOST_KEPT:
        found = _images(
            data, ions, how, normalise, hotspot, cancelled, part_of(progress, 0.0, 0.9)
        )
        kept = np.empty(_shape(data, ions), np.float32)
        for k, image in enumerate(found):
            kept[k] = image
        limits = [_limits(image) for image in kept]
        pixels = _Array(kept)
        progress(1.0)
    else:
        pixels = _IonPixels(data, ions, how, normalise, hotspot, cancelled)
    channels = tuple(
        Channel(title, _COLORS[k % len(_COLORS)], limits[k], visible=k < 4)
        for k, title in enumerate(titles)
    )
    listed = []
    for ion in ions:
        low, high = mz_window(ion.mz, ion.tolerance, ion.unit)
        listed.append(
            {
                "name": ion.title,
                "mz": ion.mz,
                "tolerance": ion.tolerance,
                "unit": ion.unit,
                "mz_low": low,
                "mz_high": high,
            }
        )
    own = {
        **told,
        "ions": listed,
        "how": how,
        "normalise": normalise if isinstance(normalise, str) else repr(normalise),
        "hotspot": hotspot,
    }
    axes = (Axis("c", "channel", labels=tuple(titles)), *axes)
    return SavedImage(
        name, axes, pixels, channels, _region_labels(data), own={"msi": own}
    )


def _limits(image: Image) -> tuple[float, float] | None:
    """Return 0 and what is bright; None if there is nothing above 0."""
    above = image[np.isfinite(image) & (image > 0)]
    return (0.0, float(np.percentile(above, _BRIGHT))) if len(above) else None


def _axes(data: MSIData) -> tuple[Axis, ...]:
    size = data.spectra.pixel_size
    x, y, z = data.pixels.origin
    unit = None if size is None else "micrometer"
    places = {"z": (1.0, float(z)), "y": (1.0, float(y)), "x": (1.0, float(x))}
    if size is not None:
        places = {
            "z": (size.z_um, size.front_um + z * size.z_um),
            "y": (size.y_um, size.top_um + y * size.y_um),
            "x": (size.x_um, size.left_um + x * size.x_um),
        }
    names = "zyx" if data.pixels.is_volume else "yx"
    return tuple(Axis(name, "space", unit, *places[name]) for name in names)


def _region_labels(data: MSIData) -> tuple[SavedLabels, ...]:
    """Return the regions as labels, if there are several: number + 1."""
    table = data.pixels
    if len(table.regions) < 2:
        return ()
    image = table.image((table.region + 1).astype(np.int32))
    names = {region.index + 1: {"name": region.name} for region in table.regions}
    return (SavedLabels("regions", _axes(data), _Array(image), properties=names),)


def check_target(target: Path, version: str | None, overwrite: bool) -> None:
    """Refuse what cannot be written, before anything is computed.

    Raises
    ------
    SettingsError
        If there is no such version.
    OutputExistsError
        If the target exists and is not to be replaced.
    """
    if version is not None and version not in NGFF_VERSIONS:
        raise SettingsError(
            f"OME-Zarr {version!r} is not written",
            hint=f"use one of {', '.join(sorted(NGFF_VERSIONS))}",
        )
    if os.path.lexists(target):
        if not overwrite:
            raise OutputExistsError(
                "the output exists", path=target, hint="choose another name"
            )
        check_replaceable(target)


def write_ion_images(
    target: Path,
    members: Sequence[SavedImage],
    *,
    version: str | None,
    overwrite: bool,
    cancelled: Cancelled,
    progress: Progress,
) -> None:
    """Write images as one store; see `napari_scope.formats.ngff.saving.images`."""
    more = {} if version is None else {"version": version}
    try:
        save_store(
            target,
            members,
            overwrite=overwrite,
            progress=lambda done, total: progress(done / max(1, total)),
            cancelled=cancelled,
            **more,
        )
    except DiskSpaceError as error:
        # It names a hidden folder, which is gone by now.
        raise DiskSpaceError(error.message, path=target, hint=error.hint) from error
