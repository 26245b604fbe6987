"""The docks: the only room that imports Qt."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_scope.widgets.acquiring.acquire_dock import AcquireDock
    from napari_scope.widgets.browsing.browse_dock import BrowseDock

__all__ = ["AcquireDock", "BrowseDock"]


def __getattr__(name: str) -> object:
    # On demand: one dock does not wait for the libraries of another.
    modules = {
        "AcquireDock": "acquiring.acquire_dock",
        "BrowseDock": "browsing.browse_dock",
    }
    if name in modules:
        return getattr(
            importlib.import_module(f"napari_scope.widgets.{modules[name]}"), name
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
