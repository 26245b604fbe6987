"""The metadata of a frame, taken over from a caller who may go on changing them.

A frame's line is written later and by another thread, so `append` copies what could
change. Facts are few and mostly numbers and words: the copy costs a microsecond or two,
a general deep copy thirty.

Examples
--------
>>> stage = {"xy": [1.0, 2.0]}
>>> mine = own_copy({"stage": stage, "n": 3})
>>> stage["xy"][0] = 9.0
>>> mine
{'stage': {'xy': [1.0, 2.0]}, 'n': 3}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_scope.errors import FrameError
from napari_scope.stream.journal import jsonable

__all__ = ["own_copy"]

_PLAIN = frozenset({str, int, float, bool, type(None)})
_MAX_DEPTH = 100  # the encoder of JSON and those who read it give up at about 1000


def own_copy(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a frame's metadata that shares nothing that can change.

    What JSON has no word for is turned into what it has, as `jsonable` does.

    Raises
    ------
    FrameError
        If the metadata are no mapping, or contain themselves.
    """
    if not isinstance(facts, Mapping):
        raise FrameError(
            f"the metadata of a frame are a mapping of names to values, found "
            f"{type(facts).__name__}"
        )
    return {
        key: value if type(value) in _PLAIN else _copy(value, 1)
        for key, value in facts.items()
    }


def _copy(value: object, depth: int) -> object:
    kind = type(value)
    if kind in _PLAIN or isinstance(value, np.generic):
        return value
    if depth > _MAX_DEPTH:
        raise FrameError(
            f"the metadata of a frame are nested more than {_MAX_DEPTH} deep",
            hint="a list or mapping that contains itself cannot be stored",
        )
    if kind is dict:
        return {k: _copy(v, depth + 1) for k, v in value.items()}  # type: ignore[attr-defined]
    if kind is list or kind is tuple:
        return [_copy(v, depth + 1) for v in value]  # type: ignore[attr-defined]
    try:
        return jsonable(value)
    except RecursionError:
        raise FrameError(
            "the metadata of a frame contain themselves",
            hint="a list or mapping that contains itself cannot be stored",
        ) from None
