"""From a ``useq.MDASequence`` to the fields of settings: dimensions, plate and gaps."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from napari_scope.errors import SettingsError
from napari_scope.stream.dimensions import Dimension
from napari_scope.stream.gaps import gaps_of
from napari_scope.stream.sequence_places import plate_of, positions_of
from napari_scope.stream.sequence_scan import SequenceScan, is_ragged, scan
from napari_scope.stream.standard_axes import dims_from_standard_axes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from useq import MDASequence

__all__ = ["sequence_fields"]

_MOST_TIMES = 100_000
"""Uneven time points that are listed one by one."""


def sequence_fields(
    sequence: MDASequence,
    *,
    dtype: object,
    image_height: int,
    image_width: int,
    root_path: str | Path = "",
    pixel_size_um: float | None = None,
    chunk_shapes: Mapping[str, int] | None = None,
    shard_shapes: Mapping[str, int] | None = None,
    **more: object,
) -> tuple[dict[str, Any], SequenceScan]:
    """Return the fields of `AcquisitionSettings`, and what the sequence takes.

    The parameters are those of `plan_sequence`.

    Raises
    ------
    SettingsError
        If the sequence takes no frame, takes one twice, or is ragged without end.
    """
    found = scan(sequence)
    if not found.places:
        raise SettingsError(
            "the sequence takes no frame", hint="add a channel or a time point"
        )
    cuts = {"chunk_shapes": chunk_shapes or {}, "shard_shapes": shard_shapes or {}}
    dimensions = _dimensions(sequence, found, cuts)
    frame = dims_from_standard_axes(
        {"y": image_height, "x": image_width},
        *({n: s for n, s in cut.items() if n in ("y", "x")} for cut in cuts.values()),
    )
    pixel = {"scale": pixel_size_um} if pixel_size_um else {}
    dimensions += [d.model_copy(update=pixel) for d in frame]
    gaps = []
    if is_ragged(sequence):
        missing = found.missing()
        gaps = gaps_of(missing, found.axes, "the plan takes no frame here")
    fields: dict[str, Any] = {
        "root_path": root_path,
        "dtype": dtype,
        "dimensions": dimensions,
        "plate": plate_of(sequence),
        "gaps": gaps,
        **more,
    }
    return fields, found


def _dimensions(
    sequence: MDASequence, found: SequenceScan, cuts: Mapping[str, Mapping[str, int]]
) -> list[Dimension]:
    """Return the dimensions before y and x, slowest first."""
    dimensions: list[Dimension] = []
    for letter in found.order:
        if letter == "p":
            dimensions.append(Dimension(name="p", coords=positions_of(sequence, found)))
            continue
        fields: dict[str, Any] = {
            "name": letter,
            "count": found.sizes[letter],
            "chunk_size": cuts["chunk_shapes"].get(letter),
            "shard_size_chunks": cuts["shard_shapes"].get(letter),
        }
        if letter == "t":
            fields |= {"unit": "second", **_spacing(found.times(), found.sizes["t"])}
            if found.unbounded:
                fields["count"] = None
        elif letter == "z":
            heights = found.heights()
            fields |= {"unit": "micrometer"}
            fields |= _spacing([h - heights[0] for h in heights], found.sizes["z"])
            if heights and "scale" in fields and not found.has_places:
                fields["translation"] = heights[0]
        elif letter == "c":
            fields |= {"count": len(found.labels), "coords": found.labels}
        dimensions.append(Dimension(**fields))
    return dimensions


def _spacing(places: list[float], count: int) -> dict[str, object]:
    """Return the scale of even places, the places themselves if they are uneven."""
    if len(places) < 2:
        return {}
    steps = [b - a for a, b in itertools.pairwise(places)]
    even = all(abs(s - steps[0]) <= 1e-6 * max(abs(steps[0]), 1e-9) for s in steps)
    if even and steps[0] > 0:
        return {"scale": steps[0]}
    if len(places) != count or count > _MOST_TIMES or len({*places}) < count:
        return {}
    return {"coords": places}
