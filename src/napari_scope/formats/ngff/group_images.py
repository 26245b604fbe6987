"""All that one image group holds: its multiscale images and its segmentations.

Mostly a group has one multiscale image. Where it lists several, each becomes an image
of its own; what cannot be read is reported and the others remain. Segmentations belong
to the first. A group that is a segmentation itself becomes an image that is nothing
but that (`napari_scope.model.Image.only_labels`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.coordinates import Onward
from napari_scope.formats.ngff.images import count_multiscales, ome_block, read_image
from napari_scope.formats.ngff.label_images import (
    is_label_image,
    labels_of,
    read_labels,
)
from napari_scope.formats.ngff.transforms import compose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.ngff.images import ReadImage
    from napari_scope.formats.ngff.store import Store
    from napari_scope.model import Image

    Json = Mapping[str, object]

__all__ = ["GroupImages", "read_group"]


@dataclass(frozen=True, slots=True)
class GroupImages:
    """The images of a group.

    Parameters
    ----------
    images : tuple of Image
        At least one, named as their own metadata name them (may be empty).
    problems : tuple of str
        What was left out, one sentence each.
    version : str
        Version of OME-Zarr.
    """

    images: tuple[Image, ...]
    problems: tuple[str, ...]
    version: str


def read_group(
    store: Store,
    path: str = "",
    attributes: Json | None = None,
    *,
    only_labels: bool = False,
    onward: Onward | None = None,
) -> GroupImages:
    """Read all images of a group with their segmentations; no pixel is read.

    Parameters
    ----------
    store : Store
        The opened hierarchy.
    path : str
        Path of the group within it.
    attributes : mapping, optional
        Attributes of the group, where they have been read already.
    only_labels : bool
        Whether the group is known to be a segmentation; by itself it is one when its
        attributes have ``image-label``.
    onward : Onward, optional
        What leads on in the scene that the group is a part of; its segmentations go
        with the image.

    Raises
    ------
    FormatError
        If not one image of the group can be shown.
    """
    if attributes is None:
        attributes = store.attributes(path)
    count = count_multiscales(ome_block(attributes))
    only_labels = only_labels or is_label_image(attributes)
    problems: list[str] = []
    images: list[Image] = []
    version = ""
    follow: Onward | None = None
    for number in range(count):
        try:
            found = read_image(store, path, number, attributes, onward)
            image = _as_labels(found, problems) if only_labels else found.image
        except FormatError as error:
            if count == 1:
                raise
            problems.append(f"multiscale image {number} is left out: {error}")
            continue
        problems += found.problems
        version = version or found.version
        follow = follow if images else _way_of(found)
        if count > 1:
            about = {**image.metadata, "multiscale": number}
            image = replace(image, metadata=about)
        images.append(image)
    if not images:
        raise FormatError(
            f"no image can be read: {'; '.join(problems[:3])}", path=store.place(path)
        )
    if not only_labels:
        labels, odd = read_labels(store, path, attributes, follow)
        problems += odd
        if labels:
            images[0] = replace(images[0], labels=labels)
    return GroupImages(tuple(images), tuple(problems), version)


def _way_of(found: ReadImage) -> Onward | None:
    """Return how an image was led to another system, for its segmentations to follow.

    What they say themselves is where they lie beside the image, so without this an
    image that is turned would leave its segmentations behind.
    """
    coordinates = found.coordinates
    if coordinates.whole is None or not coordinates.system:
        return None
    ndim = len(coordinates.axes)
    placement = compose(ndim, coordinates.whole)
    rows = np.eye(ndim + 1) if placement.affine is None else np.array(placement.affine)
    first = np.diag([*placement.scale, 1.0])
    first[:-1, -1] = placement.translation
    entry = {"type": "affine", "affine": (rows @ first)[:-1].tolist()}
    names = tuple(axis.name for axis in coordinates.axes)
    return Onward("", ((entry, True),), coordinates.system, None, names)


def _as_labels(found: ReadImage, problems: list[str]) -> Image:
    """Return an image that is nothing but a segmentation."""
    labels = labels_of(found, "", problems)
    return replace(found.image, labels=(labels,), only_labels=True)
