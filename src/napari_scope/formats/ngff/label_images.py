"""Segmentations of an image in OME-Zarr: which there are, their colours and properties.

The group ``labels`` of an image lists them; each is a multiscale image of its own, of
integers, with a block ``image-label`` that may be missing. What is listed and cannot be
read is reported, and the image is shown without it. Segmentations of segmentations are
not looked for, so metadata that point to themselves cost nothing.

Examples
--------
>>> labels, problems = read_labels(Store("cells.ome.zarr"))  # doctest: +SKIP
>>> [one.name for one in labels]  # doctest: +SKIP
['nuclei']
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import ome_block, read_image
from napari_scope.formats.ngff.saved_looks import saved_looks
from napari_scope.model import Labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.ngff.coordinates import Onward
    from napari_scope.formats.ngff.images import ReadImage
    from napari_scope.formats.ngff.store import Store

    Json = Mapping[str, object]

__all__ = ["is_label_image", "labels_listed", "labels_of", "read_labels"]

_GROUP = "labels"
_MAX_LABELS = 256  # of one image
_MAX_VALUES = 65_536  # with a colour or with properties, of one segmentation
_MAX_KEYS = 64  # of properties of one value
_MAX_TEXT = 10_000


def is_label_image(attributes: Json) -> bool:
    """Return whether the attributes of an image say that it is a segmentation."""
    return "image-label" in ome_block(attributes)


def read_labels(
    store: Store,
    path: str = "",
    attributes: Json | None = None,
    onward: Onward | None = None,
) -> tuple[tuple[Labels, ...], tuple[str, ...]]:
    """Read the segmentations of an image; no pixel is read.

    Parameters
    ----------
    store : Store
        The opened hierarchy.
    path : str
        Path of the image group within it.
    attributes : mapping, optional
        Attributes of the image group, where they have been read already.
    onward : Onward, optional
        How the image was led to the coordinate system that it is shown in.

    Returns
    -------
    tuple of Labels
        Those that can be read.
    tuple of str
        What was left out, one sentence each.
    """
    problems: list[str] = []
    found: list[Labels] = []
    for name in labels_listed(store, path, problems, attributes):
        where = f"{path}/{name}" if path else name
        try:
            image = read_image(store, where, onward=onward)
            problems += image.problems
            found.append(labels_of(image, name.removeprefix(f"{_GROUP}/"), problems))
        except FormatError as error:
            problems.append(f"the labels {where} are left out: {error}")
    return tuple(found), tuple(problems)


def labels_listed(
    store: Store, path: str, problems: list[str], attributes: Json | None = None
) -> list[str]:
    """Return the paths of the segmentations of an image, from its group.

    Parameters
    ----------
    store : Store
        The opened hierarchy.
    path : str
        Path of the image group.
    problems : list of str
        What is odd is added here.
    attributes : mapping, optional
        Attributes of the image group: some writers list its segmentations there.
    """
    group = f"{path}/{_GROUP}" if path else _GROUP
    try:
        if not store.exists(group):
            return []
        listed = ome_block(store.attributes(group)).get(_GROUP)
    except FormatError as error:
        problems.append(f"the labels of {path or 'the image'} are not read: {error}")
        return []
    if listed is None and attributes is not None:
        listed = ome_block(attributes).get(_GROUP)
    return names_in(listed, group, problems)


def names_in(listed: object, group: str, problems: list[str]) -> list[str]:
    """Return the paths ``labels/<name>`` in a list of segmentations as found."""
    if listed is None:
        return []
    if not isinstance(listed, list):
        problems.append(f"{group} has no list of labels: {str(listed)[:60]}")
        return []
    names = [n.strip("/") for n in listed if isinstance(n, str) and n.strip("/")]
    if len(names) < len(listed):
        problems.append(f"{group} lists {len(listed) - len(names)} labels without name")
    names = list(dict.fromkeys(names))
    if len(names) > _MAX_LABELS:
        problems.append(f"{group}: only the first {_MAX_LABELS} labels are shown")
    return [f"{_GROUP}/{name}" for name in names[:_MAX_LABELS]]


def labels_of(read: ReadImage, name: str, problems: list[str]) -> Labels:
    """Return an image that was read as the segmentation that it is.

    Raises
    ------
    FormatError
        If its pixels are no integers.
    """
    image = read.image
    dtype = image.levels[0].dtype
    if dtype.kind not in "iub":
        raise FormatError(f"labels are integers, these are {dtype}")
    block = ome_block(read.attributes).get("image-label")
    fields: Json = block if isinstance(block, dict) else {}
    where = str(image.metadata.get("path", "")) or name or image.name
    looks = saved_looks(read.attributes, 1)
    return Labels(
        name=name or image.name,
        axes=image.axes,
        levels=image.levels,
        colors=_colors(fields.get("colors"), where, problems),
        properties=_properties(fields.get("properties"), where, problems),
        metadata=image.metadata,
        affine=image.affine,
        look=looks[0] if looks else {},
    )


def _colors(
    entries: object, where: str, problems: list[str]
) -> dict[int, tuple[int, int, int, int]]:
    colors: dict[int, tuple[int, int, int, int]] = {}
    odd = 0
    for entry in _entries(entries, "colors", where, problems):
        value, rgba = _value(entry), entry.get("rgba")
        if value is None:
            odd += 1
        elif rgba is None:
            continue  # the colour is optional, the viewer chooses one
        elif (
            isinstance(rgba, list)
            and len(rgba) in (3, 4)
            and all(type(part) is int and 0 <= part <= 255 for part in rgba)
        ):
            red, green, blue, alpha = (*rgba, 255)[:4]
            colors[value] = red, green, blue, alpha
        else:
            odd += 1
    if odd:
        problems.append(f"{where}: {odd} colours are not used, they are no red, green, "
                        "blue and alpha of a label")  # fmt: skip
    return colors


def _properties(
    entries: object, where: str, problems: list[str]
) -> dict[int, dict[str, object]]:
    properties: dict[int, dict[str, object]] = {}
    odd = 0
    for entry in _entries(entries, "properties", where, problems):
        value = _value(entry)
        if value is None:
            odd += 1
            continue
        facts = {k: _small(v) for k, v in entry.items() if k != "label-value"}
        properties[value] = dict(list(facts.items())[:_MAX_KEYS])
    if odd:
        problems.append(f"{where}: {odd} properties are not used, they name no label")
    return properties


def _small(value: object) -> object:
    """Return a value for one cell of a table."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    try:
        return json.dumps(value)[:_MAX_TEXT]
    except RecursionError:
        return None


def _entries(
    entries: object, what: str, where: str, problems: list[str]
) -> list[dict[str, object]]:
    if entries is None:
        return []
    if not isinstance(entries, list):
        problems.append(f"{where}: {what} is no list")
        return []
    if len(entries) > _MAX_VALUES:
        problems.append(f"{where}: only the first {_MAX_VALUES} {what} are used")
    return [e if isinstance(e, dict) else {} for e in entries[:_MAX_VALUES]]


def _value(entry: Json) -> int | None:
    """Return the label that an entry is about; 1.0 of some writers is 1."""
    value = entry.get("label-value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A NaN is in no range.
    return int(value) if abs(value) < 2**63 and value % 1 == 0 else None
