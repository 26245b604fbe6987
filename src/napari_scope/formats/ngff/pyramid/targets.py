"""Which images and labels of a store get a pyramid: an image, a collection, a plate.

Examples
--------
>>> [target.name for target in pyramid_targets("plate.zarr")[0]]  # doctest: +SKIP
['A/1/0', 'A/1/0/labels/nuclei', 'A/1/1']
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import ome_block
from napari_scope.formats.ngff.label_metadata import LABELS_GROUP, listed_labels
from napari_scope.formats.ngff.layouts import (
    collection_images,
    plate_images,
    well_images,
)
from napari_scope.formats.ngff.store import Store

if TYPE_CHECKING:
    import os

__all__ = ["PyramidTarget", "pyramid_targets"]

_OWN_DOCUMENTS = ("zarr.json", ".zattrs", ".zgroup")


@dataclass(frozen=True, slots=True)
class PyramidTarget:
    """One multiscale image.

    Parameters
    ----------
    name : str
        Its path in the store, or the name of the folder that was given.
    group : Path
        Its folder.
    is_labels : bool
        Whether its pixels are labels.
    """

    name: str
    group: Path
    is_labels: bool


def pyramid_targets(
    path: str | os.PathLike[str], *, labels: bool = True
) -> tuple[list[PyramidTarget], list[str]]:
    """Return the images of a local store, each before its labels, and what was odd.

    Parameters
    ----------
    path : PathLike
        Folder of an image, a collection, a well, a plate, or of labels.
    labels : bool
        Also return the labels of images.

    Raises
    ------
    FormatError
        If it is none of these, or not in a local folder.
    """
    root = Path(path)
    if root.name in _OWN_DOCUMENTS:
        root = root.parent
    if not root.is_dir():
        raise FormatError("no folder: pyramids are made in local folders", path=root)
    store = Store(root)
    block = ome_block(store.attributes())
    problems: list[str] = []
    plate, well, listed = (block.get(key) for key in ("plate", "well", LABELS_GROUP))
    if isinstance(plate, dict):
        listing = plate_images(store, plate, problems)
    elif isinstance(well, dict):
        listing = well_images(well, problems)
    elif "multiscales" in block:
        listing = [("", "")]
    elif "bioformats2raw.layout" in block:
        listing = collection_images(store, problems)
    elif isinstance(listed, list):
        listing = [(name, name) for name in listed if isinstance(name, str)]
    else:
        raise FormatError(
            "no OME-Zarr: multiscales, plate, well or bioformats2raw.layout was "
            "expected in the attributes",
            path=root,
        )
    targets: list[PyramidTarget] = []
    for image, _ in listing:
        try:
            targets += _of_image(store, image, labels, problems)
        except FormatError as error:
            problems.append(f"{image or root.name} is left out: {error}")
    return targets, problems


def _of_image(
    store: Store, path: str, labels: bool, problems: list[str]
) -> list[PyramidTarget]:
    group = store.folder(path)
    is_labels = "image-label" in ome_block(store.attributes(path))
    found = [PyramidTarget(path or group.absolute().name, group, is_labels)]
    if not labels or is_labels:
        return found
    try:
        names = listed_labels(group)
    except FormatError as error:
        problems.append(f"labels of {found[0].name} are left out: {error}")
        return found
    for name in names:
        below = "/".join(part for part in (path, LABELS_GROUP, name) if part)
        try:
            found.append(PyramidTarget(below, store.folder(below), is_labels=True))
        except FormatError as error:
            problems.append(f"{below} is left out: {error}")
    return found
