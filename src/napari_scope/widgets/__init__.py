"""The docks: the only room that imports Qt."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_scope.widgets.acquiring.acquire_dock import AcquireDock
    from napari_scope.widgets.browsing.browse_dock import BrowseDock
    from napari_scope.widgets.devices.devices_dock import DevicesDock
    from napari_scope.widgets.frames.metadata_dock import MetadataDock
    from napari_scope.widgets.log.log_dock import LogDock
    from napari_scope.widgets.space.explorer_dock import ExplorerDock
    from napari_scope.widgets.spectrum.spectrum_dock import SpectrumDock

__all__ = [
    "AcquireDock",
    "BrowseDock",
    "DevicesDock",
    "ExplorerDock",
    "LogDock",
    "MetadataDock",
    "SpectrumDock",
]


def __getattr__(name: str) -> object:
    # On demand: one dock does not wait for the libraries of another.
    modules = {
        "AcquireDock": "acquiring.acquire_dock",
        "BrowseDock": "browsing.browse_dock",
        "DevicesDock": "devices.devices_dock",
        "ExplorerDock": "space.explorer_dock",
        "LogDock": "log.log_dock",
        "MetadataDock": "frames.metadata_dock",
        "SpectrumDock": "spectrum.spectrum_dock",
    }
    if name in modules:
        return getattr(
            importlib.import_module(f"napari_scope.widgets.{modules[name]}"), name
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
