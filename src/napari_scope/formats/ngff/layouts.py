"""Groups that hold several images: collections, plates and wells.

Each function lists ``(path, name)`` of the images of a group from the metadata alone,
in the order of the metadata, never of the directory. Whether the images can be read
is not known here; a well that cannot be read is reported and the others remain. Lists
are bounded: no plate or collection that is one comes near the bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.image_names import image_names
from napari_scope.formats.ngff.images import ome_block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.formats.ngff.store import Store

    Json = Mapping[str, object]

__all__ = ["collection_images", "plate_images", "well_images"]

Listing = list[tuple[str, str]]

_MAX_SERIES = 16_384
_MAX_WELLS = 16_384
_MAX_FIELDS = 4096  # of a well
_MAX_IMAGES = 262_144  # of a plate


def collection_images(store: Store, problems: list[str]) -> Listing:
    """List the images of a bioformats2raw collection.

    ``OME/.zattrs`` lists them; without it they are the groups 0, 1, 2 and so on. Names
    come from ``OME/METADATA.ome.xml`` and are empty where it does not tell. If it has
    more images than there are groups, these are listed, too, and found to be missing.
    """
    paths = _series(store, problems)
    names = _names_from_xml(store, problems)
    if not paths:
        count = min(len(names), _MAX_SERIES)
        while count < _MAX_SERIES and store.exists(str(count)):
            count += 1
        paths = list(map(str, range(count)))
    if len(paths) > _MAX_SERIES:
        problems.append(f"only the first {_MAX_SERIES} images are shown")
    return [
        (path, names[i] if i < len(names) else "")
        for i, path in enumerate(paths[:_MAX_SERIES])
    ]


def plate_images(store: Store, plate: Json, problems: list[str]) -> Listing:
    """List all fields of all wells of a plate, named like ``A/1/0``."""
    wells = plate.get("wells")
    paths: list[str] = []
    for number, entry in enumerate(wells if isinstance(wells, list) else ()):
        if number == _MAX_WELLS:
            problems.append(f"only the first {_MAX_WELLS} wells are shown")
            break
        path = entry.get("path") if isinstance(entry, dict) else None
        if isinstance(path, str):
            paths.append(path.strip("/"))
        else:
            problems.append(f"well {number} of the plate has no path")
    listing: Listing = []
    for path, attributes in zip(paths, store.many(paths), strict=True):
        if isinstance(attributes, FormatError):
            problems.append(f"well {path} is left out: {attributes}")
            continue
        well = ome_block(attributes).get("well")
        if not isinstance(well, dict):
            problems.append(f"well {path} is left out: it has no well metadata")
            continue
        fields = [f"{path}/{field}" for field in _fields(well, path, problems)]
        listing += [(field, field) for field in fields]
    if len(listing) > _MAX_IMAGES:
        problems.append(f"only the first {_MAX_IMAGES} fields are shown")
    return listing[:_MAX_IMAGES]


def well_images(well: Json, problems: list[str]) -> Listing:
    """List the fields of a well that was opened by itself."""
    return [(field, field) for field in _fields(well, "", problems)]


def _fields(well: Json, path: str, problems: list[str]) -> list[str]:
    images = well.get("images")
    entries: Sequence[object] = images if isinstance(images, list) else ()
    where = f"well {path}" if path else "the well"
    if len(entries) > _MAX_FIELDS:
        problems.append(f"{where}: only the first {_MAX_FIELDS} fields are shown")
    fields: list[str] = []
    for number, entry in enumerate(entries[:_MAX_FIELDS]):
        field = entry.get("path") if isinstance(entry, dict) else None
        if isinstance(field, str) and field.strip("/"):
            fields.append(field.strip("/"))
        else:
            problems.append(f"{where}: field {number} has no path")
    return fields


def _series(store: Store, problems: list[str]) -> list[str]:
    """Return the paths that the group ``OME`` lists, none where it lists nothing."""
    try:
        if not store.exists("OME"):
            return []
        series = ome_block(store.attributes("OME")).get("series")
    except FormatError as error:
        problems.append(f"the list of images is not read: {error}")
        return []
    if not isinstance(series, list):
        return []
    paths = [p for p in series if isinstance(p, str)]
    if len(paths) < len(series):
        problems.append(f"{len(series) - len(paths)} images are listed without a path")
    return list(dict.fromkeys(paths))


def _names_from_xml(store: Store, problems: list[str]) -> list[str]:
    try:
        document = store.document("OME", "METADATA.ome.xml")
        if document is None:
            return []
        return image_names(document, f"{store.place('OME')}/METADATA.ome.xml")
    except FormatError as error:
        problems.append(f"the names of the images are not read: {error}")
        return []
