"""OME-TIFF: writing files that are valid after every frame, repairing killed ones."""

from napari_scope.formats.ometiff.document import (
    PIXEL_TYPES,
    OmeImage,
    OmePlate,
    dimension_order,
)
from napari_scope.formats.ometiff.names import stem_of
from napari_scope.formats.ometiff.packing import COMPRESSIONS, Compression
from napari_scope.formats.ometiff.repair import repair_tiff
from napari_scope.formats.ometiff.writer import FrameItem, OmeTiffWriter

__all__ = [
    "COMPRESSIONS",
    "PIXEL_TYPES",
    "Compression",
    "FrameItem",
    "OmeImage",
    "OmePlate",
    "OmeTiffWriter",
    "dimension_order",
    "repair_tiff",
    "stem_of",
]
