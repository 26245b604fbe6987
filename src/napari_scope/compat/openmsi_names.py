"""Which of our readers OpenMSI has which name for."""

from __future__ import annotations

import importlib
from typing import Any, Final

__all__ = ["FORMATS", "available_formats"]

_MSI: Final = "napari_scope.formats.msi"

FORMATS: Final = {
    "img_file": (f"{_MSI}.analyze.reader", "AnalyzeReader"),
    "mzml_file": (f"{_MSI}.mzml.reader", "MzMLReader"),
    "bruckerflex_file": (f"{_MSI}.bruker.reader", "BrukerFlexReader"),
    "imzml_file": (f"{_MSI}.imzml.reader", "ImzMLReader"),
    "omsi_file": (f"{_MSI}.openmsi.reader", "OpenMSIReader"),
}
"""Module and name of the class."""


def available_formats() -> dict[str, type[Any]]:
    """Return the reader of each format by the name that OpenMSI has for it.

    Formats that OpenMSI does not have go by their own names. Readers that derive from
    the bases of OpenMSI are returned as they were written.
    """
    from napari_scope.formats.msi import available_formats as ours

    theirs = {
        getattr(importlib.import_module(module), reader): name
        for name, (module, reader) in FORMATS.items()
    }
    return {
        theirs.get(reader, name): getattr(reader, "theirs", reader)
        for name, reader in ours().items()
    }
