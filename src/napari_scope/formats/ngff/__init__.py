"""OME-Zarr (OME-NGFF): reading versions 0.1 to 0.5, writing 0.5."""

from napari_scope.formats.ngff.reader import open_ngff

__all__ = ["open_ngff"]
