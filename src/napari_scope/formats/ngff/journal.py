"""Facts on single frames of OME-Zarr: the format has no place for them, a journal has.

Stores that this package wrote keep the journal of their run in the group
``acquisition``. Images get a `FrameTable` over it, which reads nothing before it is
asked. Stores of others stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_scope.formats.frame_journal import (
    JournalFrames,
    JournalRecords,
    find_journal,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_scope.model import Image

__all__ = ["with_journal"]


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
