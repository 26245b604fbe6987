"""Positions as labelled arrays (xarray) and labelled arrays into positions.

Coordinates are physical: ``scale * index + translation`` along t, z, y and x, names
along c. Each carries its own ``units``, as the CF conventions want it. xarray is
imported when it is used.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import ConfigurationError
from napari_scope.formats.ngff.nodes import multiscale
from napari_scope.formats.ngff.nodes.failures import ArgumentError
from napari_scope.formats.ngff.nodes.meta import AxisMeta, TransformationMeta
from napari_scope.formats.ngff.nodes.node import log

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    import numpy.typing as npt
    import xarray as xr

    from napari_scope.formats.ngff.nodes.image_array import ImageArray
    from napari_scope.formats.ngff.nodes.placed import PlacedImage

__all__ = ["to_xarray", "write_xarray"]

Line = tuple[float | None, float]
"""Step, None for a single sample, and start of coordinates."""

_DIMS = ("t", "c", "z", "y", "x")
_PHYSICAL = ("t", "z", "y", "x")
_UNITS = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}
_MOST_TIMES = 2**31
_TOLERANCE = 0.01  # of an interval

# Where iohub keeps the attributes of arrays; it finds ours there, and we find its.
_THEIR_KEY = "iohub"


def to_xarray(position: PlacedImage) -> xr.DataArray:
    """Return the finest level of a position as a lazy labelled array (tczyx)."""
    xarray = _xarray()
    array = position[position._first_level()]
    names = position.axis_names
    if len(names) != len(array.shape) or not set(names) <= set(_DIMS):
        raise ArgumentError(
            f"an image of the axes {', '.join(names)} is no array of t, c, z, y and x",
            path=position.folder,
            hint="use data.dask_array()",
        )
    lazy = array.dask_array()
    # Missing axes become axes of length 1, the others take their places.
    order = [names.index(dim) for dim in _DIMS if dim in names]
    lazy = lazy.transpose(order)[
        tuple(slice(None) if dim in names else None for dim in _DIMS)
    ]
    placement = position._placement(position._first_level())
    axes = {axis.name.lower(): axis for axis in position.axes}
    coords: dict[str, Any] = {
        "c": ("c", position.channel_names[: lazy.shape[1]]),
    }
    for dim in _PHYSICAL:
        length = lazy.shape[_DIMS.index(dim)]
        place = names.index(dim) if dim in names else None
        scale = 1.0 if place is None else placement.scale[place] or 1.0
        start = 0.0 if place is None else placement.translation[place]
        unit = axes[dim].unit if dim in axes else None
        values = np.arange(length) * scale + start
        coords[dim] = (dim, values, {"units": unit} if unit else {})
    own = position.zattrs.get(_THEIR_KEY)
    saved = own.get("xarray_attrs") if isinstance(own, dict) else None
    attrs = dict(saved) if isinstance(saved, dict) else {}
    labelled: xr.DataArray = xarray.DataArray(
        lazy, dims=_DIMS, coords=coords, attrs=attrs
    )
    # Not that of the graph.
    labelled.name = None
    return labelled


def write_xarray(position: PlacedImage, data: xr.DataArray, image: str = "0") -> None:
    """Write a labelled array, or some of its channels and times, into a position."""
    if tuple(data.dims) != _DIMS:
        raise ArgumentError(f"DataArray dims must be {_DIMS}, got {tuple(data.dims)}")
    if 0 in data.shape:
        raise ArgumentError(f"an array of shape {data.shape} has nothing to write")
    for dim in _DIMS:
        if dim not in data.coords:
            raise ArgumentError(f"the DataArray has no coordinates along {dim!r}")
    labels = [str(label) for label in data.coords["c"].values]
    known = position.channel_names
    if len(set(labels)) < len(labels) or not set(labels) <= set(known):
        raise ArgumentError(
            f"the channels {labels} are not channels of the position, each once",
            path=position.folder,
            hint=f"its channels are {known}; append_channel adds one",
        )
    lines = {dim: _line(data, dim) for dim in _PHYSICAL}
    attributes = _jsonable(data.attrs)
    if image in position:
        array, times = _fit(position, image, data, lines)
    else:
        array, times = _create(position, image, data, lines)
    channels = [position.get_channel_index(label) for label in labels]
    for number, time in enumerate(times):
        for place, channel in enumerate(channels):
            # One stack at a time: whole chunks, and little memory for lazy arrays.
            array[time, channel] = np.asarray(data[number, place].values)
    if attributes:
        own = position.zattrs.get(_THEIR_KEY)
        kept = dict(own) if isinstance(own, dict) else {}
        position.zattrs[_THEIR_KEY] = {**kept, "xarray_attrs": attributes}


def _line(data: xr.DataArray, dim: str) -> Line:
    """Return step (None for a single sample) and start of evenly spaced coordinates."""
    try:
        values = np.asarray(data.coords[dim].values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"the coordinates along {dim!r} are not numbers") from error
    if not np.isfinite(values).all():
        raise ArgumentError(f"the coordinates along {dim!r} are not finite")
    if len(values) < 2:
        return None, float(values[0])
    steps = np.diff(values)
    step = float((values[-1] - values[0]) / (len(values) - 1))
    # Times may be a subset with gaps, the pixels of a plane may not.
    if step <= 0 or (steps <= 0).any():
        raise ArgumentError(f"the coordinates along {dim!r} do not increase")
    if dim != "t" and not np.allclose(steps, step, rtol=1e-3):
        raise ArgumentError(f"the coordinates along {dim!r} are not evenly spaced")
    return (float(steps.min()) if dim == "t" else step), float(values[0])


def _create(
    position: PlacedImage, image: str, data: xr.DataArray, lines: dict[str, Line]
) -> tuple[ImageArray, list[int]]:
    """Make the array that the first write needs; returns it and the places in time."""
    step, start = lines["t"]
    times = _indices(data.coords["t"].values, start, step or 1.0)
    if multiscale.find_multiscale(position._ome) is None:
        # The first array decides the axes of the image.
        position._given_axes = tuple(_axis(dim, data) for dim in _DIMS)
    elif tuple(position.axis_names) != _DIMS:
        raise _other_axes(position)
    shape = (max(times) + 1, len(position.channel_names), *data.shape[2:])
    scale = [lines[d][0] or 1.0 if d in lines else 1.0 for d in _DIMS]
    start_at = [lines[d][1] if d in lines else 0.0 for d in _DIMS]
    steps = [
        TransformationMeta("scale", scale=scale),
        TransformationMeta("translation", translation=start_at),
    ]
    array = position.create_zeros(
        image, shape=shape, dtype=data.dtype, transform=_without_whole(position, steps)
    )
    return array, times


def _axis(dim: str, data: xr.DataArray) -> AxisMeta:
    unit = data.coords[dim].attrs.get("units", _UNITS.get(dim))
    return AxisMeta(dim.upper(), None, str(unit) if unit and dim != "c" else None)


def _fit(
    position: PlacedImage, image: str, data: xr.DataArray, lines: dict[str, Line]
) -> tuple[ImageArray, list[int]]:
    """Make room in an array that is there; returns it and the places in time."""
    array = position[image]
    if tuple(position.axis_names) != _DIMS or len(array.shape) != len(_DIMS):
        raise _other_axes(position)
    if array.shape[2:] != data.shape[2:]:
        raise ArgumentError(
            f"stacks of {data.shape[2:]} for an array of {array.shape[2:]}",
            path=position.folder,
        )
    if not np.can_cast(data.dtype, array.dtype, "same_kind"):
        raise ArgumentError(
            f"pixels of {data.dtype} for an array of {array.dtype}",
            path=position.folder,
        )
    placement = position._placement(image)
    scale, start = list(placement.scale), list(placement.translation)
    first = float(np.asarray(data.coords["t"].values, dtype=float)[0])
    if array.shape[0] == 1:
        # One time has no interval; the next write tells it.
        later = first - start[0]
        scale[0] = lines["t"][0] or (later if later > 0 else scale[0])
    times = _indices(data.coords["t"].values, start[0], scale[0] or 1.0)
    for place, dim in enumerate(_DIMS):
        if dim in lines and dim != "t":
            step, begin = lines[dim]
            scale[place], start[place] = step or scale[place], begin
    _grow(position, image, max(times) + 1)
    _update_metadata(position, image, data, scale, start)
    return position[image], times


def _grow(position: PlacedImage, image: str, count: int) -> None:
    """Make all levels of an image long enough in time; new times are zeros."""
    length = position[image].shape[0]
    if count <= length:
        return
    paths = multiscale.level_paths(position._ome)
    for path in {image, *paths}:
        array = position[path]
        if array.shape[0] == length:
            array.resize((count, *array.shape[1:]))


def _update_metadata(
    position: PlacedImage,
    image: str,
    data: xr.DataArray,
    scale: list[float],
    start: list[float],
) -> None:
    steps = [
        TransformationMeta("scale", scale=[number or 1.0 for number in scale]),
        TransformationMeta("translation", translation=start),
    ]
    now = position._placement(image)
    moved = not np.allclose([*now.scale, *now.translation], [*scale, *start])
    if moved and image in multiscale.level_paths(position._ome):
        if len(multiscale.level_paths(position._ome)) > 1:
            log.warning("%s: its other levels are where they were", position.folder)
        position.set_transform(image, _without_whole(position, steps))
    axes = [
        _axis(dim, data) if "units" in data.coords[dim].attrs else axis
        for dim, axis in zip(_DIMS, position.axes, strict=True)
    ]
    axes = [
        AxisMeta(old.name, old.type, new.unit)
        for old, new in zip(position.axes, axes, strict=True)
    ]
    if axes != position.axes:
        position._change(lambda block: multiscale.set_axes(block, axes))


def _without_whole(
    position: PlacedImage, steps: list[TransformationMeta]
) -> list[TransformationMeta]:
    """Return what a level says so that it is as given after the whole image is."""
    if multiscale.find_multiscale(position._ome) is None:
        return steps
    whole = position._placement("*")
    scales, starts = steps[0].scale or (), steps[1].translation or ()
    factors = [number or 1.0 for number in whole.scale]
    return [
        TransformationMeta(
            "scale", scale=[s / f for s, f in zip(scales, factors, strict=True)]
        ),
        TransformationMeta(
            "translation",
            translation=[
                (s - w) / f
                for s, w, f in zip(starts, whole.translation, factors, strict=True)
            ],
        ),
    ]


def _other_axes(position: PlacedImage) -> ArgumentError:
    return ArgumentError(
        f"the image has the axes {', '.join(position.axis_names)}, not t, c, z, y, x",
        path=position.folder,
    )


def _indices(values: npt.ArrayLike, start: float, step: float) -> list[int]:
    """Return the places of times on the grid of the image.

    >>> _indices([4.0, 6.0], 2.0, 1.0)
    [2, 4]
    """
    times = np.asarray(values, dtype=float)
    exact = (times - start) / step
    places = np.round(exact)
    off = np.abs(exact - places).max() > _TOLERANCE
    if off or places.min() < 0 or places.max() >= _MOST_TIMES:
        raise ArgumentError(
            f"the times {times.tolist()[:8]} are not among {start:g} + n * {step:g}",
            hint="n = 0, 1, 2 and so on are the times that the image can have",
        )
    return [int(place) for place in places]


def _jsonable(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes of an array as JSON keeps them."""

    def plain(value: object) -> object:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        raise TypeError(f"a {type(value).__name__}")

    try:
        text = json.dumps(dict(attributes), default=plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"the attributes of the array cannot be kept as JSON: {error}"
        ) from error
    kept: dict[str, Any] = json.loads(text)
    return kept


def _xarray() -> ModuleType:
    try:
        import xarray
    except ImportError as error:
        raise ConfigurationError(
            "labelled arrays need xarray", hint="pip install xarray"
        ) from error
    return xarray
