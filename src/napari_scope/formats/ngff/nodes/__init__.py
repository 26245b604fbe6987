"""The node API of OME-Zarr: plates, wells, positions and their arrays as objects.

Shaped like the NGFF nodes of iohub, so scripts run with one import changed. Nodes are
in folders of this machine; metadata are read as JSON, pixels by zarr-python,
tensorstore or dask.

>>> from napari_scope.formats.ngff.nodes import open_ome_zarr  # doctest: +SKIP
>>> with open_ome_zarr("plate.zarr") as plate:  # doctest: +SKIP
...     for path, position in plate.positions():
...         print(path, position.data.shape, position.scale)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_scope.formats.ngff.nodes.image_array import ImageArray
    from napari_scope.formats.ngff.nodes.label_nodes import PositionLabel
    from napari_scope.formats.ngff.nodes.meta import (
        AcquisitionMeta,
        AxisMeta,
        PositionSpec,
        TransformationMeta,
        WindowDict,
    )
    from napari_scope.formats.ngff.nodes.node import NGFFNode
    from napari_scope.formats.ngff.nodes.opening import open_ome_zarr
    from napari_scope.formats.ngff.nodes.plate import Plate
    from napari_scope.formats.ngff.nodes.position import Position
    from napari_scope.formats.ngff.nodes.row import Row
    from napari_scope.formats.ngff.nodes.tiled import TiledPosition
    from napari_scope.formats.ngff.nodes.tiled_array import TiledImageArray
    from napari_scope.formats.ngff.nodes.well import Well

_HOMES = {
    "AcquisitionMeta": "meta",
    "AxisMeta": "meta",
    "ImageArray": "image_array",
    "NGFFNode": "node",
    "Plate": "plate",
    "Position": "position",
    "PositionLabel": "label_nodes",
    "PositionSpec": "meta",
    "Row": "row",
    "TiledImageArray": "tiled_array",
    "TiledPosition": "tiled",
    "TransformationMeta": "meta",
    "Well": "well",
    "WindowDict": "meta",
    "open_ome_zarr": "opening",
}

__all__ = [
    "AcquisitionMeta",
    "AxisMeta",
    "ImageArray",
    "NGFFNode",
    "Plate",
    "Position",
    "PositionLabel",
    "PositionSpec",
    "Row",
    "TiledImageArray",
    "TiledPosition",
    "TransformationMeta",
    "Well",
    "WindowDict",
    "open_ome_zarr",
]


def __getattr__(name: str) -> object:
    # Renaming a well needs no Zarr library; who imports one module loads only that.
    if name in _HOMES:
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
