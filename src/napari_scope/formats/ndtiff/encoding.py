"""From what a caller gives to the bytes of a frame: checked first, then encoded.

Everything that can be wrong with a frame is found here, before a byte is written.
This module knows the rules of NDTiff for axes, metadata and pixels, not the files.

Examples
--------
>>> import numpy as np
>>> text, kinds = encode_axes({"z": np.int64(-2), "time": 0, "channel": "DAPI"})
>>> text
b'{"time":0,"channel":"DAPI","z":-2}'
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from napari_scope.errors import FrameError, SettingsError
from napari_scope.formats.ndtiff.record import PixelType, ifd_size, pixel_type_of
from napari_scope.model import sort_names

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.model import Axes

    AxisKinds: TypeAlias = tuple[tuple[str, type], ...]

__all__ = ["FrameItem", "PendingFrame", "encode_axes", "encode_frame", "encode_summary"]

_MAX_AXES_BYTES = 65536  # what our reader and common sense accept
_INT32 = range(-(2**31), 2**31)
_LITTLE: dict[int, np.dtype[np.generic]] = {1: np.dtype("u1"), 2: np.dtype("<u2")}


class FrameItem(NamedTuple):
    """One frame for `NDTiffWriter.put_many`; the fields are those of ``put``."""

    axes: Axes
    frame: npt.NDArray[np.generic]
    metadata: Mapping[str, object] | None = None
    bit_depth: int | None = None


class PendingFrame(NamedTuple):
    """A frame that was checked and encoded, ready to be written.

    ``kinds`` names each axis with the type of its value, ``pixels`` are C-contiguous
    and little endian, ``metadata`` is JSON. ``nbytes`` is the length of the whole
    record, padded to an even number.
    """

    axes: bytes
    kinds: AxisKinds
    pixels: npt.NDArray[np.generic]
    pixel_type: PixelType
    metadata: bytes
    nbytes: int


def encode_frame(item: FrameItem) -> PendingFrame:
    """Check and encode one frame; the pixels are copied only if they must be.

    Raises
    ------
    FrameError
        Shape, type, axes or metadata cannot be stored.
    """
    axes, frame, metadata, bit_depth = item
    text, kinds = encode_axes(axes)
    pixel_type = pixel_type_of(frame.shape, frame.dtype, bit_depth)
    pixels = np.ascontiguousarray(frame, dtype=_LITTLE[pixel_type.dtype.itemsize])
    about = _metadata(metadata, text)
    nbytes = ifd_size(pixel_type) + pixels.nbytes + len(about)
    nbytes += nbytes % 2
    return PendingFrame(text, kinds, pixels, pixel_type, about, nbytes)


@lru_cache(maxsize=256)
def _plan(names: tuple[object, ...]) -> tuple[tuple[str, str], ...]:
    """Return the axes in storage order, each with the start of its JSON item."""
    texts = [name for name in names if isinstance(name, str) and name]
    if len(texts) < len(names):
        raise FrameError(f"axes are named {names}", hint="every name must be a text")
    return tuple(
        (name, f"{encode_basestring_ascii(name)}:") for name in sort_names(texts)
    )


def encode_axes(axes: Axes) -> tuple[bytes, AxisKinds]:
    """Return axes as JSON, in storage order, and the type of each value.

    Equal axes give equal bytes, whatever their order.

    Raises
    ------
    FrameError
        A name is no text, or a value neither text nor a 32 bit integer.
    """
    parts = []
    kinds: list[tuple[str, type]] = []
    for name, start in _plan(tuple(axes)):
        value = axes[name]
        if type(value) is not int and not isinstance(value, str):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise FrameError(
                    f"axis {name!r} has the value {value!r}",
                    hint="expected an integer or text",
                )
            value = int(value)
        if isinstance(value, str):
            parts.append(start + encode_basestring_ascii(value))
            kinds.append((name, str))
        elif value in _INT32:
            parts.append(start + str(value))
            kinds.append((name, int))
        else:
            raise FrameError(f"axis {name!r} has the value {value}: over 32 bits")
    text = f"{{{','.join(parts)}}}".encode()
    if len(text) > _MAX_AXES_BYTES:
        raise FrameError(f"the axes of a frame take {len(text)} bytes: too many")
    return text, tuple(kinds)


def _plain(value: object) -> object:
    """Return a numpy value as a Python one, for the JSON encoder."""
    if isinstance(value, np.generic):
        plain = value.item()
        if not isinstance(plain, np.generic):
            return plain
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


_ENCODER = json.JSONEncoder(default=_plain, allow_nan=False, separators=(",", ":"))


def _json(value: Mapping[str, object]) -> str:
    try:
        return _ENCODER.encode(value if type(value) is dict else dict(value))
    except ValueError:
        # NaN and infinity are no JSON; other programs fail on them.
        return _ENCODER.encode(_finite(value))


def _finite(value: object) -> object:
    """Return a value with null in place of NaN and infinity."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = _plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _metadata(metadata: Mapping[str, object] | None, axes: bytes) -> bytes:
    """Return metadata as JSON; the axes are put in front if they are not there."""
    if not metadata:
        return b'{"Axes":%b}' % axes
    try:
        text = _json(metadata).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(
            f"the metadata of a frame cannot be written as JSON: {error}",
            hint="use numbers, text, lists and mappings with text as keys",
        ) from error
    if "Axes" in metadata:
        return text
    return b'{"Axes":%b,%b' % (axes, text[1:])


def encode_summary(summary: Mapping[str, object] | None) -> bytes:
    """Return the summary metadata as JSON.

    Raises
    ------
    SettingsError
        They cannot be written as JSON.
    """
    try:
        return _json(summary or {}).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"the summary metadata cannot be written as JSON: {error}",
            hint="use numbers, text, lists and mappings with text as keys",
        ) from error
