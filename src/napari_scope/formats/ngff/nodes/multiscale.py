"""What an image group says in its OME block: axes, levels, where they lie.

Functions over the block as JSON, without files. Reading is lenient (whatever is odd
counts as missing), writing is strict: the transformations of a level are always one
scale and, if there is an offset, one translation, as OME-NGFF 0.4 and 0.5 demand.

Examples
--------
>>> block = new_image("cell", [AxisMeta("y"), AxisMeta("x")], "0.5")
>>> add_level(block, "0", canonical(2, [TransformationMeta("scale", scale=[2, 2])]))
>>> level_paths(block), placement(block, "0").scale
(['0'], (2.0, 2.0))
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_scope.formats.ngff.nodes.failures import ArgumentError, LayoutError
from napari_scope.formats.ngff.nodes.meta import (
    AxisMeta,
    TransformationMeta,
    axis_from,
    transformation_from,
)
from napari_scope.formats.ngff.transforms import Placement, compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Json = Mapping[str, Any]

__all__ = [
    "add_level",
    "axis_count",
    "canonical",
    "find_multiscale",
    "image_axes",
    "level_paths",
    "new_image",
    "own_placement",
    "placement",
    "remove_levels",
    "set_axes",
    "set_transformations",
    "with_scale",
]

WHOLE = "*"
"""Names the whole image in place of one of its levels."""

_KEY = "coordinateTransformations"


def find_multiscale(block: Json) -> dict[str, Any] | None:
    """Return the first entry of ``multiscales``, None if the group is no image."""
    entries = block.get("multiscales")
    first = entries[0] if isinstance(entries, list) and entries else None
    return first if isinstance(first, dict) else None


def image_axes(block: Json) -> tuple[AxisMeta, ...] | None:
    """Return the axes that the block names; None if it does not (0.1 and 0.2)."""
    multiscale = find_multiscale(block)
    entries = multiscale.get("axes") if multiscale else None
    if not isinstance(entries, list) or not entries:
        return None
    try:
        return tuple(axis_from(entry) for entry in entries)
    except ArgumentError as error:
        raise LayoutError(f"the axes of the image are damaged: {error}") from error


def axis_count(block: Json) -> int:
    """Return the number of axes; 0 if the block does not name them."""
    axes = (find_multiscale(block) or {}).get("axes")
    return len(axes) if isinstance(axes, list) else 0


def level_paths(block: Json) -> list[str]:
    """Return the paths of the levels, finest first."""
    return [entry["path"] for entry in _datasets(block)]


def _datasets(block: Json) -> list[dict[str, Any]]:
    multiscale = find_multiscale(block)
    entries = multiscale.get("datasets") if multiscale else None
    return [
        entry
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("path"), str)
    ]


def _dataset(block: Json, path: str) -> dict[str, Any] | None:
    return next((entry for entry in _datasets(block) if entry["path"] == path), None)


def placement(block: Json, image: str, ndim: int | None = None) -> Placement:
    """Return where the pixels of a level lie, or the transformation of the whole.

    Both sets of transformations count, those of the level first: a pixel is at
    ``whole_scale * (scale * index + translation) + whole_translation``.
    """
    multiscale = find_multiscale(block) or {}
    whole = multiscale.get(_KEY)
    count = axis_count(block) if ndim is None else ndim
    if image == WHOLE:
        return compose(count, whole)
    return compose(count, (_dataset(block, image) or {}).get(_KEY), whole)


def own_placement(block: Json, image: str, ndim: int) -> Placement:
    """Return the transformation of a level, or of the whole, by itself."""
    holder = find_multiscale(block) if image == WHOLE else _dataset(block, image)
    return compose(ndim, (holder or {}).get(_KEY))


def canonical(ndim: int, transformations: Iterable[object]) -> list[dict[str, Any]]:
    """Return transformations as one scale and, if needed, one translation.

    Raises
    ------
    ArgumentError
        If one has not a number for each axis.
    """
    entries = [transformation_from(entry) for entry in transformations]
    for entry in entries:
        values = entry.scale if entry.type == "scale" else entry.translation
        if entry.type != "identity" and len(values or ()) != ndim:
            raise ArgumentError(
                f"a {entry.type} of {len(values or ())} numbers for {ndim} axes"
            )
    whole = compose(ndim, [entry.to_json() for entry in entries])
    return _as_json(whole.scale, whole.translation)


def _as_json(
    scale: Sequence[float], translation: Sequence[float]
) -> list[dict[str, Any]]:
    steps = [TransformationMeta("scale", scale=scale)]
    if any(translation):
        steps.append(TransformationMeta("translation", translation=translation))
    return [step.to_json() for step in steps]


def with_scale(
    block: Json, image: str, ndim: int, axis: int, value: float
) -> list[dict[str, Any]]:
    """Return the transformations of a level (or the whole) with another scale."""
    own = own_placement(block, image, ndim)
    # What a reader counts as 1 is written as 1.
    scale = [number or 1.0 for number in own.scale]
    scale[axis] = value
    return _as_json(scale, own.translation)


def new_image(name: str, axes: Iterable[AxisMeta], version: str) -> dict[str, Any]:
    """Return the block of an image that has no levels yet."""
    multiscale: dict[str, Any] = {
        "name": name,
        "axes": [axis.to_json() for axis in axes],
        "datasets": [],
    }
    if version == "0.4":
        multiscale["version"] = version
    return {"multiscales": [multiscale]}


def add_level(
    block: dict[str, Any], path: str, transformations: list[dict[str, Any]]
) -> None:
    """List a level, in its place from fine to coarse; one that is listed stays.

    ``transformations`` are canonical.
    """
    multiscale = find_multiscale(block)
    if multiscale is None:
        raise LayoutError("the group is no image: it has no multiscales")
    if _dataset(block, path) is not None:
        return
    entry = {"path": path, _KEY: transformations}
    datasets = multiscale.setdefault("datasets", [])
    size = _pixel_size(entry)
    for number, other in enumerate(datasets):
        if isinstance(other, dict) and _pixel_size(other) > size * (1 + 1e-9):
            datasets.insert(number, entry)
            return
    datasets.append(entry)


def _pixel_size(dataset: Json) -> float:
    transformations = dataset.get(_KEY)
    for entry in transformations if isinstance(transformations, list) else ():
        if isinstance(entry, dict) and entry.get("type") == "scale":
            values = entry.get("scale")
            if isinstance(values, list) and values:
                return math.prod(compose(len(values), [entry]).scale)
    return 1.0


def remove_levels(block: dict[str, Any], paths: Iterable[str]) -> None:
    """Take levels out of the list."""
    gone = set(paths)
    multiscale = find_multiscale(block) or {}
    multiscale["datasets"] = [
        entry for entry in _datasets(block) if entry["path"] not in gone
    ]


def set_transformations(
    block: dict[str, Any], image: str, transformations: list[dict[str, Any]]
) -> None:
    """Replace the transformations of a level, or of the whole image.

    Raises
    ------
    ArgumentError
        If there is no such level.
    """
    holder = find_multiscale(block) if image == WHOLE else _dataset(block, image)
    if holder is None:
        raise ArgumentError(
            f"the image has no level {image!r}",
            hint=f"it has {', '.join(level_paths(block)) or 'none'}; '*' is all of it",
        )
    if image == WHOLE and not transformations:
        holder.pop(_KEY, None)
    else:
        holder[_KEY] = transformations


def set_axes(block: dict[str, Any], axes: Iterable[AxisMeta]) -> None:
    """Replace the axes of an image (their units, say)."""
    multiscale = find_multiscale(block)
    if multiscale is not None:
        multiscale["axes"] = [axis.to_json() for axis in axes]
