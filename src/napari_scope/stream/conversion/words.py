"""What OME-Zarr says of a plate, a level and a codec, whatever its version: pure words.

Examples
--------
>>> others({"ome": {}, "mine": 1})
{'mine': 1}
>>> well_paths({"wells": [{"path": "A/1/"}, {}, {"path": "B/2"}]})
['A/1', 'B/2']
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import ome_block
from napari_scope.stream.conversion.layout import with_steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.ngff.images import ReadImage
    from napari_scope.formats.ngff.store import Store
    from napari_scope.model import Axis

    Json = Mapping[str, Any]

__all__ = ["is_compressed", "level_axes", "others", "plate_words", "well_paths"]

_KNOWN = frozenset(
    {
        "ome", "multiscales", "omero", "plate", "well", "labels", "image-label",
        "bioformats2raw.layout", "series", "coordinateTransformations", "version",
        "_ARRAY_DIMENSIONS",
    }
)  # fmt: skip
"""Keys of attributes that OME-Zarr gives a meaning; others are copied."""


def others(attributes: Json) -> dict[str, Any]:
    """Return the attributes that are not those of OME-Zarr."""
    return {key: value for key, value in attributes.items() if key not in _KNOWN}


def well_paths(plate: Json) -> list[str]:
    """Return the paths of the wells that a plate lists, each once."""
    wells = plate.get("wells")
    paths = [
        entry.get("path") if isinstance(entry, dict) else None
        for entry in (wells if isinstance(wells, list) else ())
    ]
    return list(dict.fromkeys(p.strip("/") for p in paths if isinstance(p, str)))


def plate_words(
    plate: Json, wells: list[tuple[str, list[dict[str, Any]]]]
) -> dict[str, Any]:
    """Return the metadata of a plate with the wells that are there."""
    rows, columns = _names(plate.get("rows")), _names(plate.get("columns"))
    entries = []
    for path, _ in wells:
        row, _, column = path.partition("/")
        for name, known in ((row, rows), (column, columns)):
            if name not in known:
                known.append(name)
        entries.append(
            {
                "path": path,
                "rowIndex": rows.index(row),
                "columnIndex": columns.index(column),
            }
        )
    told: dict[str, Any] = {
        "rows": [{"name": name} for name in rows],
        "columns": [{"name": name} for name in columns],
        "wells": entries,
        "field_count": max((len(fields) for _, fields in wells), default=1),
    }
    if isinstance(plate.get("name"), str):
        told["name"] = plate["name"]
    acquisitions = plate.get("acquisitions")
    if isinstance(acquisitions, list):
        taken = [
            a for a in acquisitions if isinstance(a, dict) and type(a.get("id")) is int
        ]
        if taken:
            told["acquisitions"] = taken
    return told


def _names(entries: object) -> list[str]:
    found = [
        entry.get("name") if isinstance(entry, dict) else None
        for entry in (entries if isinstance(entries, list) else ())
    ]
    return [str(name) for name in found if isinstance(name, str | int)]


def level_axes(found: ReadImage) -> list[tuple[Axis, ...]]:
    """Return the axes of each level.

    Before version 0.4 levels had no scales; those of other sizes get theirs from that.
    """
    shapes = [level.shape for level in found.image.levels]
    return [
        with_steps(found.level_axes[0], shapes[0], shape)
        if axes == found.level_axes[0] and shape != shapes[0]
        else tuple(axes)
        for axes, shape in zip(found.level_axes, shapes, strict=True)
    ]


def is_compressed(store: Store, path: str) -> bool:
    """Return whether the finest level of an image is compressed, as its JSON says."""
    block: Any = ome_block(store.attributes(path))
    try:
        level = block["multiscales"][0]["datasets"][0]["path"]
        for name in ("zarr.json", ".zarray"):
            data = store.document(f"{path}/{level}".strip("/"), name)
            if data is not None:
                text = json.loads(data)
                codecs = json.dumps(text.get("codecs", text.get("compressor")))
                return any(
                    word in codecs
                    for word in ("blosc", "zstd", "gzip", "zlib", "lz4", "lzma", "bz2")
                )
    except (KeyError, IndexError, TypeError, ValueError, FormatError):
        return False
    return False
