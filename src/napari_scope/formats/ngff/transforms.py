"""Scale and translation of OME-Zarr, composed to one pair of numbers for each axis.

A pixel index becomes a physical position by the transformations of its level and then
by those of the whole multiscale image. Both are lists of scales and translations, so
together they are ``position = scale * index + translation`` for each axis.

Examples
--------
>>> level = [
...     {"type": "scale", "scale": [2]},
...     {"type": "translation", "translation": [5]},
... ]
>>> whole = [
...     {"type": "scale", "scale": [10]},
...     {"type": "translation", "translation": [1]},
... ]
>>> compose(1, level, whole).translation
(51.0,)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Placement", "compose"]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the samples of an array lie.

    Parameters
    ----------
    scale : tuple of float
        Distance of two samples on each axis.
    translation : tuple of float
        Position of sample 0 on each axis.
    problems : tuple of str
        Transformations that could not be used; they count as the identity.
    """

    scale: tuple[float, ...]
    translation: tuple[float, ...]
    problems: tuple[str, ...] = ()


def compose(ndim: int, *transformations: object) -> Placement:
    """Compose lists of coordinate transformations, the first applied first.

    Parameters
    ----------
    ndim : int
        Number of axes.
    *transformations : list of dict, or None
        ``coordinateTransformations`` as found; anything odd is reported, not raised.
    """
    scale = [1.0] * ndim
    translation = [0.0] * ndim
    problems: list[str] = []
    for entries in transformations:
        if entries is None:
            continue
        if not isinstance(entries, list):
            problems.append("coordinateTransformations is not a list")
            continue
        for entry in entries:
            kind = entry.get("type") if isinstance(entry, dict) else None
            if kind == "identity":
                continue
            if kind not in ("scale", "translation"):
                problems.append(f"a transformation of type {kind!r} is not used")
                continue
            values = _numbers(entry.get(kind), ndim)
            if values is None:
                problems.append(f"a {kind} of {str(entry.get(kind))[:60]} is not used")
            elif kind == "scale":
                scale = [s * v for s, v in zip(scale, values, strict=True)]
                translation = [t * v for t, v in zip(translation, values, strict=True)]
            else:
                translation = [t + v for t, v in zip(translation, values, strict=True)]
    return Placement(tuple(scale), tuple(translation), tuple(problems))


def _numbers(value: object, ndim: int) -> list[float] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != ndim:
        return None
    numbers = []
    for number in value:
        if isinstance(number, bool) or not isinstance(number, int | float):
            return None
        try:
            numbers.append(float(number))
        except OverflowError:
            return None
    return numbers if all(map(math.isfinite, numbers)) else None
