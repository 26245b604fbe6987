"""The JSON of an OME-Zarr store, 0.5 or 0.4, built from plain values.

Pure functions: they return dictionaries, nothing is written here. The source of each
key is the specification of OME-NGFF 0.4 and 0.5 and of Zarr v2 and v3 (core and
sharding-indexed).

Examples
--------
>>> array_metadata(
...     (3, 8, 8), "uint16", chunk=(1, 8, 8), shard=(3, 8, 8), names=("t", "y", "x")
... )["chunk_grid"]["configuration"]
{'chunk_shape': [3, 8, 8]}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.model import Axis, AxisKind, Channel

__all__ = [
    "NGFF_VERSION",
    "NGFF_VERSIONS",
    "LevelInfo",
    "array_metadata",
    "array_metadata_v2",
    "axis_rank",
    "collection_attributes",
    "encode",
    "follows_order",
    "group_documents",
    "group_metadata",
    "image_attributes",
    "series_attributes",
]

NGFF_VERSION = "0.5"
NGFF_VERSIONS = {"0.4": 2, "0.5": 3}
"""The versions that are written, and the version of Zarr of each."""

_NGFF_TYPE = {"time": "time", "channel": "channel", "space": "space"}


@dataclass(frozen=True, slots=True)
class LevelInfo:
    """One level of a pyramid.

    Parameters
    ----------
    path : str
        Name of its array.
    factor : int or tuple of int
        How many pixels of full resolution one of its pixels spans: on y and x, or on
        each axis of the image.
    """

    path: str
    factor: int | tuple[int, ...]

    def factors(self, names: Sequence[str]) -> tuple[int, ...]:
        """Return the factor of each of the axes of these names."""
        if isinstance(self.factor, int):
            return tuple(self.factor if name in ("y", "x") else 1 for name in names)
        if len(self.factor) != len(names):
            raise SettingsError(
                f"level {self.path} has factors {self.factor} for the axes "
                f"{', '.join(names)}"
            )
        return self.factor


def encode(document: Mapping[str, Any]) -> bytes:
    """Return a document as the bytes of a ``zarr.json``."""
    return json.dumps(document, indent=2, allow_nan=False).encode()


def group_metadata(attributes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the ``zarr.json`` of a group."""
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": dict(attributes or {}),
    }


def array_metadata(
    shape: Sequence[int],
    dtype: str,
    *,
    chunk: Sequence[int],
    shard: Sequence[int],
    names: Sequence[str],
    codecs: Sequence[Mapping[str, Any]] = (),
    growing: bool = False,
) -> dict[str, Any]:
    """Return the ``zarr.json`` of a sharded array.

    Parameters
    ----------
    shape, chunk, shard : sequence of int
        Sizes of the array, of an inner chunk and of a shard, in pixels.
    dtype : str
        Zarr name of the pixel type (``uint16``).
    names : sequence of str
        Name of each axis.
    codecs : sequence of mapping
        The codecs of a chunk that follow on its bytes; none if it is not compressed.
    growing : bool
        Whether the index of a shard is at its start and has no checksum, instead of
        one at the end with a checksum.
    """
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": list(shard)},
        },
        "chunk_key_encoding": {
            "name": "default",
            "configuration": {"separator": "/"},
        },
        "fill_value": 0,
        "codecs": [
            {
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": list(chunk),
                    "codecs": [little, *map(dict, codecs)],
                    "index_codecs": [little]
                    if growing
                    else [little, {"name": "crc32c"}],
                    "index_location": "start" if growing else "end",
                },
            }
        ],
        "attributes": {},
        "dimension_names": list(names),
        "storage_transformers": [],
    }


def array_metadata_v2(
    shape: Sequence[int],
    dtype: str,
    *,
    chunk: Sequence[int],
    compressor: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the ``.zarray`` of an array of Zarr v2.

    Parameters
    ----------
    shape, chunk : sequence of int
        Sizes of the array and of a chunk, in pixels.
    dtype : str
        Type of the pixels as numpy's array protocol spells it (``<u2``).
    compressor : mapping, optional
        The codec of a chunk.
    """
    return {
        "zarr_format": 2,
        "shape": list(shape),
        "chunks": list(chunk),
        "dtype": dtype,
        "compressor": None if compressor is None else dict(compressor),
        "fill_value": 0,
        "order": "C",
        "filters": None,
        "dimension_separator": "/",
    }


def group_documents(
    attributes: Mapping[str, Any] | None = None, version: str = NGFF_VERSION
) -> list[tuple[str, dict[str, Any]]]:
    """Return the files that make a group: their names and contents.

    Attributes as the other functions return them are those of OME-Zarr 0.5; 0.4 has
    what is under ``ome`` at the top, with a version in each part.
    """
    if version == NGFF_VERSION:
        return [("zarr.json", group_metadata(attributes))]
    old = dict(attributes or {})
    ome = old.pop("ome", {})
    parts = {key: _with_version(ome[key], version) for key in ome if key != "version"}
    return [(".zgroup", {"zarr_format": 2}), (".zattrs", {**parts, **old})]


def _with_version(part: Any, version: str) -> Any:
    if isinstance(part, dict):
        return {**part, "version": version}
    if isinstance(part, list) and part and isinstance(part[0], dict):
        return [{**entry, "version": version} for entry in part]
    return part


def image_attributes(
    name: str,
    axes: Sequence[Axis],
    levels: Sequence[LevelInfo],
    channels: Sequence[Channel] = (),
    *,
    bit_depth: int | None = None,
    dtype: str = "uint16",
    default_z: int = 0,
    method: str = "mean",
    image_label: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the attributes of an image group: multiscales, omero and our own.

    Parameters
    ----------
    name : str
        Name of the image.
    axes : sequence of Axis
        Axes in storage order with the scale and translation of full resolution. An
        order that OME-NGFF forbids is written as it is; see `follows_order`.
    levels : sequence of LevelInfo
        The levels, finest first. The centre of a coarse pixel lies between the fine
        ones it covers, so coarse levels are shifted by half of what they reduce.
    channels : sequence of Channel
        For the display settings (``omero``).
    bit_depth : int, optional
        Significant bits, the range of the display windows.
    dtype : str
        Type of the pixels, whose range it is where ``bit_depth`` is not known.
    default_z : int
        Plane to show first.
    method : str
        How a level is made of the one before.
    image_label : mapping, optional
        What makes the image a segmentation: the block of this name.
    extra : mapping, optional
        What goes under the key ``napari_scope``.

    Raises
    ------
    SettingsError
        If OME-NGFF cannot hold these axes.
    """
    _check_axes(axes)
    span = _pixel_range(dtype, bit_depth)
    ome: dict[str, Any] = {
        "version": NGFF_VERSION,
        "multiscales": [
            {
                "name": name,
                "axes": [_axis(axis) for axis in axes],
                "datasets": [_dataset(axes, level) for level in levels],
                "type": method,
            }
        ],
    }
    if channels:
        ome["omero"] = {
            "version": NGFF_VERSION,
            "channels": [_omero_channel(channel, span) for channel in channels],
            "rdefs": {"defaultT": 0, "defaultZ": default_z, "model": "color"},
        }
    if image_label is not None:
        ome["image-label"] = dict(image_label)
    own: dict[str, Any] = dict(extra or {})
    if bit_depth is not None:
        own["bit_depth"] = bit_depth
    return {"ome": ome, "napari_scope": own} if own else {"ome": ome}


def collection_attributes(extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the attributes of a root that holds several images (bioformats2raw)."""
    attributes: dict[str, Any] = {
        "ome": {"version": NGFF_VERSION, "bioformats2raw.layout": 3}
    }
    if extra:
        attributes["napari_scope"] = dict(extra)
    return attributes


def series_attributes(paths: Sequence[str]) -> dict[str, Any]:
    """Return the attributes of the ``OME`` group: the images in order."""
    return {"ome": {"version": NGFF_VERSION, "series": list(paths)}}


def axis_rank(kind: AxisKind) -> int:
    """Return the place of a kind of axis in the order that OME-NGFF demands."""
    return {"time": 0, "space": 2}.get(kind, 1)


def follows_order(axes: Sequence[Axis]) -> bool:
    """Return whether axes stand in the order that OME-NGFF demands."""
    ranks = [axis_rank(axis.kind) for axis in axes]
    return ranks == sorted(ranks)


def _check_axes(axes: Sequence[Axis]) -> None:
    names = [axis.name for axis in axes]
    if not 2 <= len(axes) <= 5:
        raise SettingsError(
            f"OME-Zarr holds images of 2 to 5 axes, this one has {len(axes)} "
            f"({', '.join(names)})",
            hint="store it as NDTiff, which takes any axes",
        )
    ranks = [axis_rank(axis.kind) for axis in axes]
    if ranks.count(0) > 1 or not 2 <= ranks.count(2) <= 3:
        raise SettingsError(
            "OME-Zarr holds images with at most one axis of time and two or three of "
            f"space, found {', '.join(names)}",
            hint="store it as NDTiff, which takes any axes",
        )
    others = [axis.name for axis in axes if axis.kind in ("channel", "other")]
    if len(others) > 1:
        raise SettingsError(
            f"OME-Zarr holds one channel or custom axis, this image has "
            f"{', '.join(others)}",
            hint="store it as NDTiff, which takes any axes",
        )


def _axis(axis: Axis) -> dict[str, Any]:
    document: dict[str, Any] = {"name": axis.name}
    if axis.kind in _NGFF_TYPE:
        document["type"] = _NGFF_TYPE[axis.kind]
    if axis.unit is not None:
        document["unit"] = axis.unit
    return document


def _dataset(axes: Sequence[Axis], level: LevelInfo) -> dict[str, Any]:
    scale: list[float] = []
    translation: list[float] = []
    factors = level.factors([axis.name for axis in axes])
    for axis, factor in zip(axes, factors, strict=True):
        scale.append(axis.scale * factor)
        translation.append(axis.translation + axis.scale * (factor - 1) / 2)
    return {
        "path": level.path,
        "coordinateTransformations": [
            {"type": "scale", "scale": scale},
            {"type": "translation", "translation": translation},
        ],
    }


def _pixel_range(dtype: str, bit_depth: int | None) -> tuple[float, float] | None:
    """Return the least and the largest pixel there can be; None for floats."""
    kind = np.dtype(dtype)
    if kind.kind not in "ui":
        return None
    if bit_depth is not None:
        return 0.0, float(2**bit_depth - 1)
    limits = np.iinfo(kind)
    return float(limits.min), float(limits.max)


def _omero_channel(
    channel: Channel, span: tuple[float, float] | None
) -> dict[str, Any]:
    start, end = map(float, channel.contrast_limits or span or (0.0, 1.0))
    # Floats have no range of their own: from 0 to 1, or as far as what is shown.
    low, high = span or (min(0.0, start), max(1.0, end))
    color = (channel.color or "#FFFFFF").lstrip("#").upper()
    return {
        "label": channel.name,
        "color": color,
        "active": channel.visible,
        "coefficient": 1,
        "family": "linear",
        "inverted": False,
        "window": {"min": low, "max": high, "start": start, "end": end},
    }
