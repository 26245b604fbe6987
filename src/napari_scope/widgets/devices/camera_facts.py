"""What the current camera delivers, as the docks show it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.acquire import camera_frame
from napari_scope.errors import HardwareError

if TYPE_CHECKING:
    import numpy as np
    from pymmcore_plus import CMMCorePlus

__all__ = ["CameraFacts", "describe_camera", "read_camera"]


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What the current camera delivers.

    Parameters
    ----------
    name : str
        Label of the device.
    frame_shape : tuple of int
        Shape of a frame as it is saved: (height, width), or (height, width, 3).
    dtype : numpy.dtype
        Type of its pixels.
    bit_depth : int
        Significant bits of one component.
    pixel_size_um : float
        Size of a pixel in the sample; 0 where it is not calibrated.
    """

    name: str
    frame_shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    bit_depth: int
    pixel_size_um: float


def read_camera(core: CMMCorePlus) -> CameraFacts | None:
    """Return what the current camera delivers, None without one that can be used."""
    try:
        shape, dtype = camera_frame(core)
        name, bits, size = (
            core.getCameraDevice(),
            core.getImageBitDepth(),
            core.getPixelSizeUm(),
        )
    except (HardwareError, RuntimeError):
        return None
    return CameraFacts(
        name=name,
        frame_shape=shape,
        dtype=dtype,
        bit_depth=bits,
        pixel_size_um=size if math.isfinite(size) else 0.0,
    )


def describe_camera(camera: CameraFacts) -> str:
    """Return the facts in one line."""
    height, width = camera.frame_shape[:2]
    kind = f"{camera.bit_depth} bit" if len(camera.frame_shape) == 2 else "colour"
    size = (
        f"{camera.pixel_size_um:g} µm per pixel"
        if camera.pixel_size_um
        else "pixel size not calibrated"
    )
    return f"{camera.name}: {width} × {height}, {kind}, {size}"
