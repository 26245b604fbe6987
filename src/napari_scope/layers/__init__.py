"""From data sets to napari's layers; knows what napari wants, never imports it."""

from napari_scope.layers.build import MAX_LAYERS, dataset_to_layers, image_to_layers
from napari_scope.layers.describe import LayerData
from napari_scope.layers.origin import LayerOrigin, origin_of
from napari_scope.layers.shared import SharedLayers, shared_layers

__all__ = [
    "MAX_LAYERS",
    "LayerData",
    "LayerOrigin",
    "SharedLayers",
    "dataset_to_layers",
    "image_to_layers",
    "origin_of",
    "shared_layers",
]
