"""What the plots of the docks have in common: the library and the colours of curves."""

from __future__ import annotations

import importlib
import os
from typing import Any, Final

from qtpy import API_NAME

__all__ = ["CURVE_COLORS", "pyqtgraph"]

CURVE_COLORS: Final = (
    "#3d8fd1",
    "#e08a2e",
    "#3fa45b",
    "#c65bb0",
    "#d9534f",
    "#8a7be0",
    "#2ba8a8",
    "#a08a2c",
)
"""Readable on napari's dark and on its light background, told apart by most eyes."""


def pyqtgraph() -> Any:
    """Import pyqtgraph, which has no types, with the binding that all others use."""
    os.environ.setdefault("PYQTGRAPH_QT_LIB", API_NAME)
    return importlib.import_module("pyqtgraph")
