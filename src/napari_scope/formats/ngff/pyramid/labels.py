"""The segmentations of an image whose pyramid has changed: which ones have to follow.

A segmentation has as many levels as its image; validators refuse a store where that is
not so. Nothing here makes levels.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.label_metadata import LABELS_GROUP, listed_labels
from napari_scope.formats.ngff.pyramid.image import ImageDocument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.formats.ngff.pyramid.plan import LevelPlan

__all__ = ["labels_behind", "reduced_dims"]

_SPACE = ("z", "y", "x")


def labels_behind(image: ImageDocument, count: int) -> list[ImageDocument]:
    """Return the segmentations that have another number of levels than the image.

    Those that cannot be read are left as they are.

    Parameters
    ----------
    image : ImageDocument
        The image.
    count : int
        Number of its levels.
    """
    found: list[ImageDocument] = []
    with suppress(FormatError):
        for name in listed_labels(image.group):
            with suppress(FormatError):
                labels = ImageDocument.read(image.folder(f"{LABELS_GROUP}/{name}"))
                if labels.is_labels and len(labels.paths) != count:
                    found.append(labels)
    return found


def reduced_dims(image: ImageDocument, plans: Sequence[LevelPlan]) -> list[str]:
    """Return the axes in space that the second level of an image reduces."""
    if len(plans) < 2:
        return []
    pairs = zip(plans[0].shape, plans[1].shape, image.axis_names, strict=True)
    return [name for fine, few, name in pairs if few < fine and name in _SPACE]
