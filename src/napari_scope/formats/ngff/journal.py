"""Facts on single frames of OME-Zarr: the format has no place for them, a journal has.

Stores that this package wrote keep the journal of their run in the group
``acquisition``. Images get a `FrameTable` over it, which reads nothing before it is
asked. Of a store behind an address the list in the attributes of that group is taken:
a journal cannot be read in parts over a network. Stores of others stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_scope.formats.frame_journal import (
    JournalFrames,
    JournalRecords,
    find_journal,
)
from napari_scope.formats.ngff.listed_records import (
    ListedFrames,
    ListedImage,
    ListedRecords,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_scope.model import Image

__all__ = ["with_journal", "with_list"]

_OWN = "napari_scope"  # attribute of the groups of stores that this package wrote


def with_journal(images: Sequence[Image], root: Path) -> list[Image]:
    """Return the images with what the journal of their run says of their frames.

    Parameters
    ----------
    images : sequence of Image
        Images of a run, each with its ``path`` within the store in its metadata.
    root : Path
        Folder that was opened: the store, or one image of it by its number.
    """
    journal = find_journal(root)
    if journal is None:
        return list(images)
    own = journal.parent.parent
    records = JournalRecords(journal)
    found = []
    for image in images:
        part = str(image.metadata.get("path", "") or (root.name if root != own else ""))
        number = 0 if not part else int(part) if part.isdigit() else None
        if number is not None and image.frames is None and not image.only_labels:
            image = replace(image, frames=JournalFrames(records, number))
        found.append(image)
    return found


def with_list(
    images: Sequence[Image], place: str, attributes: Mapping[str, object]
) -> list[Image]:
    """Return the images with what the attributes of their store list of their frames.

    Parameters
    ----------
    images : sequence of Image
        All images of the store.
    place : str
        Its address.
    attributes : mapping
        Those of its root; where they are not ours the images stay as they are.
    """
    if _OWN not in attributes:
        return list(images)
    records = ListedRecords(place, [ListedImage.of(image) for image in images])
    return [
        image
        if image.frames is not None or image.only_labels
        else replace(image, frames=ListedFrames(records, number))
        for number, image in enumerate(images)
    ]
