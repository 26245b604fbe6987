"""Analyze 7.5 with mass spectra: .hdr, .img and .t2m files of one name."""

from napari_scope.formats.msi.analyze.reader import AnalyzeReader

__all__ = ["AnalyzeReader"]
