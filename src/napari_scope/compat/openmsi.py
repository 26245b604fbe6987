"""The names of OpenMSI's readers (``omsi.dataformat``), over ours.

``from omsi.dataformat.img_file import img_file`` becomes ``from
napari_scope.compat.openmsi import img_file``, and scripts go on: the classes have the
constructors, attributes and functions that the documentation of OpenMSI lists. They
are our readers themselves, nothing is wrapped, so whatever else these can do is there,
too. Readers of one's own that derive from the bases of OpenMSI go on as well, and
napari opens their files. Nothing is imported before it is asked for.

==================================  ==================================================
`file_reader_base`                  base of readers of one's own
`file_reader_base_multidata`        the same, with several data sets
`file_reader_base_with_regions`     the same, with regions
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

from napari_scope.compat.openmsi_names import FORMATS, available_formats

if TYPE_CHECKING:
    from napari_scope.compat.openmsi_bases import (
        file_reader_base,
        file_reader_base_multidata,
        file_reader_base_with_regions,
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

_BASES = (
    "file_reader_base",
    "file_reader_base_multidata",
    "file_reader_base_with_regions",
)


def __getattr__(name: str) -> type[object]:
    place = FORMATS.get(name)
    if name in _BASES:
        place = ("napari_scope.compat.openmsi_bases", name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: type[object] = getattr(importlib.import_module(place[0]), place[1])
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
