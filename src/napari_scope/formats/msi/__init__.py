"""Mass-spectrometry images: readers, ion images, spectra, whatever the format."""

from napari_scope.formats.msi.blocks import Spectrum
from napari_scope.formats.msi.choosing import (
    MultiDataReader,
    MultiDataRegionReader,
    RegionReader,
)
from napari_scope.formats.msi.data import MSIData
from napari_scope.formats.msi.normalise import Normalisation, Reference
from napari_scope.formats.msi.opening import format_of, open_msi
from napari_scope.formats.msi.pixels import PixelTable, Region
from napari_scope.formats.msi.reader import MSIReader, available_formats
from napari_scope.formats.msi.spectra import MetadataValue, PixelSize, Spectra
from napari_scope.formats.msi.summaries import Summary
from napari_scope.formats.msi.windows import ToleranceUnit, mz_window

__all__ = [
    "MSIData",
    "MSIReader",
    "MetadataValue",
    "MultiDataReader",
    "MultiDataRegionReader",
    "Normalisation",
    "PixelSize",
    "PixelTable",
    "Reference",
    "Region",
    "RegionReader",
    "Spectra",
    "Spectrum",
    "Summary",
    "ToleranceUnit",
    "available_formats",
    "format_of",
    "mz_window",
    "open_msi",
]
