"""Opening OME-Zarr: one image, a collection, a plate or a well becomes a `Dataset`.

Only JSON is read here; pixels follow when somebody looks. An image that cannot be
read becomes an entry in ``Dataset.problems`` and the others open.

Examples
--------
>>> dataset = open_ngff("experiment.ome.zarr")  # doctest: +SKIP
>>> [image.name for image in dataset.images]  # doctest: +SKIP
['A/1/0', 'A/1/1', 'A/2/0']
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import ome_block, read_image, version_of
from napari_scope.formats.ngff.layouts import (
    collection_images,
    plate_images,
    well_images,
)
from napari_scope.formats.ngff.store import Store
from napari_scope.model import Dataset, Image

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["open_ngff"]

_SUFFIXES = (".ome.zarr", ".zarr")
_OWN_DOCUMENTS = ("zarr.json", ".zattrs", ".zgroup")


def open_ngff(path: str | os.PathLike[str]) -> Dataset:
    """Open an OME-Zarr store, or one image, well or plate within a store.

    Parameters
    ----------
    path : str or PathLike
        The folder, or the ``zarr.json``, ``.zattrs`` or ``.zgroup`` in it.

    Returns
    -------
    Dataset
        Images in the order of the metadata, with ``problems`` for those left out.

    Raises
    ------
    FormatError
        If the folder is no OME-Zarr group or not one of its images can be read.
    """
    root = Path(path)
    if root.name in _OWN_DOCUMENTS:
        root = root.parent
    store = Store(root)
    block = ome_block(store.attributes())
    problems: list[str] = []
    metadata: dict[str, object] = {}

    plate, well = block.get("plate"), block.get("well")
    if isinstance(plate, dict):
        listing = plate_images(store, plate, problems)
        metadata = {"layout": "plate", **_plate_facts(plate)}
    elif isinstance(well, dict):
        listing = well_images(well)
        metadata = {"layout": "well"}
    elif "bioformats2raw.layout" in block:
        listing = collection_images(store, problems)
        metadata = {"layout": "collection"}
    elif "multiscales" in block:
        listing = [("", "")]
        metadata = {"layout": "image"}
    else:
        raise FormatError(
            "no OME-Zarr: multiscales, plate, well or bioformats2raw.layout was "
            "expected in the attributes",
            path=root,
        )

    images: list[Image] = []
    version = version_of(block)
    for image_path, name in listing:
        try:
            found = read_image(store, image_path)
        except FormatError as error:
            if metadata["layout"] == "image":
                raise
            problems.append(f"image {name or image_path} is left out: {error}")
            continue
        problems += found.problems
        version = version or found.version
        own = found.image.name if found.image.name != image_path else ""
        images.append(replace(found.image, name=name or own or image_path))
    if not images:
        raise FormatError(
            f"no image can be read: {'; '.join(problems[:3]) or 'none is listed'}",
            path=root,
        )
    if metadata["layout"] == "image":
        images = [_named_after_folder(images[0], root)]
    return Dataset(
        path=str(root),
        format="ome-zarr",
        format_version=version,
        images=tuple(_unique_names(images)),
        problems=tuple(problems),
        metadata=metadata,
    )


def _named_after_folder(image: Image, root: Path) -> Image:
    """Return the image under its own name or, without a telling one, the folder's."""
    name = root.absolute().name
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
            break
    telling = image.name and not image.name.isdigit()
    return image if telling else replace(image, name=name)


def _unique_names(images: list[Image]) -> list[Image]:
    """Return the images with their path added where two have the same name."""
    count = Counter(image.name for image in images)
    return [
        replace(image, name=f"{image.name} [{image.metadata.get('path', '')}]")
        if count[image.name] > 1
        else image
        for image in images
    ]


def _plate_facts(plate: Mapping[str, object]) -> dict[str, object]:
    facts: dict[str, object] = {}
    name = plate.get("name")
    if isinstance(name, str):
        facts["plate"] = name
    for key in ("rows", "columns", "wells"):
        value = plate.get(key)
        if isinstance(value, list):
            facts[key] = len(value)
    return facts
