"""Arrays that read late: lazy views, frames on demand, and halving kernels."""

from napari_scope.arrays.downsample import halve, halved_shape, pyramid_shapes
from napari_scope.arrays.lazy import (
    BlockSource,
    FrameSource,
    LazyArray,
    MemorySource,
)

__all__ = [
    "BlockSource",
    "FrameSource",
    "LazyArray",
    "MemorySource",
    "halve",
    "halved_shape",
    "pyramid_shapes",
]
