"""One door for every format: a path goes in, a `Dataset` comes out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.detect import detect

if TYPE_CHECKING:
    import os

    from napari_scope.model import Dataset

__all__ = ["open_dataset"]


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open an OME-Zarr store or an NDTiff data set; no pixel is read.

    Parameters
    ----------
    path : str or PathLike
        The folder, or the file in it that describes the data set.

    Raises
    ------
    FormatError
        If the path holds neither, or what it holds is damaged beyond use.
    """
    kind = detect(path)
    if kind == "ome-zarr":
        from napari_scope.formats.ngff import open_ngff

        return open_ngff(path)
    if kind == "ndtiff":
        from napari_scope.formats.ndtiff import open_ndtiff

        return open_ndtiff(path)
    place = Path(path)
    if not place.exists():
        raise FormatError("no such file or folder", path=path)
    raise FormatError(
        "neither an OME-Zarr image, collection, plate or well (zarr.json or .zattrs "
        "with OME metadata was looked for) nor an NDTiff data set (NDTiff.index or "
        "NDTiff files, also in 'Full resolution', were looked for)",
        path=path,
        hint="choose the folder that holds one of these files",
    )
