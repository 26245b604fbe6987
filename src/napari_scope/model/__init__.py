"""Frozen value objects that every other room speaks in; standard library only."""

from napari_scope.model.axes import (
    AXIS_ORDER,
    Axes,
    Axis,
    AxisKind,
    axis_kind,
    canonical,
    short,
    sort_names,
)
from napari_scope.model.dataset import (
    Channel,
    Dataset,
    FrameTable,
    Image,
    Labels,
    LevelArray,
)

__all__ = [
    "AXIS_ORDER",
    "Axes",
    "Axis",
    "AxisKind",
    "Channel",
    "Dataset",
    "FrameTable",
    "Image",
    "Labels",
    "LevelArray",
    "axis_kind",
    "canonical",
    "short",
    "sort_names",
]
