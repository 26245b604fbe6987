"""Data sets made by hand, whose frames say where they belong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.arrays import FrameSource, LazyArray
from napari_scope.model import Axis, Channel, Dataset, Image, axis_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Frames", "make_dataset", "make_image"]


class Frames:
    """The frames of an image by their index; those in ``missing`` were not saved."""

    def __init__(
        self,
        name: str,
        names: str,
        missing: Callable[[Mapping[str, int]], bool] = lambda _: False,
    ) -> None:
        self._name = name
        self._names = [n for n in names if n not in "yx"]
        self._missing = missing

    def exists(self, index: Mapping[str, int]) -> bool:
        return not self._missing(index)

    def axes(self, index: Mapping[str, int]) -> Mapping[str, int | str] | None:
        if self._missing(index):
            return None
        return {name: index.get(name, 0) for name in self._names}

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        if self._missing(index):
            return None
        return {"Image": self._name, "Index": dict(index), "Gain": 2}


def make_image(
    name: str = "cells",
    names: str = "tyx",
    shape: tuple[int, ...] = (3, 8, 9),
    *,
    channels: tuple[str, ...] = (),
    missing: Callable[[Mapping[str, int]], bool] = lambda _: False,
    translation: Mapping[str, float] | None = None,
    dtype: str = "u2",
    scale: Mapping[str, float] | None = None,
    levels: int = 1,
    **fields: Any,
) -> Image:
    """Return an image in which each pixel is the sum of its frame's index."""
    lead = len(shape) - 2
    sizes = [
        (*shape[:lead], shape[lead] >> level, shape[lead + 1] >> level)
        for level in range(levels)
    ]

    def source(size: tuple[int, ...]) -> LazyArray:
        def frame(index: tuple[int, ...]) -> Any:
            at = {n: i for n, i in zip(names, index, strict=False) if n not in "yx"}
            if missing(at):
                return None
            value = 1 + sum(10**k * i for k, i in enumerate(reversed(index)))
            return np.full(size[lead:], value, dtype)

        return LazyArray(FrameSource(size, dtype, frame))

    places, steps = translation or {}, scale or {}
    axes = tuple(
        Axis(n, axis_kind(n), None, steps.get(n, 1.0), places.get(n, 0.0))
        for n in names
    )
    fields.setdefault("bit_depth", 12)
    fields.setdefault("frames", Frames(name, names, missing))
    return Image(
        name,
        axes,
        tuple(source(size) for size in sizes),
        tuple(Channel(channel) for channel in channels),
        **fields,
    )


def make_dataset(*images: Image, finished: bool = False, **fields: Any) -> Dataset:
    """Return a data set that is being written."""
    return Dataset("/data/run", "ndtiff", "3.3", images, finished=finished, **fields)
