"""Acquire, stream and browse microscope data in napari.

Importing the package costs nothing: each room below it (``formats``, ``stream``,
``acquire``, ...) is imported by name where it is used.

>>> import napari_scope
>>> napari_scope.__version__
'0.1.0'
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__: str


def __getattr__(name: str) -> str:
    # On demand: importlib.metadata takes longer to import than this whole package.
    if name == "__version__":
        from importlib.metadata import version

        globals()["__version__"] = found = version("napari-scope")
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
