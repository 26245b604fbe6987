"""The names of OpenMSI's readers (``omsi.dataformat``), over ours.

``from omsi.dataformat.img_file import img_file`` becomes ``from
napari_scope.compat.openmsi import img_file``, and scripts go on: the classes have the
constructors, attributes and functions that the documentation of OpenMSI lists. They
are our readers themselves, nothing is wrapped, so whatever else these can do is there,
too. Nothing is imported before it is asked for.

==================================  ==================================================
`file_reader_base`                  `napari_scope.formats.msi.MSIReader`
`file_reader_base_multidata`        `napari_scope.formats.msi.MultiDataReader`
`file_reader_base_with_regions`     `napari_scope.formats.msi.RegionReader`
`img_file`                          Analyze: hdr, t2m and img files
`mzml_file`                         mzML
`bruckerflex_file`                  spots of Bruker flex instruments
`imzml_file`                        imzML
`omsi_file`                         OpenMSI HDF5
==================================  ==================================================

What differs, on purpose: slices are read on demand, whatever ``requires_slicing`` says;
the extend of a region is its number of pixels; maps begin at the first pixel that was
imaged, not at 0; intensities keep the type of the file; and ``get_dataset_metadata``
returns a dict of `napari_scope.formats.msi.MetadataValue`.

Examples
--------
>>> reader = imzml_file("brain.imzML")  # doctest: +SKIP
>>> reader.shape, reader[10, 20, :], reader[:, :, 153]  # doctest: +SKIP
>>> for (x, y), intensities in reader.spectrum_iter():  # doctest: +SKIP
...     print(x, y, intensities.max())
>>> reader.close_file()  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_scope.formats.msi import (
        MSIReader as file_reader_base,
    )
    from napari_scope.formats.msi import (
        MultiDataReader as file_reader_base_multidata,
    )
    from napari_scope.formats.msi import (
        RegionReader as file_reader_base_with_regions,
    )
    from napari_scope.formats.msi.analyze.reader import (
        AnalyzeReader as img_file,
    )
    from napari_scope.formats.msi.bruker.reader import (
        BrukerFlexReader as bruckerflex_file,
    )
    from napari_scope.formats.msi.imzml.reader import (
        ImzMLReader as imzml_file,
    )
    from napari_scope.formats.msi.mzml.reader import (
        MzMLReader as mzml_file,
    )
    from napari_scope.formats.msi.openmsi.reader import (
        OpenMSIReader as omsi_file,
    )

__all__ = [
    "available_formats",
    "bruckerflex_file",
    "file_reader_base",
    "file_reader_base_multidata",
    "file_reader_base_with_regions",
    "img_file",
    "imzml_file",
    "mzml_file",
    "omsi_file",
]

_MSI = "napari_scope.formats.msi"
_BASES = {
    "file_reader_base": (_MSI, "MSIReader"),
    "file_reader_base_multidata": (_MSI, "MultiDataReader"),
    "file_reader_base_with_regions": (_MSI, "RegionReader"),
}
_FORMATS = {
    "img_file": (f"{_MSI}.analyze.reader", "AnalyzeReader"),
    "mzml_file": (f"{_MSI}.mzml.reader", "MzMLReader"),
    "bruckerflex_file": (f"{_MSI}.bruker.reader", "BrukerFlexReader"),
    "imzml_file": (f"{_MSI}.imzml.reader", "ImzMLReader"),
    "omsi_file": (f"{_MSI}.openmsi.reader", "OpenMSIReader"),
}


def __getattr__(name: str) -> type[object]:
    place = _BASES.get(name) or _FORMATS.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: type[object] = getattr(importlib.import_module(place[0]), place[1])
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def available_formats() -> dict[str, type[file_reader_base]]:
    """Return the reader of each format by the name that OpenMSI has for it.

    Formats that OpenMSI does not have go by their own names.
    """
    from napari_scope.formats.msi import available_formats as ours

    theirs = {__getattr__(name): name for name in _FORMATS}
    return {theirs.get(reader, name): reader for name, reader in ours().items()}
