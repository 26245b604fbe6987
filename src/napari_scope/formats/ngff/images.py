"""One multiscale image of OME-Zarr: its axes, levels and channels.

Reads versions 0.1 to 0.5 leniently: what is odd is reported and does without, what
makes the image impossible to show is raised. Only the first entry of ``multiscales``
is used, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.arrays import LazyArray
from napari_scope.errors import FormatError
from napari_scope.formats.ngff.omero import channels_from_omero
from napari_scope.formats.ngff.pixels import ZarrSource
from napari_scope.formats.ngff.transforms import compose
from napari_scope.model import Axis, AxisKind, Image, axis_kind, short

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_scope.formats.ngff.store import ArrayInfo, Store

    Json = Mapping[str, object]

__all__ = ["ReadImage", "ome_block", "read_image", "version_of"]

_MAX_LEVELS = 64
_OLD_AXES = "tczyx"  # versions 0.1 and 0.2 do not name them


@dataclass(frozen=True, slots=True)
class ReadImage:
    """An image and what was odd about it.

    Parameters
    ----------
    image : Image
        The image, named as its own metadata name it (may be empty).
    problems : tuple of str
        What was left out, one sentence each.
    version : str
        Version of OME-Zarr.
    """

    image: Image
    problems: tuple[str, ...]
    version: str


def ome_block(attributes: Json) -> Json:
    """Return the OME part of the attributes of a group.

    From version 0.5 on it is the entry ``ome``, before it is the attributes themselves.
    """
    block = attributes.get("ome")
    return block if isinstance(block, dict) else attributes


def version_of(block: Json) -> str:
    """Return the version that an OME block states, or an empty string."""
    candidates: list[object] = [block]
    for key in ("plate", "well", "multiscales"):
        value = block.get(key)
        candidates.append(value[0] if isinstance(value, list) and value else value)
    for candidate in candidates:
        if isinstance(candidate, dict) and isinstance(candidate.get("version"), str):
            return str(candidate["version"])
    return ""


def read_image(store: Store, path: str = "") -> ReadImage:
    """Read the metadata of an image; no pixel is read.

    Parameters
    ----------
    store : Store
        The opened hierarchy.
    path : str
        Path of the image group within it.

    Raises
    ------
    FormatError
        If the group is no image or none of its levels can be shown.
    """
    attributes = store.attributes(path)
    block = ome_block(attributes)
    folder = store.folder(path)
    multiscale = _first_multiscale(block, folder)
    problems: list[str] = []

    found = _levels(store, path, multiscale, problems)
    infos = [info for info, _ in found]
    ndim = len(infos[0].shape)
    whole = multiscale.get("coordinateTransformations")
    placement = compose(ndim, found[0][1], whole)
    problems += placement.problems

    axes: list[Axis] = []
    described = _describe_axes(multiscale.get("axes"), ndim, folder)
    for (name, kind, unit), scale, offset in zip(
        described, placement.scale, placement.translation, strict=True
    ):
        if scale == 0:
            # Writers of single time points store an interval of 0; a viewer cannot
            # place samples on top of each other.
            if kind != "time":
                problems.append(f"the scale 0 of axis {name} counts as 1")
            scale = 1.0
        axes.append(Axis(name, kind, unit, scale, offset))

    names = [axis.name for axis in axes]
    count = infos[0].shape[names.index("c")] if "c" in names else 1
    channels = channels_from_omero(block.get("omero"), count)
    if "c" in names:
        place = names.index("c")
        c = axes[place]
        labels = tuple(channel.name for channel in channels)
        axes[place] = Axis(c.name, c.kind, c.unit, c.scale, c.translation, labels)

    title = multiscale.get("name")
    image = Image(
        name=title.strip().strip("/") if isinstance(title, str) else "",
        axes=tuple(axes),
        levels=tuple(LazyArray(ZarrSource(info)) for info in infos),
        channels=channels,
        bit_depth=_bit_depth(attributes),
        metadata={"path": path} if path else {},
    )
    where = f"{path}: " if path else ""
    return ReadImage(image, tuple(where + p for p in problems), version_of(block))


def _first_multiscale(block: Json, folder: Path) -> Json:
    multiscales = block.get("multiscales")
    first = multiscales[0] if isinstance(multiscales, list) and multiscales else None
    if not isinstance(first, dict):
        raise FormatError("no image: the attributes have no multiscales", path=folder)
    if "coordinateSystems" in first and "axes" not in first:
        raise FormatError(
            f"OME-Zarr {version_of(block) or '0.6'} with coordinate systems is newer "
            "than this reader",
            path=folder,
            hint="versions 0.1 to 0.5 are read",
        )
    return first


def _levels(
    store: Store, path: str, multiscale: Json, problems: list[str]
) -> list[tuple[ArrayInfo, object]]:
    """Return the usable levels with their transformations, finest first."""
    datasets = multiscale.get("datasets")
    found: list[tuple[ArrayInfo, object]] = []
    for number, entry in enumerate(datasets if isinstance(datasets, list) else ()):
        if number == _MAX_LEVELS:
            problems.append(f"only the first {_MAX_LEVELS} levels are used")
            break
        level = entry.get("path") if isinstance(entry, dict) else None
        if not isinstance(level, str):
            problems.append(f"level {number} has no path")
            continue
        try:
            info = store.array(f"{path}/{level}" if path else level)
        except FormatError as error:
            problems.append(f"level {level} is left out: {error}")
            continue
        if 0 in info.shape:
            problems.append(f"level {level} is left out: it is empty, {info.shape}")
        elif found and (
            len(info.shape) != len(found[0][0].shape) or info.dtype != found[0][0].dtype
        ):
            problems.append(
                f"level {level} is left out: {len(info.shape)} axes of {info.dtype} do "
                f"not fit the finest level, {len(found[0][0].shape)} axes of "
                f"{found[0][0].dtype}"
            )
        else:
            found.append((info, entry.get("coordinateTransformations")))
    if not found:
        reason = "; ".join(problems) or "multiscales lists no datasets"
        raise FormatError(f"no level can be read: {reason}", path=store.folder(path))
    return found


def _describe_axes(
    entries: object, ndim: int, folder: Path
) -> list[tuple[str, AxisKind, str | None]]:
    """Return name, kind and unit of each axis."""
    if entries is None and ndim <= len(_OLD_AXES):
        entries = list(_OLD_AXES[-ndim:])
    if not isinstance(entries, list) or len(entries) != ndim or ndim < 2:
        raise FormatError(
            f"the axes {str(entries)[:80]} do not fit an array of {ndim} axes",
            path=folder,
        )
    described: list[tuple[str, AxisKind, str | None]] = []
    for number, entry in enumerate(entries):
        fields = entry if isinstance(entry, dict) else {"name": entry}
        name, kind, unit = (fields.get(key) for key in ("name", "type", "unit"))
        text = short(name.lower()) if isinstance(name, str) and name else str(number)
        described.append(
            (text, axis_kind(text), unit if isinstance(unit, str) and unit else None)
        )
        # The type decides what a channel or time axis of another name is.
        for wanted, brief in (("channel", "c"), ("time", "t")):
            if kind == wanted and not any(d[0] == brief for d in described):
                described[-1] = (brief, axis_kind(brief), described[-1][2])
    names = [name for name, _, _ in described]
    if not {"y", "x"} & set(names):
        # The names of the axes in space are free in the standard; order is not.
        for place, brief in ((-2, "y"), (-1, "x")):
            described[place] = (brief, "space", described[place][2])
    names = [name for name, _, _ in described]
    if not {"y", "x"} <= set(names) or len(set(names)) != ndim:
        raise FormatError(
            f"each axis must be named once, y and x among them, not {names}",
            path=folder,
        )
    return described


def _bit_depth(attributes: Json) -> int | None:
    """Return the significant bits that our own writer notes beside the standard."""
    own = attributes.get("napari_scope")
    bits = own.get("bit_depth") if isinstance(own, dict) else None
    return bits if type(bits) is int and 1 <= bits <= 64 else None
