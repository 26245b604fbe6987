"""Ion images as files: OME-TIFF, OME-Zarr, CSV; called in threads.

OME-Zarr is written as napari's own "Save layers" of this plugin writes it.
"""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import CancelledError, SettingsError
from napari_scope.fileio import replace_file
from napari_scope.widgets.common.small_files import save_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    LayerTuple = tuple[Any, dict[str, Any], str]

__all__ = ["save_images_csv", "save_images_tiff", "save_images_zarr"]


def _stack(layers: Sequence[LayerTuple]) -> tuple[npt.NDArray[Any], list[str]]:
    """Return images of one size as one array, and their names."""
    if not layers:
        raise SettingsError(
            "there is no ion image to save", hint="add an ion image first"
        )
    images = [np.asarray(data) for data, _, _ in layers]
    names = [str(arguments.get("name", "")) for _, arguments, _ in layers]
    for image, name in zip(images, names, strict=True):
        if image.shape != images[0].shape:
            raise SettingsError(
                f"{name} has {image.shape} pixels, {names[0]} has {images[0].shape}",
                hint="show the ion images of one data set only",
            )
    return np.stack(images), names


def save_images_zarr(
    path: Path,
    layers: Sequence[LayerTuple],
    cancelled: Callable[[], bool],
    progress: Callable[[float], None],
) -> Path:
    """Save ion images as an OME-Zarr store; returns its path.

    Raises
    ------
    OutputExistsError
        If there is something: folders are not replaced.
    """
    from napari_scope.layers.saving import save_layers

    _stack(layers)
    return save_layers(
        path,
        layers,
        progress=lambda done, whole: progress(done / max(1, whole)),
        cancelled=cancelled,
    )


def save_images_tiff(path: Path, layers: Sequence[LayerTuple]) -> Path:
    """Save ion images as the channels of an OME-TIFF file; returns its path."""
    import tifffile

    images, names = _stack(layers)
    arguments = layers[0][1]
    axes = "CZYX" if images.ndim == 4 else "CYX"
    metadata: dict[str, Any] = {"axes": axes, "Channel": {"Name": names}}
    if "micrometer" in str(arguments.get("units", "")):
        metadata |= _places(arguments, images.shape)
    out = io.BytesIO()
    tifffile.imwrite(out, images, ome=True, metadata=metadata, photometric="minisblack")
    replace_file(path, out.getvalue())
    return path


def _places(arguments: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """Return size and place of the pixels, as OME has them."""
    found: dict[str, Any] = {}
    n = len(shape) - 1
    names = ("Z", "Y", "X")[-n:]
    for name, step in zip(names, tuple(arguments["scale"])[-n:], strict=True):
        found[f"PhysicalSize{name}"] = float(step)
        found[f"PhysicalSize{name}Unit"] = "µm"
    starts = [float(start) for start in tuple(arguments["translate"])[-n:]]
    step_z = float(arguments["scale"][-3]) if n == 3 else 0.0
    planes = list(np.ndindex(shape[:-2]))
    plane: dict[str, Any] = {}
    for name, start in zip(names, starts, strict=True):
        moved = step_z if name == "Z" else 0.0
        plane[f"Position{name}"] = [start + moved * index[-1] for index in planes]
        plane[f"Position{name}Unit"] = ["µm"] * len(planes)
    return found | {"Plane": plane}


def save_images_csv(
    path: Path, layers: Sequence[LayerTuple], cancelled: Callable[[], bool]
) -> Path:
    """Save ion images as a table: a row for each pixel, a column for each image."""
    images, names = _stack(layers)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    axes = ("z", "y", "x")[-(images.ndim - 1) :]
    writer.writerow([*axes, *names])
    for index in np.ndindex(images.shape[1:]):
        if not index[-1] and cancelled():
            raise CancelledError("the table was cancelled", path=os.fspath(path))
        values = images[(slice(None), *index)].tolist()
        writer.writerow([*index, *(f"{value:.9g}" for value in values)])
    return save_text(path, out.getvalue(), "the ion images")
