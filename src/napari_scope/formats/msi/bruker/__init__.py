"""Bruker flex: folders of spots, each with a file of counts and its calibration."""

from napari_scope.formats.msi.bruker.reader import BrukerFlexReader

__all__ = ["BrukerFlexReader"]
