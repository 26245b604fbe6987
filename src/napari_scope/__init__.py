"""Acquire, stream and browse microscope data in napari.

Importing the package costs nothing: each room below it (``formats``, ``stream``,
``acquire``, ...) is imported by name where it is used, and the names that scripts take
from here are loaded when they are asked for.

>>> import napari_scope
>>> napari_scope.__version__
'0.1.0'
>>> from napari_scope import Acquisition, Dataset, multi_d_acquisition_events
>>> from napari_scope import open_ome_zarr
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_scope.acquire.acquisition import Acquisition
    from napari_scope.events import multi_d_acquisition_events
    from napari_scope.formats.ndtiff import Dataset
    from napari_scope.formats.ngff.nodes import open_ome_zarr

__all__ = [
    "Acquisition",
    "Dataset",
    "__version__",
    "multi_d_acquisition_events",
    "open_ome_zarr",
]

__version__: str


def __getattr__(name: str) -> object:
    if name == "Acquisition":
        from napari_scope.acquire.acquisition import Acquisition

        globals()["Acquisition"] = Acquisition
        return Acquisition
    if name == "Dataset":
        from napari_scope.formats.ndtiff import Dataset

        globals()["Dataset"] = Dataset
        return Dataset
    if name == "multi_d_acquisition_events":
        from napari_scope.events import multi_d_acquisition_events

        globals()[name] = multi_d_acquisition_events
        return multi_d_acquisition_events
    if name == "open_ome_zarr":
        from napari_scope.formats.ngff.nodes import open_ome_zarr

        globals()[name] = open_ome_zarr
        return open_ome_zarr
    # On demand: importlib.metadata takes longer to import than this whole package.
    if name == "__version__":
        from importlib.metadata import version

        globals()["__version__"] = found = version("napari-scope")
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
