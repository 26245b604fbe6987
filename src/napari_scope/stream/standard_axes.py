"""The dimensions that most acquisitions have, from names and sizes.

Examples
--------
>>> dims = dims_from_standard_axes({"z": 9, "y": 64, "x": 64}, chunk_shapes={"z": 3})
>>> [d.chunk_size for d in dims]
[3, None, None]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_scope.errors import SettingsError
from napari_scope.stream.dimensions import Dimension

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.stream.samples import Channel, Position

__all__ = ["dims_from_standard_axes"]

_STANDARD_UNITS = {
    "t": "second",
    "z": "micrometer",
    "y": "micrometer",
    "x": "micrometer",
}


def dims_from_standard_axes(
    sizes: Mapping[str, int | Sequence[str | Channel | Position] | None],
    chunk_shapes: Mapping[str, int] | None = None,
    shard_shapes: Mapping[str, int] | None = None,
) -> list[Dimension]:
    """Return dimensions for the standard axes ``p t c z y x``.

    Parameters
    ----------
    sizes : mapping
        Name to size, slowest first; None for an unbounded first axis, a list of
        names, channels or positions for ``p`` and ``c``.
    chunk_shapes : mapping, optional
        Name to samples in a chunk.
    shard_shapes : mapping, optional
        Name to chunks in a shard.

    Raises
    ------
    SettingsError
        For other names.
    """
    sizes, chunks, shards = (
        _by_name(m or {}) for m in (sizes, chunk_shapes, shard_shapes)
    )
    for name in sizes:
        if name not in ("p", "t", "c", "z", "y", "x"):
            raise SettingsError(
                f"{name!r} is not one of the standard axes p, t, c, z, y, x",
                hint="make it with Dimension(...)",
            )
    for name in {*chunks, *shards} - set(sizes):
        raise SettingsError(
            f"there is a chunk or shard size for {name!r}, which is not among the axes",
            hint=f"the axes are {', '.join(sizes)}",
        )
    dimensions = []
    for name, size in sizes.items():
        several = size is not None and not hasattr(size, "__index__")
        dimensions.append(
            Dimension(
                name=name,
                count=None if several else size,
                coords=size if several else None,
                unit=_STANDARD_UNITS.get(name),
                chunk_size=chunks.get(name),
                shard_size_chunks=shards.get(name),
            )
        )
    return dimensions


def _by_name(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a mapping with plain names; those of ome-writers may be an enumeration."""
    return {str(getattr(name, "value", name)): value for name, value in values.items()}
