"""Coordinate transformations of OME-Zarr, composed to what a viewer can place.

A pixel index becomes a physical position by the transformations of its level and then
by those of the whole multiscale image. As long as they are scales and translations,
they are together ``position = scale * index + translation`` for each axis. Version 0.6
also has matrices: what remains of them is applied after that, to the position.

Known are identity, scale, translation, affine, rotation, mapAxis, byDimension,
bijection (its forward half) and sequences of these, between spaces of the same number
of axes. Fields of displacements, projections and numbers that are stored in arrays
are not: they are reported and do nothing.

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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Matrix", "Placement", "compose", "inverse"]

Matrix: TypeAlias = tuple[tuple[float, ...], ...]
"""Homogeneous matrix: one row and column more than there are axes."""

_Array = npt.NDArray[np.float64]

_DEPTH = 8  # of sequences within sequences; none that makes sense has more
_COUNT = 256  # of transformations in all


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
    affine : tuple of tuple of float, optional
        Homogeneous matrix to be applied after scale and translation. None where these
        say all.
    """

    scale: tuple[float, ...]
    translation: tuple[float, ...]
    problems: tuple[str, ...] = ()
    affine: Matrix | None = None


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
    matrix: _Array | None = None
    problems: list[str] = []
    for entries in transformations:
        if entries is None:
            continue
        if not isinstance(entries, list):
            problems.append("coordinateTransformations is not a list")
            continue
        if len(entries) > _COUNT:
            problems.append(f"only the first {_COUNT} transformations are used")
        for entry in entries[:_COUNT]:
            try:
                steps = _steps(entry, ndim, _DEPTH)
            except _UnusableError as reason:
                problems.append(str(reason))
                continue
            for kind, values in steps:
                if kind == "matrix" or matrix is not None:
                    # Matrices, and what follows them, are applied to the position.
                    before = np.eye(ndim + 1) if matrix is None else matrix
                    matrix = _then(before, _as_matrix(kind, values, ndim))
                elif kind == "scale":
                    scale = [s * v for s, v in zip(scale, values, strict=True)]
                    translation = [
                        t * v for t, v in zip(translation, values, strict=True)
                    ]
                else:
                    translation = [
                        t + v for t, v in zip(translation, values, strict=True)
                    ]
    if matrix is None:
        return Placement(tuple(scale), tuple(translation), tuple(problems))
    if not np.isfinite(matrix).all():
        problems.append("a transformation that overflows is not used")
        return Placement(tuple(scale), tuple(translation), tuple(problems))
    diagonal = np.diag(matrix)[:-1]
    if not np.array_equal(matrix[:-1, :-1], np.diag(diagonal)):
        affine = tuple(tuple(row) for row in matrix.tolist())
        return Placement(tuple(scale), tuple(translation), tuple(problems), affine)
    # A matrix that only scales and shifts each axis, as many of version 0.6 do.
    factors, shifts = diagonal.tolist(), matrix[:-1, -1].tolist()
    return Placement(
        tuple(s * f for s, f in zip(scale, factors, strict=True)),
        tuple(
            t * f + shift
            for t, f, shift in zip(translation, factors, shifts, strict=True)
        ),
        tuple(problems),
    )


def inverse(entry: object, ndim: int) -> list[object]:
    """Return transformations that undo one, as a list for `compose`.

    What cannot be undone comes back with a type that `compose` reports.
    """
    try:
        steps = _steps(entry, ndim, _DEPTH)
        matrix = np.eye(ndim + 1)
        for kind, values in steps:
            matrix = _then(matrix, _as_matrix(kind, values, ndim))
        undone = np.linalg.inv(matrix)
    except (_UnusableError, np.linalg.LinAlgError):
        called = entry.get("type") if isinstance(entry, Mapping) else None
        return [{"type": f"inverse of {called}"}]
    return [{"type": "affine", "affine": undone[:-1].tolist()}]


class _UnusableError(ValueError):
    """A transformation that does nothing here, and why."""


_Step = tuple[str, "list[float] | _Array"]


def _steps(entry: object, ndim: int, depth: int) -> list[_Step]:
    """Return one transformation as scales, translations and matrices."""
    kind = entry.get("type") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(kind, str):
        raise _UnusableError(f"a transformation of type {_brief(kind)} is not used")
    if depth == 0:
        raise _UnusableError("transformations within transformations are too deep")
    if kind == "identity":
        return []
    if kind in ("scale", "translation"):
        values = _numbers(entry.get(kind), ndim)
        if values is None:
            raise _UnusableError(f"a {kind} of {str(entry.get(kind))[:60]} is not used")
        return [(kind, values)]
    if kind == "sequence":
        return [
            step
            for part in _parts(entry, kind)
            for step in _steps(part, ndim, depth - 1)
        ]
    if kind == "bijection":
        return _steps(entry.get("forward"), ndim, depth - 1)
    if kind == "byDimension":
        return [("matrix", _by_dimension(entry, ndim, depth))]
    if kind == "mapAxis":
        return [("matrix", _map_axis(entry, ndim))]
    if kind in ("affine", "rotation"):
        return [("matrix", _matrix(entry, kind, ndim))]
    raise _UnusableError(f"a transformation of type {_brief(kind)} is not used")


def _brief(kind: object) -> str:
    return repr(kind)[:60]


def _parts(entry: Mapping[str, object], kind: str) -> list[object]:
    parts = entry.get("transformations")
    if not isinstance(parts, list) or len(parts) > _COUNT:
        raise _UnusableError(f"a {kind} without a list of transformations is not used")
    return parts


def _matrix(entry: Mapping[str, object], kind: str, ndim: int) -> _Array:
    columns = ndim + (kind == "affine")
    rows = entry.get(kind)
    if isinstance(rows, list) and len(rows) == ndim:
        numbers = [_numbers(row, columns) for row in rows]
        if all(row is not None for row in numbers):
            matrix = np.eye(ndim + 1)
            matrix[:ndim, :columns] = numbers
            return matrix
    told = "stored in an array" if "path" in entry else str(rows)[:60]
    raise _UnusableError(
        f"a transformation of type {kind!r} ({told}) is not used: {ndim} rows of "
        f"{columns} numbers were expected"
    )


def _map_axis(entry: Mapping[str, object], ndim: int) -> _Array:
    """Return the permutation: at each output axis stands the input axis it takes."""
    order = entry.get("mapAxis")
    if not isinstance(order, list) or not _are_axes(order, ndim) or len(order) != ndim:
        raise _UnusableError(f"a mapAxis of {str(order)[:60]} is not used")
    matrix = np.zeros((ndim + 1, ndim + 1))
    matrix[range(ndim), order] = 1.0
    matrix[ndim, ndim] = 1.0
    return matrix


def _by_dimension(entry: Mapping[str, object], ndim: int, depth: int) -> _Array:
    """Return transformations of some axes each as one of all axes."""
    matrix = np.zeros((ndim + 1, ndim + 1))
    matrix[ndim, ndim] = 1.0
    seen: list[int] = []
    for part in _parts(entry, "byDimension"):
        fields = part if isinstance(part, Mapping) else {}
        into, out = fields.get("inputAxes"), fields.get("outputAxes")
        if (
            not isinstance(into, list)
            or not isinstance(out, list)
            or not _are_axes(into, ndim)
            or not _are_axes(out, ndim)
            or len(into) != len(out)
        ):
            raise _UnusableError(
                f"a byDimension from axes {str(into)[:40]} to {str(out)[:40]} is not "
                "used"
            )
        count = len(into)
        own = np.eye(count + 1)
        for kind, values in _steps(fields.get("transformation"), count, depth - 1):
            own = _then(own, _as_matrix(kind, values, count))
        matrix[np.ix_(out, into)] = own[:-1, :-1]
        matrix[out, -1] = own[:-1, -1]
        seen += out
    if sorted(seen) != list(range(ndim)):
        raise _UnusableError("a byDimension that does not name each axis once")
    return matrix


def _are_axes(values: list[object], ndim: int) -> bool:
    return all(type(v) is int and 0 <= v < ndim for v in values) and len(
        set(map(str, values))
    ) == len(values)


def _then(first: _Array, second: _Array) -> _Array:
    """Return one matrix for two; what overflows is found at the end."""
    with np.errstate(all="ignore"):
        product: _Array = second @ first
    return product


def _as_matrix(kind: str, values: Sequence[float] | _Array, ndim: int) -> _Array:
    if isinstance(values, np.ndarray):
        return values
    matrix = np.eye(ndim + 1)
    if kind == "scale":
        matrix[range(ndim), range(ndim)] = values
    else:
        matrix[:ndim, ndim] = values
    return matrix


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
