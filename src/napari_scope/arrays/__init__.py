"""Arrays that read late: lazy views, frames on demand, mosaics, halving kernels."""

from napari_scope.arrays.downsample import halve, halved_shape, pyramid_shapes
from napari_scope.arrays.lazy import LazyArray
from napari_scope.arrays.mosaic import MosaicSource
from napari_scope.arrays.sources import BlockSource, FrameSource, MemorySource

__all__ = [
    "BlockSource",
    "FrameSource",
    "LazyArray",
    "MemorySource",
    "MosaicSource",
    "halve",
    "halved_shape",
    "pyramid_shapes",
]
