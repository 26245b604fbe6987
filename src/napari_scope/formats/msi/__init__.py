"""Mass-spectrometry images: readers, ion images, spectra, whatever the format."""

from napari_scope.formats.msi.data import MSIData, ToleranceUnit, mz_window
from napari_scope.formats.msi.opening import format_of, open_msi
from napari_scope.formats.msi.pixels import PixelTable, Region
from napari_scope.formats.msi.reader import (
    MSIReader,
    MultiDataReader,
    MultiDataRegionReader,
    RegionReader,
    available_formats,
)
from napari_scope.formats.msi.spectra import (
    MetadataValue,
    PixelSize,
    Spectra,
    Spectrum,
)

__all__ = [
    "MSIData",
    "MSIReader",
    "MetadataValue",
    "MultiDataReader",
    "MultiDataRegionReader",
    "PixelSize",
    "PixelTable",
    "Region",
    "RegionReader",
    "Spectra",
    "Spectrum",
    "ToleranceUnit",
    "available_formats",
    "format_of",
    "mz_window",
    "open_msi",
]
