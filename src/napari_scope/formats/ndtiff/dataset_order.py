"""The order of axes, which is the same in every process, and values as words.

Examples
--------
>>> axis_order({"z", "channel", "polarisation", "time"}, ("polarisation", "z"))
('time', 'channel', 'polarisation', 'z')
>>> listed([0, 1, 2, 3]), listed(["DAPI", "FITC"]), listed([7])
('0 to 3', "'DAPI', 'FITC'", '7')
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_scope.formats.ndtiff.index import INDEX_NAME
from napari_scope.formats.ndtiff.layout import recovered_index
from napari_scope.model import canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

__all__ = ["axis_order", "first_axes", "listed"]

_BEFORE = ("row", "column", "position", "time", "channel")
_MOST_AXES = 1 << 16  # bytes of the axes of one record
_MOST_LISTED = 8


def axis_order(names: Collection[str], first: Sequence[str]) -> tuple[str, ...]:
    """Return names of axes in the order of arrays.

    It is the same in every process: row, column, position, time, channel, other axes
    in the order of the first record and then by name, z.

    Parameters
    ----------
    names : collection of str
        All axes.
    first : sequence of str
        Axes of the first record of the index, as they stand there.
    """
    last = len(_BEFORE) + 1

    def key(name: str) -> tuple[int, int, str]:
        known = canonical(name)
        group = len(_BEFORE)
        if known in _BEFORE:
            group = _BEFORE.index(known)
        elif known == "z":
            group = last
        return group, first.index(name) if name in first else len(first), name

    return tuple(sorted(names, key=key))


def first_axes(folder: Path, order: str) -> tuple[str, ...]:
    """Return the axes of the first record of an index, as they stand there.

    Parameters
    ----------
    folder : Path
        Where the index is.
    order : str
        Its byte order, ``"<"`` or ``">"``.

    Returns
    -------
    tuple of str
        Empty where there is no index, or no record yet.
    """
    index: Path | None = folder / INDEX_NAME
    if index is not None and not index.is_file():
        index = recovered_index(folder)
    if index is None:
        return ()
    try:
        with open(index, "rb") as file:
            head = file.read(_MOST_AXES)
        length = int.from_bytes(head[:4], "little" if order == "<" else "big")
        record = json.loads(head[4 : 4 + length])
    except (OSError, ValueError, RecursionError):
        return ()  # the reader has said already what is wrong with it
    return tuple(record) if isinstance(record, dict) else ()


def listed(values: Sequence[int | str]) -> str:
    """Return values as words."""
    if len(values) > 2 and all(isinstance(value, int) for value in values):
        numbers = [int(value) for value in values]
        if numbers == list(range(numbers[0], numbers[-1] + 1)):
            return f"{numbers[0]} to {numbers[-1]}"
    text = ", ".join(map(repr, values[:_MOST_LISTED]))
    more = len(values) - _MOST_LISTED
    return f"{text} and {more} more" if more > 0 else text
