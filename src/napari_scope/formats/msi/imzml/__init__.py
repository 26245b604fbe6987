"""imzML: an XML file that says where, in a second file, the spectra lie."""

from napari_scope.formats.msi.imzml.reader import ImzMLReader

__all__ = ["ImzMLReader"]
