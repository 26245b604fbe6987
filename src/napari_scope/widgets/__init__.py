"""The docks: the only room that imports Qt."""

from napari_scope.widgets.acquire_dock import AcquireDock

__all__ = ["AcquireDock"]
