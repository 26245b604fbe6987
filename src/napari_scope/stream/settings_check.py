"""The rules between settings: what cannot be stored is refused with a sentence.

Each function looks at one concern and raises ValueError, which pydantic reports when
the settings are made. What a single dimension may be is checked there; what a format
cannot hold, its sink says.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.model import canonical
from napari_scope.stream.outputs import COMPRESSIONS, FORMATS, FormatName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.stream.dimensions import Dimension
    from napari_scope.stream.gaps import Gap
    from napari_scope.stream.samples import Plate

__all__ = [
    "check_dimensions",
    "check_gaps",
    "check_plate",
    "check_positions",
    "codec_name",
    "dtype_name",
    "storage_names",
]

_MOST_FRAMES = 2**31
"""More than any run takes; the record of arrival has a byte for each."""


def dtype_name(value: object) -> str:
    """Return the name of a pixel type that can be stored."""
    try:
        dtype = np.dtype(value)  # type: ignore[call-overload]
    except TypeError as error:
        raise ValueError(
            f"{value!r} is not the name of a pixel type; use 'uint16', for example"
        ) from error
    # Types of more than eight bytes differ between machines; no format has them.
    if value is None or dtype.kind not in "uif" or dtype.itemsize > 8:
        raise ValueError(
            f"pixels of type {value!r} cannot be stored; use whole numbers or floats, "
            "such as 'uint8', 'uint16' or 'float32'"
        )
    return str(dtype.name)


def check_dimensions(dimensions: Sequence[Dimension]) -> None:
    """Refuse dimensions that do not make frames, images and an order."""
    names = [d.name for d in dimensions]
    if len(set(map(canonical, names))) < len(names):
        raise ValueError(
            f"two dimensions have the same name: {', '.join(names)}; give each one of "
            "its own"
        )
    if sorted(names[-2:]) != ["x", "y"]:
        raise ValueError(
            f"the last two dimensions must be 'y' and 'x', found "
            f"{', '.join(names[-2:]) or 'none'}"
        )
    for place, dimension in enumerate(dimensions):
        if dimension.count is None and (place or len(names) == 2):
            raise ValueError(
                f"dimension {dimension.name!r} has no count; only the first one may "
                "be unbounded, give the others a count"
            )
    for kind in ("position", "time", "channel"):
        same = [d.name for d in dimensions if d.kind == kind]
        if len(same) > 1:
            raise ValueError(
                f"only one dimension may be of type {kind!r}, found "
                f"{', '.join(same)}; make one of them of type 'other'"
            )
    if dimensions[0].count is None and dimensions[0].kind == "position":
        raise ValueError(
            "positions cannot be unbounded; declare them, or put an unbounded time "
            "first"
        )
    frames = math.prod(d.count or 1 for d in dimensions[:-2])
    if frames > _MOST_FRAMES:
        raise ValueError(
            f"the dimensions make {frames:,} frames, the most is {_MOST_FRAMES:,}; "
            "leave the first one unbounded (count=None)"
        )


def check_positions(dimensions: Sequence[Dimension]) -> None:
    """Refuse own sizes of positions that do not fit the dimensions."""
    index = {canonical(d.name): d for d in dimensions[:-2] if d.kind != "position"}
    for dimension in dimensions:
        for position in dimension.positions:
            for name, size in (position.sizes or {}).items():
                axis = index.get(canonical(name))
                if axis is None or axis.count is None or size > axis.count:
                    raise ValueError(
                        f"position {position.name!r} has sizes={{{name!r}: {size}}}; "
                        "sizes are for other dimensions with a count, and at most "
                        "that count"
                    )


def check_plate(plate: Plate | None, dimensions: Sequence[Dimension]) -> None:
    """Refuse a plate without positions, and positions that do not lie on it."""
    if plate is None:
        return
    positions = [p for d in dimensions for p in d.positions]
    if not positions:
        raise ValueError(
            "a plate needs positions; add a dimension of type 'position' whose coords "
            "have plate_row and plate_column"
        )
    for position in positions:
        well = position.well
        if well is None:
            raise ValueError(
                f"position {position.name!r} is in no well of the plate; give it "
                "plate_row and plate_column"
            )
        if well[0] not in plate.row_names or well[1] not in plate.column_names:
            raise ValueError(
                f"position {position.name!r} is in row {well[0]!r}, column "
                f"{well[1]!r}, which the plate does not have; it has the rows "
                f"{', '.join(plate.row_names)} and the columns "
                f"{', '.join(plate.column_names)}"
            )


def check_gaps(gaps: Sequence[Gap], dimensions: Sequence[Dimension]) -> None:
    """Refuse gaps outside of the grid of frames."""
    counts = {
        "position" if d.kind == "position" else canonical(d.name): d.count
        for d in dimensions[:-2]
    }
    for gap in gaps:
        if None in counts.values():
            raise ValueError(
                "gaps cannot be declared for an unbounded run; call Stream.skip when "
                "a frame does not come"
            )
        for name, numbers in gap.numbers.items():
            count = counts.get(name) or 0
            if max(numbers, default=0) >= count:
                raise ValueError(
                    f"the gap {dict(gap.index)} lies outside of the dimensions "
                    f"({', '.join(f'{n}: {c}' for n, c in counts.items())})"
                )


def codec_name(compression: str | None, format: FormatName) -> str | None:
    """Return the codec, None for none; refuse one that the format does not have."""
    if compression is None or compression == "none":
        return None
    if compression in COMPRESSIONS[format]:
        return compression
    known = ", ".join(COMPRESSIONS[format])
    others = [f for f in FORMATS if compression in COMPRESSIONS[f]]
    advice = f"use {known} or none" if known else "leave compression out"
    if others:
        advice += f", or format={others[0]!r}"
    raise ValueError(f"{format} has no compression {compression!r}; {advice}")


def storage_names(
    order: str | Sequence[str], dimensions: Sequence[Dimension]
) -> tuple[str, ...] | None:
    """Return canonical names of the index axes in storage order; None for "ome".

    Parameters
    ----------
    order : {"ome", "acquisition"} or sequence of str
        A list names all dimensions but those of positions; ``y`` and ``x`` may be left
        out.
    dimensions : sequence of Dimension
        In the order of acquisition.
    """
    if order == "ome":
        return None
    index = [d.name for d in dimensions[:-2] if d.kind != "position"]
    if order == "acquisition":
        return tuple(map(canonical, index))
    if isinstance(order, str):
        raise ValueError(
            f"there is no storage order {order!r}; use 'ome', 'acquisition' or a list "
            "of names"
        )
    places = {canonical(d.name) for d in dimensions if d.kind == "position"}
    frame = [d.name for d in dimensions[-2:]]
    names = [canonical(name) for name in order if canonical(name) not in places]
    if {*names} & {*frame}:
        if names[-2:] != frame:
            raise ValueError(
                f"storage_order must end with {frame[0]!r}, {frame[1]!r}: frames are "
                "stored as they come"
            )
        names = names[:-2]
    if sorted(names) != sorted(map(canonical, index)):
        raise ValueError(
            f"storage_order={list(order)} does not name each dimension once; the "
            f"dimensions are {', '.join(d.name for d in dimensions)}"
        )
    return tuple(names)
