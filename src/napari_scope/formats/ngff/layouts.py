"""Groups that hold several images: collections, plates and wells.

Each function lists ``(path, name)`` of the images of a group from the metadata alone,
in the order of the metadata, never of the directory. Whether the images can be read
is not known here; a well that cannot be read is reported and the others remain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.image_names import image_names
from napari_scope.formats.ngff.images import ome_block
from napari_scope.formats.ngff.store import read_bounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.ngff.store import Store

    Json = Mapping[str, object]

__all__ = ["collection_images", "plate_images", "well_images"]

Listing = list[tuple[str, str]]


def collection_images(store: Store, problems: list[str]) -> Listing:
    """List the images of a bioformats2raw collection.

    ``OME/.zattrs`` lists them; without it they are the groups 0, 1, 2 and so on. Names
    come from ``OME/METADATA.ome.xml`` and are empty where it does not tell.
    """
    paths: list[str] = []
    if store.exists("OME"):
        series = ome_block(store.attributes("OME")).get("series")
        if isinstance(series, list):
            paths = [p for p in series if isinstance(p, str)]
    if not paths:
        while store.exists(str(len(paths))):
            paths.append(str(len(paths)))
    names = _names_from_xml(store, problems)
    return [(path, names[i] if i < len(names) else "") for i, path in enumerate(paths)]


def plate_images(store: Store, plate: Json, problems: list[str]) -> Listing:
    """List all fields of all wells of a plate, named like ``A/1/0``."""
    wells = plate.get("wells")
    listing: Listing = []
    for number, entry in enumerate(wells if isinstance(wells, list) else ()):
        path = entry.get("path") if isinstance(entry, dict) else None
        if not isinstance(path, str):
            problems.append(f"well {number} of the plate has no path")
            continue
        path = path.strip("/")
        try:
            well = ome_block(store.attributes(path)).get("well")
        except FormatError as error:
            problems.append(f"well {path} is left out: {error}")
            continue
        if not isinstance(well, dict):
            problems.append(f"well {path} is left out: it has no well metadata")
            continue
        listing += [(f"{path}/{field}", f"{path}/{field}") for field in _fields(well)]
    return listing


def well_images(well: Json) -> Listing:
    """List the fields of a well that was opened by itself."""
    return [(field, field) for field in _fields(well)]


def _fields(well: Json) -> list[str]:
    images = well.get("images")
    paths = (
        entry.get("path") if isinstance(entry, dict) else None
        for entry in (images if isinstance(images, list) else ())
    )
    return [path.strip("/") for path in paths if isinstance(path, str)]


def _names_from_xml(store: Store, problems: list[str]) -> list[str]:
    path = store.folder("OME") / "METADATA.ome.xml"
    try:
        document = read_bounded(path)
        return [] if document is None else image_names(document, path)
    except FormatError as error:
        problems.append(f"the names of the images are not read: {error}")
        return []
