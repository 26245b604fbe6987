"""One door for every format: a path or address goes in, a `Dataset` comes out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.addresses import is_address
from napari_scope.formats.detect import detect
from napari_scope.formats.msi_sniff import is_msi

if TYPE_CHECKING:
    from napari_scope.model import Dataset

__all__ = ["open_dataset"]


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open an OME-Zarr store, an NDTiff data set or OME-TIFF; no pixel is read.

    Mass-spectrometry images are no stacks of planes; they are opened by
    `napari_scope.formats.msi.open_msi`.

    Parameters
    ----------
    path : str or PathLike
        The folder, or the file in it that describes the data set. OME-Zarr may also
        lie in a zip file, or behind an ``http://``, ``https://`` or ``s3://`` address.

    Raises
    ------
    FormatError
        If the path holds none of them, or what it holds is damaged beyond use.
    """
    # Behind an address nothing but OME-Zarr is read, whatever it is called.
    kind = "ome-zarr" if is_address(path) else detect(path)
    if kind == "ome-zarr":
        from napari_scope.formats.ngff import open_ngff

        return open_ngff(path)
    if kind == "ndtiff":
        from napari_scope.formats.ndtiff import open_ndtiff

        return open_ndtiff(path)
    if kind == "ome-tiff":
        from napari_scope.formats.ometiff.reader import open_ometiff

        return open_ometiff(path)
    if kind == "msi" or (kind is None and is_msi(path)):
        raise FormatError(
            "these are mass-spectrometry images, a spectrum for each pixel, not a data "
            "set of planes",
            path=path,
            hint="napari_scope.formats.msi.open_msi opens them; `napari-scope convert` "
            "makes ion images of them as OME-Zarr",
        )
    if "://" in os.fspath(path):
        raise FormatError(
            "addresses of this kind are not read",
            path=path,
            hint="http://, https:// and s3:// are",
        )
    place = Path(path)
    if not place.exists():
        raise FormatError("no such file or folder", path=path)
    raise FormatError(
        "neither an OME-Zarr image, collection, plate or well (zarr.json or .zattrs "
        "with OME metadata was looked for, also in a zip file) nor an NDTiff data set "
        "(NDTiff.index or NDTiff files, also in 'Full resolution', were looked for), "
        "nor OME-TIFF, nor mass-spectrometry images",
        path=path,
        hint="choose the folder that holds one of these files",
    )
