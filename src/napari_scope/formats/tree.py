"""The tree of what a path holds: plates and wells, images, levels, labels, positions.

`open_tree` looks at a path as `napari_scope.formats.open_dataset` does, but stops at
the first document. What is below follows node by node (`Node.children`), so a plate of
384 wells is there after one read. The images of NDTiff and OME-TIFF are known
together: the index of such a data set is read whole; so are data sets and regions of
mass-spectrometry images. A plain folder lists the data sets in it.

Examples
--------
>>> plate = open_tree("plate.zarr")  # doctest: +SKIP
>>> well = plate.children()[0].children()[2]  # doctest: +SKIP
>>> well.name, [field.described().facts.shape for field in well.children()]
... # doctest: +SKIP
('A3', [(1, 3, 1, 2160, 2560), (1, 3, 1, 2160, 2560)])
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.formats.addresses import is_address, without_document
from napari_scope.formats.detect import detect
from napari_scope.formats.folder_listing import entries_in
from napari_scope.formats.msi_entries import entry_of
from napari_scope.formats.opening import open_dataset
from napari_scope.formats.tree_node import (
    Facts,
    MSIPart,
    Node,
    bounded,
    image_facts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.model import Dataset, Image

__all__ = ["dataset_tree", "open_tree"]

_FORMATS: Final = {
    "ndtiff": "NDTiff",
    "ome-zarr": "OME-Zarr",
    "ome-tiff": "OME-TIFF",
    "msi": "mass spectra",
}
_MOST_ENTRIES: Final = 2000  # of a plain folder that are looked at


def open_tree(path: str | os.PathLike[str]) -> Node:
    """Return the root of the tree of a path.

    Parameters
    ----------
    path : str or PathLike
        What `napari_scope.formats.open_dataset` or `napari_scope.formats.msi.open_msi`
        opens, or a folder that holds such.

    Raises
    ------
    FormatError
        If there is nothing of ours, or its first document is damaged.
    """
    place = os.fspath(path)
    kind = "ome-zarr" if is_address(place) else detect(place)
    if kind == "ome-zarr":
        from napari_scope.formats.ngff.tree import ngff_tree

        return ngff_tree(without_document(place))
    if kind == "msi":
        from napari_scope.formats.msi_tree import msi_tree

        return msi_tree(entry_of(place))
    if kind is not None:
        return dataset_tree(open_dataset(place))
    if "://" not in place and (found := bounded(_folder_entries(Path(place)))):
        return Node("folder", Path(place).name or place, place=place, known=found)
    # Says what was looked for.
    return dataset_tree(open_dataset(place))


def dataset_tree(dataset: Dataset) -> Node:
    """Return the tree of a data set whose images are known; reads nothing."""
    version = f"{_FORMATS.get(dataset.format, dataset.format)} {dataset.format_version}"
    path = Path(dataset.path)
    return Node(
        "data set",
        path.name or dataset.path,
        facts=Facts(version=version.strip(), count=len(dataset.images)),
        problem="; ".join(dataset.problems[:5]),
        place=dataset.path,
        known=bounded(_image(dataset, image) for image in dataset.images),
        load=lambda: dataset,
    )


def _image(dataset: Dataset, image: Image) -> Node:
    facts = image_facts(image)
    levels = (
        Node(
            "level",
            f"{number}",
            facts=Facts(
                axes=image.axis_names,
                shape=level.shape,
                dtype=str(level.dtype),
                chunks=tuple(getattr(level, "chunks", None) or ()),
            ),
            place=dataset.path,
        )
        for number, level in enumerate(image.levels)
    )
    return Node(
        "image",
        image.name,
        facts=facts,
        place=dataset.path,
        known=tuple(levels),
        # One image does not grow by itself: what is looked for is the whole.
        load=lambda: replace(dataset, images=(image,), reload=None),
        title=image.name if len(dataset.images) > 1 else "",
    )


def _folder_entries(folder: Path) -> Iterator[Node]:
    """Yield the data sets in a plain folder, by name, and no other folders."""
    try:
        names = [entry[0] for entry in entries_in(str(folder), _MOST_ENTRIES)]
    except (OSError, ValueError):
        return
    for name in names:
        place = str(folder / name)
        kind = detect(place)
        if kind is None:
            continue
        yield Node(
            "data set",
            name,
            name,
            Facts(version=_FORMATS.get(kind, kind)),
            place=place,
            describe=_entry,
            load=None if kind == "msi" else partial(open_dataset, place),
            msi=MSIPart(place) if kind == "msi" else None,
        )


def _entry(node: Node) -> Node:
    return replace(open_tree(node.place), name=node.name)
