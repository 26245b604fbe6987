"""What an OME-TIFF cannot hold, refused before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import SettingsError
from napari_scope.formats.ometiff.document import PIXEL_TYPES

if TYPE_CHECKING:
    from napari_scope.formats.ometiff.document import OmeImage, OmePlate

__all__ = ["check_image"]


def check_image(image: OmeImage, first: OmeImage, plate: OmePlate | None) -> None:
    """Refuse an image that cannot be stored, or not beside the first one.

    Raises
    ------
    SettingsError
        With what to change.
    """
    if image.dtype not in PIXEL_TYPES:
        raise SettingsError(
            f"OME-TIFF has no name for pixels of type {image.dtype}",
            hint=f"use one of {', '.join(PIXEL_TYPES)}",
        )
    if (image.frame_shape, image.dtype) != (first.frame_shape, first.dtype):
        raise SettingsError(
            f"all images of an OME-TIFF have one kind of frame, found "
            f"{first.frame_shape} {first.dtype} and {image.frame_shape} {image.dtype}"
        )
    if len(image.frame_shape) == 3 and image.dtype not in ("uint8", "uint16"):
        raise SettingsError(
            f"colour frames of type {image.dtype} cannot be stored as OME-TIFF",
            hint="use uint8 or uint16",
        )
    if image.well is not None:
        row, column = image.well
        if plate is None or row not in plate.rows or column not in plate.columns:
            raise SettingsError(
                f"the image {image.name!r} lies in the well {row}/{column}, which the "
                "plate does not have"
            )
