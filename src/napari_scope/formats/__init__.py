"""Files: telling what a path holds, reading it, writing it."""

from napari_scope.formats.analysis import to_dask
from napari_scope.formats.detect import Format, detect
from napari_scope.formats.opening import open_dataset

__all__ = ["Format", "detect", "open_dataset", "to_dask"]
