"""From data sets to napari's layers; knows what napari wants, never imports it."""

from napari_scope.layers.build import (
    MAX_LAYERS,
    LayerData,
    SharedLayers,
    dataset_to_layers,
    image_to_layers,
    shared_layers,
)

__all__ = [
    "MAX_LAYERS",
    "LayerData",
    "SharedLayers",
    "dataset_to_layers",
    "image_to_layers",
    "shared_layers",
]
