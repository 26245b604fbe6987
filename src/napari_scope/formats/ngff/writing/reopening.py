"""What the metadata say of an array that is gone on with.

How it is cut is taken from there: what is chosen for an array depends on its length,
which may be another by now. Everything else must be what this run would write.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.store import read_bounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_scope.formats.ngff.writing.chunks import ChunkPlan
    from napari_scope.formats.ngff.writing.writers import ArrayFormat

__all__ = ["copy_of", "plan_on_disk"]

_MOST_ENTRIES = 1 << 24  # in the index of a shard


def plan_on_disk(
    folder: Path, format: ArrayFormat, planned: ChunkPlan, names: Sequence[str]
) -> tuple[ChunkPlan, tuple[int, ...]]:
    """Return how an array that is finished is cut, and its shape.

    Parameters
    ----------
    folder : Path
        Folder of the array.
    format : ArrayFormat
        How it should be written.
    planned : ChunkPlan
        How it would be cut if it were made now.
    names : sequence of str
        Short names of its axes.

    Raises
    ------
    FormatError
        If it is not an array that this format makes.
    """
    name = "zarr.json" if format.zarr_version == 3 else ".zarray"
    data = read_bounded(folder / name)
    try:
        document: Any = json.loads(data or b"null")
        shape = _sizes(document["shape"], len(names))
        if format.zarr_version == 3:
            chunk = document["codecs"][0]["configuration"]["chunk_shape"]
            chunk = _sizes(chunk, len(names))
            shard = document["chunk_grid"]["configuration"]["chunk_shape"]
            shard = _sizes(shard, len(names))
        else:
            chunk = shard = _sizes(document["chunks"], len(names))
    except (ValueError, RecursionError, KeyError, IndexError, TypeError) as error:
        raise FormatError(
            f"the metadata of the array are not those of this writer ({error!r})",
            path=folder / name,
        ) from error
    spans = [s // c for s, c in zip(shard, chunk, strict=True)]
    plan = replace(
        planned,
        depth=chunk[:-2],
        tile=(chunk[-2], chunk[-1]),
        span=tuple(spans[:-2]),
        tile_span=(spans[-2], spans[-1]),
    )
    _, expected = format.document(plan, shape, names, finished=True)
    # What somebody noted with the array is theirs.
    wrong = [
        key
        for key in expected
        if key != "attributes" and document.get(key) != expected[key]
    ]
    if wrong or shape[-2:] != planned.frame or math.prod(spans) > _MOST_ENTRIES:
        raise FormatError(
            "the array is stored otherwise than this run stores it"
            + (f": {wrong[0]} is {document.get(wrong[0])}"[:200] if wrong else ""),
            path=folder / name,
            hint="go on with the settings that the run was begun with",
        )
    return plan, shape


def _sizes(value: object, count: int) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise ValueError(f"{str(value)[:80]} are not {count} sizes")
    if not all(type(size) is int and 0 < size < 2**40 for size in value):
        raise ValueError(f"{str(value)[:80]} are no sizes")
    return tuple(value)


def copy_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document, with what only its former version had.

    Others may have noted things in the metadata of a finished store.
    """
    result = {**old, **new}
    for key in old.keys() & new.keys():
        if isinstance(old[key], dict) and isinstance(new[key], dict):
            result[key] = copy_of(old[key], new[key])
    return result
