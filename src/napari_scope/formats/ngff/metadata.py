"""The JSON of an OME-Zarr 0.5 store, built from plain values.

Pure functions: they return dictionaries, nothing is written here. The source of each
key is the specification of OME-NGFF 0.5 and of Zarr v3 (core and sharding-indexed).

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

from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.model import Axis, Channel

__all__ = [
    "NGFF_VERSION",
    "LevelInfo",
    "array_metadata",
    "collection_attributes",
    "encode",
    "group_metadata",
    "image_attributes",
    "series_attributes",
]

NGFF_VERSION = "0.5"

_NGFF_TYPE = {"time": "time", "channel": "channel", "space": "space"}


@dataclass(frozen=True, slots=True)
class LevelInfo:
    """One level of a pyramid: its path and how far y and x are reduced."""

    path: str
    factor: int


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
) -> dict[str, Any]:
    """Return the ``zarr.json`` of an uncompressed, sharded array.

    Parameters
    ----------
    shape, chunk, shard : sequence of int
        Sizes of the array, of an inner chunk and of a shard, in pixels.
    dtype : str
        Zarr name of the pixel type (``uint16``).
    names : sequence of str
        Name of each axis.
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
                    "codecs": [little],
                    "index_codecs": [little, {"name": "crc32c"}],
                    "index_location": "end",
                },
            }
        ],
        "attributes": {},
        "dimension_names": list(names),
        "storage_transformers": [],
    }


def image_attributes(
    name: str,
    axes: Sequence[Axis],
    levels: Sequence[LevelInfo],
    channels: Sequence[Channel] = (),
    *,
    bit_depth: int | None = None,
    default_z: int = 0,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the attributes of an image group: multiscales, omero and our own.

    Parameters
    ----------
    name : str
        Name of the image.
    axes : sequence of Axis
        Axes in storage order with the scale and translation of full resolution.
    levels : sequence of LevelInfo
        The levels, finest first. The centre of a coarse pixel lies between the fine
        ones it covers, so coarse levels are shifted by half of what they reduce.
    channels : sequence of Channel
        For the display settings (``omero``).
    bit_depth : int, optional
        Significant bits, the range of the display windows.
    default_z : int
        Plane to show first.
    extra : mapping, optional
        What goes under the key ``napari_scope``.

    Raises
    ------
    SettingsError
        If OME-NGFF cannot hold these axes.
    """
    _check_axes(axes)
    top = float(2 ** (bit_depth or 16) - 1)
    ome: dict[str, Any] = {
        "version": NGFF_VERSION,
        "multiscales": [
            {
                "name": name,
                "axes": [_axis(axis) for axis in axes],
                "datasets": [_dataset(axes, level) for level in levels],
                "type": "mean",
            }
        ],
    }
    if channels:
        ome["omero"] = {
            "version": NGFF_VERSION,
            "channels": [_omero_channel(channel, top) for channel in channels],
            "rdefs": {"defaultT": 0, "defaultZ": default_z, "model": "color"},
        }
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


def _check_axes(axes: Sequence[Axis]) -> None:
    names = [axis.name for axis in axes]
    if not 2 <= len(axes) <= 5:
        raise SettingsError(
            f"OME-Zarr holds images of 2 to 5 axes, this one has {len(axes)} "
            f"({', '.join(names)})",
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
    for axis in axes:
        factor = level.factor if axis.name in ("y", "x") else 1
        scale.append(axis.scale * factor)
        translation.append(axis.translation + axis.scale * (factor - 1) / 2)
    return {
        "path": level.path,
        "coordinateTransformations": [
            {"type": "scale", "scale": scale},
            {"type": "translation", "translation": translation},
        ],
    }


def _omero_channel(channel: Channel, top: float) -> dict[str, Any]:
    start, end = channel.contrast_limits or (0.0, top)
    color = (channel.color or "#FFFFFF").lstrip("#").upper()
    return {
        "label": channel.name,
        "color": color,
        "active": channel.visible,
        "coefficient": 1,
        "family": "linear",
        "inverted": False,
        "window": {"min": 0.0, "max": top, "start": float(start), "end": float(end)},
    }
