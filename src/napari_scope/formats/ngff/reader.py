"""Opening OME-Zarr: an image, a collection, a plate, a well or labels as a `Dataset`.

Only JSON is read here; pixels follow when somebody looks. An image that cannot be
read becomes an entry in ``Dataset.problems`` and the others open. All multiscale images
of a group are images of the data set; its segmentations belong to the first.

Examples
--------
>>> dataset = open_ngff("experiment.ome.zarr")  # doctest: +SKIP
>>> [image.name for image in dataset.images]  # doctest: +SKIP
['A/1/0', 'A/1/1', 'A/2/0']
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.group_images import read_group
from napari_scope.formats.ngff.images import ome_block, version_of
from napari_scope.formats.ngff.journal import with_journal, with_list
from napari_scope.formats.ngff.label_images import names_in
from napari_scope.formats.ngff.layouts import (
    collection_images,
    plate_images,
    well_images,
)
from napari_scope.formats.ngff.read_ahead import read_ahead
from napari_scope.formats.ngff.scenes import scene_images
from napari_scope.formats.ngff.store import Store
from napari_scope.model import Dataset, Image

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from napari_scope.formats.ngff.coordinates import Onward

    Json = Mapping[str, object]

__all__ = ["open_ngff"]

_SUFFIXES = (".ome.zarr", ".zarr", ".ozx", ".zip")
_SHOWN = 3  # of the reasons why nothing opens


def open_ngff(path: str | os.PathLike[str]) -> Dataset:
    """Open an OME-Zarr store, or one image, well, plate or labels within a store.

    Parameters
    ----------
    path : str or PathLike
        The folder, or the ``zarr.json``, ``.zattrs`` or ``.zgroup`` in it; a zip file;
        an address.

    Returns
    -------
    Dataset
        Images in the order of the metadata, with ``problems`` for those left out.

    Raises
    ------
    FormatError
        If there is no OME-Zarr group or not one of its images can be read.
    """
    store = Store(path)
    attributes = store.attributes()
    block = ome_block(attributes)
    problems: list[str] = []
    layout, listing, facts = _layout(store, block, problems)
    ways: Mapping[str, Onward | None] = {}
    if layout == "scene":
        ways = scene_images(block["scene"], problems)  # type: ignore[arg-type]
        listing = [(image_path, "") for image_path in ways]
    images: list[Image] = []
    version = version_of(block)
    ahead = read_ahead(store, [image_path for image_path, _ in listing])
    for image_path, name in listing:
        try:
            found = read_group(
                ahead,
                image_path,
                None if image_path else attributes,
                only_labels=layout == "labels",
                onward=ways.get(image_path),
            )
        except FormatError as error:
            if layout == "image":
                raise
            problems.append(f"image {name or image_path} is left out: {error}")
            continue
        problems += found.problems
        version = version or found.version
        for number, image in enumerate(found.images):
            own = image.name if image.name != image_path else ""
            given = f"{name} {own or number}" if name and number else name
            images.append(replace(image, name=given or own or image_path))
    if not images:
        raise FormatError(
            f"no image can be read: {'; '.join(problems[:_SHOWN]) or 'none is listed'}",
            path=store.place(),
        )
    if layout == "image":
        images = [_named_after_folder(image, store.title) for image in images]
    if layout in ("image", "collection") and store.local:
        images = with_journal(images, store.root)
    elif layout in ("image", "collection"):
        images = with_list(images, store.address, attributes)
    return Dataset(
        path=store.address,
        format="ome-zarr",
        format_version=version,
        images=tuple(map(_with_name_of_labels, _unique_names(images))),
        problems=tuple(problems),
        metadata={"layout": layout, **facts},
    )


def _layout(
    store: Store, block: Json, problems: list[str]
) -> tuple[str, list[tuple[str, str]], dict[str, object]]:
    """Return what kind of group it is, path and name of its images, and facts."""
    plate, well = block.get("plate"), block.get("well")
    if isinstance(plate, dict):
        return "plate", plate_images(store, plate, problems), _plate_facts(plate)
    if isinstance(well, dict):
        return "well", well_images(well, problems), {}
    if "bioformats2raw.layout" in block:
        return "collection", collection_images(store, problems), {}
    if "multiscales" in block:
        return "image", [("", "")], {}
    if isinstance(block.get("scene"), dict):
        return "scene", [], {}
    if isinstance(block.get("labels"), list):
        listed = names_in(block["labels"], "the group", problems)
        names = [name.removeprefix("labels/") for name in listed]
        return "labels", [(name, name) for name in names], {}
    raise FormatError(
        "no OME-Zarr: multiscales, plate, well, labels, scene or "
        "bioformats2raw.layout was expected in the attributes",
        path=store.place(),
    )


def _with_name_of_labels(image: Image) -> Image:
    """Return a segmentation without image under the name that the image has got."""
    if not image.only_labels:
        return image
    return replace(image, labels=(replace(image.labels[0], name=image.name),))


def _named_after_folder(image: Image, title: str) -> Image:
    """Return the image under its own name or, without a telling one, the folder's."""
    name = title
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
            break
    telling = image.name and not image.name.isdigit()
    return image if telling else replace(image, name=name)


def _unique_names(images: list[Image]) -> list[Image]:
    """Return the images with path or number added where two have the same name."""
    count = Counter(image.name for image in images)
    return [
        replace(image, name=f"{image.name} [{_which(image)}]")
        if count[image.name] > 1
        else image
        for image in images
    ]


def _which(image: Image) -> str:
    about = image.metadata
    known = [str(about[key]) for key in ("path", "multiscale") if key in about]
    return ", ".join(known)


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
