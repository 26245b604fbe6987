"""mzML with images: one XML file, one data set for each kind of scan."""

from napari_scope.formats.msi.mzml.reader import MzMLReader

__all__ = ["MzMLReader"]
