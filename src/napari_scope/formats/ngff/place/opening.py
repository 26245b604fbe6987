"""Which kind of place a path names: a folder, a zip file, or a server.

Examples
--------
>>> open_place("https://example.org/a.zarr/zarr.json").name
'https://example.org/a.zarr'
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.formats.addresses import (
    is_address,
    split_archive,
    without_document,
)
from napari_scope.formats.ngff.place.places import FolderPlace
from napari_scope.formats.ngff.place.remote import RemotePlace
from napari_scope.formats.ngff.place.zipped import ZipPlace

if TYPE_CHECKING:
    from napari_scope.formats.ngff.place.places import Place

__all__ = ["open_place"]


def open_place(path: str | os.PathLike[str]) -> Place:
    """Return the place that a path or an address names; nothing is read yet.

    Parameters
    ----------
    path : str or PathLike
        A folder, a zip file or a path within one, an ``http://``, ``https://`` or
        ``s3://`` address; or the document that describes the group there.

    Raises
    ------
    FormatError
        If a zip file cannot be read, or an address is not complete.
    """
    text = without_document(os.fspath(path))
    if is_address(text):
        return RemotePlace.open(text)
    archive = split_archive(text)
    if archive is not None and os.path.isfile(archive[0]):
        return ZipPlace.open(*archive)
    way = str(Path(text))
    return FolderPlace(way, way)
