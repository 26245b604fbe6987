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
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from napari_scope.errors import FrameError, SettingsError
from napari_scope.formats.ndtiff.limits import (
    INT32,
    MAX_AXES,
    MAX_AXES_BYTES,
    MAX_JSON_BYTES,
)
from napari_scope.formats.ndtiff.record import PixelType, ifd_size, pixel_type_of
from napari_scope.model import sort_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from napari_scope.model import Axes

    AxisKinds: TypeAlias = tuple[tuple[str, type], ...]

__all__ = [
    "FrameItem",
    "FrameLayout",
    "PendingFrame",
    "encode_axes",
    "encode_frame",
    "encode_summary",
]

_LITTLE: dict[int, np.dtype[np.generic]] = {1: np.dtype("u1"), 2: np.dtype("<u2")}


class FrameItem(NamedTuple):
    """One frame for `NDTiffWriter.put_many`; the fields are those of ``put``."""

    axes: Axes
    frame: npt.NDArray[np.generic]
    metadata: Mapping[str, object] | None = None
    bit_depth: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class FrameLayout:
    """How frames of one shape and type are stored.

    ``dtype`` is that of the pixels on disk, ``nbytes`` the length of a record without
    its metadata.
    """

    height: int
    width: int
    pixel_type: PixelType
    dtype: np.dtype[np.generic]
    nbytes: int


class PendingFrame(NamedTuple):
    """A frame that was checked and encoded, ready to be written.

    ``kinds`` names each axis with the type of its value, ``pixels`` are C-contiguous
    and little endian, ``metadata`` is JSON. ``nbytes`` is the length of the whole
    record, padded to an even number.
    """

    axes: bytes
    kinds: AxisKinds
    pixels: npt.NDArray[np.generic]
    layout: FrameLayout
    metadata: bytes
    nbytes: int


def encode_frame(
    axes: Axes,
    frame: npt.NDArray[np.generic],
    metadata: Mapping[str, object] | None = None,
    bit_depth: int | None = None,
    *,
    keep_axes: bool = True,
) -> PendingFrame:
    """Check and encode one frame; the pixels are copied only if they must be.

    The parameters are those of `NDTiffWriter.put`. ``"Axes"`` of the metadata stays as
    it is, for tiles of a level, which name an image of full resolution; without
    ``keep_axes`` it is made to state the axes of the frame itself.

    Raises
    ------
    FrameError
        Shape, type, axes or metadata cannot be stored.
    """
    text, kinds = encode_axes(axes)
    layout = _layout(frame.shape, frame.dtype, bit_depth)
    pixels = np.ascontiguousarray(frame, layout.dtype)
    # Often they are the very same object; to compare costs as much as to encode.
    if not keep_axes and metadata and metadata.get("Axes", axes) is not axes:
        metadata = _with_own_axes(metadata, text)
    about = _metadata(metadata, text)
    nbytes = layout.nbytes + len(about)
    nbytes += nbytes & 1
    return _new_tuple(PendingFrame, (text, kinds, pixels, layout, about, nbytes))


# The class itself would do the same, after another call.
_new_tuple = tuple.__new__

# What follows from names, types and shapes alone is worked out once: a frame of
# 64 x 64 pixels is written in the time of a few function calls.


@lru_cache(maxsize=64)
def _layout(
    shape: tuple[int, ...], dtype: np.dtype[np.generic], bit_depth: int | None
) -> FrameLayout:
    pixel_type = pixel_type_of(shape, dtype, bit_depth)
    height, width = shape[:2]
    nbytes = ifd_size(pixel_type) + height * width * pixel_type.nbytes
    stored = _LITTLE[pixel_type.dtype.itemsize]
    return FrameLayout(height, width, pixel_type, stored, nbytes)


class _AxesPlan(NamedTuple):
    """How axes of certain names and types are written.

    ``items`` are the names in storage order, each with whether its value is text;
    ``template`` is their JSON with a place for each value.
    """

    items: tuple[tuple[str, bool], ...]
    template: bytes
    kinds: AxisKinds


@lru_cache(maxsize=256)
def _plan(names_and_types: tuple[object, ...]) -> _AxesPlan | None:
    """Return the plan, or None for values that must be made plain first."""
    half = len(names_and_types) // 2
    names = names_and_types[:half]
    if half > MAX_AXES:
        raise FrameError(f"a frame has {half} axes: more than {MAX_AXES}")
    texts = [name for name in names if isinstance(name, str) and name]
    if len(texts) < half:
        raise FrameError(f"axes are named {names}", hint="every name must be a text")
    kinds = dict(zip(texts, names_and_types[half:], strict=True))
    if not all(kind is int or kind is str for kind in kinds.values()):
        return None
    order = sort_names(texts)
    parts = []
    for name in order:
        key = encode_basestring_ascii(name).replace("%", "%%")
        parts.append(f"{key}:{'%b' if kinds[name] is str else '%d'}")
    return _AxesPlan(
        tuple((name, kinds[name] is str) for name in order),
        f"{{{','.join(parts)}}}".encode(),
        tuple((name, str if kinds[name] is str else int) for name in order),
    )


@lru_cache(maxsize=1024)
def _quoted(text: str) -> bytes:
    return encode_basestring_ascii(text).encode()


def encode_axes(axes: Axes) -> tuple[bytes, AxisKinds]:
    """Return axes as JSON, in storage order, and the type of each value.

    Equal axes give equal bytes, whatever their order.

    Raises
    ------
    FrameError
        There are too many axes, a name is no text, or a value neither text nor a
        32 bit integer.
    """
    plan = _plan((*axes, *map(type, axes.values())))
    if plan is None:
        return encode_axes({name: _plain_value(name, axes[name]) for name in axes})
    values: list[int | bytes] = []
    items, template, kinds = plan
    for name, is_text in items:
        value = axes[name]
        if is_text:
            values.append(_quoted(value))
        elif value in INT32:
            values.append(value)  # type: ignore[arg-type]
        else:
            raise FrameError(f"axis {name!r} has the value {value}: over 32 bits")
    text = template % tuple(values)
    if len(text) > MAX_AXES_BYTES:
        raise FrameError(f"the axes of a frame take {len(text)} bytes: too many")
    return text, kinds


def _plain_value(name: str, value: object) -> int | str:
    """Return a numpy integer or text as the Python one."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise FrameError(
            f"axis {name!r} has the value {value!r}", hint="expected an integer or text"
        )
    return int(value)


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


_ENCODER = json.JSONEncoder(
    default=_plain, allow_nan=False, check_circular=False, separators=(",", ":")
)


def _encoding() -> Callable[[object, int], Iterable[str]]:
    """Return the function that encodes a value as pieces of JSON.

    `json.JSONEncoder` makes the encoder in C anew for every value, which takes as long
    as the metadata of a frame; here it is made once. Without it, as in PyPy, the
    public way is taken. Circles are not looked for: they end in a RecursionError.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _: (_ENCODER.encode(value),)
    encode: Callable[[object, int], Iterable[str]] = make(
        None, _plain, encode_basestring_ascii, None, ":", ",", False, False, False
    )
    return encode


_encode = _encoding()


def _json(value: Mapping[str, object]) -> str:
    plain = value if type(value) is dict else dict(value)
    try:
        return "".join(_encode(plain, 0))
    except ValueError:
        # NaN and infinity are no JSON; other programs fail on them.
        return "".join(_encode(_finite(plain), 0))


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
        text = _json(metadata)
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(
            f"the metadata of a frame cannot be written as JSON: {error}",
            hint="use numbers, text, lists and mappings with text as keys",
        ) from error
    about = text.encode()
    if "Axes" not in metadata:
        about = b'{"Axes":' + axes + b"," + about[1:]
    if len(about) > MAX_JSON_BYTES:
        raise FrameError(
            f"the metadata of a frame take {len(about)} bytes: more than "
            f"{MAX_JSON_BYTES}",
            hint="store arrays as frames or in a file of their own",
        )
    return about


def _with_own_axes(metadata: Mapping[str, object], axes: bytes) -> Mapping[str, object]:
    """Return metadata without the axes of another frame, which are kept as a fact."""
    if _states(metadata["Axes"], axes):
        return metadata
    return {
        **{name: metadata[name] for name in metadata if name != "Axes"},
        "OriginalAxes": metadata["Axes"],
    }


def _states(found: object, axes: bytes) -> bool:
    """Return whether what metadata say of the axes is what they are."""
    if not isinstance(found, Mapping):
        return False
    try:
        return encode_axes(found)[0] == axes
    except FrameError:
        return False


def encode_summary(summary: Mapping[str, object] | None) -> bytes:
    """Return the summary metadata as JSON.

    Raises
    ------
    SettingsError
        They cannot be written as JSON, or are too long.
    """
    try:
        about = _json(summary or {}).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"the summary metadata cannot be written as JSON: {error}",
            hint="use numbers, text, lists and mappings with text as keys",
        ) from error
    if len(about) > MAX_JSON_BYTES:
        raise SettingsError(
            f"the summary metadata take {len(about)} bytes: more than {MAX_JSON_BYTES}"
        )
    return about
