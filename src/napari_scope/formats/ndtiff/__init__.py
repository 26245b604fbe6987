"""NDTiff, the format of Micro-Manager and pycro-manager: writing, reading, opening."""

from napari_scope.formats.ndtiff.dataset import Dataset
from napari_scope.formats.ndtiff.encoding import FrameItem
from napari_scope.formats.ndtiff.files import FrameLocation
from napari_scope.formats.ndtiff.opening import open_ndtiff
from napari_scope.formats.ndtiff.reader import NDTiffReader
from napari_scope.formats.ndtiff.tiles import TiledNDTiffWriter
from napari_scope.formats.ndtiff.writer import NDTiffWriter

__all__ = [
    "Dataset",
    "FrameItem",
    "FrameLocation",
    "NDTiffReader",
    "NDTiffWriter",
    "TiledNDTiffWriter",
    "open_ndtiff",
]
