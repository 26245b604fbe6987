"""The JSON that makes an image of OME-Zarr a segmentation, and the list of them.

A segmentation is a multiscale image of its own in the group ``labels`` of the image
that it belongs to. Its attributes say so by a block ``image-label``, and the group
``labels`` lists its name: what is not listed is not found by any reader.

Colours and properties are given as mappings from a label to its value, the way that
`napari_scope.model.Labels` has them. Pixels and levels are not known here.

Examples
--------
>>> label_attributes(colors={3: (255, 0, 0, 255)}, version="0.4")
... # doctest: +NORMALIZE_WHITESPACE
{'version': '0.4', 'source': {'image': '../../'},
 'colors': [{'label-value': 3, 'rgba': [255, 0, 0, 255]}]}
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.fileio import replace_file
from napari_scope.formats.ngff.metadata import NGFF_VERSION, encode, group_documents
from napari_scope.formats.ngff.store import read_bounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Color = Sequence[int]

__all__ = [
    "LABELS_GROUP",
    "label_attributes",
    "list_label",
    "listed_labels",
    "unlist_label",
]

LABELS_GROUP = "labels"
"""Name of the group of an image that holds its segmentations."""


def label_attributes(
    source: str | None = "../../",
    colors: Mapping[int, Color] | None = None,
    properties: Mapping[int, Mapping[str, object]] | None = None,
    version: str = NGFF_VERSION,
) -> dict[str, Any]:
    """Return what stands under ``image-label`` in the attributes of a segmentation.

    Parameters
    ----------
    source : str, optional
        Path of the image, from the segmentation; None for one that has no image.
    colors : mapping of int to (int, int, int, int), optional
        Red, green, blue and alpha, 0 to 255, of the labels that have a colour.
    properties : mapping of int to mapping, optional
        What is known of single labels, JSON-able.
    version : str
        Version of OME-Zarr; up to 0.4 the block states it itself.
    """
    block: dict[str, Any] = {}
    if version != NGFF_VERSION:
        block["version"] = version
    if source is not None:
        block["source"] = {"image": source}
    if colors:
        block["colors"] = [
            {"label-value": int(label), "rgba": [int(part) for part in rgba]}
            for label, rgba in sorted(colors.items())
        ]
    if properties:
        block["properties"] = [
            # The value is ours to state: a property of this name would be another one.
            {**facts, "label-value": int(label)}
            for label, facts in sorted(properties.items())
        ]
    return block


def listed_labels(image_group: Path) -> list[str]:
    """Return the names that the ``labels`` group of an image lists, if there is one.

    Raises
    ------
    FormatError
        If the document of the group is damaged.
    """
    return _Listing(image_group).names


def list_label(image_group: Path, name: str) -> None:
    """Add a segmentation to the list in the ``labels`` group, which is made if needed.

    A name that is listed already stays where it is. The document is replaced in one
    step, so that readers see the old list or the new one.

    Parameters
    ----------
    image_group : Path
        Folder of the image.
    name : str
        Name of the segmentation: that of its folder in ``labels``.

    Raises
    ------
    FormatError
        If the folder is no Zarr group, or the list is damaged.
    OSError
        If it cannot be written.
    """
    listing = _Listing(image_group)
    if name not in listing.names:
        listing.write([*listing.names, name])


def unlist_label(image_group: Path, name: str) -> None:
    """Take a segmentation from the list; one that is not listed is no error.

    Raises as `list_label` does.
    """
    listing = _Listing(image_group)
    if name in listing.names:
        listing.write([other for other in listing.names if other != name])


class _Listing:
    """The document of a ``labels`` group, of version 2 or 3 of Zarr."""

    def __init__(self, image_group: Path) -> None:
        self._folder = image_group / LABELS_GROUP
        self._v3 = (image_group / "zarr.json").is_file()
        if not self._v3 and not (image_group / ".zgroup").is_file():
            raise FormatError(
                "segmentations belong to an image: zarr.json or .zgroup was expected",
                path=image_group,
            )
        self._file = self._folder / ("zarr.json" if self._v3 else ".zattrs")
        self._document = self._read()
        block = self._block()
        found = block.get(LABELS_GROUP, [])
        if not isinstance(found, list) or not all(isinstance(n, str) for n in found):
            raise FormatError(
                f"'labels' was expected to list names, found {str(found)[:80]}",
                path=self._file,
            )
        self.names: list[str] = found

    def _read(self) -> dict[str, Any]:
        data = read_bounded(self._file)
        if data is None:
            return {}
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"no JSON: {error}", path=self._file) from error
        if not isinstance(document, dict):
            raise FormatError("a JSON object was expected", path=self._file)
        return document

    def _block(self) -> Mapping[str, Any]:
        """Return the part of the attributes that has the list."""
        if not self._v3:
            return self._document
        attributes = self._document.get("attributes", {})
        block = attributes.get("ome") if isinstance(attributes, dict) else None
        return block if isinstance(block, dict) else {}

    def write(self, names: list[str]) -> None:
        """Replace the list; the rest of the document stays."""
        self._folder.mkdir(exist_ok=True)
        if self._v3:
            document = self._document or dict(group_documents()[0][1])
            attributes = document.get("attributes")
            attributes = dict(attributes) if isinstance(attributes, dict) else {}
            block = {"version": NGFF_VERSION, **self._block(), LABELS_GROUP: names}
            document = {**document, "attributes": {**attributes, "ome": block}}
        else:
            document = {**self._document, LABELS_GROUP: names}
            group = self._folder / ".zgroup"
            if not group.exists():
                replace_file(group, encode({"zarr_format": 2}))
        replace_file(self._file, encode(document))
